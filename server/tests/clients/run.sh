#!/bin/bash
# Runs client tests one after the other: run.sh [NAME...], all of them without a name; README.md has the variables.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
names=("$@")
if [ $# = 0 ]; then
  names=(kcat confluent_kafka aiokafka kafka_python kafkajs franz_go sarama java)
  [ -n "${BOOTSTRAP:-}" ] || names+=(kill9 compaction groups cluster mirror_maker record) # which kill brokers of their own
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0 summary=()
for name in "${names[@]}"; do
  started=$SECONDS
  echo "== $name"
  case $name in
    # The long form has all clients, and both places.
    cluster) CLIENTS=${CLIENTS:-confluent_kafka} PLACES=${PLACES:-files} ROUNDS=${ROUNDS:-6} "$here/$name.sh" ;;
    groups) CLIENTS=${CLIENTS:-confluent_kafka,java} "$here/$name.sh" ;;
    *) "$here/$name.sh" ;;
  esac | tee "$out"
  [[ $(tail -n 1 "$out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || BASH_REMATCH=("" 0 1)
  passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  summary+=("$name: ${BASH_REMATCH[1]} passed, ${BASH_REMATCH[2]} failed, $((SECONDS - started)) s")
done
echo "== all"
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
