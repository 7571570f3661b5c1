#!/bin/bash
# A word count of Kafka Streams in two instances on three brokers, some of which stop and die; README.md has the variables.
export MB=${MB:-2} GUARANTEES=${GUARANTEES:-at_least_once}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

maven_jars streams
export JAVA_CLASSES="$cache/streams/*" JAVA_WORD_COUNT=$clients/streams/WordCount.java
input_lines
run_cluster_test streams
