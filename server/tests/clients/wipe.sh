#!/bin/bash
# A node loses its disk and catches up with FILL_MB beside a producer that notices little of it; README.md has the variables.
export ROUNDS=${ROUNDS:-3} FILL_MB=${FILL_MB:-500} RATE=${RATE:-1000} WATCH_S=${WATCH_S:-20} DURABILITY=${DURABILITY:-flushed}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=$((180 + ROUNDS * (WATCH_S + 180)))
run_cluster_test wipe
