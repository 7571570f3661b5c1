# What the client scripts share; sourced, not run. README.md says what the variables mean.
set -euo pipefail

clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gracchus-clients
broker_command=${BROKER_CMD:-${GRACCHUS:-$clients/../../../target/release/gracchus} serve}
broker_pid=
work=$(mktemp -d "${TMPDIR:-/tmp}/gracchus-client.XXXXXX")
mkdir -p "$cache"
export MB=${MB:-32} RUN=$$-$(date +%s)
limit_s=$((MB > 32 ? 180 * MB / 32 : 180))
exec 3>&1 # where the summary goes, whatever a function's output is redirected to

end() {
  stop_broker
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

give_up() { # give_up WHAT: without any test
  printf 'FAILED  %s\n0 passed, 1 failed\n' "$1" >&3
  exit 1
}

# --- installing -------------------------------------------------------------------------------------------------

# Only installs are retried: a registry that is away for a moment says nothing about the broker.
retry() {
  local attempt
  for attempt in 1 2 3 4; do
    "$@" && return
    sleep $((attempt * 5))
  done
  give_up "what the test needs is installed: expected success, got none from: $*"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
  echo "installing $*" >&2
  retry as_root apt-get -qq update >&2
  retry as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2
}

need() { # need COMMAND PACKAGE...
  command -v "$1" >/dev/null || apt_install "${@:2}"
}

# installed NAME INPUT... -- COMMAND...: runs the command, unless it succeeded before for these very inputs.
installed() {
  local name=$1 inputs=() sum
  shift
  while [ "$1" != -- ]; do inputs+=("$1"); shift; done
  shift
  sum=$(cat "${inputs[@]}" | sha256sum)
  [ "$(cat "$cache/$name.installed" 2>/dev/null)" = "$sum" ] && return
  retry "$@" >&2
  echo "$sum" >"$cache/$name.installed"
}

python_environment() { # python_environment NAME: a venv with what python/NAME/requirements.txt pins
  need python3 python3
  python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
  installed "$1" "$clients/python/$1/requirements.txt" -- fill_python_environment "$1"
}

fill_python_environment() {
  python3 -m venv --clear "$cache/$1" &&
    "$cache/$1/bin/pip" -q install --disable-pip-version-check --no-deps -r "$clients/python/$1/requirements.txt"
}

node_modules() { # node_modules NAME: what node/package-lock.json pins, in $cache/NAME
  need node nodejs
  need npm npm
  installed "$1" "$clients"/node/package{,-lock}.json -- fill_node_modules "$1"
}

fill_node_modules() {
  mkdir -p "$cache/$1" && cp "$clients"/node/package{,-lock}.json "$cache/$1" &&
    npm ci --prefix "$cache/$1" --no-audit --no-fund --loglevel=error
}

maven_jars() { # maven_jars NAME: what NAME/pom.xml lists, in $cache/NAME
  need javac default-jdk-headless
  need mvn maven
  installed "$1" "$clients/$1/pom.xml" -- \
    env MAVEN_OPTS=-Djansi.mode=strip mvn -q -B -f "$clients/$1/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/$1"
}

java_members() { # java/Member.java, built into $cache/java_member
  maven_jars java
  installed java_member "$clients"/java/{Member.java,pom.xml} -- javac -cp "$cache/java/*" -d "$cache/java_member" "$clients/java/Member.java"
}

go_program() { # go_program NAME: builds go/NAME into $cache/NAME
  need go golang-go ca-certificates
  local go=go
  if ! [[ $(cd / && GOTOOLCHAIN=local go version) =~ go1\.(2[1-9]|[3-9][0-9]) ]]; then
    installed go "$clients/go/go.mod" -- go_toolchain
    go=$cache/go/bin/go
  fi
  installed "$1" "$clients"/go/{checks,members,"$1"}/*.go "$clients"/go/go.{mod,sum} -- \
    env GOTOOLCHAIN=auto GOFLAGS=-buildvcs=false "$go" build -C "$clients/go" -o "$cache/$1" "./$1"
}

# A Go before 1.21 cannot fetch the toolchain that go.mod asks for, as later ones do; but as any module it can.
go_toolchain() (
  version=v0.0.1-go$(sed -n 's/^go //p' "$clients/go/go.mod").linux-$(go env GOARCH)
  rm -rf "$work/toolchain" "$cache/go" && mkdir "$work/toolchain" && cd "$work/toolchain" && go mod init toolchain &&
    go mod download "golang.org/toolchain@$version" &&
    cp -r "$(go env GOMODCACHE)/golang.org/toolchain@$version" "$cache/go" &&
    chmod -R u+w "$cache/go" && chmod -R u+x "$cache/go/bin" "$cache/go/pkg/tool"
)

# --- input ------------------------------------------------------------------------------------------------------

# Files that Debian packages brought, each under 1 MB, in an order that is shuffled but always the same. A package may list
# what is not there.
package_files() {
  cat /var/lib/dpkg/info/*.list | grep -E '^/usr/(share|lib)/' | LC_ALL=C sort -u | tr '\n' '\0' |
    { find -files0-from - -maxdepth 0 -type f -size -1024k 2>/dev/null || true; } | shuf --random-source=<(yes)
}

# Over and over, as a bare machine has too few. The loop ends when the pipe does.
repeat_files() { while xargs -a "$1" -d '\n' cat 2>/dev/null; do :; done; }

# make_input NAME FILTER: the first MB megabytes of the files listed in $work/files, through a filter
make_input() (
  set +o pipefail # `head` stops the rest when it has its fill
  repeat_files "$work/files" | "$2" | head -c "${MB}M" >"$1.$RUN"
  mv "$1.$RUN" "$1"
)

input_bytes() { # sets INPUT: MB megabytes, text and binaries
  export INPUT=$cache/bytes-$MB
  [ -e "$INPUT" ] && return
  package_files >"$work/files"
  make_input "$INPUT" cat
}

input_lines() { # sets INPUT: MB megabytes of lines that are not empty, hold no tab and stay under 1 MB
  export INPUT=$cache/lines-$MB
  [ -e "$INPUT" ] && return
  package_files | { xargs -d '\n' grep -lI . || true; } >"$work/files"
  make_input "$INPUT" plain_lines
}

# A last line that `head` cuts short is a line too.
plain_lines() { tr -d '\000' | LC_ALL=C awk 'length && length < 1000000 && !/\t/' 2>/dev/null; }

# --- the broker -------------------------------------------------------------------------------------------------

# Sets BOOTSTRAP, unless the caller named a broker that runs.
start_broker() {
  [ -z "${BOOTSTRAP:-}" ] || return 0
  : >"$work/ready"
  # shellcheck disable=SC2086 # a command with its arguments
  $broker_command --listen 127.0.0.1:0 --data-dir "$work/data" >"$work/ready" 2>"$work/broker.log" &
  broker_pid=$!
  local deadline=$((SECONDS + 60))
  until BOOTSTRAP=$(sed -n 's/.* is ready: .*PLAINTEXT:\/\/\([^ ,]*\).*/\1/p' "$work/ready") && [ -n "$BOOTSTRAP" ]; do
    if ! kill -0 "$broker_pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
      tail -20 "$work/broker.log" >&2
      give_up "the broker starts: expected a ready line within 60 s, got none"
    fi
    sleep 0.1
  done
  export BOOTSTRAP
}

stop_broker() {
  [ -n "$broker_pid" ] || return 0
  kill "$broker_pid" 2>/dev/null || true
  timeout 10 tail --pid="$broker_pid" -f /dev/null || kill -9 "$broker_pid" || true
  wait "$broker_pid" 2>/dev/null || true
  broker_pid=
}

# --- checking ---------------------------------------------------------------------------------------------------

# A test is a command that prints `ok  WHAT` or `FAILED  WHAT: expected ..., got ...` for each check. It exits non-zero only
# when it could not go on.
run_test() {
  local status=0 passed failed
  timeout -k 5 "$limit_s" "$@" | tee "$work/checks" || status=$?
  if [ "$status" != 0 ]; then
    echo "FAILED  the test comes to its end: expected status 0 within $limit_s s, got $status" | tee -a "$work/checks"
  fi
  passed=$(grep -c '^ok ' "$work/checks" || true)
  failed=$(grep -c '^FAILED ' "$work/checks" || true)
  if [ "$failed" != 0 ] && [ -s "$work/broker.log" ]; then
    { echo "the end of the broker's log:"; tail -20 "$work/broker.log"; } >&2
  fi
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

# run_cluster_test NAME: a test that starts nodes of its own
run_cluster_test() {
  python_environment confluent_kafka
  export BINARY=${GRACCHUS:-$clients/../../../target/release/gracchus} WORK=$work
  PYTHONPATH=$clients/python run_test "$cache/confluent_kafka/bin/python" -B "$clients/python/confluent_kafka/$1.py"
}

# run_groups_test NAME: a test with the members of each of CLIENTS
run_groups_test() {
  local names name
  IFS=, read -ra names <<<"$CLIENTS"
  limit_s=$((180 * ${#names[@]}))
  [ -z "${BROKER_CMD:-}" ] || limit_s=$((limit_s * 2)) # Kafka takes long to start again
  for name in "${names[@]}"; do
    case $name in
      *python | aiokafka) python_environment "$name" ;;
      java) java_members ;;
      franz_go | sarama) go_program "${name}_members" ;;
      kafkajs) node_modules kafkajs && export NODE_PATH=$cache/kafkajs/node_modules ;;
    esac
  done
  export CACHE=$cache CLIENTS_FOLDER=$clients BROKER_COMMAND=$broker_command
  run_cluster_test "$1"
}
