#!/bin/bash
# COUNT partitions of three replicas: how soon they are led, and what memory they take; README.md has the variables.
export COUNT=${COUNT:-10000}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

limit_s=1200
run_cluster_test partitions
