"""Kills, stops and cuts off the leader of a cluster of three again and again under one idempotent producer with acks=all and a
consumer that reads on, then reads the logs from end to end.

Two places: three nodes with a settings file and a network each, so that one can be cut off by taking its link down (where that is not allowed
all are on loopback, and nobody is cut off), and `gracchus dev`, whose nodes are only killed. How long the producer gets no acknowledgement from
a partition whose leader was struck is measured and told: from the blow to the acknowledgement of a record that was sent after it.
"""

import os
import random
import time

import figures
import nodes
from checks import check
from confluent_kafka.admin import AdminClient, NewTopic
from dev import DevCluster
from lines import JavaFollower, JavaLoad, KcatFollower, KcatLoad
from load import PARTITIONS, Follower, Load, check_log, check_records
from nodes import CLIENT, TIMEOUT_S, wait_for

ROUNDS = int(os.environ["ROUNDS"])
FAULTS = os.environ["FAULTS"].split(",")
SILENCE_S = float(os.environ["SILENCE_S"])
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])
PLACES = {"files": lambda folder: nodes.Cluster(3, apart="cut" in FAULTS, folder=folder), "dev": DevCluster}
CLIENTS = {"confluent_kafka": (Load, Follower), "kcat": (KcatLoad, KcatFollower), "java": (JavaLoad, JavaFollower)}
TOPIC = "cluster"


class Run:
    """One client on one cluster."""

    def __init__(self, cluster, client, place):
        self.cluster, self.what = cluster, f"{client}, {place}"
        self.admin = AdminClient(cluster.bootstrap)
        self.load, self.follower = None, None
        self.make_load, self.make_follower = CLIENTS[client]
        may = {"kill"} if place == "dev" else {"kill", "stop", "cut"} if cluster.has_networks else {"kill", "stop"}
        self.faults = [fault for fault in FAULTS if fault in may]
        if missing := set(FAULTS) - may:
            print(f"--  {self.what}: nothing here for {' or '.join(sorted(missing))}")
        self.gaps = {}

    def whole(self):
        return self.cluster.leaders(TOPIC, PARTITIONS)

    def go(self):
        self.cluster.start()
        wait_for("a cluster of three", lambda: (said := self.cluster.metadata(1, [])) and len(said.brokers) == 3)
        self.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 3, config={"min.insync.replicas": "2"})])[TOPIC].result(TIMEOUT_S)
        self.load, self.follower = self.make_load(self.cluster, TOPIC, CLIENT), self.make_follower(self.cluster, TOPIC)
        for round_ in range(1, ROUNDS + 1):
            self.strike_in_the_middle(round_, self.faults[round_ % len(self.faults)])
        self.check_all()

    def end(self):
        if self.follower:
            self.follower.end()
        if self.load and hasattr(self.load.producer, "end"):
            self.load.producer.end()

    def strike_in_the_middle(self, round_, fault):
        """Strikes the leader of a partition while records are under way."""
        load, cluster = self.load, self.cluster
        led = wait_for("a whole cluster", self.whole)
        partition = random.randrange(PARTITIONS)
        victim, controller = led[partition], cluster.controller()
        sending = load.send(len(load.data) // ROUNDS)
        strike_at = load.acknowledged + random.randint(1, 200)
        deadline = time.monotonic() + TIMEOUT_S
        while load.acknowledged < strike_at and time.monotonic() < deadline:
            if next(sending, "all sent") == "all sent":
                self.trickle(partition)
        cluster.strike(fault, victim)
        struck_at = time.monotonic()
        awaited = load.await_one(partition)
        while awaited not in load.acknowledged_at:
            self.trickle(partition)
            if time.monotonic() > struck_at + TIMEOUT_S:
                said = {number: (each.brokers, each.topics[TOPIC][partition]) for number in cluster.nodes
                        if number != victim and (each := cluster.metadata(number, [TOPIC]))}
                raise RuntimeError(f"{self.what}, round {round_}, {fault} of node {victim}: nothing is acknowledged by partition {partition} within "
                                   f"{TIMEOUT_S} s; the brokers and that partition, as each node says: {said}")
        gap = load.acknowledged_at[awaited] - struck_at
        others = [number for number in cluster.nodes if number != victim]
        leader = wait_for("another leader", lambda: (said := cluster.metadata(others[0], [TOPIC])) and said.topics[TOPIC][partition].leader)
        for _ in sending:
            pass
        while fault != "kill" and time.monotonic() < struck_at + SILENCE_S:
            self.trickle(partition)
        cluster.heal(fault, victim)
        wait_for("a whole cluster", self.whole, lambda: self.trickle(partition))
        name = f"node {victim}, the controller," if victim == controller else f"node {victim}"
        check(f"{self.what}, round {round_}: {fault} of {name} under load, node {leader} takes records after {gap * 1000:.0f} ms",
              True, leader != victim)
        self.gaps.setdefault(f"{fault} of the controller" if victim == controller else fault, []).append(gap)

    def trickle(self, partition):
        """A record now and then: some clients look for answers only when they send."""
        self.load.send_one(partition)
        self.load.producer.poll(0.005)

    def check_all(self):
        load = self.load
        load.producer.flush(TIMEOUT_S)
        check(f"{self.what}: every record is acknowledged in the end", (sum(load.sent), []), (load.acknowledged, load.refused[:3]))
        wait_for("a whole cluster", self.whole)
        deadline = time.monotonic() + TIMEOUT_S
        while [len(seen) for seen in self.follower.seen] != load.sent and time.monotonic() < deadline:
            time.sleep(0.1)
        self.follower.end()
        for partition, seen in enumerate(self.follower.seen):
            check_records(load, partition, seen, f", {self.what}, read meanwhile")
        for partition in range(PARTITIONS):
            check_log(self.cluster, load, partition, f", {self.what}, read anew")
        for kind, seconds in sorted(self.gaps.items()):
            figures.tell(f"{self.what}: {kind}, no acknowledgement", figures.spread(seconds))


def main():
    print(f"--  SEED={SEED}")
    random.seed(SEED)
    gaps = {}
    for place in os.environ["PLACES"].split(","):
        for client in os.environ["CLIENTS"].split(","):
            folder = f"{nodes.WORK}/{place}-{client}"
            os.mkdir(folder)
            nodes.run(PLACES[place](folder), lambda cluster: go(cluster, client, place, gaps))
    figures.keep(gaps)


def go(cluster, client, place, gaps):
    run = Run(cluster, client, place)
    try:
        run.go()
    finally:
        run.end()
    gaps[run.what] = {kind: figures.spread(seconds) for kind, seconds in run.gaps.items()}


main()
