"""confluent-kafka: librdkafka behind Python, whose producer and consumer are what its users deploy."""

import os

import confluent_kafka
from checks import Client, Config, KafkaError, Record, run
from confluent_kafka import Consumer, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions, NewTopic, OffsetSpec)

BOOTSTRAP = {"bootstrap.servers": os.environ["BOOTSTRAP"]}
TIMEOUT_S = 30


class Confluent(Client):
    name = "confluent_kafka"
    codecs = "none", "gzip", "snappy", "lz4", "zstd"

    def __init__(self):
        self.admin = AdminClient(BOOTSTRAP)
        # `Consumer` insists on a group id, though nothing here joins or commits.
        self.consumer = Consumer(BOOTSTRAP | {
            "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": True,
            "fetch.wait.max.ms": 50})  # a change of assignment waits for the fetch in flight

    def produce(self, topic, codec, partitions):
        producer = Producer(BOOTSTRAP | {
            "compression.type": codec, "enable.idempotence": True, "linger.ms": 20, "message.max.bytes": 2_000_000})
        acknowledged, errors = [[] for _ in partitions], []

        def delivered(error, message):
            if error:
                errors.append(error)
            else:
                acknowledged[message.partition()].append(message.offset())

        for p, records in enumerate(partitions):
            for record in records:
                while True:
                    try:
                        producer.produce(topic, partition=p, on_delivery=delivered, **record._asdict())
                        break
                    except BufferError:
                        producer.poll(0.1)
                producer.poll(0)
        producer.flush(TIMEOUT_S)
        if errors:
            raise KafkaError(errors[0].code())
        return acknowledged

    def read(self, topic, partition, offset, count):
        start = confluent_kafka.OFFSET_BEGINNING if offset == "beginning" else offset
        self.consumer.assign([TopicPartition(topic, partition, start)])
        got = []
        while len(got) < count:
            messages = self.consumer.consume(count - len(got), TIMEOUT_S)
            if not messages or messages[-1].error():
                break
            got += map(received, messages)
        if not got and messages and "out of range" in messages[-1].error().str().lower():
            raise KafkaError(1)
        return got

    def read_next(self, topic, partition, produce):
        self.consumer.assign([TopicPartition(topic, partition, confluent_kafka.OFFSET_END)])
        self.consumer.poll(TIMEOUT_S)  # the end of the partition, which shows that the position is settled
        produce()
        return received(self.consumer.poll(TIMEOUT_S))

    def offset_at(self, topic, partition, timestamp):
        [found] = self.consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], TIMEOUT_S)
        return None if found.offset == confluent_kafka.OFFSET_END else found.offset

    def offsets(self, topic, partition):
        where = TopicPartition(topic, partition)
        return tuple(
            result({where: spec}, self.admin.list_offsets).offset for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))

    def describe_cluster(self):
        cluster = self.admin.describe_cluster().result(TIMEOUT_S)
        return len(cluster.nodes), cluster.cluster_id

    def create_topic(self, topic, partitions, replicas, configs):
        result([NewTopic(topic, partitions, replicas, config=configs)], self.admin.create_topics)

    def create_partitions(self, topic, total):
        result([NewPartitions(topic, total)], self.admin.create_partitions)

    def list_topics(self):
        return self.admin.list_topics(timeout=TIMEOUT_S).topics

    def describe_topic(self, topic):
        described = result(TopicCollection([topic]), self.admin.describe_topics)
        return sum(partition.leader is not None for partition in described.partitions)

    def describe_configs(self, topic):
        entries = result([ConfigResource("topic", topic)], self.admin.describe_configs)
        return {name: Config(e.value, e.source == ConfigSource.DEFAULT_CONFIG.value) for name, e in entries.items()}

    def incremental_alter_configs(self, topic, configs):
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET if value else AlterConfigOpType.DELETE)
            for name, value in configs.items()]
        result([ConfigResource("topic", topic, incremental_configs=entries)], self.admin.incremental_alter_configs)

    def alter_configs(self, topic, configs):
        result([ConfigResource("topic", topic, set_config=configs)], self.admin.alter_configs)

    def delete_records(self, topic, partition, before_offset):
        return result([TopicPartition(topic, partition, before_offset)], self.admin.delete_records).low_watermark

    def delete_topic(self, topic):
        result([topic], self.admin.delete_topics)


def received(message):
    _, timestamp = message.timestamp()
    return message.offset(), Record(message.key(), message.value(), message.headers() or [], timestamp)


def result(request, verb):
    """The one answer to an admin request about one thing."""
    [future] = verb(request).values()
    try:
        return future.result(TIMEOUT_S)
    except KafkaException as error:
        raise KafkaError(error.args[0].code()) from error


run(Confluent())
