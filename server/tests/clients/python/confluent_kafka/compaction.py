"""A compacted topic that is written without a rest while its broker is killed, wherever compaction is by then.

What is read at the end is held against all that was acknowledged: the latest value of each key is there, at the offset
that its acknowledgement named, and no key that was deleted last has a value. Meanwhile the log stays short.
"""

import os
import random
import threading
import time

from broker import with_broker
from checks import check, check_soon
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "tables"
ROUNDS = int(os.environ["ROUNDS"])
BYTES_A_ROUND = int(os.environ["MEGABYTES_A_ROUND"]) << 20
KEYS = int(os.environ["KEYS"])
CODECS = os.environ["CODECS"].split(",")
VALUE_BYTES = 400
KILLS_A_ROUND = 6  # a producer that never comes to write says nothing
SETTINGS = {
    "cleanup.policy": "compact", "segment.bytes": str(1 << 20), "min.cleanable.dirty.ratio": "0.2",
    "file.delete.delay.ms": "0"}
FOLDER = f"{os.environ['WORK']}/data/{TOPIC}-0"


class Table:
    """What was acknowledged: of each key its last offset, and the value there. What was not may be there or not."""

    def __init__(self):
        self.acked, self.pending, self.written = {}, 0, 0

    def note(self, key, value):
        def told(error, message):
            if error is None:
                offset, _ = self.acked.get(key, (-1, None))
                if message.offset() > offset:
                    self.acked[key] = (message.offset(), value)
        return told


def write(broker, table, codec, bytes_max):
    """Writes from random keys, now and then deletes one, and returns once all is acknowledged."""
    producer = Producer(broker.bootstrap | {
        "enable.idempotence": True, "compression.codec": codec, "linger.ms": 5, "message.timeout.ms": 120_000})
    written = 0
    while written < bytes_max:
        key = f"key-{random.randrange(KEYS)}".encode()
        value = None if random.random() < 0.02 else os.urandom(VALUE_BYTES // 2).hex().encode()
        while True:
            try:
                producer.produce(TOPIC, value, key, partition=0, on_delivery=table.note(key, value))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        written += len(key) + len(value or b"")
    left = producer.flush(120)
    table.written += written
    return left


def read_all(broker):
    """Every record from the start to the end, and whether offsets ascend."""
    consumer = Consumer(broker.bootstrap | {"group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    records, deadline = [], time.monotonic() + 120
    while time.monotonic() < deadline and consumer.position([TopicPartition(TOPIC, 0)])[0].offset < end:
        for message in consumer.consume(1_000, timeout=1):
            if message.error() is None:
                records.append((message.offset(), message.key(), message.value()))
        if records and records[-1][0] + 1 >= end:
            break
    consumer.close()
    return records, end


def log_bytes():
    if not os.path.exists(FOLDER):
        return 0
    # Those that compaction has replaced go while they are looked at.
    names = [name for name in os.listdir(FOLDER) if name.endswith(".log")]
    return sum(os.path.getsize(f"{FOLDER}/{name}") for name in names if os.path.exists(f"{FOLDER}/{name}"))


def main(broker):
    broker.start()
    admin = AdminClient(broker.bootstrap)
    admin.create_topics([NewTopic(TOPIC, 1, 1, config=SETTINGS)])[TOPIC].result(30)
    table, longest = Table(), 0
    for number in range(ROUNDS):
        codec = CODECS[number % len(CODECS)]
        outcome = []
        writer = threading.Thread(target=lambda: outcome.append(write(broker, table, codec, BYTES_A_ROUND)), daemon=True)
        writer.start()
        kills = 0
        while writer.is_alive():
            # From when it writes on, a moment that nobody has chosen.
            writer.join(random.uniform(0.1, 0.7))
            if writer.is_alive() and kills < KILLS_A_ROUND:
                broker.kill()
                broker.start()
                kills += 1
            longest = max(longest, log_bytes())
        check(f"round {number + 1}: what is written with {codec} is acknowledged through {kills} kills", [0], outcome)
    live = KEYS * (VALUE_BYTES + 40)

    def is_short():
        # What is written to is not compacted, nor is what has grown by less than a fifth.
        return log_bytes() < 3 * live + (4 << 20)

    check_soon("the log grows short", True, is_short, 60)
    print(f"  {table.written >> 20} MiB written, {longest >> 20} MiB at the most, {log_bytes() >> 20} MiB left")
    broker.kill()
    broker.start()
    records, end = read_all(broker)
    offsets = [offset for offset, _, _ in records]
    check("offsets ascend", True, offsets == sorted(set(offsets)))
    by_offset = {offset: (key, value) for offset, key, value in records}
    latest = {}
    for offset, key, value in records:
        latest[key] = (offset, value)
    lost = [key for key, (offset, value) in table.acked.items() if latest.get(key, (-1, None))[0] < offset]
    check(f"of {len(table.acked)} keys the last that was acknowledged is there, or a later one", [], lost[:3])
    changed = [offset for key, (offset, value) in table.acked.items() if offset in by_offset and by_offset[offset] != (key, value)]
    check("an offset has what was acknowledged at it", [], changed[:3])
    check(f"of {end} records {len(records)} are left", True, len(records) < end / 2)


with_broker(main)
