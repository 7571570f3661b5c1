#!/bin/bash
# confluent-kafka for Python, which is librdkafka, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_environment confluent_kafka
input_bytes
start_broker
# AlterConfigs is deprecated, and asked for all the same.
PYTHONPATH=$clients/python run_test \
  "$cache/confluent_kafka/bin/python" -B -W ignore::DeprecationWarning "$clients/python/confluent_kafka/client.py"
