"""What every Python client has to show, written once against the few verbs of `Client`.

Each check prints one line, which lib.sh counts.
"""

import os
import time
from typing import NamedTuple

PARTITIONS = 3
START_MS = 1_700_000_000_000  # long past, so that no record can take its timestamp from the clock unseen
STEP_MS = 10
# Sizes of the values, in turn: None has no value, which on a compacted topic deletes. 1 and 33 go without a key.
SIZES = (1, 12, 120, 900, 70, 4_000, None, 300, 0, 1_500, 33, 250, 40_000)
TOPIC_CONFIGS = {"retention.ms": "-1", "max.message.bytes": "65536"}

ERRORS = {
    1: "OFFSET_OUT_OF_RANGE",
    3: "UNKNOWN_TOPIC_OR_PARTITION",
    10: "MESSAGE_TOO_LARGE",
    17: "INVALID_TOPIC_EXCEPTION",
    36: "TOPIC_ALREADY_EXISTS",
    37: "INVALID_PARTITIONS",
    38: "INVALID_REPLICATION_FACTOR",
    40: "INVALID_CONFIG",
}


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int


class Config(NamedTuple):
    value: str
    is_default: bool


class KafkaError(Exception):
    """The error code that the broker answered with."""

    def __init__(self, code):
        super().__init__(ERRORS.get(code, f"error {code}"))


class Client:
    """The verbs; a client that lacks one leaves it as None. Refusals are raised as `KafkaError`."""

    name: str
    codecs: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    null_headers = True
    describing_creates = False  # as Metadata allows, so that an unknown topic cannot be asked for

    def produce(self, topic, codec, partitions):
        """Sends one list of records to each partition, and answers with the offsets they were acknowledged at."""

    def read(self, topic, partition, offset, count):
        """The next `count` pairs of offset and record from an offset, or from "beginning". No reset when out of range."""

    def read_next(self, topic, partition, produce):
        """Goes to the end, calls `produce`, and answers with the first pair that comes."""

    offset_at = None  # (topic, partition, timestamp) -> offset, or None past the last record
    offsets = None  # (topic, partition) -> (earliest, latest)

    describe_cluster = None  # () -> (number of nodes, cluster id)
    create_topic = None  # (topic, partitions, replicas, configs)
    create_partitions = None  # (topic, total)
    list_topics = None  # () -> names
    describe_topic = None  # (topic) -> number of partitions that have a leader
    describe_configs = None  # (topic) -> {name: Config}
    incremental_alter_configs = None  # (topic, {name: value, or None to go back to the default})
    alter_configs = None  # (topic, {name: value}), replacing all
    delete_records = None  # (topic, partition, before_offset) -> low watermark
    delete_topic = None  # (topic)


def check(what, expected, got):
    if expected == got:
        print(f"ok  {what}", flush=True)
    else:
        print(f"FAILED  {what}: expected {brief(expected)}, got {brief(got)}", flush=True)
    return expected == got


def check_refused(what, error, call):
    try:
        got = call()
    except KafkaError as refusal:
        got = str(refusal)
    check(f"{what} is {error}", error, got)


