"""How long it takes until many members that join a new group at once share its partitions."""

import os
import time

import figures
import nodes
from checks import check, check_soon
from coordinators import OneBroker, ThreeNodes
from group import Group
from nodes import TIMEOUT_S
from programs import chosen

MEMBERS = int(os.environ["MEMBERS"])
PARTITIONS_EACH = 2
# Of which 3 s are those that a coordinator of the classic protocol waits for further members.
LIMITS_S = {True: 10, False: 5}


def main(cluster):
    cluster.start()
    taken = {}
    for client, protocol in chosen():
        group = Group(cluster, client, protocol, "many", MEMBERS * PARTITIONS_EACH)
        try:
            group.members.wakes()
            began = time.monotonic()
            group.members.join(*(f"member-{number}" for number in range(MEMBERS)))
            check_soon(f"{group.what}: {MEMBERS} members share {group.partitions} partitions", [PARTITIONS_EACH] * MEMBERS, group.members.shares,
                       TIMEOUT_S)
            last = group.members.changes[-1].at - began
            figures.check_below(f"{group.what}: {MEMBERS} members settle", LIMITS_S[group.is_classic], last, "s")
            taken[group.what] = last
            group.reads_on("they are there")
            check(f"{group.what}: no partition was owned twice", [], group.members.twice[:3])
        finally:
            group.end()
    figures.keep(taken)


nodes.run(OneBroker() if "BROKER_CMD" in os.environ else ThreeNodes(3), main)
