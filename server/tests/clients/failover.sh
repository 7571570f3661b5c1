#!/bin/bash
# How long a producer is without its partition's leader that is killed, stopped or cut off; README.md has the variables.
export KILLS=${KILLS:-100} STOPS=${STOPS:-3} CUTS=${CUTS:-3} SILENCE_S=${SILENCE_S:-10} REFRESH_MS=${REFRESH_MS:-100}
export PRODUCER=${PRODUCER:-librdkafka}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=$((120 + KILLS * 30 + (STOPS + CUTS) * 60))
if [ "$PRODUCER" = java ]; then
  maven_jars java
  export JAVA_CLASSES="$cache/java/*" JAVA_LOAD=$clients/java/Load.java
fi
run_cluster_test failover
