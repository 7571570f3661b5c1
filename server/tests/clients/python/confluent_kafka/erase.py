"""Five voters, topics of three replicas with `durability=flushed`: under a load two of a partition's three nodes are killed and their folders
erased, and come back as nodes that never were. Every acknowledged record is read back in the end.

Three ways, in turns: both at once; one a while after the other, which leaves the third alone with what was acknowledged; and the second while
the first, formatted anew, is on its way back. One topic asks for two replicas in sync, the other for one, so that the survivor goes on alone.
Between the rounds all come back: each node is a broker again, which it is only once it has the cluster's metadata, all replicas are in sync, and
who was formatted anew is made a voter again.
"""

import os
import random
import time

import nodes
from checks import check
from confluent_kafka.admin import AdminClient, NewTopic
from load import PARTITIONS, Load, check_log, log_end
from nodes import CLIENT, TIMEOUT_S, wait_for

ROUNDS = int(os.environ["ROUNDS"])
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])
WAYS = ("both at once", "one after the other", "one while the other comes back")
NODES = 5


def send_for(loads, seconds, pace_s=0.002):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for load in loads:
            load.send_one(random.randrange(PARTITIONS))
            load.producer.poll(pace_s)


def erase(cluster, number):
    cluster.nodes[number].kill()
    cluster.nodes[number].erase()


def strike(cluster, loads, way, first, second):
    """Erases two nodes, which are on their way back when this returns."""
    if way == "both at once":
        cluster.nodes[first].kill()
        cluster.nodes[second].kill()
        cluster.nodes[first].erase()
        cluster.nodes[second].erase()
        send_for(loads, random.uniform(0, 2))
        cluster.nodes[first].start()
    else:
        erase(cluster, first)
        if way == "one while the other comes back":
            cluster.nodes[first].start()
        send_for(loads, random.uniform(0, 2))
        erase(cluster, second)
        send_for(loads, random.uniform(0, 2))
        if way == "one after the other":
            cluster.nodes[first].start()
    cluster.nodes[second].start()


def whole(cluster, loads):
    return all(cluster.leaders(load.topic, PARTITIONS) for load in loads)


def round_of(cluster, loads, round_):
    way = WAYS[round_ % len(WAYS)]
    load = random.choice(loads)
    partition = random.randrange(PARTITIONS)
    found = cluster.metadata(1, [load.topic]).topics[load.topic][partition]
    # Often the leader, first or second.
    victims = random.sample(found.replicas, 2)
    controller = cluster.controller()
    sending = [each.send(len(each.data) // ROUNDS) for each in loads]
    strike_at = load.acknowledged + random.randint(1, 200)
    deadline = time.monotonic() + TIMEOUT_S
    while load.acknowledged < strike_at and time.monotonic() < deadline:
        for each in sending:
            next(each, None)
        load.producer.poll(0.001)
    unanswered = sum(len(each.producer) for each in loads)
    struck_at = time.strftime("%H:%M:%S", time.gmtime())
    strike(cluster, loads, way, *victims)
    for each in sending:
        for _ in each:
            pass
    started = time.monotonic()
    wait_for("a whole cluster", lambda: whole(cluster, loads), lambda: send_for(loads, 0.05))
    back_s = time.monotonic() - started
    names = " and ".join(f"{number}{' (leader)' * (number == found.leader)}{' (controller)' * (number == controller)}" for number in victims)
    short = [(each.topic, number) for each in loads for number in range(PARTITIONS)
             if log_end(cluster, each.topic, number) <= each.last_offset(number)]
    check(f"round {round_} at {struck_at}, {way}: nodes {names} of {load.topic}-{partition} erased with {unanswered} records unanswered, in sync after "
          f"{back_s:.1f} s, no log is short", [], short)
    for number in victims:
        cluster.vote_again(number)


def main(cluster):
    print(f"--  SEED={SEED}")
    random.seed(SEED)
    cluster.start()
    wait_for("a cluster of five", lambda: (said := cluster.metadata(1, [])) and len(said.brokers) == NODES)
    topics = [NewTopic(f"erase-{least}", PARTITIONS, 3, config={"durability": "flushed", "min.insync.replicas": least}) for least in "12"]
    admin = AdminClient(cluster.bootstrap)
    for future in admin.create_topics(topics).values():
        future.result(TIMEOUT_S)
    loads = [Load(cluster, topic.topic, CLIENT) for topic in topics]
    wait_for("a whole cluster", lambda: whole(cluster, loads))
    for round_ in range(1, ROUNDS + 1):
        round_of(cluster, loads, round_)
    for load in loads:
        load.producer.flush(TIMEOUT_S)
        check(f"{load.topic}: every record is acknowledged in the end", (sum(load.sent), []), (load.acknowledged, load.refused[:3]))
        if again := sum(offset is None for offsets in load.offsets for offset in offsets.values()):
            print(f"--  {load.topic}: {again} records were acknowledged by what came after them, without an offset of their own")
        for partition in range(PARTITIONS):
            check_log(cluster, load, partition, f" of {load.topic}")


nodes.run(nodes.Cluster(NODES), main)
