"""Members of a consumer group as a program, for Python's clients: it is told on standard input who comes and goes, and says what befalls them.

Told are `join NAME [INSTANCE]` and `leave NAME`; said are `ready` when it listens, and then, of a member each,
`assigned NAME PARTITION,...`, `revoked NAME PARTITION,...`, `record NAME PARTITION OFFSET`, `committed NAME PARTITION OFFSET`, `left NAME` and
`failed NAME WHY`, with tabs between. A revocation is said before the group hears that it is done.
"""

import os
import sys
import threading

TOPIC, GROUP, PROTOCOL, BOOTSTRAP = (os.environ[name] for name in ("TOPIC", "GROUP", "PROTOCOL", "BOOTSTRAP"))
SESSION_MS, HEARTBEAT_MS = int(os.environ["SESSION_MS"]), int(os.environ["HEARTBEAT_MS"])
WAIT_S = 0.1
voice = threading.Lock()


def say(*words):
    lines(["\t".join(map(str, words))])


def lines(said):
    with voice:
        sys.stdout.write("".join(f"{line}\n" for line in said))
        sys.stdout.flush()


class Member(threading.Thread):
    """A member, in a thread of its own; what a client does its own way is at the end."""

    def __init__(self, name, instance):
        super().__init__(daemon=True)
        self.name, self.instance = name, instance
        self.leaving = threading.Event()
        self.owned = set()
        self.uncommitted = {}

    def run(self):
        try:
            self.open()
            while not self.leaving.is_set():
                self.read()
                if self.uncommitted:
                    self.commit_read()
            self.close()
            say("left", self.name)
        except Exception as failure:
            say("failed", self.name, repr(failure))

    def read(self):
        said = []
        for partition, offset in self.poll():
            # A poll may bring what came before a rebalance that it served as well.
            if partition in self.owned:
                said.append(f"record\t{self.name}\t{partition}\t{offset}")
                self.uncommitted[partition] = offset + 1
        if said:
            lines(said)

    def commit_read(self):
        committed = self.commit(dict(self.uncommitted))
        for partition, offset in committed.items():
            say("committed", self.name, partition, offset)
            if self.uncommitted.get(partition) == offset:
                del self.uncommitted[partition]

    def assigned(self, partitions):
        if partitions:
            self.owned |= set(partitions)
            say("assigned", self.name, ",".join(map(str, sorted(partitions))))

    def revoked(self, partitions):
        for partition in partitions:
            self.owned.discard(partition)
            self.uncommitted.pop(partition, None)
        if partitions:
            say("revoked", self.name, ",".join(map(str, sorted(partitions))))

    def open(self):
        """Connects, and joins the group."""

    def poll(self):
        """The partition and offset of each record that comes within `WAIT_S`."""

    def commit(self, offsets):
        """Commits, and answers with what is committed: nothing in a rebalance, or while the coordinator is away."""

    def close(self):
        """Leaves the group."""


def run(member):
    members = {}
    say("ready", "")
    for line in sys.stdin:
        verb, name, *instance = line.split()
        if verb == "join":
            members[name] = member(name, *(instance or [None]))
            members[name].start()
        else:
            members.pop(name).leaving.set()
    os._exit(0)  # without leaving
