"""One node of three dies and its folder is erased; formatted anew, it catches up beside a steady producer with acks=all, whose 99th
percentile latency before is set beside that meanwhile.
"""

import os
import subprocess
import time

import figures
import nodes
from checks import check
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from nodes import BINARY, TIMEOUT_S, Background, wait_for

ROUNDS, FILL_MB, RATE = int(os.environ["ROUNDS"]), int(os.environ["FILL_MB"]), int(os.environ["RATE"])
WATCH_S = float(os.environ["WATCH_S"])
DURABILITY = os.environ["DURABILITY"]
TOPIC, PARTITIONS, RECORD_BYTES = "wipe", 3, 1_000
CATCH_UP_S_MAX = 150


class Steady:
    """Records at a rate, and how long each takes to be acknowledged."""

    def __init__(self, cluster):
        self.producer = Producer(cluster.bootstrap | {
            "enable.idempotence": True, "acks": "all", "linger.ms": 0, "message.timeout.ms": 120_000, "queue.buffering.max.messages": 0,
            "topic.metadata.refresh.interval.ms": 100})
        self.latencies, self.refused = [], []
        self.count = 0
        self.next = time.monotonic()

    def step(self):
        now = time.monotonic()
        if now >= self.next:
            # From when it was due: a producer that could not send in time has waited too.
            self.send(self.next)
            self.next += 1 / RATE
        self.producer.poll(max(0, min(0.001, self.next - time.monotonic())))

    def send(self, due):
        latencies = self.latencies

        def delivered(error, _):
            if error:
                self.refused.append(str(error))
            else:
                latencies.append(time.monotonic() - due)

        self.count += 1
        self.producer.produce(TOPIC, b"x" * RECORD_BYTES, partition=self.count % PARTITIONS, on_delivery=delivered)

    def phase(self, goes_on):
        """Latencies of what is sent while `goes_on` says so."""
        self.latencies = []
        while goes_on():
            self.step()
        return self.latencies

    def settle(self):
        """What was held back is sent, and what it waited is no part of what comes."""
        self.producer.flush(TIMEOUT_S)
        self.next = time.monotonic()
        self.watch(1)

    def watch(self, seconds):
        until = time.monotonic() + seconds
        return self.phase(lambda: time.monotonic() < until)


def held_bytes(node):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(node.folder) for name in names)


def main(cluster):
    cluster.start()
    wait_for("a cluster of three", lambda: (said := cluster.metadata(1, [])) and len(said.brokers) == 3)
    config = {"min.insync.replicas": "2", "durability": DURABILITY}
    admin = AdminClient(cluster.bootstrap)
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 3, config=config)])[TOPIC].result(TIMEOUT_S)
    whole = lambda: cluster.leaders(TOPIC, PARTITIONS)
    wait_for("a whole cluster", whole)
    subprocess.run([*BINARY, "perf", "produce", TOPIC, "--records", str(FILL_MB * 1_000), "--record-bytes", "1000", "--connections",
                    str(PARTITIONS), "--bootstrap", cluster.addresses], check=True, stdout=subprocess.DEVNULL)
    print(f"--  {FILL_MB} MB are there, durability={DURABILITY}; {RATE} records of {RECORD_BYTES} B a second", flush=True)
    steady = Steady(cluster)
    before, meanwhile, rounds = [], [], []
    for round_ in range(ROUNDS):
        victim = cluster.nodes[round_ % 3 + 1]
        wait_for("a whole cluster", whole)
        steady.settle()
        healthy = steady.watch(WATCH_S)
        victim.kill()
        victim.erase()
        steady.watch(2)
        steady.settle()
        down = steady.watch(3)
        started = time.monotonic()
        victim.start()
        back = Background(lambda: wait_for("a whole cluster", whole, timeout_s=CATCH_UP_S_MAX))
        catching_up = steady.phase(back.is_running)
        back.result()
        took_s, held = time.monotonic() - started, held_bytes(victim)
        check(f"round {round_ + 1}: node {victim.number} is in sync again with {held >> 20} MiB after {took_s:.1f} s", True, held > FILL_MB << 19)
        phases = {"before": healthy, "down": down, "meanwhile": catching_up, "after": steady.watch(3)}
        for name, latencies in phases.items():
            figures.tell(f"    {name}", figures.spread(latencies))
        cluster.vote_again(victim.number)
        rounds.append({"took_s": took_s, "held_bytes": held} | {name: figures.spread(latencies) for name, latencies in phases.items()})
        before += healthy
        meanwhile += catching_up
    steady.producer.flush(TIMEOUT_S)
    check("every record is acknowledged", [], steady.refused[:3])
    ratio = figures.quantile(meanwhile, 0.99) / figures.quantile(before, 0.99)
    figures.tell("before, all rounds", figures.spread(before))
    figures.tell("while a node catches up, all rounds", figures.spread(meanwhile))
    figures.check_below("99th percentile while a node catches up, of that before", 2, ratio, "times")
    figures.keep({"durability": DURABILITY, "rounds": rounds, "before": figures.spread(before), "meanwhile": figures.spread(meanwhile), "ratio": ratio})


nodes.run(nodes.Cluster(3), main)