def check_soon(what, expected, call, seconds=10):
    """Metadata reaches a broker a moment after the controller has answered."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            got = call()
        except KafkaError as refusal:
            got = str(refusal)
        if got == expected or time.monotonic() > deadline:
            return check(what, expected, got)
        time.sleep(0.1)


def brief(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def run(client):
    topic = f"{client.name}-{os.environ['RUN']}"
    with open(os.environ["INPUT"], "rb") as file:
        data = file.read()
    for what in client.lacks:
        print(f"--  {client.name} lacks {what}")
    check_admin(client, f"{topic}-admin")
    share = len(data) // len(client.codecs)
    for i, codec in enumerate(client.codecs):
        check_records(client, f"{topic}-{codec}", codec, records(data[i * share : (i + 1) * share], client.null_headers))


def records(data, null_headers):
    """Cuts the data into records, dealt out to the partitions in turn."""
    partitions = [[] for _ in range(PARTITIONS)]
    at = i = 0
    while at < len(data):
        size = SIZES[i % len(SIZES)]
        value = None if size is None else data[at : at + size]
        at += size or 0
        key = None if size in (1, 33) else b"key %d" % i
        # The same name twice is legal, and a value may be empty, any bytes, or none.
        headers = [("n", b"%d" % i), ("n", b""), ("bytes", data[at : at + 20])] if i % 3 else []
        if headers and null_headers:
            headers.append(("none", None))
        partitions[i % PARTITIONS].append(Record(key, value, headers, START_MS + i * STEP_MS))
        i += 1
    return partitions


def first_difference(expected, got):
    for one, other in zip(expected, got):
        if one != other:
            return one, other
    return None if len(expected) == len(got) else (f"{len(expected)} records", f"{len(got)} records")


def check_same(what, expected, got):
    difference = first_difference(expected, got)
    check(what, *(difference or (None, None)))


def check_records(client, topic, codec, partitions):
    client.create_topic(topic, PARTITIONS, 1, {"retention.ms": "-1"})
    check_soon(f"{codec}: topic created", PARTITIONS, lambda: client.describe_topic(topic))
    acknowledged = client.produce(topic, codec, partitions)
    total = sum(map(len, partitions))
    check(f"{codec}: {total} records are acknowledged in order", [list(range(len(p))) for p in partitions], acknowledged)
    for p, sent in enumerate(partitions):
        numbered = list(enumerate(sent))
        got = client.read(topic, p, "beginning", len(sent))
        check_same(f"{codec}: partition {p} from the beginning, {len(sent)} records", numbered, got)

    sent = list(enumerate(partitions[1]))
    middle, record = sent[len(sent) // 2]
    check_same(f"{codec}: from offset {middle}", sent[middle : middle + 50], client.read(topic, 1, middle, 50))
    at = client.offset_at(topic, 1, record.timestamp - STEP_MS // 2)
    check(f"{codec}: the offset of a timestamp", middle, at)
    check_same(f"{codec}: from a timestamp", sent[middle : middle + 50], client.read(topic, 1, at, 50))
    check(f"{codec}: no offset past the last timestamp", None, client.offset_at(topic, 1, sent[-1][1].timestamp + 1))

    last = Record(b"last", b"one more", [], START_MS)
    got = client.read_next(topic, 1, lambda: client.produce(topic, codec, [[], [last], []]))
    check(f"{codec}: from the end", (len(sent), last), got)
    client.delete_topic(topic)


def check_admin(client, topic):
    nodes, cluster_id = client.describe_cluster()
    check("describe cluster: nodes and a cluster id", (True, True), (nodes >= 1, bool(cluster_id)))

    client.create_topic(topic, 2, 1, TOPIC_CONFIGS)
    check_soon("create topic: its partitions have leaders", 2, lambda: client.describe_topic(topic))
    check("list topics: the topic is there", True, topic in client.list_topics())
    for what, error, name, partitions, replicas, configs in (
        ("a topic that exists", "TOPIC_ALREADY_EXISTS", topic, 2, 1, {}),
        ("a topic without partitions", "INVALID_PARTITIONS", f"{topic}-new", 0, 1, {}),
        ("a topic with more replicas than brokers", "INVALID_REPLICATION_FACTOR", f"{topic}-new", 1, 99, {}),
        ("a topic with an unknown config", "INVALID_CONFIG", f"{topic}-new", 1, 1, {"no.such.config": "1"}),
        ("a topic with a bad config value", "INVALID_CONFIG", f"{topic}-new", 1, 1, {"retention.ms": "soon"}),
        ("a topic with a slash", "INVALID_TOPIC_EXCEPTION", f"{topic}/new", 1, 1, {}),
    ):
        check_refused(f"creating {what}", error, lambda: client.create_topic(name, partitions, replicas, configs))
    if not client.describing_creates:
        unknown = f"{topic}-unknown"
        check_refused("describing an unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", lambda: client.describe_topic(unknown))

    client.create_partitions(topic, 4)
    check_soon("create partitions: four", 4, lambda: client.describe_topic(topic))
    check_refused("fewer partitions", "INVALID_PARTITIONS", lambda: client.create_partitions(topic, 1))

    def configs(*names):
        described = client.describe_configs(topic)
        return [described.get(name) for name in names]

    set_size, default_policy = Config("65536", False), Config("delete", True)
    names = "max.message.bytes", "cleanup.policy"
    check_soon("describe configs: what is set, and defaults", [set_size, default_policy], lambda: configs(*names))
    check("describe configs: over 20 of them", True, len(client.describe_configs(topic)) > 20)
    if client.incremental_alter_configs:
        client.incremental_alter_configs(topic, {"cleanup.policy": "compact", "retention.ms": None})
        expected = [set_size, Config("compact", False), Config("604800000", True)]
        check_soon("incremental alter configs: set, deleted, kept", expected, lambda: configs(*names, "retention.ms"))
        client.incremental_alter_configs(topic, {"cleanup.policy": None})
        check_refused("altering a config to a bad value", "INVALID_CONFIG",
                      lambda: client.incremental_alter_configs(topic, {"max.message.bytes": "-7"}))
    if client.alter_configs:
        client.alter_configs(topic, {"max.message.bytes": "70000"})
        expected = [Config("70000", False), default_policy, Config("604800000", True)]
        check_soon("alter configs: all replaced", expected, lambda: configs(*names, "retention.ms"))

    record = Record(b"key", b"value", [], time.time_ns() // 1_000_000)
    client.produce(topic, "none", [[record] * 10])
    too_large = record._replace(value=os.urandom(100_000))
    check_refused("a record that is too large", "MESSAGE_TOO_LARGE", lambda: client.produce(topic, "none", [[too_large]]))
    if client.offsets:
        check("list offsets", (0, 10), client.offsets(topic, 0))
    if client.delete_records:
        check("delete records: the low watermark", 4, client.delete_records(topic, 0, 4))
        check("list offsets: after it", (4, 10), client.offsets(topic, 0))
        check("from the beginning: after it", 4, client.read(topic, 0, "beginning", 1)[0][0])
        check_refused("reading what was deleted", "OFFSET_OUT_OF_RANGE", lambda: client.read(topic, 0, 0, 1))
        check_refused("deleting past the end", "OFFSET_OUT_OF_RANGE", lambda: client.delete_records(topic, 0, 11))

    client.delete_topic(topic)
    check_soon("delete topic: it is gone", False, lambda: topic in client.list_topics())
    check_refused("deleting an unknown topic", "UNKNOWN_TOPIC_OR_PARTITION", lambda: client.delete_topic(topic))
