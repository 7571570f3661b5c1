#!/bin/bash
# Kills the broker ROUNDS times with SIGKILL in the middle of a load, and then reads everything; README.md has the variables.
export MB=${MB:-128} ROUNDS=${ROUNDS:-20}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=$((60 + ROUNDS * 30))
python_environment confluent_kafka
input_bytes
export BROKER_COMMAND=$broker_command WORK=$work
PYTHONPATH=$clients/python run_test "$cache/confluent_kafka/bin/python" -B "$clients/python/confluent_kafka/kill9.py"
