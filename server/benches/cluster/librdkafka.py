"""librdkafka itself, as fast as it goes: records are handed over by the thousand, so that Python costs it nothing."""

import ctypes
import glob
import os
import time

import confluent_kafka

COPY = 2
AT_ONCE = 10_000
QUEUE_FULL = -184


class Message(ctypes.Structure):
    """`rd_kafka_message_t`."""

    _fields_ = [("err", ctypes.c_int), ("topic", ctypes.c_void_p), ("partition", ctypes.c_int32), ("payload", ctypes.c_char_p),
                ("len", ctypes.c_size_t), ("key", ctypes.c_char_p), ("key_len", ctypes.c_size_t), ("offset", ctypes.c_int64),
                ("private", ctypes.c_void_p)]


def load_library():
    folder = os.path.join(os.path.dirname(confluent_kafka.__file__), os.pardir, "confluent_kafka.libs")
    library = ctypes.CDLL(glob.glob(f"{folder}/librdkafka-*.so*")[0])
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_topic_new"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


LIBRARY = load_library()


class Producer:
    def __init__(self, settings, topic, partitions):
        error = ctypes.create_string_buffer(512)
        configuration = ctypes.c_void_p(LIBRARY.rd_kafka_conf_new())
        for name, value in settings.items():
            if LIBRARY.rd_kafka_conf_set(configuration, name.encode(), str(value).encode(), error, len(error)) != 0:
                raise ValueError(error.value.decode())
        self.handle = LIBRARY.rd_kafka_new(0, configuration, error, len(error))
        if not self.handle:
            raise RuntimeError(error.value.decode())
        self.handle = ctypes.c_void_p(self.handle)
        self.topic = ctypes.c_void_p(LIBRARY.rd_kafka_topic_new(self.handle, topic.encode(), None))
        self.name, self.partitions = topic, partitions

    def send_all(self, record_bytes, records, wait_s=120):
        """Sends records, dealt out to the partitions by the thousand, until all are acknowledged; seconds from the first to that, and how many the topic
        holds.
        """
        self.know_topic()
        payload = b"x" * record_bytes
        batch = (Message * AT_ONCE)(*(Message(payload=payload, len=record_bytes) for _ in range(AT_ONCE)))
        deadline = time.monotonic() + wait_s
        started = time.monotonic()
        sent = turn = 0
        while sent < records:
            wanted = min(AT_ONCE, records - sent)
            taken = LIBRARY.rd_kafka_produce_batch(self.topic, turn % self.partitions, COPY, batch, wanted)
            if taken < wanted and any(each.err not in (0, QUEUE_FULL) for each in batch[:wanted]):
                raise RuntimeError("librdkafka refuses a record")
            sent += taken
            turn += 1
            LIBRARY.rd_kafka_poll(self.handle, 1 if taken < wanted else 0)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{sent} of {records} records were taken within {wait_s} s")
        LIBRARY.rd_kafka_flush(self.handle, wait_s * 1000)
        return time.monotonic() - started, self.end()

    def know_topic(self):
        """The first request waits for metadata: that is no part of what is measured."""
        metadata = ctypes.c_void_p()
        if LIBRARY.rd_kafka_metadata(self.handle, 0, self.topic, ctypes.byref(metadata), 60_000) != 0:
            raise RuntimeError("no metadata comes")
        LIBRARY.rd_kafka_metadata_destroy(metadata)

    def end(self):
        """How many records the topic holds."""
        total = 0
        for partition in range(self.partitions):
            low, high = ctypes.c_int64(), ctypes.c_int64()
            LIBRARY.rd_kafka_query_watermark_offsets(self.handle, self.name.encode(), partition, ctypes.byref(low), ctypes.byref(high), 60_000)
            total += high.value
        return total

    def close(self):
        LIBRARY.rd_kafka_topic_destroy(self.topic)
        LIBRARY.rd_kafka_destroy(self.handle)
