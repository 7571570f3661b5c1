#!/bin/bash
# franz-go, which speaks the newest version of each request, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program franz_go
input_bytes
start_broker
run_test "$cache/franz_go"
