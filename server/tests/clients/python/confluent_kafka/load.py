"""A load of one idempotent producer, and what has to be true of the logs when it is over."""

import os
import random
import struct
import threading
import time

import confluent_kafka
from checks import check
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

PARTITIONS = 4
TIMEOUT_S = 60
SIZES = (100, 1_000, 30, 5_000, 400, 20_000, 2_000)
IDENTITY = struct.Struct(">iq")  # a value begins with its partition and number


class Load:
    """What was sent, and what was acknowledged, by partition and number."""

    def __init__(self, broker, topic, settings=None):
        with open(os.environ["INPUT"], "rb") as file:
            self.data = file.read()
        self.topic = topic
        self.sent = [0] * PARTITIONS
        self.offsets = [{} for _ in range(PARTITIONS)]  # None where a later answer says that a record is there, but none said where
        self.acknowledged = 0
        self.acknowledged_at = {}  # by partition and number, of those that somebody waits for
        self.awaited = set()
        self.refused = []
        self.producer = self.make_producer(broker, settings or {})

    def make_producer(self, broker, settings):
        return Producer(broker.bootstrap | {
            "enable.idempotence": True, "acks": "all", "compression.type": "lz4", "linger.ms": 1, "batch.size": 16_384,
            "message.timeout.ms": 300_000, "reconnect.backoff.max.ms": 500,
            # The load goes on while nobody takes it.
            "queue.buffering.max.messages": 0, "queue.buffering.max.kbytes": 2_000_000} | settings)

    def value(self, partition, number):
        return IDENTITY.pack(partition, number) + self.filling(number)

    def filling(self, number):
        size = SIZES[number % len(SIZES)]
        at = number * 7_919 % (len(self.data) - size)
        return self.data[at : at + size]

    def number(self, value):
        """The number that a value bears in its partition."""
        return IDENTITY.unpack_from(value.ljust(IDENTITY.size, b"\0"))[1]

    def delivered(self, error, message):
        partition, number = IDENTITY.unpack_from(message.value())
        self.answered(partition, number, message.offset(), error)

    def answered(self, partition, number, offset, error=None):
        if error:
            self.refused.append((partition, number, str(error)))
        else:
            self.offsets[partition][number] = offset
            self.acknowledged += 1
            if (partition, number) in self.awaited:
                self.acknowledged_at[partition, number] = time.monotonic()

    def send(self, size):
        """Sends `size` bytes, a record at each step."""
        bytes_sent = 0
        while bytes_sent < size:
            bytes_sent += self.send_one(random.randrange(PARTITIONS))
            self.producer.poll(0)
            yield

    def send_one(self, partition):
        value = self.value(partition, self.sent[partition])
        self.sent[partition] += 1
        self.produce(partition, value)
        return len(value)

    def produce(self, partition, value):
        self.producer.produce(self.topic, value, partition=partition, on_delivery=self.delivered)

    def last_offset(self, partition):
        """The greatest offset that was acknowledged."""
        return max((offset for offset in self.offsets[partition].values() if offset is not None), default=-1)

    def await_one(self, partition):
        """Sends a record whose acknowledgement is noted, and names it."""
        name = (partition, self.sent[partition])
        self.awaited.add(name)
        self.send_one(partition)
        return name


class Follower:
    """A consumer that reads on while the load goes on: offsets and values, by partition."""

    def __init__(self, broker, topic):
        self.seen = [[] for _ in range(PARTITIONS)]
        self.consumer = Consumer(broker.bootstrap | {
            "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True})
        self.consumer.assign([TopicPartition(topic, each, confluent_kafka.OFFSET_BEGINNING) for each in range(PARTITIONS)])
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.ends.is_set():
            message = self.consumer.poll(0.1)
            if message is not None and not message.error():
                self.seen[message.partition()].append((message.offset(), message.value()))
        self.consumer.close()

    def end(self):
        self.ends.set()
        self.thread.join()


def log_end(broker, topic, partition):
    consumer = Consumer(broker.bootstrap | {"group.id": "unused"})
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while True:
            try:
                return consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)[1]
            except KafkaException:  # the partition has no leader yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    finally:
        consumer.close()


def read_log(broker, topic, partition):
    """Offsets and values from the beginning to the end."""
    consumer = Consumer(broker.bootstrap | {
        "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": True,
        "check.crcs": True})
    consumer.assign([TopicPartition(topic, partition, confluent_kafka.OFFSET_BEGINNING)])
    while (message := consumer.poll(TIMEOUT_S)) is not None and not message.error():
        yield message.offset(), message.value()
    consumer.close()


def check_log(broker, load, partition, what=""):
    check_records(load, partition, read_log(broker, load.topic, partition), what)


def check_records(load, partition, records, what=""):
    numbers, torn, misplaced = [], [], []
    for offset, value in records:
        number = load.number(value)
        numbers.append(number)
        if value != load.value(partition, number):
            torn.append(offset)
        if load.offsets[partition].get(number) not in (offset, None):
            misplaced.append((number, offset))
    sent = load.sent[partition]
    what = f"partition {partition}{what}"
    check(f"{what}: no record is torn", [], torn[:3])
    check(f"{what}: all {len(load.offsets[partition])} acknowledged are there", [], sorted(
        load.offsets[partition].keys() - set(numbers))[:3])
    check(f"{what}: each at the offset acknowledged", [], misplaced[:3])
    check(f"{what}: {sent} records were sent and stand there once, in order", list(range(sent)), numbers)
