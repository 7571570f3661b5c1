#!/bin/bash
# Kills, stops and cuts off leaders of a cluster of three, ROUNDS times in the middle of a load, and then reads everything;
# README.md has the variables.
export MB=${MB:-16} ROUNDS=${ROUNDS:-6} FAULTS=${FAULTS:-kill,stop,cut} SILENCE_S=${SILENCE_S:-10} SETTINGS=${SETTINGS:-}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=$((60 + ROUNDS * 20))
python_environment confluent_kafka
input_bytes
export BINARY=${GRACCHUS:-$clients/../../../target/release/gracchus} WORK=$work
PYTHONPATH=$clients/python run_test "$cache/confluent_kafka/bin/python" -B "$clients/python/confluent_kafka/cluster.py"
