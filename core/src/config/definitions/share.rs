//! Share groups and streams groups.

use super::Definition;
use super::build::{int, list, short, string};

pub(super) const SHARE: &[Definition] = &[
    list("group.share.assignors").default("simple").doc("The assignor of share groups."),
    int("group.share.session.timeout.ms").default("45000").at_least(1).doc("A share consumer that is silent for this long leaves its group."),
    int("group.share.min.session.timeout.ms").default("45000").at_least(1).doc("Least session timeout that a share group may set."),
    int("group.share.max.session.timeout.ms").default("60000").at_least(1).doc("Greatest session timeout that a share group may set."),
    int("group.share.heartbeat.interval.ms").default("5000").at_least(1).doc("How often share consumers send heartbeats."),
    int("group.share.min.heartbeat.interval.ms").default("5000").at_least(1).doc("Least heartbeat interval that a share group may set."),
    int("group.share.max.heartbeat.interval.ms").default("15000").at_least(1).doc("Greatest heartbeat interval that a share group may set."),
    int("group.share.assignment.interval.ms").default("1000").at_least(0).cluster_wide().doc("Time between two assignments of a share group."),
    int("group.share.min.assignment.interval.ms").default("0").at_least(0).doc("Least assignment interval that a share group may set."),
    int("group.share.max.assignment.interval.ms").default("15000").at_least(0).doc("Greatest assignment interval that a share group may set."),
    int("group.share.max.size").default("200").between(1, 1000).doc("Members of a share group at most."),
    int("group.share.max.share.sessions").default("2000").at_least(1).doc("Share sessions at one time."),
    int("group.share.delivery.count.limit").default("5").between(2, 10).doc("Deliveries of a record before it is given up."),
    int("group.share.min.delivery.count.limit").default("2").between(2, 5).doc("Least delivery limit that a share group may set."),
    int("group.share.max.delivery.count.limit").default("10").between(5, 25).doc("Greatest delivery limit that a share group may set."),
    int("group.share.partition.max.record.locks")
        .default("2000")
        .between(100, 10_000)
        .doc("Records of a partition that may be out for delivery."),
    int("group.share.min.partition.max.record.locks")
        .default("100")
        .between(100, 2000)
        .doc("Least bound on record locks that a share group may set."),
    int("group.share.max.partition.max.record.locks")
        .default("4000")
        .between(2000, 10_000)
        .doc("Greatest bound on record locks that a share group may set."),
    int("group.share.record.lock.duration.ms").default("30000").between(1000, 3_600_000).doc("How long a record stays out for delivery."),
    int("group.share.min.record.lock.duration.ms")
        .default("15000")
        .between(1000, 30_000)
        .doc("Least lock duration that a share group may set."),
    int("group.share.max.record.lock.duration.ms")
        .default("60000")
        .between(30_000, 3_600_000)
        .doc("Greatest lock duration that a share group may set."),
    int("group.share.initialize.retry.interval.ms")
        .default("30000")
        .at_least(1)
        .internal()
        .doc("Wait before a share group's state is set up again."),
    string("group.share.persister.class.name")
        .default("org.apache.kafka.server.share.persister.DefaultStatePersister")
        .internal()
        .doc("The class that keeps the state of share groups."),
    int("share.coordinator.threads").default("1").at_least(1).doc("Threads of the share coordinator."),
    int("share.coordinator.append.linger.ms")
        .default("-1")
        .at_least(-1)
        .doc("How long the share coordinator gathers records before it writes; -1 adapts to the load."),
    int("share.coordinator.cached.buffer.max.bytes")
        .default("1048588")
        .at_least(524_288)
        .cluster_wide()
        .doc("Largest write buffer that the share coordinator keeps for reuse."),
    int("share.coordinator.load.buffer.size").default("5242880").at_least(1).doc("Bytes read at a time when share state is loaded."),
    int("share.coordinator.write.timeout.ms").default("5000").at_least(1).doc("How long a write of share state may take."),
    int("share.coordinator.snapshot.update.records.per.snapshot")
        .default("500")
        .between(0, 500)
        .doc("Updates of share state between two snapshots."),
    int("share.coordinator.cold.partition.snapshot.interval.ms")
        .default("300000")
        .at_least(1)
        .internal()
        .doc("How often share state that does not change is written anew."),
    int("share.coordinator.state.topic.num.partitions").default("50").at_least(1).doc("Partitions of the topic of share state."),
    short("share.coordinator.state.topic.replication.factor").default("3").at_least(1).doc("Replicas of the topic of share state."),
    short("share.coordinator.state.topic.min.isr").default("2").at_least(1).doc("In-sync replicas that a write of share state needs."),
    int("share.coordinator.state.topic.segment.bytes").default("104857600").at_least(1).doc("Segment size of the topic of share state."),
    int("share.coordinator.state.topic.compression.codec").default("0").doc("How the topic of share state is compressed."),
    int("share.coordinator.state.topic.prune.interval.ms")
        .default("300000")
        .at_least(1)
        .internal()
        .doc("How often old share state is dropped."),
    int("group.streams.session.timeout.ms").default("45000").at_least(1).doc("A streams member that is silent for this long leaves its group."),
    int("group.streams.min.session.timeout.ms").default("45000").at_least(1).doc("Least session timeout that a streams group may set."),
    int("group.streams.max.session.timeout.ms").default("60000").at_least(1).doc("Greatest session timeout that a streams group may set."),
    int("group.streams.heartbeat.interval.ms").default("5000").at_least(1).doc("How often streams members send heartbeats."),
    int("group.streams.min.heartbeat.interval.ms").default("5000").at_least(1).doc("Least heartbeat interval that a streams group may set."),
    int("group.streams.max.heartbeat.interval.ms")
        .default("15000")
        .at_least(1)
        .doc("Greatest heartbeat interval that a streams group may set."),
    int("group.streams.assignment.interval.ms")
        .default("1000")
        .at_least(0)
        .cluster_wide()
        .doc("Time between two assignments of a streams group."),
    int("group.streams.min.assignment.interval.ms").default("0").at_least(0).doc("Least assignment interval that a streams group may set."),
    int("group.streams.max.assignment.interval.ms")
        .default("15000")
        .at_least(0)
        .doc("Greatest assignment interval that a streams group may set."),
    int("group.streams.initial.rebalance.delay.ms").default("3000").at_least(0).doc("How long a new streams group waits for more members."),
    int("group.streams.max.size").default("2147483647").at_least(1).doc("Members of a streams group at most."),
    int("group.streams.num.standby.replicas").default("0").at_least(0).doc("Standby copies of each task's state."),
    int("group.streams.max.standby.replicas").default("2").at_least(0).doc("Most standby copies that a streams group may set."),
];
