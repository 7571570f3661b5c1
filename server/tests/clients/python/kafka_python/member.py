"""Members by kafka-python."""

import members
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}


class Listener(ConsumerRebalanceListener):
    def __init__(self, member):
        self.member = member

    def on_partitions_assigned(self, assigned):
        self.member.assigned([each.partition for each in assigned])

    def on_partitions_revoked(self, revoked):
        self.member.revoked([each.partition for each in revoked])

    on_partitions_lost = on_partitions_revoked


class Member(members.Member):
    def open(self):
        self.consumer = KafkaConsumer(
            bootstrap_servers=members.BOOTSTRAP.split(","), group_id=members.GROUP, client_id=self.name, group_instance_id=self.instance,
            auto_offset_reset="earliest", enable_auto_commit=False, partition_assignment_strategy=[ASSIGNORS[members.PROTOCOL]],
            session_timeout_ms=members.SESSION_MS, heartbeat_interval_ms=members.HEARTBEAT_MS, reconnect_backoff_max_ms=500)
        self.consumer.subscribe([members.TOPIC], listener=Listener(self))

    def poll(self):
        polled = self.consumer.poll(timeout_ms=int(members.WAIT_S * 1000))
        return [(each.partition, each.offset) for records in polled.values() for each in records]

    def commit(self, offsets):
        try:
            self.consumer.commit({TopicPartition(members.TOPIC, partition): OffsetAndMetadata(offset, "", -1)
                                  for partition, offset in offsets.items()}, timeout_ms=10_000)
        except KafkaError:
            return {}
        return offsets

    def close(self):
        self.consumer.close()


members.run(Member)
