//! Tiered storage.

use super::Definition;
use super::build::{boolean, double, int, long, string};

pub(super) const REMOTE: &[Definition] = &[
    boolean("remote.log.storage.system.enable").default("false").doc("Whether tiered storage is on."),
    string("remote.log.storage.manager.class.name").doc("The class that keeps segments elsewhere."),
    string("remote.log.storage.manager.class.path").doc("Where that class is found."),
    string("remote.log.storage.manager.impl.prefix").default("rsm.config.").doc("Prefix of the settings that are handed to that class."),
    string("remote.log.metadata.manager.class.name")
        .default("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager")
        .doc("The class that knows which segments are elsewhere."),
    string("remote.log.metadata.manager.class.path").doc("Where that class is found."),
    string("remote.log.metadata.manager.impl.prefix").default("rlmm.config.").doc("Prefix of the settings that are handed to that class."),
    string("remote.log.metadata.manager.listener.name").doc("The listener by which that class reaches the brokers."),
    int("remote.log.metadata.custom.metadata.max.bytes")
        .default("128")
        .at_least(0)
        .doc("Bytes that a segment's entry may carry for the storage."),
    long("remote.log.index.file.cache.total.size.bytes")
        .default("1073741824")
        .at_least(1)
        .cluster_wide()
        .doc("Room on disk for fetched index files."),
    long("remote.log.index.file.cache.ttl.ms").default("900000").at_least(-1).internal().doc("How long a fetched index file stays."),
    int("remote.log.manager.thread.pool.size").default("2").at_least(1).doc("Threads that see to tiered storage."),
    int("remote.log.manager.copier.thread.pool.size").default("10").at_least(1).cluster_wide().doc("Threads that copy segments away."),
    int("remote.log.manager.expiration.thread.pool.size").default("10").at_least(1).cluster_wide().doc("Threads that drop expired segments."),
    int("remote.log.manager.follower.thread.pool.size").default("2").at_least(1).cluster_wide().doc("Threads for the followers' part."),
    long("remote.log.manager.task.interval.ms").default("30000").at_least(1).doc("How often segments to copy or drop are looked for."),
    long("remote.log.manager.task.retry.backoff.ms")
        .default("500")
        .at_least(1)
        .internal()
        .doc("Wait before a failed task is tried again, at first."),
    long("remote.log.manager.task.retry.backoff.max.ms")
        .default("30000")
        .at_least(1)
        .internal()
        .doc("Longest wait before a failed task is tried again."),
    double("remote.log.manager.task.retry.jitter")
        .default("0.2")
        .fraction_up_to(0.5)
        .internal()
        .doc("Chance in the wait before a failed task is tried again."),
    long("remote.log.manager.copy.max.bytes.per.second")
        .default("9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .doc("Bytes copied away a second at most."),
    int("remote.log.manager.copy.quota.window.num").default("11").at_least(1).doc("Samples kept for that quota."),
    int("remote.log.manager.copy.quota.window.size.seconds").default("1").at_least(1).doc("Length of a sample for that quota."),
    long("remote.log.manager.fetch.max.bytes.per.second")
        .default("9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .doc("Bytes fetched back a second at most."),
    int("remote.log.manager.fetch.quota.window.num").default("11").at_least(1).doc("Samples kept for that quota."),
    int("remote.log.manager.fetch.quota.window.size.seconds").default("1").at_least(1).doc("Length of a sample for that quota."),
    int("remote.log.reader.threads").default("10").at_least(1).cluster_wide().doc("Threads that read segments from elsewhere."),
    int("remote.log.reader.max.pending.tasks").default("100").at_least(1).doc("Reads that wait for such a thread."),
    int("remote.fetch.max.wait.ms").default("500").at_least(1).cluster_wide().doc("How long a fetch waits for tiered storage."),
    long("remote.list.offsets.request.timeout.ms")
        .default("30000")
        .at_least(1)
        .cluster_wide()
        .doc("How long a search by time in tiered storage may take."),
];
