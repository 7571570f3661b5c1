#!/bin/bash
# kafkajs, which speaks only the old versions of each request, against the broker; README.md has the variables.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

node_modules kafkajs
input_bytes
start_broker
NODE_PATH=$cache/kafkajs/node_modules run_test node "$clients/node/client.js"
