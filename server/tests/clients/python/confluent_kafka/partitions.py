"""Thousands of partitions of three replicas on three nodes, nearly all of them empty: how long until all are led when they are made, when the
cluster starts and when a node dies, and what memory each takes.

A partition counts as led once a node counts it among those that it leads, and the nodes that live all name that node to clients.
"""

import os
import time

import figures
import nodes
from checks import check
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from nodes import TIMEOUT_S, wait_for

COUNT = int(os.environ["COUNT"])
TOPICS = 10
FILLED = min(100, COUNT // 2)
LIMIT_S = 120
NAMES = [f"many-{number}" for number in range(TOPICS)]


def led_by(cluster, alive):
    """Whether every partition is led by one of the nodes, by their own count."""
    gauges = [cluster.nodes[number].gauges() for number in alive]
    return all(each.get("serving") for each in gauges) and sum(each["leaders"] for each in gauges) == COUNT


def told_by(cluster, alive, in_sync):
    """Whether these nodes all name one of them as the leader of every partition, with so many replicas in sync."""
    for number in alive:
        said = cluster.metadata(number, NAMES)
        partitions = [each for topic in said.topics.values() for each in topic.values()] if said else []
        if len(partitions) != COUNT or not all(each.leader in alive and len(each.isr) >= in_sync for each in partitions):
            return False
    return True


def until(what, started, is_so):
    wait_for(what, is_so, lambda: time.sleep(0.02), LIMIT_S)
    return time.monotonic() - started


def until_led(cluster, started, alive, in_sync=1):
    until("a leader of every partition", started, lambda: led_by(cluster, alive))
    led_s = time.monotonic() - started
    return {"led_s": led_s, "told_s": until("that every node tells of it", started, lambda: told_by(cluster, alive, in_sync))}


def resident(cluster):
    return {number: node.resident_bytes() for number, node in cluster.nodes.items()}


def fill(cluster):
    producer = Producer(cluster.bootstrap | {"enable.idempotence": True})
    for number in range(FILLED):
        producer.produce(NAMES[number % TOPICS], b"x" * 100, partition=number // TOPICS)
    check(f"a record in each of {FILLED} partitions is acknowledged", 0, producer.flush(TIMEOUT_S))


def check_files(cluster):
    held = {number: sum(name.startswith("many-") for name in os.listdir(node.folder)) for number, node in cluster.nodes.items()}
    check("an empty partition owns no file", {number: FILLED for number in cluster.nodes}, held)


def choose(cluster, what):
    controller = cluster.controller()
    others = [number for number in cluster.nodes if number != controller]
    return controller if what == "the controller" or not controller else max(others, key=lambda each: cluster.nodes[each].gauges()["leaders"])


def main(cluster):
    everyone = set(cluster.nodes)
    result = {"partitions": COUNT, "replicas": 3}
    cluster.start()
    wait_for("a cluster of three", lambda: all((said := cluster.metadata(each, [])) and said.brokers == everyone for each in everyone))
    time.sleep(2)
    before = resident(cluster)

    started = time.monotonic()
    admin = AdminClient(cluster.bootstrap)
    for future in admin.create_topics([NewTopic(name, COUNT // TOPICS, 3) for name in NAMES], request_timeout=LIMIT_S).values():
        future.result(LIMIT_S)
    result["create"] = {"answered_s": time.monotonic() - started} | until_led(cluster, started, everyone, 3)
    print("--  made: " + ", ".join(f"{name.removesuffix('_s')} after {value:.2f} s" for name, value in result["create"].items()), flush=True)
    fill(cluster)
    check_files(cluster)
    time.sleep(5)
    leading = sorted(node.gauges()["leaders"] for node in cluster.nodes.values())
    check(f"each node still leads what it was given, {leading}", True, leading[-1] - leading[0] < COUNT / 10)
    after = resident(cluster)
    result["resident_bytes"] = {"before": before, "after": after}
    per_partition = max((after[each] - before[each]) / COUNT for each in everyone)
    print("--  resident: " + ", ".join(f"node {each} {before[each] >> 20} MiB without and {after[each] >> 20} MiB with" for each in everyone))

    for what in ("another node", "the controller"):
        victim = wait_for("a leading controller", lambda: choose(cluster, what))
        leading = cluster.nodes[victim].gauges()["leaders"]
        started = time.monotonic()
        cluster.strike("kill", victim)
        result[f"kill of {what}"] = {"led": leading} | until_led(cluster, started, everyone - {victim}, 1)
        returned = time.monotonic()
        cluster.heal("kill", victim)
        until("that all replicas are in sync", returned, lambda: told_by(cluster, everyone, 3))
        print(f"--  {what}, which led {leading:.0f}, was killed; back and in sync after {time.monotonic() - returned:.2f} s", flush=True)

    for kind, end in (("stop", nodes.Node.stop), ("kill -9", nodes.Node.kill)):
        for node in cluster.nodes.values():
            end(node)
        started = time.monotonic()
        cluster.start()
        result[f"start after {kind}"] = until_led(cluster, started, everyone)
        until("that all replicas are in sync", started, lambda: told_by(cluster, everyone, 3))
        in_sync_s = time.monotonic() - started
        leading = sorted(node.gauges()["leaders"] for node in cluster.nodes.values())
        print(f"--  started after {kind} of all: all in sync after {in_sync_s:.2f} s, the nodes lead {leading}, "
              f"resident {max(resident(cluster).values()) >> 20} MiB", flush=True)

    for kind in ("stop", "kill -9"):
        figures.check_below(f"start after {kind} of all: all {COUNT} partitions are led", 5, result[f"start after {kind}"]["told_s"], "s")
    for what in ("another node", "the controller"):
        kill = result[f"kill of {what}"]
        figures.check_below(f"kill of {what}: all {kill['led']:.0f} partitions that it led are led", 3, kill["told_s"], "s")
    figures.check_below("memory of a partition, on the node that takes most", 10_000, per_partition, "B")
    figures.keep(result | {"bytes_per_partition": per_partition})


nodes.run(nodes.Cluster(3), main)
