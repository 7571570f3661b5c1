#!/bin/bash
# Two distributed workers of Kafka Connect on three brokers carry the lines of one file to another; README.md has the variables.
export MB=${MB:-1}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

maven_jars connect
export JAVA_CLASSES="$cache/connect/*"
input_lines
run_cluster_test connect
