#!/bin/bash
# kafka-python, whose versions are flexible but stop short of topic ids, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_environment kafka_python
input_bytes
start_broker
PYTHONPATH=$clients/python run_test "$cache/kafka_python/bin/python" -B "$clients/python/kafka_python/client.py"
