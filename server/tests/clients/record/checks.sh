#!/bin/bash
# What a recording holds after a SIGKILL, checked by replaying it.
set -euo pipefail

broker=
trap '[ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || true' EXIT

check() { # check WHAT EXPECTED GOT
  if [ "$2" = "$3" ]; then echo "ok  $1"; else echo "FAILED  $1: expected $2, got $3"; fi
}

start() { # start FOLDER FLAG...: sets broker and address
  local folder=$1
  shift
  : >"$WORK/ready"
  "$GRACCHUS" serve --listen 127.0.0.1:0 --data-dir "$folder" "$@" >"$WORK/ready" 2>>"$WORK/broker.log" &
  broker=$!
  until address=$(sed -n 's/.* is ready: .*PLAINTEXT:\/\/\([^ ,]*\).*/\1/p' "$WORK/ready") && [ -n "$address" ]; do
    kill -0 "$broker" || { echo "FAILED  the broker starts: expected a ready line, got none"; exit 1; }
    sleep 0.1
  done
}

stop() { # stop SIGNAL
  kill "-$1" "$broker"
  wait "$broker" 2>/dev/null || true
  broker=
}

produce() { # produce RECORDS FLAG...
  "$GRACCHUS" perf --log error produce --bootstrap "$address" -n "$@" --json load
}

replayed() { # replayed FILE: the last lines that replaying it prints
  "$SIMULATOR" replay "$1" --from 18446744073709551615 | tail -n 2
}

# A kill that comes while the load is under way, at another moment in each round. The ring is small enough to go round.
for round in $(seq "$ROUNDS"); do
  start "$WORK/data" --record "$WORK/recording" --record-bytes 2097152 --set auto.create.topics.enable=true
  for client in 1 2 3; do produce 100000000 --batch-bytes 2000 --connections 2 >/dev/null 2>&1 & loads[client]=$!; done
  sleep "$((round + 1)).$((RANDOM % 10))"
  stop 9
  for load in "${loads[@]}"; do wait "$load" || true; done
  mapfile -t last < <(replayed "$WORK/recording")
  check "round $round: the recording of a killed broker replays to the hash that was recorded" "the same as was recorded" "${last[1]:-}"
  steps=$(sed -n 's/.* after \([0-9]*\) steps/\1/p' <<<"${last[0]:-}")
  echo "--  ${last[0]:-}"
  check "round $round: the broker was under load" yes "$([ "${steps:-0}" -gt 1000 ] && echo yes || echo "${steps:-0} steps")"
  size=$(stat -c %s "$WORK/recording")
  check "round $round: the file is no larger than it may be" yes "$([ "$size" -le 2097152 ] && echo yes || echo "$size")"
done
start "$WORK/data" --record "$WORK/recording"
produce 200000 >/dev/null
secret=payload-that-nobody-else-is-to-read
echo "$secret" | "$GRACCHUS" produce --bootstrap "$address" load >/dev/null
check "a record is written" "$secret" "$("$GRACCHUS" consume --bootstrap "$address" load --from -1 2>/dev/null | grep -a -m 1 -x "$secret" || true)"
stop TERM
mapfile -t last < <(replayed "$WORK/recording")
check "the recording of a broker that stopped replays from its start" "the same as was recorded" "${last[1]:-}"
check "the record's payload is not in it" 0 "$(grep -a -c "$secret" "$WORK/recording" || true)"
check "the record's payload is on the disk" yes "$(grep -a -q -r "$secret" "$WORK/data" && echo yes || echo no)"

mapfile -t last < <(replayed "$WORK/recording.previous")
check "the recording of the run before is kept" "the same as was recorded" "${last[1]:-}"

# What it costs: the same load with and without, in turns.
if [ "$PAIRS" -gt 0 ]; then
  for pair in $(seq "$PAIRS"); do
    for kind in without with; do
      # A recording that is there would be read and set aside first, which is no part of what is measured.
      rm -rf "$WORK/measured" "$WORK/measured.recording"
      sync
      if [ $kind = with ]; then start "$WORK/measured" --record "$WORK/measured.recording"; else start "$WORK/measured"; fi
      bulk=$(produce 10000000 | sed -n 's/.*"records_per_s": *\([0-9]*\).*/\1/p')
      small=$(produce 400000 --batch-bytes 300 --connections 4 | sed -n 's/.*"records_per_s": *\([0-9]*\).*/\1/p')
      stop TERM
      echo "--  pair $pair, $kind a recording: $bulk records/s in large batches, $small in small ones"
      echo "$bulk $small" >>"$WORK/$kind"
    done
  done
  ratio() { # ratio COLUMN: the median of what it is with a recording, over what it is without
    paste -d ' ' "$WORK/without" "$WORK/with" | awk -v of="$1" '{ print $(of + 2) / $of }' | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
  }
  echo "--  with a recording / without, median: $(ratio 1) in large batches, $(ratio 2) in small ones"
fi
