"""One client's group of one protocol under load: what befalls it, and what has to be true of it."""

import os
import threading
import time

import group_wire
from checks import check, check_soon
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from membership import Members
from nodes import TIMEOUT_S
from programs import COMMANDS, WAITS_FOR_ITS_NODE

RATE = int(os.environ["RATE"])


class Load:
    """A steady idempotent producer, which deals its records out to the partitions in turn."""

    def __init__(self, bootstrap, topic, partitions, rate):
        self.producer = Producer(bootstrap | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 300_000})
        self.topic, self.rate, self.sent, self.refused = topic, rate, [0] * partitions, []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.produce, daemon=True)
        self.thread.start()

    def produce(self):
        number = 0
        while not self.ends.is_set():
            partition = number % len(self.sent)
            self.producer.produce(self.topic, b"%d" % number, partition=partition, on_delivery=self.delivered)
            self.sent[partition] += 1
            number += 1
            self.producer.poll(0)
            time.sleep(1 / self.rate)

    def delivered(self, error, _):
        if error:
            self.refused.append(str(error))

    def end(self):
        self.ends.set()
        self.thread.join()
        self.producer.flush(TIMEOUT_S)


class Stuck(Exception):
    """A check failed without which the next steps would say nothing."""


class Group:
    """One client's group of one protocol."""

    def __init__(self, cluster, client, protocol, name, partitions=10, rate=RATE):
        self.cluster, self.partitions, self.what = cluster, partitions, f"{client}, {protocol}" + (f", {name}" if name != "readers" else "")
        self.is_classic, self.took = protocol != "consumer", []
        self.waits_for_its_node = (client, protocol) in WAITS_FOR_ITS_NODE
        self.topic, self.name = f"events-{name}-{client}-{protocol}", f"{name}-{client}-{protocol}"
        admin = AdminClient(cluster.bootstrap)
        config = {"min.insync.replicas": "2"} if cluster.replicas > 2 else {}
        admin.create_topics([NewTopic(self.topic, partitions, cluster.replicas, config=config)])[self.topic].result(TIMEOUT_S)
        self.members = Members(COMMANDS[client], cluster.addresses, self.topic, self.name, protocol, partitions)
        self.load = Load(cluster.bootstrap, self.topic, partitions, rate)

    def end(self):
        self.load.end()
        self.members.end()

    def settles(self, count, what, began=None):
        """The partitions are shared evenly, and all are read on."""
        began = began or time.monotonic()
        least, more = divmod(self.partitions, count)
        even = [least] * (count - more) + [least + 1] * more
        if not check_soon(f"{self.what}: {what}, and share the partitions", even, self.members.shares, TIMEOUT_S):
            raise Stuck
        self.took.append(f"{what} {time.monotonic() - began:.1f} s")
        if self.is_classic:
            check_soon(f"{self.what}: {what}: its coordinator says the same", ("Stable", even), self.described, TIMEOUT_S)
        self.reads_on(what)

    def reads_on(self, what):
        sent = list(self.load.sent)

        def behind():
            return [each for each, (done, asked) in enumerate(zip(self.members.commits(), sent)) if done < asked]
        if not check_soon(f"{self.what}: {what}: all partitions are read on", [], behind, TIMEOUT_S):
            raise Stuck

    def asks(self, question, *arguments):
        """What its coordinator says; a text when it says nothing of use."""
        try:
            if not (found := self.cluster.coordinator(self.name)):
                return "no coordinator"
            return question(found[1], *arguments)
        except (OSError, group_wire.Refused) as failure:
            return str(failure)

    def described(self):
        return self.asks(group_wire.describe, self.name)

    def committed(self):
        offsets = self.asks(group_wire.committed, self.name)
        return offsets if isinstance(offsets, str) else [offsets.get((self.topic, partition), 0) for partition in range(self.partitions)]

    def loses_coordinator(self, what, count, comes_back_at_once=False):
        """Kills the node that coordinates it; the others take over, and the node comes back."""
        said, number = self.members.commits(), len(self.members.changes)
        began = time.monotonic()
        victim = self.cluster.kill_coordinator(self.name)
        what = f"{what}, {victim} that coordinates them is killed"
        check_soon(f"{self.what}: {what}: no commit is lost", [], lambda: lost(said, self.committed()), TIMEOUT_S)
        if comes_back_at_once:
            self.cluster.heal(self.topic, self.partitions)
        self.settles(count, what, began)
        self.took.append(f"of whom {len(self.members.changed_since(number))} rebalance")
        self.cluster.heal(self.topic, self.partitions)

    def check_all(self):
        sent, members = self.load.sent, self.members
        check(f"{self.what}: all records are acknowledged", [], self.load.refused[:3])
        check_soon(f"{self.what}: each of {sum(sent)} records is read", [0] * self.partitions,
                   lambda: [len(set(range(count)) - seen) for count, seen in zip(sent, members.seen)], TIMEOUT_S)
        check_soon(f"{self.what}: all of them are committed", sent, self.committed, TIMEOUT_S)
        check(f"{self.what}: no partition was owned twice", [], members.twice[:3])
        check(f"{self.what}: nobody started before what was committed", [], members.went_back[:3])
        check(f"{self.what}: nobody started past what was read", [], members.skipped[:3])
        check(f"{self.what}: no member failed", [], members.failures[:3])

    def check_empty(self):
        before = self.committed()
        self.cluster.kill_coordinator(self.name)
        check_soon(f"{self.what}: the commits of a group without members outlive its coordinator", before, self.committed, TIMEOUT_S)
        self.cluster.heal(self.topic, self.partitions)
        check_soon(f"{self.what}: it is deleted", None, lambda: self.asks(group_wire.delete, self.name), TIMEOUT_S)
        check(f"{self.what}: and gone", False, self.name in self.asks(group_wire.listed))


def lost(said, kept):
    if isinstance(kept, str):
        return kept
    return [(partition, least, offset) for partition, (least, offset) in enumerate(zip(said, kept)) if offset < least]
