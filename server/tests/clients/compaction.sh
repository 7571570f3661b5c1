#!/bin/bash
# A compacted topic under load, on a broker that is killed again and again; README.md has the variables.
export ROUNDS=${ROUNDS:-5} MEGABYTES_A_ROUND=${MEGABYTES_A_ROUND:-24} KEYS=${KEYS:-2000} CODECS=${CODECS:-none,lz4,zstd,gzip,snappy}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_environment confluent_kafka
export BROKER_COMMAND="$broker_command --set log.cleaner.backoff.ms=100" WORK=$work
PYTHONPATH=$clients/python run_test "$cache/confluent_kafka/bin/python" -B "$clients/python/confluent_kafka/compaction.py"
