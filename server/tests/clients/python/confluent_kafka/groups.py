"""Groups of each client whose members come and go under load, and lose the node that coordinates them.

Each record has to be read at least once, no partition may be owned by two members at a time, and whoever is given a partition starts where
its predecessor's commits end. Members commit what they have read, every record of it.
"""

import os
import shlex
import threading
import time

import nodes
from broker import Broker
from checks import check, check_soon
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from membership import Members
from nodes import TIMEOUT_S, wait_for
from wire import Connection

PARTITIONS = 10
MEMBERS = int(os.environ["MEMBERS"])
RATE = int(os.environ["RATE"])
CACHE, CLIENTS = os.environ["CACHE"], os.environ["CLIENTS_FOLDER"]
PROTOCOLS = os.environ["PROTOCOLS"].split(",")
JAVA = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{CACHE}/java/*:{CACHE}/java_member", "Member"]


def python(client):
    return [f"{CACHE}/{client}/bin/python", "-B", f"{CLIENTS}/python/{client}/member.py"]


# Each client's program, and the protocols that it has: consumer is KIP-848, the others are assignors of the classic one.
PROGRAMS = {
    "confluent_kafka": (python("confluent_kafka"), ["range", "cooperative-sticky", "consumer"]),
    "java": (JAVA, ["range", "cooperative-sticky", "consumer"]),
    "kafka_python": (python("kafka_python"), ["range", "cooperative-sticky"]),
    "aiokafka": (python("aiokafka"), ["range", "sticky"]),
    "franz_go": ([f"{CACHE}/franz_go_members"], ["range", "cooperative-sticky", "consumer"]),
    "sarama": ([f"{CACHE}/sarama_members"], ["range", "cooperative-sticky"]),
    "kafkajs": (["node", f"{CLIENTS}/node/members.js"], ["roundrobin"]),
}


class Load:
    """A steady idempotent producer, which deals its records out to the partitions in turn."""

    def __init__(self, bootstrap, topic):
        self.producer = Producer(bootstrap | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 300_000})
        self.topic, self.sent, self.refused = topic, [0] * PARTITIONS, []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.produce, daemon=True)
        self.thread.start()

    def produce(self):
        number = 0
        while not self.ends.is_set():
            partition = number % PARTITIONS
            self.producer.produce(self.topic, b"%d" % number, partition=partition, on_delivery=self.delivered)
            self.sent[partition] += 1
            number += 1
            self.producer.poll(0)
            time.sleep(1 / RATE)

    def delivered(self, error, _):
        if error:
            self.refused.append(str(error))

    def end(self):
        self.ends.set()
        self.thread.join()
        self.producer.flush(TIMEOUT_S)


class OneBroker(Broker):
    """A broker in the place of a cluster, for other brokers than ours."""

    replicas = 1

    @property
    def addresses(self):
        return f"127.0.0.1:{self.port}"

    def format(self):
        pass

    def kill_coordinator(self, _):
        self.kill()
        self.start()
        return "the broker"

    def heal(self, _):
        pass

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()


class ThreeNodes(nodes.Cluster):
    replicas = 3

    def start(self):
        super().start()
        wait_for("a cluster of three", lambda: (said := self.metadata(1, [])) and len(said.brokers) == 3)

    def coordinator(self, group):
        try:
            with Connection(self.nodes[1].address) as connection:
                return connection.coordinator(group)
        except OSError:
            return None

    def kill_coordinator(self, group):
        number = wait_for("a coordinator", lambda: self.coordinator(group))
        self.nodes[number].kill()
        return f"node {number}"

    def heal(self, topic):
        for node in self.nodes.values():
            if node.process.poll() is not None:
                node.start()
        wait_for("a whole cluster", lambda: self.leaders(topic, PARTITIONS))


class Stuck(Exception):
    """A check failed without which the next steps would say nothing."""


class Group:
    """One client's group of one protocol."""

    def __init__(self, cluster, client, protocol):
        self.cluster, self.what = cluster, f"{client}, {protocol}"
        self.topic, self.name = f"events-{client}-{protocol}", f"readers-{client}-{protocol}"
        self.is_classic, self.took = protocol != "consumer", []
        self.admin = AdminClient(cluster.bootstrap)
        config = {"min.insync.replicas": "2"} if cluster.replicas > 2 else {}
        self.admin.create_topics([NewTopic(self.topic, PARTITIONS, cluster.replicas, config=config)])[self.topic].result(TIMEOUT_S)
        self.members = Members(PROGRAMS[client][0], cluster.addresses, self.topic, self.name, protocol, PARTITIONS)
        self.load = Load(cluster.bootstrap, self.topic)

    def end(self):
        self.load.end()
        self.members.end()

    def settles(self, count, what, began=None):
        """The partitions are shared evenly, and all are read on."""
        began = began or time.monotonic()
        least, more = divmod(PARTITIONS, count)
        even = [least] * (count - more) + [least + 1] * more
        if not check_soon(f"{self.what}: {what}, and share the partitions", even, self.members.shares, TIMEOUT_S):
            raise Stuck
        self.took.append(f"{what} {time.monotonic() - began:.1f} s")
        if self.is_classic:  # librdkafka describes no others
            check_soon(f"{self.what}: {what}: its coordinator says the same", ("STABLE", even), self.described, TIMEOUT_S)
        self.reads_on(what)

    def reads_on(self, what):
        sent = list(self.load.sent)

        def behind():
            return [each for each, (done, asked) in enumerate(zip(self.members.commits(), sent)) if done < asked]
        if not check_soon(f"{self.what}: {what}: all partitions are read on", [], behind, TIMEOUT_S):
            raise Stuck

    def described(self):
        try:
            described = self.admin.describe_consumer_groups([self.name])[self.name].result(TIMEOUT_S)
        except KafkaException as failure:
            return str(failure)
        return described.state.name, sorted(len(member.assignment.topic_partitions) for member in described.members)

    def committed(self):
        try:
            asked = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self.name)])[self.name].result(TIMEOUT_S)
        except KafkaException as failure:
            return str(failure)
        return [offset for _, offset in sorted((found.partition, found.offset) for found in asked.topic_partitions)]

    def loses_coordinator(self, what, count):
        """Kills the node that coordinates it; the others take over, and the node comes back."""
        said, number = self.members.commits(), len(self.members.changes)
        began = time.monotonic()
        victim = self.cluster.kill_coordinator(self.name)
        what = f"{what}, {victim} that coordinates them is killed"
        check_soon(f"{self.what}: {what}: no commit is lost", [], lambda: lost(said, self.committed()), TIMEOUT_S)
        self.settles(count, what, began)
        self.took.append(f"of whom {len(self.members.changed_since(number))} rebalance")
        self.cluster.heal(self.topic)

    def go(self):
        members, names = self.members, [f"member-{number}" for number in range(MEMBERS)]
        middle = (MEMBERS + 1) // 2
        members.join(names[0])
        self.settles(1, "one is there")
        members.join(*names[1:middle])
        self.settles(middle, f"{middle} are there")
        number = len(members.changes)
        members.join(*names[middle:])
        wait_for("a rebalance", lambda: len(members.changes) > number)
        self.loses_coordinator(f"{MEMBERS} come", MEMBERS)
        self.loses_coordinator(f"{MEMBERS} are there", MEMBERS)
        members.leave(*names[middle:])
        self.settles(middle, f"{MEMBERS - middle} leave")
        members.leave(*names[1:middle])
        self.settles(1, "one is left")
        self.load.end()
        self.check_all()
        members.leave(names[0])
        check_soon(f"{self.what}: all leave", set(names), lambda: set(members.left), TIMEOUT_S)
        self.check_empty()

    def check_all(self):
        sent, members = self.load.sent, self.members
        check(f"{self.what}: all records are acknowledged", [], self.load.refused[:3])
        check_soon(f"{self.what}: each of {sum(sent)} records is read", [0] * PARTITIONS,
                   lambda: [len(set(range(count)) - seen) for count, seen in zip(sent, members.seen)], TIMEOUT_S)
        check_soon(f"{self.what}: all of them are committed", sent, self.committed, TIMEOUT_S)
        check(f"{self.what}: no partition was owned twice", [], members.twice[:3])
        check(f"{self.what}: nobody started before what was committed", [], members.went_back[:3])
        check(f"{self.what}: nobody started past what was read", [], members.skipped[:3])
        check(f"{self.what}: no member failed", [], members.failures[:3])

    def check_empty(self):
        before = self.committed()
        self.cluster.kill_coordinator(self.name)
        check_soon(f"{self.what}: the commits of a group without members outlive its coordinator", before, self.committed, TIMEOUT_S)
        self.cluster.heal(self.topic)

        def deleted():
            try:
                return self.admin.delete_consumer_groups([self.name])[self.name].result(TIMEOUT_S)
            except KafkaException as failure:
                return str(failure)
        check_soon(f"{self.what}: it is deleted", None, deleted, TIMEOUT_S)
        listed = self.admin.list_consumer_groups().result(TIMEOUT_S).valid
        check(f"{self.what}: and gone", [], [each.group_id for each in listed if each.group_id == self.name])


def lost(said, kept):
    if isinstance(kept, str):
        return kept
    return [(partition, least, offset) for partition, (least, offset) in enumerate(zip(said, kept)) if offset < least]


def main(cluster):
    cluster.start()
    for client in os.environ["CLIENTS"].split(","):
        for protocol in PROGRAMS[client][1]:
            if protocol not in PROTOCOLS:
                continue
            began = time.monotonic()
            group = Group(cluster, client, protocol)
            try:
                group.go()
            except Stuck:
                print(f"--  {group.what}: given up", flush=True)
                cluster.heal(group.topic)
            finally:
                group.end()
            print(f"--  {group.what}: {', '.join(group.took)}; {time.monotonic() - began:.0f} s in all", flush=True)


nodes.run(OneBroker() if "BROKER_CMD" in os.environ else ThreeNodes(3), main)
