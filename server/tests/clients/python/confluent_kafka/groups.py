"""A group whose members come, go and die under load, on a broker that is killed in between.

Each record has to be read at least once, no partition may be owned by two members at a time, and what was committed
has to be there after the kill. Members commit what they have read, every record of it.
"""

import os
import threading
import time

import confluent_kafka
from broker import with_broker
from checks import check, check_soon
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 8
MEMBERS = int(os.environ["MEMBERS"])
STEP_S = int(os.environ["SECONDS_A_STEP"])
TIMEOUT_S = 60
PROTOCOLS = os.environ["PROTOCOLS"].split()  # classic, or consumer (KIP-848)
CLASSIC = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500, "partition.assignment.strategy": "range"}


class Ownership:
    """Who owns what at a time, as members are told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.owners = {}
        self.twice = []

    def take(self, member, partitions):
        with self.lock:
            for partition in partitions:
                owner = self.owners.get(partition)
                if owner not in (None, member):
                    self.twice.append((partition, owner, member))
                self.owners[partition] = member

    def give(self, member, partitions):
        with self.lock:
            for partition in partitions:
                if self.owners.get(partition) == member:
                    del self.owners[partition]


class Member(threading.Thread):
    def __init__(self, broker, protocol, name, ownership, seen):
        super().__init__(daemon=True)
        self.name, self.ownership, self.seen = name, ownership, seen
        self.leaving = threading.Event()
        self.assignments = 0
        settings = broker.bootstrap | {
            "group.id": f"readers-{protocol}", "client.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "group.protocol": protocol} | (CLASSIC if protocol == "classic" else {})
        self.consumer = Consumer(settings)
        self.consumer.subscribe([f"events-{protocol}"], on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_revoke)

    def on_assign(self, _, partitions):
        self.assignments += 1
        self.ownership.take(self.name, [partition.partition for partition in partitions])

    def on_revoke(self, _, partitions):
        self.ownership.give(self.name, [partition.partition for partition in partitions])

    def run(self):
        while not self.leaving.is_set():
            for message in self.consumer.consume(200, timeout=0.2):
                if message.error() is None:
                    self.seen.append((message.partition(), message.offset()))
            try:
                self.consumer.commit(asynchronous=False)
            except confluent_kafka.KafkaException:
                pass  # nothing to commit, a rebalance, or a broker that is away: it is read again then
        self.consumer.close()

    def leave(self):
        self.leaving.set()
        self.join(TIMEOUT_S)


def run(broker, protocol):
    topic, group = f"events-{protocol}", f"readers-{protocol}"
    admin = AdminClient(broker.bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(TIMEOUT_S)
    producer = Producer(broker.bootstrap | {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 300_000})
    ended = [0] * PARTITIONS
    producing = threading.Event()
    producing.set()

    def produce():
        number = 0
        while producing.is_set():
            producer.produce(topic, str(number).encode(), partition=number % PARTITIONS)
            ended[number % PARTITIONS] += 1
            number += 1
            producer.poll(0)
            time.sleep(0.0005)
        producer.flush(TIMEOUT_S)

    load = threading.Thread(target=produce, daemon=True)
    load.start()
    ownership, seen = Ownership(), []
    members = []

    def settle(count, what):
        def held():
            with ownership.lock:
                return len(set(ownership.owners.values())), len(ownership.owners)

        def shares():
            if protocol != "classic":
                # librdkafka describes groups of the classic protocol alone.
                return "STABLE", *held()
            described = admin.describe_consumer_groups([group])[group].result(TIMEOUT_S)
            owned = sorted(len(member.assignment.topic_partitions) for member in described.members)
            return described.state.name, len(owned), sum(owned)
        check_soon(f"{protocol}: {what}", ("STABLE", count, PARTITIONS), shares, TIMEOUT_S)
        time.sleep(STEP_S / 3)

    for number in range(MEMBERS):
        member = Member(broker, protocol, f"member-{number}", ownership, seen)
        member.start()
        members.append(member)
    settle(MEMBERS, f"{MEMBERS} members share {PARTITIONS} partitions")
    members.append(Member(broker, protocol, "another", ownership, seen))
    members[-1].start()
    settle(MEMBERS + 1, "one more shares them")
    for member in members[:2]:
        member.leave()
    settle(MEMBERS - 1, "two leave, and the others share them")
    # The members' ownership outlives the broker's process: they are known to the one that comes after it.
    broker.kill()
    broker.start()
    settle(MEMBERS - 1, "the broker is killed, and they go on")
    for member in members[2:-1]:
        member.leave()
    settle(1, "one is left, and has all")
    producing.clear()
    load.join(TIMEOUT_S)

    check_soon(f"{protocol}: each record is read", [set(range(count)) for count in ended],
               lambda: [{offset for of, offset in list(seen) if of == partition} for partition in range(PARTITIONS)], TIMEOUT_S)
    check(f"{protocol}: no partition was owned twice", [], ownership.twice[:3])

    def committed():
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(TIMEOUT_S)
        return sorted((found.partition, found.offset) for found in asked.topic_partitions)
    check_soon(f"{protocol}: all of it is committed", list(enumerate(ended)), committed, TIMEOUT_S)
    members[-1].leave()
    before = committed()
    broker.kill()
    broker.start()
    check(f"{protocol}: commits outlive the broker", before, committed())
    check_soon(f"{protocol}: a group without members is deleted", None, lambda: admin.delete_consumer_groups([group])[group].result(TIMEOUT_S))
    check(f"{protocol}: and gone", [], [listed.group_id for listed in admin.list_consumer_groups().result(TIMEOUT_S).valid])


def main(broker):
    broker.start()
    for protocol in PROTOCOLS:
        run(broker, protocol)


with_broker(main)
