#!/bin/bash
# A consumer group of librdkafka that grows, shrinks and loses its broker under load, with each protocol; README.md has the variables.
export MEMBERS=${MEMBERS:-4} SECONDS_A_STEP=${SECONDS_A_STEP:-6}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_environment confluent_kafka
export PROTOCOLS=${PROTOCOLS:-classic consumer} BROKER_COMMAND=$broker_command WORK=$work
PYTHONPATH=$clients/python run_test "$cache/confluent_kafka/bin/python" -B "$clients/python/confluent_kafka/groups.py"
