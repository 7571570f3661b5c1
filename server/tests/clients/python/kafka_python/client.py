"""kafka-python: its own protocol code, flexible versions throughout, the newest that the broker offers of most requests."""

import os
import re

from checks import Client, Config, KafkaError, Record, run
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType
from kafka.errors import BrokerResponseError
from kafka.protocol.consumer import OffsetSpec

BOOTSTRAP = {"bootstrap_servers": os.environ["BOOTSTRAP"]}
TIMEOUT_S = 30


class KafkaPython(Client):
    name = "kafka_python"
    codecs = "none", "gzip", "snappy", "lz4", "zstd"
    lacks = ("headers without a value",)
    null_headers = False

    def __init__(self):
        self.admin = KafkaAdminClient(**BOOTSTRAP)
        self.consumer = KafkaConsumer(
            **BOOTSTRAP, auto_offset_reset="none", enable_auto_commit=False, allow_auto_create_topics=False)

    def produce(self, topic, codec, partitions):
        with KafkaProducer(**BOOTSTRAP, compression_type=None if codec == "none" else codec, linger_ms=20) as producer:
            sent = [
                [producer.send(topic, r.value, r.key, r.headers, p, r.timestamp) for r in records]
                for p, records in enumerate(partitions)]
            return [[refused(future.get, TIMEOUT_S).offset for future in futures] for futures in sent]

    def read(self, topic, partition, offset, count):
        where = self.assign(topic, partition)
        if offset == "beginning":
            self.consumer.seek_to_beginning(where)
        else:
            self.consumer.seek(where, offset)
        got = []
        while len(got) < count:
            polled = refused(self.consumer.poll, TIMEOUT_S * 1000, count - len(got))
            if not polled:
                break
            got += map(received, polled[where])
        return got

    def read_next(self, topic, partition, produce):
        where = self.assign(topic, partition)
        self.consumer.seek_to_end(where)
        self.consumer.position(where)  # or the end is looked up only with the first poll
        produce()
        return received(self.consumer.poll(TIMEOUT_S * 1000)[where][0])

    def assign(self, topic, partition):
        where = TopicPartition(topic, partition)
        self.consumer.assign([where])
        return where

    def offset_at(self, topic, partition, timestamp):
        where = TopicPartition(topic, partition)
        found = self.consumer.offsets_for_times({where: timestamp})[where]
        return found and found.offset

    def offsets(self, topic, partition):
        where = TopicPartition(topic, partition)
        return tuple(
            self.admin.list_partition_offsets({where: spec})[where].offset for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))

    def describe_cluster(self):
        cluster = self.admin.describe_cluster()
        return len(cluster["brokers"]), cluster["cluster_id"]

    def create_topic(self, topic, partitions, replicas, configs):
        wanted = {"num_partitions": partitions, "replication_factor": replicas, "configs": configs}
        refused(self.admin.create_topics, {topic: wanted})

    def create_partitions(self, topic, total):
        refused(self.admin.create_partitions, {topic: total})

    def list_topics(self):
        return self.admin.list_topics()

    def describe_topic(self, topic):
        [described] = self.admin.describe_topics([topic])
        if described["error_code"]:
            raise KafkaError(described["error_code"])
        return sum(partition["leader_id"] >= 0 for partition in described["partitions"])

    def describe_configs(self, topic):
        entries = self.admin.describe_configs([resource(topic)], config_filter="all")["topic"][topic]
        return {name: Config(entry["value"], entry["config_source"] == "DEFAULT_CONFIG") for name, entry in entries.items()}

    def incremental_alter_configs(self, topic, configs):
        operations = {name: (AlterConfigOp.SET if value else AlterConfigOp.DELETE, value) for name, value in configs.items()}
        result = self.admin.alter_configs([resource(topic, operations)])["topic"][topic]
        if code := re.match(r"\[Error (\d+)\]", result):
            raise KafkaError(int(code[1]))

    def alter_configs(self, topic, configs):
        # The client adds what is already set to an AlterConfigs, unless it is to reset everything.
        self.admin.reset_configs([resource(topic)], incremental=False)
        self.admin.alter_configs([resource(topic, configs)], incremental=False)

    def delete_records(self, topic, partition, before_offset):
        where = TopicPartition(topic, partition)
        return refused(self.admin.delete_records, {where: before_offset})[where]["low_watermark"]

    def delete_topic(self, topic):
        refused(self.admin.delete_topics, [topic])


def resource(topic, configs=None):
    return ConfigResource(ConfigResourceType.TOPIC, topic, configs)


def refused(verb, *arguments):
    try:
        return verb(*arguments)
    except BrokerResponseError as error:
        raise KafkaError(error.errno) from error


def received(message):
    return message.offset, Record(message.key, message.value, list(message.headers), message.timestamp)


run(KafkaPython())
