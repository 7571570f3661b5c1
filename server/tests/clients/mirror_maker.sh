#!/bin/bash
# MirrorMaker 2 from one cluster of three brokers to another, with what it keeps in step besides records; README.md has the variables.
export MB=${MB:-1}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

maven_jars connect
export JAVA_CLASSES="$cache/connect/*"
input_lines
run_cluster_test mirror_maker
