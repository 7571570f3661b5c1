#!/bin/bash
# Three nodes of Gracchus beside three of Apache Kafka in the same run; bench.py says what is measured.
#   RUNS        how many times everything is measured, in turns, by default 3
#   RECORDS     records of 100 B a run, by default 2000000; of 1 KiB there are a fifth as many
#   SYNCS       records a run of which one is under way at a time, by default 3000
#   KAFKA_WARM  records that Kafka gets first, by default 8000000
#   PARTITIONS  of a topic, by default 1
#   KAFKA_JARS  a folder with the jars of Apache Kafka; what Maven has of 4.3.1 otherwise
# GRACCHUS, SETTINGS, TARGETS, JSON and LOGS are those of ../../tests/clients/README.md.
export RUNS=${RUNS:-3} RECORDS=${RECORDS:-2000000} SYNCS=${SYNCS:-3000} KAFKA_WARM=${KAFKA_WARM:-8000000} PARTITIONS=${PARTITIONS:-1}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../tests/clients/lib.sh"

limit_s=3600
if [ -z "${KAFKA_JARS:-}" ]; then
  maven_jars apache_kafka
  KAFKA_JARS=$cache/apache_kafka
fi
python_environment confluent_kafka
export KAFKA_JARS="$KAFKA_JARS/*" BINARY=${GRACCHUS:-$here/../../../target/release/gracchus} WORK=$work
PYTHONPATH=$clients/python:$clients/python/confluent_kafka run_test "$cache/confluent_kafka/bin/python" -B "$here/bench.py"
