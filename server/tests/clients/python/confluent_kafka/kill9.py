"""Kills the broker again and again under one idempotent producer, then reads the logs from end to end.

The producer retries until it is answered, so each record must be acknowledged in the end and stand in its log exactly
once, at the offset acknowledged, in the order sent: a record that was stored but not acknowledged before the kill comes
again as a duplicate, which the broker knows only by what it recovered.
"""

import os
import random
import re
import shlex
import signal
import struct
import subprocess
import sys
import time

import confluent_kafka
from checks import check
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROUNDS = int(os.environ["ROUNDS"])
WORK = os.environ["WORK"]
PARTITIONS = 4
TIMEOUT_S = 60
SIZES = (100, 1_000, 30, 5_000, 400, 20_000, 2_000)
IDENTITY = struct.Struct(">iq")  # a value begins with its partition and number
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])


class Broker:
    """The broker's process, on one port and data directory through all its lives."""

    def __init__(self):
        self.port = 0
        self.process = None

    def start(self):
        log = open(f"{WORK}/broker.log", "ab")
        command = shlex.split(os.environ["BROKER_COMMAND"])
        self.process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{self.port}", "--data-dir", f"{WORK}/data"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        for line in self.process.stdout:
            if ready := re.search(r" is ready: .*PLAINTEXT://[^ ,]*:(\d+)", line):
                self.port = int(ready[1])
                return
        raise RuntimeError("the broker ended before it was ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    @property
    def bootstrap(self):
        # Of a dead broker librdkafka would say several times a second that it is.
        return {"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 2}


class Load:
    """What was sent, and what was acknowledged, by partition and number."""

    def __init__(self, broker, topic):
        with open(os.environ["INPUT"], "rb") as file:
            self.data = file.read()
        self.topic = topic
        self.sent = [0] * PARTITIONS
        self.offsets = [{} for _ in range(PARTITIONS)]
        self.acknowledged = 0
        self.refused = []
        self.producer = Producer(broker.bootstrap | {
            "enable.idempotence": True, "acks": "all", "compression.type": "lz4", "linger.ms": 1, "batch.size": 16_384,
            "message.timeout.ms": 300_000, "reconnect.backoff.max.ms": 500,
            # The load goes on while nobody takes it.
            "queue.buffering.max.messages": 0, "queue.buffering.max.kbytes": 2_000_000})

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

    def send(self, size):
        """Sends `size` bytes, a record at each step."""
        bytes_sent = 0
        while bytes_sent < size:
            partition = random.randrange(PARTITIONS)
            value = self.value(partition, self.sent[partition])
            self.producer.produce(self.topic, value, partition=partition, on_delivery=self.delivered)
            self.sent[partition] += 1
            bytes_sent += len(value)
            self.producer.poll(0)
            yield


def run(broker):
    print(f"--  SEED={SEED}")
    random.seed(SEED)
    broker.start()
    topic = "kill9"
    admin = AdminClient(broker.bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(TIMEOUT_S)
    load = Load(broker, topic)
    share = len(load.data) // ROUNDS
    for round_ in range(1, ROUNDS + 1):
        kill_in_the_middle(broker, load, share, round_)
    load.producer.flush(TIMEOUT_S)
    check("every record is acknowledged in the end", (sum(load.sent), []), (load.acknowledged, load.refused[:3]))
    for partition in range(PARTITIONS):
        check_log(broker, load, partition)


def kill_in_the_middle(broker, load, share, round_):
    """Kills once a random part of what this round sends, or of what is left of earlier rounds, is acknowledged."""
    records = share * len(SIZES) // (sum(SIZES) + len(SIZES) * IDENTITY.size)
    kill_at = load.acknowledged + random.randint(1, records)
    deadline = time.monotonic() + TIMEOUT_S
    sending = load.send(share)
    while load.acknowledged < kill_at:
        if next(sending, "all sent") == "all sent":
            load.producer.poll(0.001)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{load.acknowledged} records are acknowledged, and no more within {TIMEOUT_S} s")
    broker.kill()
    killed_at = time.monotonic()
    unanswered = len(load.producer)
    for _ in sending:
        pass
    broker.start()
    back_s = time.monotonic() - killed_at
    short = [p for p in range(PARTITIONS) if log_end(broker, load.topic, p) <= max(load.offsets[p].values(), default=-1)]
    check(f"round {round_}: killed with {unanswered} records unanswered, back in {back_s:.1f} s, no log is short", [], short)


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


def main():
    # So that `timeout` does not leave the broker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broker = Broker()
    try:
        run(broker)
    finally:
        if broker.process and broker.process.poll() is None:
            broker.kill()


main()
