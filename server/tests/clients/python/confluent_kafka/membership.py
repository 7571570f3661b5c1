"""What members of a group say, whatever client they are of, and what has to be true of it.

All members of a client are in one process, which says what happens to each in the order in which it happens: so a partition that is assigned
to one before it was revoked from another was owned by both.
"""

import collections
import os
import subprocess
import threading
import time
from typing import NamedTuple

from nodes import TIMEOUT_S

HEARTBEAT_MS = 500
# Nobody is silent for that long, not even kafkajs while it holds on to a dead coordinator.
SESSION_MS = 30_000


class Change(NamedTuple):
    at: float
    member: str
    what: str  # assigned or revoked
    partitions: set[int]


class Members:
    """A program that holds members, and what they have said."""

    def __init__(self, command, brokers, topic, group, protocol, partitions):
        self.log = f"{os.environ.get('LOGS') or os.environ['WORK']}/{group}.log"
        self.partitions = range(partitions)
        self.lock, self.ready = threading.Lock(), threading.Event()
        self.owners = [set() for _ in self.partitions]
        self.twice = []
        self.changes = []
        self.seen = [set() for _ in self.partitions]
        self.committed = [0] * partitions
        self.starting = {}  # by partition: what had been committed when it was assigned, until a record of it comes
        self.went_back, self.skipped = [], []
        self.left = set()
        self.failures = []
        environment = os.environ | {"BOOTSTRAP": brokers, "TOPIC": topic, "GROUP": group, "PROTOCOL": protocol,
                                    "SESSION_MS": str(SESSION_MS), "HEARTBEAT_MS": str(HEARTBEAT_MS)}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    # --- what they are told ---

    def wakes(self):
        """Waits until they listen."""
        if not self.ready.wait(TIMEOUT_S):
            raise RuntimeError(f"{self.process.args[0]} is not ready within {TIMEOUT_S} s")

    def join(self, *names):
        self.tell(f"join {name}" for name in names)

    def join_as(self, name, instance):
        self.tell([f"join {name} {instance}"])

    def leave(self, *names):
        self.tell(f"leave {name}" for name in names)

    def tell(self, lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()

    # --- what they say ---

    def listen(self):
        with open(self.log, "a") as log:
            for line in self.process.stdout:
                log.write(f"{time.strftime('%T')} {time.monotonic() % 1000:7.3f} {line}")
                verb, member, *rest = line.rstrip("\n").split("\t")
                with self.lock:
                    getattr(self, f"on_{verb}")(member, *rest)

    def on_assigned(self, member, partitions):
        partitions = set(map(int, partitions.split(",")))
        self.changes.append(Change(time.monotonic(), member, "assigned", partitions))
        for partition in partitions:
            if others := self.owners[partition] - {member}:
                self.twice.append((partition, *others, member))
            self.owners[partition].add(member)
            self.starting[partition] = self.committed[partition]

    def on_revoked(self, member, partitions):
        partitions = set(map(int, partitions.split(",")))
        self.changes.append(Change(time.monotonic(), member, "revoked", partitions))
        for partition in partitions:
            self.owners[partition].discard(member)

    def on_record(self, member, partition, offset):
        partition, offset = int(partition), int(offset)
        seen = self.seen[partition]
        if self.owners[partition] == {member} and partition in self.starting:
            committed = self.starting.pop(partition)
            if offset < committed:
                self.went_back.append((partition, committed, offset, member))
            if offset > 0 and offset - 1 not in seen:
                self.skipped.append((partition, committed, offset, member))
        seen.add(offset)

    def on_committed(self, _, partition, offset):
        partition = int(partition)
        self.committed[partition] = max(self.committed[partition], int(offset))

    def on_ready(self, _):
        self.ready.set()

    def on_left(self, member):
        self.left.add(member)

    def on_failed(self, member, why):
        self.failures.append((member, why))

    # --- what is asked of it ---

    def shares(self):
        """How many partitions each member owns, from the least."""
        with self.lock:
            owners = [owner for owners in self.owners for owner in owners]
        return sorted(collections.Counter(owners).values())

    def owned_by(self, member):
        with self.lock:
            return {partition for partition in self.partitions if member in self.owners[partition]}

    def commits(self):
        with self.lock:
            return list(self.committed)

    def changed_since(self, count):
        """Who was assigned or lost something, past the first `count` of such changes."""
        with self.lock:
            return sorted({change.member for change in self.changes[count:]})
