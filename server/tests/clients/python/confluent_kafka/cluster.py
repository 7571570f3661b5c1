"""Kills, stops and cuts off the leader of a cluster of three again and again under one idempotent producer with acks=all, then
reads the logs from end to end.

Each node has a network of its own, so that it can be cut off by taking its link down; where that is not allowed all are on
loopback, and nobody is cut off. How long the producer gets no acknowledgement from a partition whose leader was struck is
measured and told: from the blow to the acknowledgement of a record that was sent after it.
"""

import os
import random
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time

from checks import check
from confluent_kafka.admin import AdminClient, NewTopic
from load import PARTITIONS, TIMEOUT_S, Load, check_log

ROUNDS = int(os.environ["ROUNDS"])
FAULTS = os.environ["FAULTS"].split(",")
SETTINGS = [line for line in os.environ.get("SETTINGS", "").split(",") if line]
SILENCE_S = float(os.environ["SILENCE_S"])
WORK = os.environ["WORK"]
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])
NODES = 3
CLUSTER_ID = "3KeQeJufRuSuguLntXMzEw"
# A client that waits for a silent node as long as Kafka's clients do by default would measure only that.
CLIENT = {"socket.timeout.ms": 2_000, "request.timeout.ms": 2_000, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100,
          "topic.metadata.refresh.fast.interval.ms": 50, "socket.connection.setup.timeout.ms": 1_000,
          "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


class Networks:
    """A network namespace a node, and a bridge that joins them."""

    def __init__(self):
        self.name = f"gr{os.getpid()}"
        self.subnet = f"10.231.{os.getpid() % 250}"

    def run(self, *command):
        subprocess.run(["ip", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make(self):
        """Makes them. False where that is not allowed."""
        try:
            self.run("link", "add", self.name, "type", "bridge")
            self.run("address", "add", f"{self.subnet}.254/24", "dev", self.name)
            self.run("link", "set", self.name, "up")
            for node in range(1, NODES + 1):
                space = self.space(node)
                self.run("netns", "add", space)
                self.run("link", "add", f"{space}h", "type", "veth", "peer", "name", "eth0", "netns", space)
                self.run("link", "set", f"{space}h", "master", self.name, "up")
                self.run("-n", space, "address", "add", f"{self.subnet}.{node}/24", "dev", "eth0")
                self.run("-n", space, "link", "set", "eth0", "up")
                self.run("-n", space, "link", "set", "lo", "up")
            return True
        except (OSError, subprocess.CalledProcessError):
            self.remove()
            return False

    def remove(self):
        commands = [("netns", "del", self.space(node)) for node in range(1, NODES + 1)] + [("link", "del", self.name)]
        for command in commands:
            subprocess.run(["ip", *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def space(self, node):
        return f"{self.name}n{node}"

    def set_link(self, node, state):
        self.run("link", "set", f"{self.space(node)}h", state)


class Node:
    def __init__(self, number, address, prefix):
        self.number, self.address, self.prefix = number, address, prefix
        self.process = None
        self.settings = f"{WORK}/node-{number}.properties"

    def format(self, voters):
        with open(self.settings, "w") as file:
            file.write("\n".join([
                f"node.id={self.number}", "process.roles=broker,controller", f"listeners=PLAINTEXT://{self.address}",
                f"controller.quorum.voters={voters}", f"log.dirs={WORK}/node-{self.number}", *SETTINGS, ""]))
        command = shlex.split(os.environ["BINARY"])
        subprocess.run([*command, "format", "--cluster-id", CLUSTER_ID, "--config", self.settings], check=True,
                       stdout=subprocess.DEVNULL)

    def start(self):
        log = open(f"{WORK}/broker.log", "ab")
        self.process = subprocess.Popen(
            [*self.prefix, *shlex.split(os.environ["BINARY"]), "serve", "--config", self.settings],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait()


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Cluster:
    def __init__(self):
        self.networks = Networks()
        self.has_networks = False
        self.nodes = {}

    def make(self):
        self.has_networks = self.networks.make()
        if self.has_networks:
            addresses = [f"{self.networks.subnet}.{node}:9092" for node in range(1, NODES + 1)]
            prefixes = [["ip", "netns", "exec", self.networks.space(node)] for node in range(1, NODES + 1)]
        else:
            addresses, prefixes = [f"127.0.0.1:{free_port()}" for _ in range(NODES)], [[]] * NODES
        voters = ",".join(f"{node}@{address}" for node, address in enumerate(addresses, 1))
        for number, (address, prefix) in enumerate(zip(addresses, prefixes), 1):
            self.nodes[number] = Node(number, address, prefix)
            self.nodes[number].format(voters)

    @property
    def bootstrap(self):
        return {"bootstrap.servers": ",".join(node.address for node in self.nodes.values()), "log_level": 2} | CLIENT

    def start(self):
        for node in self.nodes.values():
            node.start()

    def end(self):
        for node in self.nodes.values():
            node.kill()
        if self.has_networks:
            self.networks.remove()

    def strike(self, fault, number):
        node = self.nodes[number]
        if fault == "kill":
            node.kill()
        elif fault == "stop":
            node.process.send_signal(signal.SIGSTOP)
        else:
            self.networks.set_link(number, "down")

    def heal(self, fault, number):
        node = self.nodes[number]
        if fault == "kill":
            node.start()
        elif fault == "stop":
            node.process.send_signal(signal.SIGCONT)
        else:
            self.networks.set_link(number, "up")


def wait_for(what, is_so):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        found = is_so()
        if found:
            return found
        time.sleep(0.05)
    raise RuntimeError(f"{what} does not come within {TIMEOUT_S} s")


def leaders(admin, topic):
    """Each partition's leader, once all replicas of all are in sync."""
    partitions = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions.values()
    is_whole = len(partitions) == PARTITIONS and all(len(partition.isrs) == NODES and partition.leader > 0 for partition in partitions)
    return {partition.id: partition.leader for partition in partitions} if is_whole else None


def leaders_meanwhile(admin, load):
    load.producer.poll(0)
    return leaders(admin, load.topic)


def run(cluster):
    print(f"--  SEED={SEED}")
    if not cluster.has_networks:
        print("--  no network of its own for each node is allowed here: nobody is cut off")
    faults = [fault for fault in FAULTS if fault != "cut" or cluster.has_networks]
    random.seed(SEED)
    cluster.start()
    topic = "cluster"
    admin = AdminClient(cluster.bootstrap)
    wait_for("a cluster of three", lambda: len(admin.list_topics(timeout=TIMEOUT_S).brokers) == NODES)
    config = {"min.insync.replicas": "2"}
    admin.create_topics([NewTopic(topic, PARTITIONS, NODES, config=config)])[topic].result(TIMEOUT_S)
    load = Load(cluster, topic, CLIENT)
    share = len(load.data) // ROUNDS
    gaps = {}
    for round_ in range(1, ROUNDS + 1):
        fault = faults[round_ % len(faults)]
        is_controller, gap = strike_in_the_middle(cluster, admin, load, share, fault, round_)
        gaps.setdefault(f"{fault} of the controller" if is_controller else fault, []).append(gap)
    load.producer.flush(TIMEOUT_S)
    check("every record is acknowledged in the end", (sum(load.sent), []), (load.acknowledged, load.refused[:3]))
    wait_for("a whole cluster", lambda: leaders(admin, topic))
    for partition in range(PARTITIONS):
        check_log(cluster, load, partition)
    for kind, seconds in sorted(gaps.items()):
        ordered = sorted(seconds)
        p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
        print(f"--  {kind}: {len(ordered)} times, no acknowledgement for {statistics.median(ordered) * 1000:.0f} ms (median), "
              f"{p99 * 1000:.0f} ms (99th percentile), {ordered[-1] * 1000:.0f} ms at most")


def strike_in_the_middle(cluster, admin, load, share, fault, round_):
    """Strikes the leader of a partition while records are under way. How long that partition took no record."""
    led = wait_for("a whole cluster", lambda: leaders(admin, load.topic))
    partition = random.randrange(PARTITIONS)
    victim = led[partition]
    is_controller = admin.list_topics(timeout=TIMEOUT_S).controller_id == victim
    sending = load.send(share)
    strike_at = load.acknowledged + random.randint(1, 200)
    deadline = time.monotonic() + TIMEOUT_S
    while load.acknowledged < strike_at and time.monotonic() < deadline:
        if next(sending, "all sent") == "all sent":
            load.producer.poll(0.001)
            break
    cluster.strike(fault, victim)
    struck_at = time.monotonic()
    awaited = load.await_one(partition)
    while awaited not in load.acknowledged_at:
        load.producer.poll(0.002)
        if time.monotonic() > struck_at + TIMEOUT_S:
            raise RuntimeError(f"round {round_}, {fault} of node {victim}: nothing is acknowledged within {TIMEOUT_S} s")
    gap = load.acknowledged_at[awaited] - struck_at
    leader = admin.list_topics(load.topic, timeout=TIMEOUT_S).topics[load.topic].partitions[partition].leader
    for _ in sending:
        pass
    while fault != "kill" and time.monotonic() < struck_at + SILENCE_S:
        load.producer.poll(0.01)
    cluster.heal(fault, victim)
    wait_for("a whole cluster", lambda: leaders_meanwhile(admin, load))
    name = f"node {victim}, the controller," if is_controller else f"node {victim}"
    check(f"round {round_}: {fault} of {name} under load, node {leader} takes records after {gap * 1000:.0f} ms", True, leader != victim)
    return is_controller, gap


def main():
    # So that `timeout` does not leave anything behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cluster = Cluster()
    try:
        cluster.make()
        run(cluster)
    finally:
        cluster.end()


main()
