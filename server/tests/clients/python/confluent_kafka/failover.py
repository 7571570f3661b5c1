"""How long an idempotent producer with acks=all gets no acknowledgement when the leader of its partition dies, falls silent or is
cut off, and which step takes how long.

A steady stream of small records goes to one partition. Its unavailability is the longest time between two acknowledgements around the blow, as
the client sees them. Beside it the other nodes are asked all the time who leads the quorum and who leads the partition.
"""

import collections
import os
import random
import threading
import time

import figures
import nodes
from checks import check
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from lines import JAVA, JAVA_CLIENT, LineProducer
from nodes import CLIENT, TIMEOUT_S, Background, wait_for
from wire import Connection

KILLS = int(os.environ["KILLS"])
STOPS, CUTS = int(os.environ["STOPS"]), int(os.environ["CUTS"])
SILENCE_S = float(os.environ["SILENCE_S"])
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])
TOPIC = "failover"
PARTITIONS = 3
VALUE = b"x" * 100
PERIOD_S = 0.002
PROBE_S = 0.005
NAMED = ("broker.session.timeout.ms", "broker.heartbeat.interval.ms", "controller.quorum.fetch.timeout.ms",
         "controller.quorum.election.timeout.ms", "controller.quorum.election.backoff.max.ms", "replica.lag.time.max.ms")
STEPS = ("quorum_led", "told_first", "told_by_all")


class Stream:
    """Records to one partition at a time, and when they were acknowledged."""

    def __init__(self):
        self.partition = 0
        self.acknowledged = []  # (acknowledged at, sent at), of this partition
        self.refused = []
        self.next = time.monotonic()

    def turn_to(self, partition):
        self.settle()
        self.partition, self.acknowledged = partition, []
        self.go_on(0.3)
        wait_for("an acknowledgement", lambda: self.acknowledged, self.step)

    def step(self):
        if time.monotonic() >= self.next:
            self.send()
            # What could not be sent in time is left out.
            self.next = max(self.next + PERIOD_S, time.monotonic())
        self.poll(max(0, min(PERIOD_S, self.next - time.monotonic())))

    def go_on(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()

    def recovers(self, struck_at):
        """Goes on until something that was sent after the blow is acknowledged. The longest gap around the blow."""
        deadline = struck_at + TIMEOUT_S
        while not (self.acknowledged and self.acknowledged[-1][1] > struck_at):
            self.step()
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing is acknowledged within {TIMEOUT_S} s of the blow: {self.refused[:3]}")
        return self.longest_gap(struck_at)

    def longest_gap(self, since):
        before = max((at for at, _ in self.acknowledged if at <= since), default=since)
        times = [before, *(at for at, _ in self.acknowledged if at > since)]
        return max((after - before for before, after in zip(times, times[1:])), default=0)


class LibrdkafkaStream(Stream):
    # librdkafka asks again for the leader of a partition whose broker is down by a timer of one second, unless it is told to ask all the time.
    settings = CLIENT | {"topic.metadata.refresh.interval.ms": int(os.environ["REFRESH_MS"])}

    def __init__(self, cluster):
        super().__init__()
        self.producer = Producer(cluster.bootstrap | {
            "enable.idempotence": True, "acks": "all", "linger.ms": 0, "message.timeout.ms": 120_000,
            "queue.buffering.max.messages": 0} | self.settings)

    def send(self):
        sent_at = time.monotonic()

        def delivered(error, _):
            if error:
                self.refused.append(str(error))
            else:
                self.acknowledged.append((time.monotonic(), sent_at))

        self.producer.produce(TOPIC, VALUE, partition=self.partition, on_delivery=delivered)

    def poll(self, wait_s):
        self.producer.poll(wait_s)

    def settle(self):
        self.producer.flush(TIMEOUT_S)

    def end(self):
        self.settle()


class JavaStream(Stream):
    settings = JAVA_CLIENT

    def __init__(self, cluster):
        super().__init__()
        self.unanswered = collections.deque()
        self.producer = LineProducer([*JAVA, "produce", TOPIC], cluster, self.said)

    def send(self):
        self.unanswered.append(time.monotonic())
        self.producer.send(b"%d\t%s\n" % (self.partition, VALUE))

    def said(self, at, line):
        """Answers come in the order in which records were sent, as all are for one partition."""
        if line.startswith(b"acknowledged "):
            self.acknowledged.append((at, self.unanswered.popleft()))
        elif line.startswith(b"refused "):
            self.unanswered.popleft()
            self.refused.append(line.decode(errors="replace"))

    def poll(self, wait_s):
        self.producer.poll(wait_s)

    def settle(self):
        wait_for("an answer to every record", lambda: not self.unanswered, lambda: self.poll(0.01))

    def end(self):
        self.producer.flush(TIMEOUT_S)


class Watch:
    """Asks the nodes that are left, all at once, who leads; seconds since the blow at which each step was first seen."""

    def __init__(self, cluster, victim, partition):
        self.cluster, self.victim, self.partition = cluster, victim, partition
        self.others = [node for node in cluster.nodes.values() if node.number != victim]
        self.told, self.leading = {}, {}
        self.threads = []
        self.until = threading.Event()

    def begin(self, struck_at):
        self.struck_at = struck_at
        for node in self.others:
            self.threads += [threading.Thread(target=self.follow, args=(node, watch)) for watch in (self.leader, self.quorum)]
        for thread in self.threads:
            thread.start()

    def follow(self, node, watch):
        while not watch(node) and not self.until.wait(PROBE_S):
            pass

    def leader(self, node):
        try:
            with Connection(node.address) as connection:
                while not self.until.wait(PROBE_S):
                    leader = connection.metadata([TOPIC]).topics[TOPIC][self.partition].leader
                    if leader not in (self.victim, -1):
                        self.told[node.number] = time.monotonic() - self.struck_at
                        return True
        except OSError:
            pass
        return False

    def quorum(self, node):
        if node.leads_quorum():
            self.leading[node.number] = time.monotonic() - self.struck_at
        return node.number in self.leading

    def end(self):
        self.until.set()
        for thread in self.threads:
            thread.join()
        return {"quorum_led": min(self.leading.values(), default=None), "told_first": min(self.told.values(), default=None),
                "told_by_all": max(self.told.values()) if len(self.told) == len(self.others) else None}


STREAMS = {"librdkafka": LibrdkafkaStream, "java": JavaStream}


def choose(cluster, want_controller):
    """A partition whose leader is the leading controller, or is not, if there is one; any otherwise."""
    led = wait_for("a whole cluster", lambda: cluster.leaders(TOPIC, PARTITIONS))
    controller = wait_for("a leading controller", cluster.controller)
    fitting = [number for number, leader in led.items() if (leader == controller) == want_controller]
    partition = random.choice(fitting or list(led))
    return partition, led[partition], led[partition] == controller


def strike(cluster, stream, fault, want_controller):
    partition, victim, is_controller = choose(cluster, want_controller)
    stream.turn_to(partition)
    watch = Watch(cluster, victim, partition)
    stamp = time.strftime("%H:%M:%S", time.gmtime()) + f".{int(time.time() % 1 * 1000):03}"
    cluster.strike(fault, victim)
    struck_at = time.monotonic()
    watch.begin(struck_at)
    gap = stream.recovers(struck_at)
    stream.go_on(0.3)
    gap = max(gap, stream.longest_gap(struck_at))
    while fault != "kill" and time.monotonic() < struck_at + SILENCE_S:
        stream.step()
    steps = watch.end()
    healed_at = time.monotonic()
    cluster.heal(fault, victim)
    whole = Background(lambda: wait_for("a whole cluster", lambda: cluster.leaders(TOPIC, PARTITIONS)))
    while whole.is_running():
        stream.step()
    whole.result()
    stream.go_on(0.2)
    result = {"fault": fault, "at": stamp, "victim": victim, "partition": partition, "was_controller": is_controller, "gap_s": gap,
              "whole_again_s": time.monotonic() - healed_at, "gap_at_return_s": stream.longest_gap(healed_at)} | steps
    shown = ", ".join(f"{name} {steps[name] * 1000:.0f} ms" for name in STEPS if steps[name] is not None)
    print(f"--  {stamp} {fault} of node {victim}{', the controller' if is_controller else ''}: no acknowledgement for {gap * 1000:.0f} ms ({shown})",
          flush=True)
    return result


def settings_of(admin):
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    described = admin.describe_configs([resource])[resource].result(TIMEOUT_S)
    return {name: described[name].value for name in NAMED if name in described}


def main(cluster):
    random.seed(SEED)
    cluster.start()
    admin = AdminClient(cluster.bootstrap)
    wait_for("a cluster of three", lambda: (said := cluster.metadata(1, [])) and len(said.brokers) == 3)
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 3, config={"min.insync.replicas": "2"})])[TOPIC].result(TIMEOUT_S)
    settings = settings_of(admin)
    print(f"--  SEED={SEED}; min.insync.replicas=2, a record of {len(VALUE)} B each {PERIOD_S * 1000:g} ms")
    print("--  nodes: " + ", ".join(f"{name}={value}" for name, value in settings.items()))
    make_stream = STREAMS[os.environ["PRODUCER"]]
    print(f"--  {os.environ['PRODUCER']}: " + ", ".join(f"{name}={value}" for name, value in make_stream.settings.items()), flush=True)
    if not cluster.has_networks and CUTS:
        print("--  no network of its own for each node is allowed here: nobody is cut off")
    stream = make_stream(cluster)
    # So that the first blow does not meet a client that has just been started.
    stream.turn_to(0)
    stream.go_on(2)
    faults = ["kill"] * KILLS + ["stop"] * STOPS + ["cut"] * (CUTS if cluster.has_networks else 0)
    results = [strike(cluster, stream, fault, number % 2 == 1) for number, fault in enumerate(faults)]
    stream.end()
    check("every record is acknowledged", [], stream.refused[:3])
    report(results, settings, stream)


