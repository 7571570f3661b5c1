"""Three nodes of Gracchus beside three of Apache Kafka, all on one machine, in turns: librdkafka as fast as it goes, and one record at a time.

acks=all, three replicas, min.insync.replicas=2. Medians, in brackets the least and the greatest of the runs; ratios are taken run by run. A GB is
10^9 bytes of records' values; the CPU is that of all three nodes, without the client.
"""

import os
import statistics
import tempfile
import time

import figures
import nodes
from checks import check
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaCluster
from librdkafka import Producer
from nodes import TIMEOUT_S, wait_for
from wire import Connection, batch_of_one, produce_request, produced_error

RUNS, RECORDS, SYNCS = int(os.environ["RUNS"]), int(os.environ["RECORDS"]), int(os.environ["SYNCS"])
KAFKA_WARM, PARTITIONS = int(os.environ["KAFKA_WARM"]), int(os.environ["PARTITIONS"])
CLIENT = {"linger.ms": 5, "acks": "all", "delivery.report.only.error": "true", "queue.buffering.max.messages": 2_000_000,
          "queue.buffering.max.kbytes": 2_097_151}
WARM_SYNCS = 50_000


class Contender:
    """A cluster and a durability, with what was measured of it."""

    def __init__(self, name, cluster, config):
        self.name, self.cluster = name, cluster
        self.config = {"min.insync.replicas": "2"} | config
        self.admin = AdminClient({"bootstrap.servers": cluster.addresses})
        self.figures = {}
        self.short = []

    def note(self, what, value):
        self.figures.setdefault(what, []).append(value)

    def make_topic(self, topic, partitions):
        self.admin.create_topics([NewTopic(topic, partitions, 3, config=self.config)])[topic].result(TIMEOUT_S)
        return wait_for("a topic that is in sync", lambda: self.cluster.leaders(topic, partitions))

    def cpu_s(self):
        return sum(node.cpu_s() for node in self.cluster.nodes.values())

    def measure_rate(self, topic, record_bytes, records):
        """Records a second, and CPU seconds a GB."""
        self.make_topic(topic, PARTITIONS)
        touch_memory(records * record_bytes * 3 * 5 // 4)
        write_back()
        producer = Producer(CLIENT | {"bootstrap.servers": self.cluster.addresses}, topic, PARTITIONS)
        before = self.cpu_s()
        seconds, held = producer.send_all(record_bytes, records)
        used = self.cpu_s() - before
        if held != records:
            self.short.append((topic, held))
        producer.close()
        self.admin.delete_topics([topic])[topic].result(TIMEOUT_S)
        time.sleep(1)
        return records / seconds, used / (records * record_bytes / 1e9)

    def measure_sync(self, topic, count):
        """Seconds that each record of 100 B takes, of which one is under way at a time."""
        leader = self.make_topic(topic, 1)[0]
        frame = produce_request(topic, 0, batch_of_one(b"x" * 100, time.time_ns() // 1_000_000))
        times = []
        write_back()
        with Connection(self.cluster.nodes[leader].address) as connection:
            for _ in range(count):
                started = time.perf_counter()
                answer = connection.exchange(frame)
                times.append(time.perf_counter() - started)
                if error := produced_error(answer):
                    raise RuntimeError(f"{self.name} refuses a record with error {error}")
        self.admin.delete_topics([topic])[topic].result(TIMEOUT_S)
        return times


def touch_memory(size):
    """Writes and removes a file as long as the load is on all nodes, so that the pages that will hold it are there: a hypervisor takes free memory
    back, and whoever touches it next pays for a fault a page.
    """
    piece = b"\1" * (1 << 20)
    with tempfile.TemporaryFile(dir=nodes.WORK) as file:
        for _ in range(-(-size // len(piece))):
            file.write(piece)


def write_back():
    """Has the disk write what whoever was measured before has left to the page cache: it is not for the next to wait for."""
    os.sync()


def show(samples, decimals):
    return f"{statistics.median(samples):.{decimals}f} [{min(samples):.{decimals}f} .. {max(samples):.{decimals}f}]"


def measure(contenders):
    for record_bytes, records in ((100, RECORDS), (1024, RECORDS // 5)):
        for run in range(1, RUNS + 1):
            for contender in contenders:
                rate, cpu = contender.measure_rate(f"load-{record_bytes}-{run}-{contender.config.get('durability', 'kafka')}", record_bytes, records)
                print(f"--  {record_bytes} B, run {run} of {RUNS}, {contender.name}: {rate:.0f} records/s, {cpu:.2f} CPU s/GB", flush=True)
                contender.note(f"{record_bytes} B, records/s", rate)
                contender.note(f"{record_bytes} B, CPU s/GB", cpu)
    for run in range(1, RUNS + 1):
        for contender in contenders:
            times = contender.measure_sync(f"sync-{run}-{contender.config.get('durability', 'kafka')}", SYNCS)
            contender.note("one at a time, p50 ms", figures.quantile(times, 0.5) * 1000)
            contender.note("one at a time, p99 ms", figures.quantile(times, 0.99) * 1000)


def report(contenders):
    replicated, flushed, kafka = contenders
    print(f"--  {RECORDS} records of 100 B and {RECORDS // 5} of 1024 B by librdkafka, linger 5 ms, {PARTITIONS} partitions, and {SYNCS} of 100 B one at a "
          f"time; acks=all, 3 replicas, min.insync.replicas=2; {RUNS} runs; Kafka was warmed with {KAFKA_WARM} records")
    for what, theirs in kafka.figures.items():
        decimals = 0 if "records/s" in what else 2
        print(f"--  {what}")
        print(f"--      {kafka.name:<22} {show(theirs, decimals)}")
        for contender in (replicated, flushed):
            ours = contender.figures[what]
            ratios = [one / other for one, other in zip(ours, theirs)]
            print(f"--      {contender.name:<22} {show(ours, decimals)}, {show(ratios, 2)} of Kafka")
            if contender is replicated and "records/s" in what:
                figures.check_at_least(f"{what}, {contender.name}", 2, statistics.median(ratios), "of Kafka's")
            elif contender is replicated:
                figures.check_below(f"{what}, {contender.name}", 0.5, statistics.median(ratios), "of Kafka's")
    check("every topic holds what was sent to it", [], [each for contender in contenders for each in contender.short])
    figures.keep({contender.name: contender.figures for contender in contenders})


def main(cluster):
    nodes.run(KafkaCluster(), lambda kafka_cluster: compare(cluster, kafka_cluster))


def compare(cluster, kafka_cluster):
    for each in (cluster, kafka_cluster):
        each.start()
        wait_for("a cluster of three", lambda: all((said := each.metadata(number, [])) and len(said.brokers) == 3 for number in each.nodes))
    contenders = [Contender("gracchus, replicated", cluster, {"durability": "replicated"}),
                  Contender("gracchus, flushed", cluster, {"durability": "flushed"}), Contender("kafka", kafka_cluster, {})]
    if KAFKA_WARM:
        rate, cpu = contenders[2].measure_rate("warm", 100, KAFKA_WARM)
        contenders[2].measure_sync("warm-sync", min(WARM_SYNCS, KAFKA_WARM))
        print(f"--  Kafka is warmed up: {rate:.0f} records/s, {cpu:.2f} CPU s/GB", flush=True)
    measure(contenders)
    report(contenders)


nodes.run(nodes.Cluster(3), main)
