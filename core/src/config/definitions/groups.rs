//! Consumer groups and their offsets.

use super::Definition;
use super::build::{int, list, long, short, string};

pub(super) const GROUPS: &[Definition] = &[
    int("group.min.session.timeout.ms").default("6000").kept().doc("Shortest session timeout that a classic member may ask for."),
    int("group.max.session.timeout.ms").default("1800000").kept().doc("Longest session timeout that a classic member may ask for."),
    int("group.initial.rebalance.delay.ms").default("3000").kept().doc("How long a new group waits for more members."),
    int("group.max.size").default("2147483647").at_least(1).kept().doc("Members of a classic group at most."),
    list("group.coordinator.rebalance.protocols")
        .default("classic,consumer,streams")
        .each_of(&["consumer", "classic", "share", "streams"])
        .kept()
        .doc("The group protocols that are offered."),
    int("group.coordinator.threads").default("4").at_least(1).doc("Threads of the group coordinator."),
    int("group.coordinator.background.threads").default("2").at_least(1).doc("Threads of the group coordinator for long work."),
    int("group.coordinator.append.linger.ms")
        .default("-1")
        .at_least(-1)
        .doc("How long the group coordinator gathers records before it writes; -1 adapts to the load."),
    int("group.coordinator.cached.buffer.max.bytes")
        .default("1048588")
        .at_least(524_288)
        .cluster_wide()
        .doc("Largest write buffer that the group coordinator keeps for reuse."),
    list("group.consumer.assignors").default("uniform,range").kept().doc("The assignors on the broker's side; the first is the default."),
    int("group.consumer.session.timeout.ms")
        .default("45000")
        .at_least(1)
        .kept()
        .doc("A consumer that is silent for this long leaves its group."),
    int("group.consumer.min.session.timeout.ms").default("45000").at_least(1).kept().doc("Least session timeout that a group may set."),
    int("group.consumer.max.session.timeout.ms").default("60000").at_least(1).kept().doc("Greatest session timeout that a group may set."),
    int("group.consumer.heartbeat.interval.ms").default("5000").at_least(1).kept().doc("How often consumers send heartbeats."),
    int("group.consumer.min.heartbeat.interval.ms").default("5000").at_least(1).kept().doc("Least heartbeat interval that a group may set."),
    int("group.consumer.max.heartbeat.interval.ms")
        .default("15000")
        .at_least(1)
        .kept()
        .doc("Greatest heartbeat interval that a group may set."),
    int("group.consumer.assignment.interval.ms")
        .default("1000")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("Time between two assignments of a consumer group."),
    int("group.consumer.min.assignment.interval.ms").default("0").at_least(0).kept().doc("Least assignment interval that a group may set."),
    int("group.consumer.max.assignment.interval.ms")
        .default("15000")
        .at_least(0)
        .kept()
        .doc("Greatest assignment interval that a group may set."),
    int("group.consumer.max.size").default("2147483647").at_least(1).kept().doc("Members of a consumer group at most."),
    string("group.consumer.migration.policy")
        .default("bidirectional")
        .one_of_any_case(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])
        .kept()
        .doc("Which way a group may change between the classic and the consumer protocol by itself."),
    int("group.consumer.regex.refresh.interval.ms")
        .default("600000")
        .at_least(10_000)
        .internal()
        .doc("How often subscriptions by pattern are matched anew."),
    int("offsets.topic.num.partitions").default("50").at_least(1).kept().doc("Partitions of the topic of committed offsets."),
    short("offsets.topic.replication.factor").default("3").at_least(1).kept().doc("Replicas of the topic of committed offsets."),
    int("offsets.topic.segment.bytes").default("104857600").at_least(1).kept().doc("Segment size of the topic of committed offsets."),
    int("offsets.topic.compression.codec").default("0").doc("How the topic of committed offsets is compressed."),
    int("offsets.commit.timeout.ms").default("5000").at_least(1).doc("How long a commit of offsets may take."),
    int("offsets.load.buffer.size").default("5242880").at_least(1).doc("Bytes read at a time when committed offsets are loaded."),
    int("offsets.retention.minutes").default("10080").at_least(1).kept().doc("How long offsets of an empty group are kept."),
    long("offsets.retention.check.interval.ms").default("600000").at_least(1).kept().doc("How often expired offsets are looked for."),
];
