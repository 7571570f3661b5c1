"""Mirrors a topic with MirrorMaker 2, a process of its own, from one cluster to another while a broker of each is killed.

Besides the records it keeps in step the topic's configs and partitions, and what groups have committed. It asks for ACLs too, as it does by
default, and is told that there are none.
"""

import os
import time

import nodes
from checks import check, check_soon
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic
from dev import DevCluster
from jvm import Jvm, end_all
from nodes import TIMEOUT_S, WORK, wait_for

PARTITIONS, START_MS = 3, 1_700_000_000_000
TOPIC, MIRRORED, GROUP = "orders", "one.orders", "readers"
CONFIGS = {"retention.ms": "-1", "max.message.bytes": "700000", "min.insync.replicas": "2"}


def settings(one, other):
    each = {"replication.factor": 3, "checkpoints.topic.replication.factor": 3, "heartbeats.topic.replication.factor": 3,
            "offset-syncs.topic.replication.factor": 3, "config.storage.replication.factor": 3, "offset.storage.replication.factor": 3,
            "status.storage.replication.factor": 3, "offset.storage.partitions": 3, "status.storage.partitions": 1}
    seconds = ("emit.checkpoints", "emit.heartbeats", "sync.group.offsets", "sync.topic.configs", "sync.topic.acls", "refresh.topics",
               "refresh.groups")
    return each | {f"{name}.interval.seconds": 1 for name in seconds} | {
        "clusters": "one, other", "one.bootstrap.servers": one.addresses, "other.bootstrap.servers": other.addresses,
        "one->other.enabled": "true", "one->other.topics": "orders", "one->other.groups": GROUP, "sync.group.offsets.enabled": "true",
        "offset.lag.max": 0, "tasks.max": 2, "other.offset.flush.interval.ms": 500, "plugin.discovery": "service_load",
        "other.plugin.discovery": "service_load",
        # Its producers are not idempotent by themselves, and may write twice what a broker had taken when it died.
        "other.producer.enable.idempotence": "true",
        # By itself it has a second worker for these, which beat in the cluster that is mirrored.
        "other->one.emit.heartbeats.enabled": "false"}


class Side:
    """One of the clusters, and the topic as it is called there."""

    def __init__(self, cluster, topic):
        self.cluster, self.topic = cluster, topic
        self.admin = AdminClient(cluster.bootstrap)

    def consumer(self, **options):
        return Consumer(self.cluster.bootstrap | {"enable.auto.commit": False, "auto.offset.reset": "earliest"} | options)

    def configs(self, topic):
        described = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)])
        try:
            return {name: entry.value for name, entry in next(iter(described.values())).result(TIMEOUT_S).items()}
        except Exception as failure:
            return {"failure": str(failure)}

    def partitions(self, topic):
        """How many replicas each partition has."""
        topics = self.admin.list_topics(timeout=TIMEOUT_S).topics
        return [len(each.replicas) for each in topics[topic].partitions.values()] if topic in topics else None

    def committed(self):
        asked = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(TIMEOUT_S)
        return {each.partition: each.offset for each in asked.topic_partitions if each.topic == self.topic and each.offset >= 0}

    def read_in_group(self, count):
        """Reads so many records as the group's only member, and commits them."""
        consumer = self.consumer(**{"group.id": GROUP})
        consumer.subscribe([self.topic])
        records, deadline = [], time.monotonic() + TIMEOUT_S
        while len(records) < count and time.monotonic() < deadline:
            records += [each for each in consumer.consume(count - len(records), timeout=0.5) if each.error() is None]
        if records:
            ends = {each.partition(): each.offset() + 1 for each in records}
            consumer.commit(offsets=[TopicPartition(self.topic, partition, end) for partition, end in ends.items()], asynchronous=False)
        consumer.close()
        return records


class Follower:
    """Reads a topic's partitions from the beginning on."""

    def __init__(self, side):
        self.side, self.consumer, self.seen = side, side.consumer(**{"group.id": "unused"}), {}

    def look(self):
        for partition in range(len(self.side.partitions(self.side.topic) or [])):
            if partition not in self.seen:
                self.seen[partition] = []
                self.consumer.incremental_assign([TopicPartition(self.side.topic, partition, 0)])
        while messages := self.consumer.consume(10_000, timeout=0.2):
            for each in messages:
                if each.error() is None:
                    self.seen[each.partition()].append((each.offset(), each.key(), each.value(), each.headers(), each.timestamp()))
        return self.seen