def report(results, settings, stream):
    kept = {"settings": settings, "client": stream.settings, "blows": results, "summary": {}}
    for fault in ("kill", "stop", "cut"):
        for is_controller in (False, True):
            some = [result for result in results if result["fault"] == fault and result["was_controller"] == is_controller]
            if not some:
                continue
            name = f"{fault} of the leader{' that is the controller too' if is_controller else ''}"
            summary = kept["summary"][name] = {"unavailable": figures.spread([result["gap_s"] for result in some])}
            figures.tell(f"{name}, no acknowledgement", summary["unavailable"])
            for step in STEPS:
                if seen := [result[step] for result in some if result[step] is not None]:
                    summary[step] = figures.spread(seen)
                    figures.tell(f"    of it until {step.replace('_', ' ')}", summary[step])
            summary["at_return"] = figures.spread([result["gap_at_return_s"] for result in some])
            figures.tell("    and when the node came back", summary["at_return"])
            if fault == "kill":
                figures.check_below(f"{name}: median", 500, summary["unavailable"]["p50_ms"], "ms")
                figures.check_below(f"{name}: 99th percentile", 2_000, summary["unavailable"]["p99_ms"], "ms")
            else:
                late = [TIMEOUT_S if result["told_first"] is None else result["told_first"] for result in some]
                figures.check_below(f"{name}: another leads, at the latest", 5, max(late), "s")
    figures.keep(kept)


if __name__ == "__main__":
    nodes.run(nodes.Cluster(3, apart=True), main)
