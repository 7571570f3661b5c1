"""The programs that hold members, a client each, and the protocols that a client has."""

import os

CACHE, CLIENTS = os.environ["CACHE"], os.environ["CLIENTS_FOLDER"]
JAVA = ["java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{CACHE}/java/*:{CACHE}/java_member", "Member"]


def python(client):
    return [f"{CACHE}/{client}/bin/python", "-B", f"{CLIENTS}/python/{client}/member.py"]


COMMANDS = {
    "confluent_kafka": python("confluent_kafka"),
    "java": JAVA,
    "kafka_python": python("kafka_python"),
    "aiokafka": python("aiokafka"),
    "franz_go": [f"{CACHE}/franz_go_members"],
    "sarama": [f"{CACHE}/sarama_members"],
    "kafkajs": ["node", f"{CLIENTS}/node/members.js"],
}
# `consumer` is that of KIP-848; the others are assignors of the classic one.
PROTOCOLS = {
    "confluent_kafka": ["range", "cooperative-sticky", "consumer"],
    "java": ["range", "cooperative-sticky", "consumer"],
    "kafka_python": ["range", "cooperative-sticky"],
    "aiokafka": ["range", "sticky"],
    "franz_go": ["range", "cooperative-sticky", "consumer"],
    "sarama": ["range", "cooperative-sticky"],
    "kafkajs": ["roundrobin"],
}
STATIC = {("confluent_kafka", "range"), ("confluent_kafka", "consumer"), ("java", "range"), ("java", "consumer")}
# franz-go looks for another coordinator when a commit finds none, but not when a heartbeat does. So a member that has no partition yet waits
# for the node that it knows.
WAITS_FOR_ITS_NODE = {("franz_go", "consumer")}


def chosen():
    """The clients and protocols that are asked for."""
    asked = os.environ["PROTOCOLS"].split(",")
    return [(client, protocol) for client in os.environ["CLIENTS"].split(",") for protocol in PROTOCOLS[client] if protocol in asked]
