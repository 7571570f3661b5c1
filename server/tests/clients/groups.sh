#!/bin/bash
# Consumer groups of each client that grow, shrink and lose their coordinator under load, with each of the protocols that it has; README.md
# has the variables.
export MEMBERS=${MEMBERS:-5} RATE=${RATE:-500}
export CLIENTS=${CLIENTS:-confluent_kafka,java,kafka_python,aiokafka,franz_go,sarama,kafkajs}
export PROTOCOLS=${PROTOCOLS:-range,sticky,cooperative-sticky,roundrobin,consumer}
# Kafka's own interval of 5 s would only have the test wait.
export SETTINGS=${SETTINGS-group.consumer.heartbeat.interval.ms=500,group.consumer.min.heartbeat.interval.ms=500}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run_groups_test groups
