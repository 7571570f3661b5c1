"""aiokafka, which speaks no flexible version of a hot request: Produce 7, Fetch 11, Metadata 5, ApiVersions 0."""

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError as AioKafkaError
from checks import Client, Config, KafkaError, Record, run

BOOTSTRAP = {"bootstrap_servers": os.environ["BOOTSTRAP"]}
TIMEOUT_S = 30
DEFAULT_CONFIG = 5


class AioKafka(Client):
    name = "aiokafka"
    codecs = "none", "gzip", "snappy", "lz4", "zstd"
    lacks = "IncrementalAlterConfigs", "a way to describe a topic without creating it"
    describing_creates = True

    def __init__(self, loop):
        self.loop = loop
        self.admin = self.now(self.started(AIOKafkaAdminClient))

    def now(self, awaitable):
        try:
            return self.loop.run_until_complete(asyncio.wait_for(awaitable, TIMEOUT_S))
        except AioKafkaError as error:
            raise KafkaError(error.errno) from error

    async def started(self, kind, **settings):
        client = kind(**BOOTSTRAP, **settings)
        await client.start()
        return client

    def close(self):
        self.now(self.admin.close())

    def produce(self, topic, codec, partitions):
        async def send():
            producer = await self.started(
                AIOKafkaProducer, compression_type=None if codec == "none" else codec, enable_idempotence=True, linger_ms=20)
            try:
                sent = [
                    [await producer.send(topic, r.value, r.key, p, r.timestamp, r.headers) for r in records]
                    for p, records in enumerate(partitions)]
                return [[(await future).offset for future in futures] for futures in sent]
            finally:
                await producer.stop()

        return self.now(send())

    async def assigned(self, where):
        consumer = await self.started(AIOKafkaConsumer, auto_offset_reset="none", enable_auto_commit=False)
        consumer.assign([where])
        return consumer

    def consume(self, topic, partition, verb):
        where = TopicPartition(topic, partition)

        async def consumed():
            consumer = await self.assigned(where)
            try:
                return await verb(consumer, where)
            finally:
                await consumer.stop()

        return self.now(consumed())

    def read(self, topic, partition, offset, count):
        async def verb(consumer, where):
            if offset == "beginning":
                await consumer.seek_to_beginning(where)
            else:
                consumer.seek(where, offset)
            return [received(await consumer.getone()) for _ in range(count)]

        return self.consume(topic, partition, verb)

    def read_next(self, topic, partition, produce):
        where = TopicPartition(topic, partition)
        consumer = self.now(self.assigned(where))
        self.now(consumer.seek_to_end(where))
        produce()
        got = received(self.now(consumer.getone()))
        self.now(consumer.stop())
        return got

    def offset_at(self, topic, partition, timestamp):
        async def verb(consumer, where):
            found = (await consumer.offsets_for_times({where: timestamp}))[where]
            return found and found.offset

        return self.consume(topic, partition, verb)

    def offsets(self, topic, partition):
        async def verb(consumer, where):
            earliest, latest = await consumer.beginning_offsets([where]), await consumer.end_offsets([where])
            return earliest[where], latest[where]

        return self.consume(topic, partition, verb)

    def describe_cluster(self):
        cluster = self.now(self.admin.describe_cluster())
        return len(cluster["brokers"]), cluster["cluster_id"]

    def create_topic(self, topic, partitions, replicas, configs):
        response = self.now(self.admin.create_topics([NewTopic(topic, partitions, replicas, topic_configs=configs)]))
        [(_, code, _)] = response.topic_errors
        refuse(code)

    def create_partitions(self, topic, total):
        self.now(self.admin.create_partitions({topic: NewPartitions(total)}))

    def list_topics(self):
        return self.now(self.admin.list_topics())

    def describe_topic(self, topic):
        [described] = self.now(self.admin.describe_topics([topic]))
        refuse(described["error_code"])
        return sum(partition["leader"] >= 0 for partition in described["partitions"])

    def describe_configs(self, topic):
        [response] = self.now(self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        [(code, _, _, _, entries)] = response.resources
        refuse(code)
        return {name: Config(value, source == DEFAULT_CONFIG) for name, value, _, source, *_ in entries}

    def alter_configs(self, topic, configs):
        [response] = self.now(self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)]))
        [(code, *_)] = response.resources
        refuse(code)

    def delete_records(self, topic, partition, before_offset):
        where = TopicPartition(topic, partition)
        return self.now(self.admin.delete_records({where: RecordsToDelete(before_offset)}))[where]

    def delete_topic(self, topic):
        response = self.now(self.admin.delete_topics([topic]))
        [(_, code)] = response.topic_error_codes
        refuse(code)


def refuse(code):
    if code:
        raise KafkaError(code)


def received(message):
    return message.offset, Record(message.key, message.value, list(message.headers), message.timestamp)


client = AioKafka(asyncio.new_event_loop())
run(client)
client.close()
