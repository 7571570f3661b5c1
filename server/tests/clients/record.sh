#!/bin/bash
# Records a broker under load, kills it with SIGKILL in the middle, and replays the recording through the simulator's copy of
# the core. PAIRS > 0 measures, in as many pairs of runs, what recording costs; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export GRACCHUS=${GRACCHUS:-$clients/../../../target/release/gracchus}
export SIMULATOR=${SIMULATOR:-$(dirname "$GRACCHUS")/gracchus-sim}
export WORK=$work ROUNDS=${ROUNDS:-3} PAIRS=${PAIRS:-0}
limit_s=$((180 + PAIRS * 60))
run_test bash "$clients/record/checks.sh"
