#!/bin/bash
# Two of a partition's three nodes are killed and their folders erased, ROUNDS times under a load, and every acknowledged record is read
# back; README.md has the variables.
export MB=${MB:-16} ROUNDS=${ROUNDS:-20}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=$((120 + ROUNDS * 60))
input_bytes
run_cluster_test erase
