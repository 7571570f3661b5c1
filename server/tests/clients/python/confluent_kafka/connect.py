"""Carries lines from a file through a topic to another file, with two distributed workers of Kafka Connect, one of which is killed.

A worker that dies may have lines carried twice; whoever stops, or starts after another has stopped, goes on where that one was.
"""

import json
import os
import urllib.error
import urllib.request

import group_wire
import nodes
from checks import check, check_soon
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource
from dev import DevCluster
from jvm import Jvm, end_all
from nodes import TIMEOUT_S, WORK, free_ports, wait_for

TOPIC, IN, OUT = "carried", f"{WORK}/in.txt", f"{WORK}/out.txt"
CONNECTORS = "org.apache.kafka.connect.file.FileStream{}Connector"
INTERNAL = {"config": 1, "offset": 5, "status": 5}


class Worker(Jvm):
    def __init__(self, cluster, name, port):
        self.address = f"127.0.0.1:{port}"
        settings = {
            "bootstrap.servers": cluster.addresses, "group.id": "workers", "listeners": f"http://{self.address}",
            "rest.advertised.host.name": "127.0.0.1", "plugin.discovery": "service_load", "offset.flush.interval.ms": 500,
            "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000, "scheduled.rebalance.max.delay.ms": 1_000,
            # Connect's producers are not idempotent by themselves, and may write twice what a broker had taken when it died.
            "producer.enable.idempotence": "true",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter"}
        for topic, partitions in INTERNAL.items():
            settings |= {f"{topic}.storage.topic": f"connect-{topic}", f"{topic}.storage.replication.factor": 3}
            if topic != "config":
                settings[f"{topic}.storage.partitions"] = partitions
        with open(f"{WORK}/{name}.properties", "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        super().__init__(name, os.environ["JAVA_CLASSES"], "org.apache.kafka.connect.cli.ConnectDistributed", file.name)

    def ask(self, path, body=None, method="GET"):
        """What it answers, or the status of its refusal; None while it does not answer."""
        request = urllib.request.Request(f"http://{self.address}/{path}", body and json.dumps(body).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "{}")
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return None

    def tell(self, path, body=None, method="PUT"):
        """Asks until it does as it is told: during a rebalance it refuses."""
        wait_for(f"an answer to {method} {path}", lambda: isinstance(self.ask(path, body, method), dict))


class Carriage:
    def __init__(self, cluster):
        self.cluster = cluster
        self.admin = AdminClient(cluster.bootstrap)
        self.workers = [Worker(cluster, f"worker-{number}", port) for number, port in enumerate(free_ports(2), 1)]
        self.written = []
        self.input = open(IN, "w")
        self.consumer = Consumer(cluster.bootstrap | {"group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
        self.carried = []

    def write(self, lines):
        self.written += lines
        self.input.writelines(f"{line}\n" for line in lines)
        self.input.flush()

    def look(self):
        """All that the topic has, whose only records these are."""
        partition = TopicPartition(TOPIC, 0, 0)
        if not self.consumer.assignment():
            self.consumer.assign([partition])
        _, end = self.consumer.get_watermark_offsets(partition, TIMEOUT_S)
        while len(self.carried) < end:
            messages = self.consumer.consume(end - len(self.carried), timeout=1)
            self.carried += [message.value().decode() for message in messages if message.error() is None]
        return self.carried

    @staticmethod
    def out():
        if not os.path.exists(OUT):
            return []
        with open(OUT) as file:
            return file.read().split("\n")[:-1]

    def units(self, worker, name):
        """The states of a connector and its task; and on which worker the last of the two is."""
        said = worker.ask(f"connectors/{name}/status")
        if not isinstance(said, dict):
            return said, None
        units = [said["connector"], *said["tasks"]]
        return [unit["state"] for unit in units], units[-1]["worker_id"]

    def running_on(self, worker):
        """The worker of each connector's task, once both connectors run."""
        said = {name: self.units(worker, name) for name in ("source", "sink")}
        return {name: on for name, (states, on) in said.items()} if all(states == ["RUNNING"] * 2 for states, _ in said.values()) else None

    def check_runs(self, what, worker, on):
        check_soon(f"{what}: both connectors run", True,
                   lambda: (found := self.running_on(worker)) is not None and set(found.values()) <= {each.address for each in on}, TIMEOUT_S)

    def check_lines(self, what, lines, call):
        """Lines are numbered: what differs is told by number."""
        def brief(got):
            numbers = [int(line.split(" ", 1)[0]) for line in got]
            return len(numbers), next(((at, number) for at, number in enumerate(numbers) if number != at), None), got == lines
        check_soon(f"{what}: all {len(lines)} lines are there, in order", (len(lines), None, True), lambda: brief(call()), TIMEOUT_S)

    def group(self):
        """The workers' group, of a type of its own that librdkafka neither lists nor describes."""
        for node in self.cluster.nodes.values():
            try:
                return group_wire.describe_type(node.address, "workers")
            except group_wire.Refused:
                continue
        return None

    def replicas(self, topic):
        """How many each partition has, once there are any."""
        topics = self.admin.list_topics(timeout=TIMEOUT_S).topics
        return [len(each.replicas) for each in topics[topic].partitions.values()] if topic in topics else []

    def config(self, topic, name):
        described = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)])
        return next(iter(described.values())).result(TIMEOUT_S)[name].value

    def topic(self):
        replicas = self.replicas(TOPIC)
        return replicas, replicas and self.config(TOPIC, "min.insync.replicas")

    def check_topics(self):
        for name, count in INTERNAL.items():
            check(f"connect-{name} is compacted, of three replicas", ([3] * count, "compact"),
                  (self.replicas(f"connect-{name}"), self.config(f"connect-{name}", "cleanup.policy")))

    def check_offset(self, what, worker):
        def offsets():
            said = worker.ask("connectors/source/offsets")
            return [each["offset"] for each in said["offsets"]] if isinstance(said, dict) else said
        check_soon(f"{what}: the source's offset is the end of the file", [{"position": os.path.getsize(IN)}], offsets, TIMEOUT_S)

    def run(self, parts):
        one, other = self.workers
        for each in self.workers:
            each.start()
        for each in self.workers:
            check_soon(f"{each.name} has no connectors", [], lambda: each.ask("connectors"), TIMEOUT_S)
        check("a worker tells the cluster's id", self.admin.list_topics(timeout=TIMEOUT_S).cluster_id, one.ask("")["kafka_cluster_id"])
        check_soon("the workers are a group", ("Stable", "connect", 2), self.group, TIMEOUT_S)
        self.check_topics()

        one.tell("connectors/source/config", {
            "connector.class": CONNECTORS.format("Source"), "tasks.max": "1", "file": IN, "topic": TOPIC,
            "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "3",
            "topic.creation.default.min.insync.replicas": "2"})
        self.write(parts[0])
        # A sink that comes before has the broker make the topic, as a broker does by default.
        check_soon("the source makes its topic as it is told", ([3], "2"), self.topic, TIMEOUT_S)
        other.tell("connectors/sink/config", {
            "connector.class": CONNECTORS.format("Sink"), "tasks.max": "1", "file": OUT, "topics": TOPIC})
        self.check_runs("two workers", one, self.workers)
        self.check_lines("all is well", self.written, self.out)
        self.check_offset("all is well", one)
        self.check_broker_dies(parts[1])
        survivor = self.check_worker_dies(parts[2])
        self.check_restart(survivor, parts[3])
        self.check_reset(one)
        for each in self.workers:
            each.stop()
        check_soon("the group of workers is empty", ("Empty", "connect", 0), self.group, TIMEOUT_S)

    def check_broker_dies(self, lines):
        """Whoever is alive has no reason to carry a line twice."""
        led = self.cluster.metadata(1, [TOPIC]).topics[TOPIC][0].leader
        self.write(lines[: len(lines) // 2])
        self.cluster.nodes[led].kill()
        self.write(lines[len(lines) // 2 :])
        self.check_lines("a broker is killed", self.written, self.out)
        self.check_offset("a broker is killed", self.workers[0])
        self.cluster.nodes[led].start()
        wait_for("a whole cluster", lambda: self.cluster.leaders(TOPIC, 1))

    def check_worker_dies(self, lines):
        """Kills the one that has the source's task."""
        running = wait_for("both connectors to run", lambda: self.running_on(self.workers[0]))
        victim = next(each for each in self.workers if each.address == running["source"])
        survivor = next(each for each in self.workers if each is not victim)
        out = len(self.out())
        self.write(lines[: len(lines) // 2])
        wait_for("the first of the lines", lambda: len(self.out()) > out)
        victim.kill()
        self.write(lines[len(lines) // 2 :])
        self.check_runs("a worker is killed", survivor, [survivor])
        self.check_lines("a worker is killed", self.written, lambda: list(dict.fromkeys(self.out())))
        print(f"--  {len(self.out()) - len(self.written)} lines are carried twice", flush=True)
        victim.start()
        check_soon("it starts again, and they are a group", ("Stable", "connect", 2), self.group, TIMEOUT_S)
        return survivor

    def check_restart(self, survivor, lines):
        self.check_runs("it starts again", survivor, self.workers)
        self.check_offset("it starts again", survivor)
        for each in self.workers:
            each.stop()
        before, out = len(self.look()), len(self.out())
        self.write(lines)
        for each in self.workers:
            each.start()
        self.check_runs("both have stopped, and start again", self.workers[0], self.workers)
        check_soon("the source goes on where it was: each line is carried once", (len(lines), True),
                   lambda: (len(self.look()) - before, self.carried[before:] == lines), TIMEOUT_S)
        check_soon("the sink goes on where it was: each line is written once", (len(lines), True),
                   lambda: (len(got := self.out()[out:]), got == lines), TIMEOUT_S)

    def check_reset(self, worker):
        """KIP-875: the offsets of a connector that is stopped are taken away, for a sink with its group."""
        for name in ("source", "sink"):
            worker.tell(f"connectors/{name}/stop")
            check_soon(f"the {name} stops", ["STOPPED"], lambda: self.units(worker, name)[0], TIMEOUT_S)
            worker.tell(f"connectors/{name}/offsets", method="DELETE")
            check_soon(f"the {name} has no offsets", {"offsets": []}, lambda: worker.ask(f"connectors/{name}/offsets"), TIMEOUT_S)
        listed = [each.group_id for each in self.admin.list_consumer_groups().result(TIMEOUT_S).valid]
        check("the sink's group is gone", False, "connect-sink" in listed)
        os.remove(OUT)
        worker.tell("connectors/sink/resume")
        carried = self.look()
        check_soon("the sink starts from the beginning", (len(carried), True), lambda: (len(got := self.out()), got == carried), TIMEOUT_S)
        worker.tell("connectors/source", method="DELETE")
        check_soon("the source is deleted", ["sink"], lambda: worker.ask("connectors"), TIMEOUT_S)


def main(cluster):
    cluster.start()
    # The source counts characters, and skips as many bytes.
    with open(os.environ["INPUT"], encoding="latin-1") as file:
        lines = [f"{number} {line.rstrip()}" for number, line in enumerate(file.read().encode("ascii", "replace").decode().split("\n"))]
    share = len(lines) // 4
    Carriage(cluster).run([lines[at : at + share] for at in range(0, 4 * share, share)])


try:
    nodes.run(DevCluster(WORK), main)
finally:
    end_all()
