"""Clients that are programs: kcat, and Kafka's own in Java behind java/Load.java. They take and give records as lines of text."""

import base64
import collections
import os
import queue
import re
import subprocess
import threading
import time
import zlib

from load import PARTITIONS, TIMEOUT_S, Load
from nodes import CLIENT

JAVA = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", os.environ.get("JAVA_CLASSES", ""), os.environ.get("JAVA_LOAD", "")]
# Debian's librdkafka is older than that one.
KCAT_CLIENT = {name: value for name, value in CLIENT.items() if name != "retry.backoff.max.ms"} | {"log_level": 2}
# What librdkafka calls otherwise, or Java's client does not know.
JAVA_CLIENT = {"request.timeout.ms": 2_000, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100, "reconnect.backoff.ms": 20,
               "reconnect.backoff.max.ms": 200, "socket.connection.setup.timeout.ms": 1_000, "linger.ms": 1}


def options(settings):
    return [part for name, value in settings.items() for part in ("-X", f"{name}={value}")]


class Program:
    """A process of which every line is kept, with the time at which it came."""

    def __init__(self, command, broker, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT):
        environment = os.environ | {"BOOTSTRAP": broker.addresses, "CLIENT": ",".join(f"{name}={value}" for name, value in JAVA_CLIENT.items())}
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=environment)
        self.lines = queue.SimpleQueue()
        self.last = collections.deque(maxlen=5)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            line = line.rstrip(b"\n")
            self.last.append(line)
            self.lines.put((time.monotonic(), line))

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()


class LineProducer(Program):
    """Takes records as lines, and says in the order of each partition which are acknowledged."""

    def __init__(self, command, broker, said):
        super().__init__(command, broker, stdin=subprocess.PIPE)
        self.said = said

    def send(self, line):
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            self.thread.join()
            said = b" | ".join(self.last).decode(errors="replace")
            raise RuntimeError(f"{self.process.args[0]} ends with {self.process.wait()}: {said}") from None

    def poll(self, wait_s):
        """Tells `said` of every line that has come; waits for the first one."""
        try:
            at, line = self.lines.get(timeout=wait_s) if wait_s else self.lines.get_nowait()
            while True:
                self.said(at, line)
                at, line = self.lines.get_nowait()
        except queue.Empty:
            pass

    def flush(self, wait_s):
        """Ends the input, upon which the program waits for what is unanswered."""
        self.process.stdin.close()
        self.process.wait(wait_s)
        self.thread.join()
        self.poll(0)


class LineLoad(Load):
    """A load whose values are text: partition, number, and some filling."""

    acknowledgement = None  # what the program says of a record that is acknowledged: its partition and offset

    def make_producer(self, broker, settings):
        self.answers = [0] * PARTITIONS
        return LineProducer(self.command(broker), broker, self.said)

    def value(self, partition, number):
        return b"%d %d " % (partition, number) + base64.b64encode(self.filling(number))

    def number(self, value):
        return int((value.split(b" ") + [b"-1"])[1])

    def produce(self, partition, value):
        self.producer.send(self.key(partition) + b"\t" + value + b"\n")

    def said(self, at, line):
        """Acknowledgements of a partition come in the order in which its records were sent."""
        if found := self.acknowledgement.search(line):
            partition, offset = int(found[1]), int(found[2])
            number = self.answers[partition]
            self.answers[partition] += 1
            self.answered(partition, number, offset)
            if (partition, number) in self.awaited:
                self.acknowledged_at[partition, number] = at
        elif line.startswith((b"refused ", b"% Delivery failed")):
            self.refused.append(line.decode(errors="replace"))


class KcatLoad(LineLoad):
    acknowledgement = re.compile(rb"Message delivered to partition (\d+) \(offset (\d+)\)")

    def command(self, broker):
        return ["kcat", "-b", broker.addresses, "-P", "-t", self.topic, "-K", "\t", "-z", "lz4", "-vvv", *options(KCAT_CLIENT | {
            "enable.idempotence": "true", "acks": "all", "partitioner": "consistent", "linger.ms": 1, "message.timeout.ms": 300_000})]

    def key(self, partition):
        """A key that librdkafka's `consistent` gives to a partition."""
        return next(b"%d" % key for key in range(1_000) if zlib.crc32(b"%d" % key) % PARTITIONS == partition)


class JavaLoad(LineLoad):
    acknowledgement = re.compile(rb"^acknowledged (\d+) (\d+)$")

    def command(self, broker):
        return [*JAVA, "produce", self.topic]

    def key(self, partition):
        return b"%d" % partition


class LineFollower:
    """A program that consumes while the load goes on: offsets and values, by partition."""

    def __init__(self, broker, topic):
        self.lines_seen = [[] for _ in range(PARTITIONS)]
        self.program = Program(self.command(broker, topic), broker, stderr=None)

    @property
    def seen(self):
        while not self.program.lines.empty():
            partition, offset, value = self.program.lines.get()[1].split(b"\t", 2)
            self.lines_seen[int(partition)].append((int(offset), value))
        return self.lines_seen

    def end(self):
        self.program.end()


class KcatFollower(LineFollower):
    def command(self, broker, topic):
        return ["kcat", "-b", broker.addresses, "-C", "-q", "-u", "-t", topic, "-o", "beginning", "-f", "%p\t%o\t%s\n",
                *options(KCAT_CLIENT | {"check.crcs": "true", "auto.offset.reset": "error"})]


class JavaFollower(LineFollower):
    def command(self, _, topic):
        return [*JAVA, "consume", topic, str(PARTITIONS)]
