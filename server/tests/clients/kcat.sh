#!/bin/bash
# kcat, the librdkafka that Debian ships, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need kcat kcat
python_environment confluent_kafka
input_lines
start_broker
export WORK=$work TOPIC="$cache/confluent_kafka/bin/python $clients/python/confluent_kafka/topic.py"
run_test bash "$clients/kcat/checks.sh"
