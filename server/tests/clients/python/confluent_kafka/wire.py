"""A few requests of Kafka's protocol by hand, where a client library would hide which node said what, and when."""

import socket
import struct
from typing import NamedTuple

PRODUCE, METADATA = 0, 3


class Partition(NamedTuple):
    leader: int
    leader_epoch: int
    replicas: list[int]
    isr: list[int]


class Metadata(NamedTuple):
    brokers: set[int]
    topics: dict[str, dict[int, Partition]]


class Connection:
    """A connection to one node, which asks one thing at a time."""

    def __init__(self, address, timeout_s=5):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exchange(self, frame):
        """Sends a request that is ready to be sent, and gives the answer behind its length and correlation id."""
        self.socket.sendall(frame)
        return self.receive(*struct.unpack(">i", self.receive(4)))[4:]

    def receive(self, length):
        data = bytearray(length)
        view = memoryview(data)
        while len(view):
            received = self.socket.recv_into(view)
            if not received:
                raise ConnectionError("the node has closed the connection")
            view = view[received:]
        return bytes(data)

    def metadata(self, topics):
        body = struct.pack(">i", len(topics)) + b"".join(map(string, topics)) + b"\0"
        return parse_metadata(self.exchange(request(METADATA, 7, body)))


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def request(api, version, body):
    head = struct.pack(">hhi", api, version, 0) + string("wire.py")
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_request(topic, partition, batch, timeout_ms=30_000):
    """A Produce with acks=all, in the newest version that names topics and has no tags."""
    body = struct.pack(">hhii", -1, -1, timeout_ms, 1) + string(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    return request(PRODUCE, 8, body)


def produced_error(answer):
    """The error code that the answer to a Produce of one partition carries."""
    length = struct.unpack_from(">h", answer, 4)[0]
    return struct.unpack_from(">h", answer, 4 + 2 + length + 4 + 4)[0]


def batch_of_one(value, timestamp_ms):
    """A batch with one record, without key and headers, and without a producer's numbers."""
    inner = b"\0\0\0" + varint(-1) + varint(len(value)) + value + varint(0)
    record = varint(len(inner)) + inner
    checked = struct.pack(">hiqqqhii", 0, 0, timestamp_ms, timestamp_ms, -1, -1, -1, 1) + record
    length = 4 + 1 + 4 + len(checked)
    return struct.pack(">qiibI", 0, length, -1, 2, crc32c(checked)) + checked


def varint(number):
    number = number << 1 ^ number >> 63
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, layout):
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def text(self):
        (length,) = self.take(">h")
        self.at += max(length, 0)
        return self.data[self.at - max(length, 0) : self.at].decode()

    def data_of_length(self):
        (length,) = self.take(">i")
        self.at += max(length, 0)
        return self.data[self.at - max(length, 0) : self.at]

    def ids(self):
        (count,) = self.take(">i")
        return list(self.take(f">{count}i"))


def parse_metadata(answer):
    reader = Reader(answer, 4)
    brokers = set()
    for _ in range(reader.take(">i")[0]):
        brokers.add(reader.take(">i")[0])
        reader.text()
        reader.take(">i")
        reader.text()
    reader.text()
    reader.take(">i")
    topics = {}
    for _ in range(reader.take(">i")[0]):
        reader.take(">h")
        name = reader.text()
        reader.take(">?")
        partitions = topics[name] = {}
        for _ in range(reader.take(">i")[0]):
            _, number, leader, leader_epoch = reader.take(">hiii")
            partitions[number] = Partition(leader, leader_epoch, reader.ids(), reader.ids())
            reader.ids()
    return Metadata(brokers, topics)
