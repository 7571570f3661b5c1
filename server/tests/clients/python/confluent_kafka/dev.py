"""The cluster that `gracchus dev` runs."""

import os
import re
import signal
import subprocess
import time

from nodes import BINARY, SETTINGS, TIMEOUT_S, Cluster, Node, free_ports


class Pid:
    """A process that is another one's child."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if os.path.exists(f"/proc/{self.pid}") else 0

    def send_signal(self, what):
        try:
            os.kill(self.pid, what)
        except ProcessLookupError:
            pass

    def wait(self, timeout_s=TIMEOUT_S):
        deadline = time.monotonic() + timeout_s
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"process {self.pid} does not end")
            time.sleep(0.005)


class DevNode(Node):
    """A node as `gracchus dev` lays it out; started again by its settings file, as the command's help says."""

    def __init__(self, number, port, folder):
        super().__init__(number, f"127.0.0.1:{port}", None, [], folder)
        self.settings, self.folder, self.log = (f"{folder}/node-{number}/{name}" for name in ("gracchus.toml", "data", "gracchus.log"))

    def gauges(self):
        return {}


class DevCluster(Cluster):
    has_networks = False

    def __init__(self, folder, nodes=3):
        self.folder, self.process = folder, None
        self.ports = free_ports(nodes)
        self.nodes = {number: DevNode(number, port, folder) for number, port in enumerate(self.ports, 1)}

    def format(self):
        """It does that itself."""

    def start(self):
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        with open(f"{self.folder}/dev.log", "ab") as log:
            self.process = subprocess.Popen(
                [*BINARY, "dev", "--nodes", str(len(self.nodes)), "--port", str(self.ports[0]), "--data-dir", self.folder, *settings],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = re.search(r" is ready: .*nodes=(\S+)", self.process.stdout.readline())
        if not ready:
            raise RuntimeError("gracchus dev ends before it is ready")
        for pair in ready[1].split(","):
            number, pid = map(int, pair.split(":"))
            self.nodes[number].process = Pid(pid)

    def end(self):
        super().end()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(TIMEOUT_S)
