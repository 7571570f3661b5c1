"""Members by confluent-kafka."""

import confluent_kafka
import members
from confluent_kafka import Consumer, TopicPartition

CLASSIC = {"session.timeout.ms": members.SESSION_MS, "heartbeat.interval.ms": members.HEARTBEAT_MS,
           "partition.assignment.strategy": members.PROTOCOL}
SETTINGS = {
    "bootstrap.servers": members.BOOTSTRAP, "group.id": members.GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
    # Of a dead broker librdkafka would say several times a second that it is.
    "log_level": 2, "reconnect.backoff.max.ms": 500,
} | ({"group.protocol": "consumer"} if members.PROTOCOL == "consumer" else CLASSIC)


class Member(members.Member):
    def open(self):
        self.consumer = Consumer(SETTINGS | {"client.id": self.name} | ({"group.instance.id": self.instance} if self.instance else {}))
        # librdkafka asks what its first partitions' topic is called, if it does not know, and says meanwhile that it has no partitions: that
        # frees some which it then takes, if others come at the same time.
        self.consumer.list_topics(members.TOPIC, timeout=60)
        self.consumer.subscribe([members.TOPIC], on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_revoke)

    def on_assign(self, _, partitions):
        self.assigned([each.partition for each in partitions])

    def on_revoke(self, _, partitions):
        self.revoked([each.partition for each in partitions])

    def poll(self):
        messages = self.consumer.consume(500, timeout=members.WAIT_S)
        return [(each.partition(), each.offset()) for each in messages if each.error() is None]

    def commit(self, offsets):
        asked = [TopicPartition(members.TOPIC, partition, offset) for partition, offset in offsets.items()]
        try:
            return {each.partition: each.offset for each in self.consumer.commit(offsets=asked, asynchronous=False) if each.error is None}
        except confluent_kafka.KafkaException:
            return {}

    def close(self):
        self.consumer.close()


members.run(Member)
