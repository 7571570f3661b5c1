"""Kills the broker again and again under one idempotent producer, then reads the logs from end to end.

The producer retries until it is answered, so each record must be acknowledged in the end and stand in its log exactly
once, at the offset acknowledged, in the order sent: a record that was stored but not acknowledged before the kill comes
again as a duplicate, which the broker knows only by what it recovered.
"""

import os
import random
import time

from broker import with_broker
from checks import check
from confluent_kafka.admin import AdminClient, NewTopic
from load import IDENTITY, PARTITIONS, SIZES, TIMEOUT_S, Load, check_log, log_end

ROUNDS = int(os.environ["ROUNDS"])
SEED = random.randrange(1 << 32) if "SEED" not in os.environ else int(os.environ["SEED"])


def run(broker):
    print(f"--  SEED={SEED}")
    random.seed(SEED)
    broker.start()
    topic = "kill9"
    admin = AdminClient(broker.bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(TIMEOUT_S)
    load = Load(broker, topic)
    share = len(load.data) // ROUNDS
    for round_ in range(1, ROUNDS + 1):
        kill_in_the_middle(broker, load, share, round_)
    load.producer.flush(TIMEOUT_S)
    check("every record is acknowledged in the end", (sum(load.sent), []), (load.acknowledged, load.refused[:3]))
    for partition in range(PARTITIONS):
        check_log(broker, load, partition)


def kill_in_the_middle(broker, load, share, round_):
    """Kills once a random part of what this round sends, or of what is left of earlier rounds, is acknowledged."""
    records = share * len(SIZES) // (sum(SIZES) + len(SIZES) * IDENTITY.size)
    kill_at = load.acknowledged + random.randint(1, records)
    deadline = time.monotonic() + TIMEOUT_S
    sending = load.send(share)
    while load.acknowledged < kill_at:
        if next(sending, "all sent") == "all sent":
            load.producer.poll(0.001)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{load.acknowledged} records are acknowledged, and no more within {TIMEOUT_S} s")
    broker.kill()
    killed_at = time.monotonic()
    unanswered = len(load.producer)
    for _ in sending:
        pass
    broker.start()
    back_s = time.monotonic() - killed_at
    short = [p for p in range(PARTITIONS) if log_end(broker, load.topic, p) <= load.last_offset(p)]
    check(f"round {round_}: killed with {unanswered} records unanswered, back in {back_s:.1f} s, no log is short", [], short)


with_broker(run)
