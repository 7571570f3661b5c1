"""A broker that a test starts, kills and starts again."""

import os
import re
import shlex
import signal
import subprocess
import sys

WORK = os.environ["WORK"]


class Broker:
    """The broker's process, on one port and data directory through all its lives."""

    def __init__(self):
        self.port = 0
        self.process = None

    def start(self):
        log = open(f"{WORK}/broker.log", "ab")
        command = shlex.split(os.environ["BROKER_COMMAND"])
        self.process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{self.port}", "--data-dir", f"{WORK}/data"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        for line in self.process.stdout:
            if ready := re.search(r" is ready: .*PLAINTEXT://[^ ,]*:(\d+)", line):
                self.port = int(ready[1])
                return
        raise RuntimeError("the broker ended before it was ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    @property
    def bootstrap(self):
        # Of a dead broker librdkafka would say several times a second that it is.
        return {"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 2}


def with_broker(run):
    """Runs a test with a broker that ends with it."""
    # So that `timeout` does not leave the broker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broker = Broker()
    try:
        run(broker)
    finally:
        if broker.process and broker.process.poll() is None:
            broker.kill()
