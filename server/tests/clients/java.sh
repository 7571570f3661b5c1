#!/bin/bash
# Kafka's own Java client, producer, consumer and Admin, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

maven_jars java
input_bytes
start_broker
run_test java -Xmx512m -XX:TieredStopAtLevel=1 -cp "$cache/java/*" "$clients/java/Client.java"
