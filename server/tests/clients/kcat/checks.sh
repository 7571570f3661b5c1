#!/bin/bash
# What kcat has to show; kcat.sh sets BOOTSTRAP, INPUT, RUN, WORK and TOPIC (a command that creates and deletes topics).
set -euo pipefail
export LC_ALL=C # lengths are bytes
partitions=3
# Offset, length and bytes of the key, headers, length and bytes of the value. A length of -1 is no key.
format='%o\t%K\t%k\t%h\t%S\t%s\n'

check() { # check WHAT EXPECTED GOT
  if [ "$2" = "$3" ]; then echo "ok  $1"; else echo "FAILED  $1: expected ${2:0:200}, got ${3:0:200}"; fi
}

check_same() { # check_same WHAT EXPECTED GOT: of two files of lines
  local difference
  if difference=$(cmp "$2" "$3" 2>&1); then echo "ok  $1"; else echo "FAILED  $1: expected $2, got $3: $difference"; fi
}

lines() { wc -l <"$1"; }

consume() { # consume TOPIC PARTITION OFFSET...
  kcat -b "$BOOTSTRAP" -C -q -e -t "$1" -p "$2" -o "${@:3}"
}

produce() { # produce TOPIC PARTITION CODEC FILE...: with a key where the line has a tab, two headers of one name, and an empty one
  kcat -b "$BOOTSTRAP" -P -t "$1" -p "$2" -z "$3" -K '\t' -H "codec=$3" -H "codec=again" -H empty= -X acks=all -l "${@:4}"
}

# Deals the lines of a file out to the partitions: what kcat is to send, and what it is to get back.
deal() { # deal FILE CODEC
  awk -v partitions=$partitions -v headers="codec=$2,codec=again,empty=" -v to="$WORK/" 'BEGIN { OFS = "\t" } {
    p = (NR - 1) % partitions
    key = NR % 7 ? "key " NR : ""
    if (key) print key, $0 > (to "send-" p); else print > (to "send-" p)
    print n[p]++, key ? length(key) : -1, key, headers, length, $0 > (to "expect-" p)
  }' "$1"
}

check_codec() { # check_codec CODEC FILE
  local codec=$1 topic=kcat-$RUN-$1 p middle at started total
  $TOPIC create "$topic" $partitions retention.ms=-1
  deal "$2" "$codec"
  started=$(date +%s%3N)
  for ((p = 0; p < partitions; p++)); do
    check "$codec: partition $p is produced" 0 "$(produce "$topic" "$p" "$codec" "$WORK/send-$p" >&2; echo $?)"
  done
  for ((p = 0; p < partitions; p++)); do
    total=$(lines "$WORK/expect-$p")
    consume "$topic" "$p" beginning -f "$format" >"$WORK/got"
    check_same "$codec: partition $p from the beginning, $total records" "$WORK/expect-$p" "$WORK/got"
  done

  total=$(lines "$WORK/expect-1") middle=$((total / 2))
  sed -n "$((middle + 1)),$((middle + 50))p" "$WORK/expect-1" >"$WORK/expect"
  consume "$topic" 1 $middle -c 50 -f "$format" >"$WORK/got"
  check_same "$codec: from offset $middle" "$WORK/expect" "$WORK/got"
  tail -n 20 "$WORK/expect-1" >"$WORK/expect"
  consume "$topic" 1 -20 -f "$format" >"$WORK/got"
  check_same "$codec: the last 20" "$WORK/expect" "$WORK/got"

  consume "$topic" 1 beginning -f '%o %T\n' >"$WORK/times"
  check "$codec: the timestamps are of the time of sending" 0 \
    "$(awk -v from="$started" -v upto="$(date +%s%3N)" '$2 < from || $2 > upto' "$WORK/times" | wc -l)"
  # Many records share a millisecond: the first of them is the answer.
  at=$(awk -v o=$middle '$1 == o { print $2 }' "$WORK/times")
  middle=$(awk -v at="$at" '$2 >= at { print $1; exit }' "$WORK/times")
  check "$codec: the offset of a timestamp" "$topic [1] offset $middle" "$(kcat -b "$BOOTSTRAP" -Q -t "$topic:1:$at")"
  check "$codec: no offset past the last timestamp" "$topic [1] offset -1" "$(kcat -b "$BOOTSTRAP" -Q -t "$topic:1:$(date +%s%3N)")"
  check "$codec: from a timestamp" "$middle" "$(consume "$topic" 1 "s@$at" -c 1 -f '%o\n')"
  check_end "$codec" "$topic" "$total"
  $TOPIC delete "$topic"
}

check_end() { # check_end CODEC TOPIC END
  local consumer deadline=$((SECONDS + 30))
  : >"$WORK/said"
  kcat -b "$BOOTSTRAP" -C -t "$2" -p 1 -o end -c 1 -f '%o %s\n' >"$WORK/got" 2>"$WORK/said" &
  consumer=$!
  until grep -q 'Reached end' "$WORK/said"; do
    [ $SECONDS -lt $deadline ] || { kill $consumer; break; }
    sleep 0.1
  done
  echo 'one more' >"$WORK/more"
  produce "$2" 1 "$1" "$WORK/more"
  wait $consumer || true
  check "$1: from the end" "$3 one more" "$(cat "$WORK/got")"
}

check_refusals() {
  local topic=kcat-$RUN-refusals said
  $TOPIC create "$topic" 2 max.message.bytes=65536
  check 'metadata: the topic and its partitions' "  topic \"$topic\" with 2 partitions:" \
    "$(kcat -b "$BOOTSTRAP" -L -t "$topic" | grep -F "\"$topic\"")"
  check 'metadata: each partition has a leader' 2 "$(kcat -b "$BOOTSTRAP" -L -t "$topic" | grep -c 'partition [01], leader [0-9]')"
  head -c 100000 /dev/urandom | base64 -w 0 >"$WORK/large"
  said=$(produce "$topic" 0 none "$WORK/large" 2>&1 || true)
  check 'a record that is too large is refused' 'Message size too large' "$(grep -o 'Message size too large' <<<"$said" | head -1)"
  said=$(consume "$topic" 0 5 -X topic.auto.offset.reset=error 2>&1 || true)
  check 'an offset past the end is refused' 'Offset out of range' "$(grep -o 'Offset out of range' <<<"$said" | head -1)"
  said=$(consume "$topic-unknown" 0 beginning 2>&1 || true)
  check 'an unknown topic is refused' 'Unknown topic' "$(grep -o 'Unknown topic' <<<"$said" | head -1)"
  $TOPIC delete "$topic"
}

echo '--  kcat sets no timestamps, and has no admin calls'
check_refusals
codecs=(none gzip snappy lz4 zstd)
split -n "l/${#codecs[@]}" -d -a 1 "$INPUT" "$WORK/part-"
for i in "${!codecs[@]}"; do
  check_codec "${codecs[i]}" "$WORK/part-$i"
done
