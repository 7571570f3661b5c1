"""Clusters of processes: their settings, their networks, and what befalls them.

Every node that is started ends with this program, however that ends.
"""

import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from wire import Connection

BINARY = shlex.split(os.environ["BINARY"])
WORK = os.environ["WORK"]
SETTINGS = [line for line in os.environ.get("SETTINGS", "").split(",") if line]
CLUSTER_ID = "3KeQeJufRuSuguLntXMzEw"
TIMEOUT_S = 60
# A client that waits for a silent node as long as Kafka's clients do by default would measure only that.
CLIENT = {"socket.timeout.ms": 2_000, "request.timeout.ms": 2_000, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100,
          "topic.metadata.refresh.fast.interval.ms": 50, "socket.connection.setup.timeout.ms": 1_000,
          "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


class Networks:
    """A network namespace a node, and a bridge that joins them."""

    def __init__(self, nodes):
        self.nodes = range(1, nodes + 1)
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
            for node in self.nodes:
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
        commands = [("netns", "del", self.space(node)) for node in self.nodes] + [("link", "del", self.name)]
        for command in commands:
            subprocess.run(["ip", *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def space(self, node):
        return f"{self.name}n{node}"

    def set_link(self, node, state):
        self.run("link", "set", f"{self.space(node)}h", state)


class Node:
    """One node, on one address and folder through all its lives."""

    def __init__(self, number, address, http, prefix, folder):
        self.number, self.address, self.http, self.prefix = number, address, http, prefix
        self.process = None
        self.settings = f"{folder}/node-{number}.properties"
        self.folder = f"{folder}/node-{number}"
        self.log = f"{folder}/node-{number}.log"

    def configure(self, voters):
        with open(self.settings, "w") as file:
            file.write("\n".join([
                f"node.id={self.number}", "process.roles=broker,controller", f"listeners=PLAINTEXT://{self.address}",
                f"controller.quorum.voters={voters}", f"log.dirs={self.folder}", f"http.listen={self.http}", *SETTINGS, ""]))

    def format(self):
        subprocess.run([*BINARY, "format", "--cluster-id", CLUSTER_ID, "--config", self.settings], check=True, stdout=subprocess.DEVNULL)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *BINARY, "serve", "--stop-with-parent", "--config", self.settings],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait()

    def stop(self):
        """Asks it to end, and waits."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(TIMEOUT_S)

    def erase(self):
        """Takes all that it has, and formats it as a node that never was."""
        shutil.rmtree(self.folder)
        self.format()

    def directory_id(self):
        with open(f"{self.folder}/meta.properties") as file:
            return next(line.split("=", 1)[1].strip() for line in file if line.startswith("directory.id="))

    def gauges(self):
        """What /metrics says in one number each; nothing of a node that does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=1) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#") and "{" not in line)
        return {name.removeprefix("gracchus_"): float(value) for name, value in pairs}

    def leads_quorum(self):
        return self.gauges().get("quorum_leader") == 1

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """Ports that nobody listens on, below those that the system gives to clients: a killed node's must be free when it is back."""
    while True:
        first = random.randrange(20_000, 32_000 - count)
        ports = range(first, first + count)
        if all(is_free(port) for port in ports):
            return ports


def is_free(port):
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Cluster:
    """Nodes that are all voters and brokers, each with a network of its own where that is asked for and allowed."""

    def __init__(self, nodes=3, apart=False, folder=WORK):
        self.folder = folder
        self.networks = Networks(nodes)
        self.has_networks = apart and self.networks.make()
        numbers = range(1, nodes + 1)
        if self.has_networks:
            hosts = {number: f"{self.networks.subnet}.{number}" for number in numbers}
            places = {number: (f"{hosts[number]}:9092", f"{hosts[number]}:9644") for number in numbers}
        else:
            ports = free_ports(2 * nodes)
            places = {number: (f"127.0.0.1:{ports[number - 1]}", f"127.0.0.1:{ports[nodes + number - 1]}") for number in numbers}
        self.nodes = {number: Node(number, *places[number], self.prefix(number), folder) for number in numbers}

    def prefix(self, number):
        return ["ip", "netns", "exec", self.networks.space(number)] if self.has_networks else []

    def format(self):
        voters = ",".join(f"{node.number}@{node.address}" for node in self.nodes.values())
        for node in self.nodes.values():
            node.configure(voters)
            node.format()

    @property
    def addresses(self):
        return ",".join(node.address for node in self.nodes.values())

    @property
    def bootstrap(self):
        # Of a dead broker librdkafka would say several times a second that it is.
        return {"bootstrap.servers": self.addresses, "log_level": 2} | CLIENT

    def start(self):
        for node in self.nodes.values():
            node.start()

    def end(self):
        for node in self.nodes.values():
            node.kill()
        if self.has_networks:
            self.networks.remove()
        if kept := os.environ.get("LOGS"):
            kept = os.path.join(kept, os.path.relpath(self.folder, WORK))
            os.makedirs(kept, exist_ok=True)
            for node in self.nodes.values():
                if os.path.exists(node.log):
                    shutil.copy(node.log, f"{kept}/node-{node.number}.log")

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

    def vote_again(self, number):
        """Does what the operator does for a node that was formatted anew: the voter that it was goes, and the one that it is now comes."""
        node = self.nodes[number]
        others = ",".join(each.address for each in self.nodes.values() if each is not node)
        changes = [["remove-voter", str(number)], ["add-voter", f"{number}@{node.address}:{node.directory_id()}", "--listener", "PLAINTEXT"]]
        for change in changes:
            command = [*BINARY, "cluster", *change, "--bootstrap", others]
            wait_for(" ".join(change), lambda: subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0)

    def controller(self):
        """The node that leads the metadata quorum, if one does: a client is told only of one that stands for it."""
        leading = [node.number for node in self.nodes.values() if node.leads_quorum()]
        return leading[0] if len(leading) == 1 else None

    def metadata(self, number, topics):
        """What a node says; None when it does not answer."""
        try:
            with Connection(self.nodes[number].address) as connection:
                return connection.metadata(topics)
        except OSError:
            return None

    def leaders(self, topic, partitions, replicas=3):
        """Each partition's leader, once all nodes say that all replicas of all are in sync."""
        for number in self.nodes:
            said = self.metadata(number, [topic])
            if not said or said.brokers != set(self.nodes):
                return None
            found = said.topics[topic]
            if len(found) != partitions or any(len(each.isr) != replicas or each.leader < 0 for each in found.values()):
                return None
        return {number: each.leader for number, each in found.items()}


class Background(threading.Thread):
    """A call in a thread of its own, as a node that starts may let whoever asks it wait."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.failure = call, None
        self.start()

    def run(self):
        try:
            self.call()
        except Exception as failure:
            self.failure = failure

    def is_running(self):
        return self.is_alive()

    def result(self):
        self.join()
        if self.failure:
            raise self.failure


def wait_for(what, is_so, meanwhile=lambda: time.sleep(0.05), timeout_s=TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = is_so()
        if found:
            return found
        meanwhile()
    raise RuntimeError(f"{what} does not come within {timeout_s} s")


def run(cluster, main):
    """Runs what is to be shown on a cluster, and ends its nodes."""
    # So that `timeout` does not leave anything behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        cluster.format()
        main(cluster)
    finally:
        cluster.end()
