"""Counts words with Kafka Streams in two instances, one of which is stopped without its state, and later killed, as a broker is.

A failure may have a word counted twice unless the guarantee is exactly_once_v2; where nothing failed, or only stopped, the counts are exact.
"""

import collections
import os
import shutil
import time

import nodes
from checks import check, check_soon
from confluent_kafka import ConsumerGroupTopicPartitions, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec
from dev import DevCluster
from jvm import Jvm, end_all
from nodes import TIMEOUT_S, WORK, wait_for

PARTITIONS, THREADS = 4, 2
LINE_CHARACTERS_MAX = 2_000
DAY_MS = 86_400_000
REPLICATED = {"min.insync.replicas": "2"}
SETTINGS = {
    "replication.factor": 3, "num.stream.threads": THREADS, "commit.interval.ms": 200, "repartition.purge.interval.ms": 1_000,
    "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000, "acceptable.recovery.lag": 1_000_000_000}


class Counts:
    """The last count of each word, as `counts` has them."""

    def __init__(self, cluster):
        self.latest, self.read = {}, 0
        self.consumer = Consumer(cluster.bootstrap | {"group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
        self.consumer.assign([TopicPartition("counts", partition, 0) for partition in range(PARTITIONS)])

    def look(self):
        for message in self.consumer.consume(10_000, timeout=0.1):
            if message.error() is None:
                self.latest[message.key().decode()] = int(message.value())
                self.read += 1
        return self.latest


class WordCount:
    def __init__(self, cluster, guarantee):
        self.cluster, self.guarantee, self.application = cluster, guarantee, f"word-count-{guarantee}".replace("_", "-")
        self.admin = AdminClient(cluster.bootstrap)
        self.producer = Producer(cluster.bootstrap | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000})
        self.counts = Counts(cluster)
        self.instances = {name: self.instance(name) for name in ("one", "other")}
        self.true = collections.Counter()

    def instance(self, name):
        settings = SETTINGS | {
            "bootstrap.servers": self.cluster.addresses, "application.id": self.application, "client.id": f"{self.application}-{name}",
            "processing.guarantee": self.guarantee, "state.dir": self.state_of(name)}
        return Jvm(f"{self.application}-{name}", os.environ["JAVA_CLASSES"], os.environ["JAVA_WORD_COUNT"],
                   *(f"{key}={value}" for key, value in settings.items()))

    def state_of(self, name):
        return f"{WORK}/{self.application}-state-{name}"

    def send(self, lines, meanwhile=lambda: None):
        """Sends lines; half way something may happen."""
        for number, line in enumerate(lines):
            if number == len(lines) // 2:
                self.producer.flush(TIMEOUT_S)
                meanwhile()
            self.producer.produce("lines", line.encode(), partition=number % PARTITIONS)
            self.true.update(word for word in line.split(" ") if word)
            self.producer.poll(0)
        self.producer.flush(TIMEOUT_S)

    def wrong(self):
        """Words that are not counted as often as they were sent, with both numbers."""
        latest = self.counts.look()
        return {word: (count, latest.get(word, 0)) for word, count in self.true.items() if latest.get(word, 0) != count}

    def check_exact(self, what):
        self.wait_until(lambda: not self.wrong())
        wrong = self.wrong()
        check(f"{what}: {self.told()} are right", {}, dict(list(wrong.items())[:3]))

    def check_at_least(self, what):
        if self.guarantee != "at_least_once":
            return self.check_exact(what)
        self.wait_until(lambda: not self.short())
        check(f"{what}: {self.told()} are right or too high", [], self.short()[:3])
        print(f"--  {what}: {len(self.wrong())} words are counted twice", flush=True)

    def short(self):
        return [(word, *pair) for word, pair in self.wrong().items() if pair[1] < pair[0]]

    def told(self):
        return f"the counts of {len(self.true)} words, {self.true.total()} in all,"

    @staticmethod
    def wait_until(is_so):
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so() and time.monotonic() < deadline:
            pass

    def check_shared(self, what):
        def shares():
            described = self.admin.describe_consumer_groups([self.application])[self.application].result(TIMEOUT_S)
            owned = [len(member.assignment.topic_partitions) for member in described.members]
            return described.state.name, len(owned), sum(owned)
        running = [each for each in self.instances.values() if each.is_running()]
        for each in running:
            wait_for(f"{each.name} in state RUNNING", lambda: "state RUNNING" in each.said or not each.is_running(), timeout_s=2 * TIMEOUT_S)
        check_soon(what, ("STABLE", THREADS * len(running), 2 * PARTITIONS), shares, TIMEOUT_S)

    def check_topics(self):
        def configs(topic):
            described = self.admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, f"{self.application}-{topic}")])
            return {name: entry.value for name, entry in next(iter(described.values())).result(TIMEOUT_S).items()}

        def check_configs(topic, **expected):
            said = configs(topic)
            names = {name.replace("_", "."): value for name, value in expected.items()}
            check(f"{topic}: its configs are those that Streams asks for", names, {name: said.get(name) for name in names})
        check_configs("words-repartition", cleanup_policy="delete", segment_bytes=str(50 << 20), retention_ms="-1")
        check_configs("totals-changelog", cleanup_policy="compact")
        daily = configs("daily-changelog")
        check("daily-changelog: compacted, and deleted a day after its windows",
              (["compact", "delete"], 2 * DAY_MS), (sorted(daily["cleanup.policy"].split(",")), int(daily["retention.ms"])))
        topics = self.admin.list_topics(timeout=TIMEOUT_S).topics
        made = [topics[f"{self.application}-{name}"].partitions for name in ("words-repartition", "totals-changelog", "daily-changelog")]
        check("they have the partitions of the input, of three replicas", [[3] * PARTITIONS] * 3,
              [[len(partition.replicas) for partition in partitions.values()] for partitions in made])

    def check_purged(self):
        topic = f"{self.application}-words-repartition"

        def bounds():
            partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            first, last = ({each.partition: offset.result(TIMEOUT_S).offset for each, offset in self.admin.list_offsets(
                {partition: spec for partition in partitions}).items()} for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
            return [(first[partition], last[partition]) for partition in range(PARTITIONS)]
        # A marker stands at the end of each transaction, and is not read.
        slack = 0 if self.guarantee == "at_least_once" else 1
        check_soon("what was read of the repartition topic is deleted", True,
                   lambda: all(last - slack <= first and first > 0 for first, last in bounds()), TIMEOUT_S)

    def run(self, lines):
        configs = {name: NewTopic(name, PARTITIONS, 3, config=REPLICATED) for name in ("lines", "counts")}
        for future in self.admin.create_topics(list(configs.values())).values():
            future.result(TIMEOUT_S)
        share = len(lines) // 4
        parts = [lines[at : at + share] for at in range(0, 4 * share, share)]
        one, other = self.instances.values()
        for each in (one, other):
            each.start()
        self.check_shared("two instances share the partitions")
        self.send(parts[0])
        self.check_exact("all is well")
        self.check_topics()
        self.check_purged()

        self.send(parts[1], other.stop)
        self.check_shared("one stops, and the other has all")
        shutil.rmtree(self.state_of("other"))
        other.start()
        self.check_shared("it starts without its state, and they share them")
        check_soon("it restores both stores from their changelogs", {"totals", "daily"}, lambda: {
            store for store, _, records in (line.split()[1:] for line in list(other.said) if line.startswith("restored")) if int(records)}, TIMEOUT_S)
        self.check_exact("one was stopped")

        victim = self.cluster.nodes[self.cluster.metadata(1, ["lines"]).topics["lines"][0].leader]
        self.send(parts[2], victim.kill)
        self.check_at_least("a broker is killed")
        victim.start()
        wait_for("a whole cluster", lambda: self.cluster.leaders("lines", PARTITIONS))

        self.send(parts[3], one.kill)
        self.check_at_least("an instance is killed")
        self.check_shared("its partitions go to the other")
        one.start()
        self.check_shared("it starts again, and they share them")
        for each in (one, other):
            each.stop()
        self.check_at_least("both have ended")
        check("they end as they are told", [143, 143], [each.process.returncode for each in (one, other)])


def read_lines():
    with open(os.environ["INPUT"], encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in file if len(line) < LINE_CHARACTERS_MAX]


def run_on_new(guarantee):
    folder = f"{WORK}/{guarantee}"
    os.mkdir(folder)

    def main(cluster):
        cluster.start()
        WordCount(cluster, guarantee).run(read_lines())
    try:
        nodes.run(DevCluster(folder), main)
    finally:
        end_all()


for each in os.environ["GUARANTEES"].split(","):
    run_on_new(each)
