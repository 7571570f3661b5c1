#!/bin/bash
# How long MEMBERS that join a group at once take to settle; README.md has the variables.
export MEMBERS=${MEMBERS:-100} RATE=${RATE:-500} CLIENTS=${CLIENTS:-confluent_kafka} PROTOCOLS=${PROTOCOLS:-range,consumer}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run_groups_test groups_many
