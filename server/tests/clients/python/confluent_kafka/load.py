"""A load of one idempotent producer, and what has to be true of the logs when it is over."""

import os
import random
import struct
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
        self.offsets = [{} for _ in range(PARTITIONS)]
        self.acknowledged = 0
        self.acknowledged_at = {}  # by partition and number, of those that somebody waits for
        self.awaited = set()
        self.refused = []
        self.producer = Producer(broker.bootstrap | {
            "enable.idempotence": True, "acks": "all", "compression.type": "lz4", "linger.ms": 1, "batch.size": 16_384,
            "message.timeout.ms": 300_000, "reconnect.backoff.max.ms": 500,
            # The load goes on while nobody takes it.
            "queue.buffering.max.messages": 0, "queue.buffering.max.kbytes": 2_000_000} | (settings or {}))

    def value(self, partition, number):
        size = SIZES[number % len(SIZES)]
        at = number * 7_919 % (len(self.data) - size)
        return IDENTITY.pack(partition, number) + self.data[at : at + size]

    def delivered(self, error, message):
        partition, number = IDENTITY.unpack_from(message.value())
        if error:
            self.refused.append((partition, number, str(error)))
        else:
            self.offsets[partition][number] = message.offset()
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
        self.producer.produce(self.topic, value, partition=partition, on_delivery=self.delivered)
        self.sent[partition] += 1
        return len(value)

    def await_one(self, partition):
        """Sends a record whose acknowledgement is noted, and names it."""
        name = (partition, self.sent[partition])
        self.awaited.add(name)
        self.send_one(partition)
        return name


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


def check_log(broker, load, partition):
    consumer = Consumer(broker.bootstrap | {
        "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": True,
        "check.crcs": True})
    consumer.assign([TopicPartition(load.topic, partition, confluent_kafka.OFFSET_BEGINNING)])
    numbers, torn, misplaced = [], [], []
    while (message := consumer.poll(TIMEOUT_S)) is not None and not message.error():
        _, number = IDENTITY.unpack_from(message.value().ljust(IDENTITY.size, b"\0"))
        numbers.append(number)
        if message.value() != load.value(partition, number):
            torn.append(message.offset())
        if load.offsets[partition].get(number, message.offset()) != message.offset():
            misplaced.append((number, message.offset()))
    consumer.close()
    sent = load.sent[partition]
    check(f"partition {partition}: no record is torn", [], torn[:3])
    check(f"partition {partition}: all {len(load.offsets[partition])} acknowledged are there", [], sorted(
        load.offsets[partition].keys() - set(numbers))[:3])
    check(f"partition {partition}: each at the offset acknowledged", [], misplaced[:3])
    check(f"partition {partition}: {sent} records were sent and stand there once, in order", list(range(sent)), numbers)
