"""Members by aiokafka."""

import asyncio

import members
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

ASSIGNORS = {"range": RangePartitionAssignor, "sticky": StickyPartitionAssignor}


class Listener(ConsumerRebalanceListener):
    def __init__(self, member):
        self.member = member

    def on_partitions_assigned(self, assigned):
        if not self.member.leaving.is_set():
            self.member.assigned([each.partition for each in assigned])

    def on_partitions_revoked(self, revoked):
        self.member.revoked([each.partition for each in revoked])


class Member(members.Member):
    def open(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self.start_consumer())

    async def start_consumer(self):
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=members.BOOTSTRAP, group_id=members.GROUP, client_id=self.name, group_instance_id=self.instance,
            auto_offset_reset="earliest", enable_auto_commit=False, partition_assignment_strategy=[ASSIGNORS[members.PROTOCOL]],
            session_timeout_ms=members.SESSION_MS, heartbeat_interval_ms=members.HEARTBEAT_MS)
        self.consumer.subscribe([members.TOPIC], listener=Listener(self))
        await self.consumer.start()

    def poll(self):
        polled = self.loop.run_until_complete(self.consumer.getmany(timeout_ms=int(members.WAIT_S * 1000)))
        return [(each.partition, each.offset) for records in polled.values() for each in records]

    def commit(self, offsets):
        asked = {TopicPartition(members.TOPIC, partition): offset for partition, offset in offsets.items()}
        try:
            self.loop.run_until_complete(self.consumer.commit(asked))
        except KafkaError:
            return {}
        return offsets

    def close(self):
        # aiokafka tells nobody of a revocation when it leaves.
        self.revoked(list(self.owned))
        self.loop.run_until_complete(self.consumer.stop())


members.run(Member)
