//! How partitions are replicated.

use super::Definition;
use super::build::{boolean, int, long, string};

/// Names a replica in the consumer's own rack (KIP-392).
pub(crate) const RACK_AWARE_SELECTOR: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
const SELECTORS: &[&str] = &["org.apache.kafka.common.replica.LeaderSelector", RACK_AWARE_SELECTOR];

pub(super) const REPLICATION: &[Definition] = &[
    int("min.insync.replicas")
        .default("1")
        .at_least(1)
        .cluster_wide()
        .kept()
        .doc("In-sync replicas that acks=all needs, where the topic does not say."),
    boolean("unclean.leader.election.enable")
        .default("false")
        .cluster_wide()
        .doc("Whether a replica outside the ISR may lead, where the topic does not say."),
    int("num.replica.fetchers").default("1").at_least(1).cluster_wide().doc("Threads that fetch from one other node."),
    long("replica.lag.time.max.ms").default("30000").doc("A follower that has not caught up for this long leaves the ISR."),
    int("replica.fetch.min.bytes").default("1").doc("A follower's fetch waits for this much."),
    int("replica.fetch.wait.max.ms").default("500").doc("A follower's fetch waits this long at most."),
    int("replica.fetch.max.bytes")
        .default("1048576")
        .at_least(0)
        .kept()
        .doc("Bytes of one partition in a follower's fetch at most, and never more than 1 MiB; one whole batch always."),
    int("replica.fetch.response.max.bytes").default("10485760").at_least(0).doc("Bytes of a follower's whole fetch at most."),
    int("replica.fetch.backoff.ms").default("1000").at_least(0).doc("Wait before a follower's fetch that failed is sent again."),
    long("replica.high.watermark.checkpoint.interval.ms").default("5000").doc("How often high watermarks are kept."),
    int("replica.socket.timeout.ms").default("30000").doc("Socket timeout of a follower's fetches."),
    int("replica.socket.receive.buffer.bytes").default("65536").doc("Receive buffer of a follower's fetches."),
    string("replica.selector.class")
        .one_of(SELECTORS)
        .kept()
        .doc("Which replica a consumer is told to read from: the leader, or one in its own rack."),
    int("replication.quota.window.num").default("11").at_least(1).doc("Samples kept for replication quotas."),
    int("replication.quota.window.size.seconds").default("1").at_least(1).doc("Length of a sample for replication quotas."),
    int("alter.log.dirs.replication.quota.window.num").default("11").at_least(1).doc("Samples kept for quotas of moves between folders."),
    int("alter.log.dirs.replication.quota.window.size.seconds")
        .default("1")
        .at_least(1)
        .doc("Length of a sample for quotas of moves between folders."),
    long("leader.replication.throttled.rate")
        .at_least(0)
        .cluster_wide()
        .only_dynamic()
        .kept()
        .doc("Bytes a second that leaders send for throttled replicas."),
    long("follower.replication.throttled.rate")
        .at_least(0)
        .cluster_wide()
        .only_dynamic()
        .kept()
        .doc("Bytes a second that followers fetch for throttled replicas."),
    long("replica.alter.log.dirs.io.max.bytes.per.second")
        .at_least(0)
        .cluster_wide()
        .only_dynamic()
        .doc("Bytes a second that moves between folders may take."),
    boolean("follower.fetch.last.tiered.offset.enable")
        .default("false")
        .cluster_wide()
        .doc("Whether an empty follower starts behind what is in tiered storage."),
];
