"""What a coordinator says of a group, by hand: librdkafka's admin client may keep to a coordinator that has died."""

import struct

from wire import Connection, Reader, request, string

OFFSET_FETCH, FIND_COORDINATOR, DESCRIBE_GROUPS, LIST_GROUPS, DELETE_GROUPS = 9, 10, 15, 16, 42
NO_TOPICS = struct.pack(">i", -1)  # all of them


class Refused(Exception):
    """The error code that a node answered with."""

    def __init__(self, code):
        super().__init__(f"error {code}")


def accept(code):
    if code:
        raise Refused(code)


def find(address, group):
    """The node that coordinates a group, and its address."""
    with Connection(address) as connection:
        reader = Reader(connection.exchange(request(FIND_COORDINATOR, 1, string(group) + b"\0")), 4)
    accept(*reader.take(">h"))
    reader.text()
    (node,) = reader.take(">i")
    return node, f"{reader.text()}:{reader.take('>i')[0]}"


def committed(address, group):
    """Committed offsets by topic and partition."""
    with Connection(address) as connection:
        reader = Reader(connection.exchange(request(OFFSET_FETCH, 5, string(group) + NO_TOPICS)), 4)
    offsets = {}
    for _ in range(*reader.take(">i")):
        topic = reader.text()
        for _ in range(*reader.take(">i")):
            partition, offset, _ = reader.take(">iqi")
            reader.text()
            accept(*reader.take(">h"))
            offsets[topic, partition] = offset
    accept(*reader.take(">h"))
    return offsets


def described(address, group):
    """What a coordinator says of a group of the classic protocol, behind its name."""
    with Connection(address) as connection:
        reader = Reader(connection.exchange(request(DESCRIBE_GROUPS, 1, struct.pack(">i", 1) + string(group))), 8)
    accept(*reader.take(">h"))
    reader.text()
    return reader


def describe_type(address, group):
    """The state of a group of any type of the classic protocol, that type, and how many members it has."""
    reader = described(address, group)
    state, kind, _ = reader.text(), reader.text(), reader.text()
    return state, kind, *reader.take(">i")


def describe(address, group):
    """The state of a group of consumers of the classic protocol, and how many partitions each of its members has."""
    reader = described(address, group)
    state, _, _ = reader.text(), reader.text(), reader.text()
    shares = []
    for _ in range(*reader.take(">i")):
        _, _, _ = reader.text(), reader.text(), reader.text()
        reader.data_of_length()
        assignment = Reader(reader.data_of_length(), 2)
        topics = range(*assignment.take(">i")) if assignment.data else ()
        shares.append(sum(len((assignment.text(), assignment.ids())[1]) for _ in topics))
    return state, sorted(shares)


def delete(address, group):
    with Connection(address) as connection:
        reader = Reader(connection.exchange(request(DELETE_GROUPS, 1, struct.pack(">i", 1) + string(group))), 8)
    reader.text()
    accept(*reader.take(">h"))


def listed(address):
    """The groups that a node coordinates."""
    with Connection(address) as connection:
        reader = Reader(connection.exchange(request(LIST_GROUPS, 1, b"")), 4)
    accept(*reader.take(">h"))
    return {(reader.text(), reader.text())[0] for _ in range(*reader.take(">i"))}
