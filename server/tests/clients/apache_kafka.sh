#!/bin/bash
# Apache Kafka itself behind gracchus's command line, to see that what the tests ask is what Kafka does:
#   BROKER_CMD=server/tests/clients/apache_kafka.sh server/tests/clients/run.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

host=127.0.0.1 port=0 data=
while [ $# -gt 0 ]; do
  case $1 in
    --listen) host=${2%:*} port=${2##*:}; shift 2 ;;
    --data-dir) data=$2; shift 2 ;;
    *) shift ;; # `serve`, and what only gracchus knows
  esac
done

is_open() { (: <"/dev/tcp/$host/$1") 2>/dev/null; }

free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && is_open "$port"; do :; done
  echo "$port"
}

maven_jars apache_kafka
controller_port=$(free_port)
[ "$port" != 0 ] || port=$(free_port)
mkdir -p "$data"
cat >"$data/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$host:$controller_port
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller_port
advertised.listeners=PLAINTEXT://$host:$port
log.dirs=$data/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
END
cluster_id=gracchusReferenceKafka
kafka=(java -Xms256m -Xmx768m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$cache/apache_kafka/*")
[ -e "$data/log/meta.properties" ] ||
  "${kafka[@]}" kafka.tools.StorageTool format -t "$cluster_id" -c "$data/server.properties" >&2

broker=$$
{
  until is_open "$port"; do
    kill -0 "$broker" 2>/dev/null || exit 1
    sleep 0.2
  done
  echo "kafka is ready: listeners=PLAINTEXT://$host:$port data=$data node.id=1 cluster.id=$cluster_id"
} &
end # `exec` leaves no shell to do it
exec "${kafka[@]}" kafka.Kafka "$data/server.properties" >&2
