"""Groups of each client whose members come and go under load, and lose the node that coordinates them; and static members that are
started anew one after the other.

Each record has to be read at least once, no partition may be owned by two members at a time, and whoever is given a partition starts where
its predecessor's commits end. Members commit what they have read, every record of it.
"""

import os
import time

import nodes
from checks import check, check_soon
from coordinators import OneBroker, ThreeNodes
from group import Group, Stuck
from nodes import TIMEOUT_S, wait_for
from programs import STATIC, chosen

MEMBERS = int(os.environ["MEMBERS"])
MIDDLE = (MEMBERS + 1) // 2


def scale(group):
    members, names = group.members, [f"member-{number}" for number in range(MEMBERS)]
    members.wakes()
    members.join(names[0])
    group.settles(1, "one is there")
    members.join(*names[1:MIDDLE])
    group.settles(MIDDLE, f"{MIDDLE} are there")
    changes = len(members.changes)
    members.join(*names[MIDDLE:])
    wait_for("a rebalance", lambda: len(members.changes) > changes)
    group.loses_coordinator(f"{MEMBERS} come", MEMBERS, group.waits_for_its_node)
    group.loses_coordinator(f"{MEMBERS} are there", MEMBERS)
    members.leave(*names[MIDDLE:])
    group.settles(MIDDLE, f"{MEMBERS - MIDDLE} leave")
    members.leave(*names[1:MIDDLE])
    group.settles(1, "one is left")
    group.load.end()
    group.check_all()
    members.leave(names[0])
    check_soon(f"{group.what}: all leave", set(names), lambda: set(members.left), TIMEOUT_S)
    group.check_empty()


def restart_static_members(group):
    members, names = group.members, {f"instance-{number}": f"static-{number}" for number in range(MIDDLE)}
    members.wakes()
    for instance, name in names.items():
        members.join_as(name, instance)
    group.settles(MIDDLE, f"{MIDDLE} are there")
    for instance, name in names.items():
        owned, changes, successor = members.owned_by(name), len(members.changes), f"{name}-again"
        members.leave(name)
        wait_for(f"the end of {name}", lambda: name in members.left)
        members.join_as(successor, instance)
        if not check_soon(f"{group.what}: {instance} is started anew, and has what it had", owned, lambda: members.owned_by(successor), TIMEOUT_S):
            raise Stuck
        group.reads_on(f"{instance} is started anew")
        check(f"{group.what}: {instance} is started anew, and nobody else notices", [name, successor], members.changed_since(changes))
    group.load.end()
    group.check_all()


def run(cluster, client, protocol, what, steps):
    began = time.monotonic()
    group = Group(cluster, client, protocol, what)
    try:
        steps(group)
    except Stuck:
        print(f"--  {group.what}: given up", flush=True)
        cluster.heal(group.topic, group.partitions)
    finally:
        group.end()
    print(f"--  {group.what}: {', '.join(group.took)}; {time.monotonic() - began:.0f} s in all", flush=True)


def main(cluster):
    cluster.start()
    for client, protocol in chosen():
        run(cluster, client, protocol, "readers", scale)
        if (client, protocol) in STATIC:
            run(cluster, client, protocol, "static", restart_static_members)


nodes.run(OneBroker() if "BROKER_CMD" in os.environ else ThreeNodes(3), main)
