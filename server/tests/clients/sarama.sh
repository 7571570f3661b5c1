#!/bin/bash
# Sarama, as it is by default and at its newest protocol, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program sarama
input_bytes
start_broker
run_test "$cache/sarama"