class Mirror:
    def __init__(self, one, other):
        self.one, self.other = Side(one, TOPIC), Side(other, MIRRORED)
        with open(f"{WORK}/mirror_maker.properties", "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings(one, other).items())
        self.maker = Jvm("mirror_maker", os.environ["JAVA_CLASSES"], "org.apache.kafka.connect.mirror.MirrorMaker", file.name,
                         options=["-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.mirror=info"])
        self.sent, self.partitions = 0, PARTITIONS
        self.producer = Producer(one.bootstrap | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000})
        self.originals, self.copies = Follower(self.one), Follower(self.other)

    def send(self, lines, meanwhile=lambda: None):
        """Sends lines; half way something may happen."""
        for line in lines:
            if line is lines[len(lines) // 2]:
                self.producer.flush(TIMEOUT_S)
                meanwhile()
            self.producer.produce(TOPIC, line, key=None if self.sent % 5 == 0 else b"%d" % self.sent, partition=self.sent % self.partitions,
                                  headers=[("n", b"%d" % self.sent), ("n", b"")], timestamp=START_MS + self.sent)
            self.sent += 1
            self.producer.poll(0)
        self.producer.flush(TIMEOUT_S)

    def check_mirrored(self, what):
        def same():
            originals, copies = self.originals.look(), self.copies.look()
            return sum(map(len, copies.values())), [number for number, seen in originals.items() if copies.get(number) != seen]
        check_soon(f"{what}: {self.sent} records are mirrored, offset for offset", (self.sent, []), same, TIMEOUT_S)

    def says(self, what):
        with open(self.maker.log) as file:
            return what in file.read()

    def run(self, parts):
        one, other = self.one, self.other
        one.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 3, config=CONFIGS)])[TOPIC].result(TIMEOUT_S)
        self.send(parts[0])
        read = one.read_in_group(self.sent // 2)
        self.maker.start()
        check_soon("the topic is made, of three replicas", [3] * PARTITIONS, lambda: other.partitions(MIRRORED), TIMEOUT_S)
        self.check_mirrored("what was there before")
        self.check_topics()
        self.check_translated_before(read)

        self.send(parts[1])
        one.read_in_group(self.sent - len(read))
        ends = {partition: len(seen) for partition, seen in self.originals.look().items()}
        check("the group has read all of the original", ends, one.committed())
        check_soon("its offsets are translated to the end of the copy", ends, other.committed, TIMEOUT_S)
        self.check_changes()
        self.send(parts[2], self.kill_a_broker_of_each)
        self.check_mirrored("a broker of each is killed")
        self.check_goes_on(ends)
        self.check_restart(parts[3])

    def check_topics(self):
        def check_configs(side, topic, expected):
            check_soon(f"{topic}: the configs", expected, lambda: {name: side.configs(topic).get(name) for name in expected}, TIMEOUT_S)
        # What would hold a copy back is not mirrored by default.
        check_configs(self.other, MIRRORED, CONFIGS | {"min.insync.replicas": "1"})
        for topic in ("one.checkpoints.internal", "mm2-configs.one.internal", "mm2-offsets.one.internal", "mm2-status.one.internal", "heartbeats"):
            check_configs(self.other, topic, {"cleanup.policy": "compact"})
        check_configs(self.one, "mm2-offset-syncs.other.internal", {"cleanup.policy": "compact"})
        check_soon("it is told that there are no ACLs", True,
                   lambda: self.says("No ACL authorizer is configured on the source Kafka cluster"), TIMEOUT_S)

    def check_translated_before(self, read):
        """An offset of which no sync is known is translated to one before it, so that no record is missed."""
        committed = self.one.committed()
        check("the group has read half of the original", len(read), sum(committed.values()))
        def translated():
            got = self.other.committed()
            return got.keys() == committed.keys() and all(0 < got[partition] <= committed[partition] for partition in got)
        check_soon("its offsets are translated to none beyond", True, translated, TIMEOUT_S)

    def check_changes(self):
        entry = ConfigEntry("max.message.bytes", "800000", incremental_operation=AlterConfigOpType.SET)
        altered = self.one.admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, TOPIC, incremental_configs=[entry])])
        next(iter(altered.values())).result(TIMEOUT_S)
        check_soon("a config that changes is changed in the copy", "800000", lambda: self.other.configs(MIRRORED).get("max.message.bytes"), TIMEOUT_S)
        self.partitions += 1
        self.one.admin.create_partitions([NewPartitions(TOPIC, self.partitions)])[TOPIC].result(TIMEOUT_S)
        check_soon("a partition that comes is made in the copy", [3] * self.partitions, lambda: self.other.partitions(MIRRORED), TIMEOUT_S)
        wait_for("its leader", lambda: self.one.cluster.leaders(TOPIC, self.partitions))
        wait_for("the producer to know it", lambda: len(self.producer.list_topics(TOPIC, TIMEOUT_S).topics[TOPIC].partitions) == self.partitions)

    def kill_a_broker_of_each(self):
        for side in (self.one, self.other):
            led = side.cluster.metadata(1, [side.topic]).topics[side.topic][0].leader
            side.cluster.nodes[led].kill()

    def check_goes_on(self, ends):
        """The group moves over to the copy."""
        for side in (self.one, self.other):
            for node in side.cluster.nodes.values():
                if node.process.poll() is not None:
                    node.start()
            wait_for("a whole cluster", lambda: side.cluster.leaders(side.topic, self.partitions))
        unread = self.sent - sum(ends.values())
        read = self.other.read_in_group(unread)
        first = {}
        for each in read:
            first.setdefault(each.partition(), each.offset())
        check("the group goes on in the copy where it was", {partition: ends.get(partition, 0) for partition in range(self.partitions)}, first)
        check("and reads each record that it had not read", unread, len({(each.partition(), each.offset()) for each in read}))

    def check_restart(self, lines):
        self.maker.stop()
        self.send(lines)
        self.maker.start()
        self.check_mirrored("it has stopped, and starts again")
        self.maker.stop()


def main(one):
    folder = f"{WORK}/other"
    os.mkdir(folder)
    other = DevCluster(folder)
    try:
        for cluster in (one, other):
            cluster.start()
        with open(os.environ["INPUT"], "rb") as file:
            lines = file.read().split(b"\n")
        share = len(lines) // 4
        Mirror(one, other).run([lines[at : at + share] for at in range(0, 4 * share, share)])
    finally:
        other.end()


try:
    nodes.run(DevCluster(WORK), main)
finally:
    end_all()
