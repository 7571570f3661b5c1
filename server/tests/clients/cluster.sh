#!/bin/bash
# Kills, stops and cuts off leaders of a cluster of three, ROUNDS times in the middle of a load, and then reads everything, with each
# client in each place; README.md has the variables.
export MB=${MB:-8} ROUNDS=${ROUNDS:-3} FAULTS=${FAULTS:-kill,stop,cut} SILENCE_S=${SILENCE_S:-10} SETTINGS=${SETTINGS:-}
export CLIENTS=${CLIENTS:-confluent_kafka,kcat,java} PLACES=${PLACES:-files,dev}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

IFS=, read -ra runs <<<"$CLIENTS"
limit_s=$(((60 + ROUNDS * 20) * ${#runs[@]} * 2))
need kcat kcat
maven_jars java
export JAVA_CLASSES="$cache/java/*" JAVA_LOAD=$clients/java/Load.java
input_bytes
run_cluster_test cluster
