#!/bin/bash
# aiokafka, which speaks only the old versions of each request, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_environment aiokafka
input_bytes
start_broker
PYTHONPATH=$clients/python run_test "$cache/aiokafka/bin/python" -B "$clients/python/aiokafka/client.py"
