//! Logs on this node: the defaults of what topics may set for themselves, and the cleaner.

use super::Definition;
use super::build::{boolean, double, int, list, long, string};

pub(super) const LOG: &[Definition] = &[
    int("message.max.bytes")
        .default("1048588")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("Largest batch of records, where the topic does not say."),
    string("compression.type")
        .default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide()
        .kept()
        .doc("How batches are compressed, where the topic does not say; producer leaves them as they came."),
    int("compression.gzip.level").default("-1").between_or(1, 9, -1).cluster_wide().kept().doc("Level of gzip, where the topic does not say."),
    int("compression.lz4.level").default("9").between(1, 17).cluster_wide().kept().doc("Level of lz4, where the topic does not say."),
    int("compression.zstd.level").default("3").between(-131_072, 22).cluster_wide().kept().doc("Level of zstd, where the topic does not say."),
    list("log.cleanup.policy")
        .default("delete")
        .each_of(&["compact", "delete"])
        .cluster_wide()
        .kept()
        .doc("What becomes of old records, where the topic does not say: delete, compact, both or, left empty, nothing."),
    long("log.retention.bytes")
        .default("-1")
        .cluster_wide()
        .kept()
        .doc("Oldest segments go while a partition has more than this, where the topic does not say; -1 for no limit."),
    long("log.retention.ms").cluster_wide().kept().doc("Segments older than this go, where the topic does not say; -1 for no limit."),
    int("log.retention.minutes").kept().doc("As log.retention.ms, which comes first."),
    int("log.retention.hours").default("168").kept().doc("As log.retention.minutes, which comes first."),
    long("log.retention.check.interval.ms").default("300000").at_least(1).kept().doc("How often retention is looked at."),
    int("log.segment.bytes")
        .default("1073741824")
        .at_least(1_048_576)
        .cluster_wide()
        .kept()
        .doc("A segment is closed before it would grow past this, where the topic does not say."),
    long("log.segment.delete.delay.ms")
        .default("60000")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("How long deleted files linger, where the topic does not say."),
    long("log.roll.ms").cluster_wide().kept().doc("A segment is closed when it is older than this, where the topic does not say."),
    int("log.roll.hours").default("168").at_least(1).kept().doc("As log.roll.ms, which comes first."),
    long("log.roll.jitter.ms").cluster_wide().doc("At most this much is taken from log.roll.ms by chance, where the topic does not say."),
    int("log.roll.jitter.hours").default("0").at_least(0).doc("As log.roll.jitter.ms, which comes first."),
    int("log.index.interval.bytes")
        .default("4096")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("Bytes of records between two entries of the offset index, where the topic does not say."),
    int("log.index.size.max.bytes").default("10485760").at_least(4).cluster_wide().doc("Largest offset index, where the topic does not say."),
    string("log.message.timestamp.type")
        .default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"])
        .cluster_wide()
        .kept()
        .doc("Whose clock timestamps show, where the topic does not say."),
    long("log.message.timestamp.before.max.ms")
        .default("9223372036854775807")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("How far a record's timestamp may lie in the past, where the topic does not say."),
    long("log.message.timestamp.after.max.ms")
        .default("3600000")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("How far a record's timestamp may lie in the future, where the topic does not say."),
    boolean("log.preallocate")
        .default("false")
        .cluster_wide()
        .doc("Whether new segments get their room at once, where the topic does not say."),
    long("log.flush.interval.messages")
        .default("9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .doc("Records after which a log is synced, where the topic does not say; durability decides here."),
    long("log.flush.interval.ms")
        .cluster_wide()
        .doc("Time after which a log is synced, where the topic does not say; durability decides here."),
    long("log.flush.scheduler.interval.ms").default("9223372036854775807").doc("How often logs that need a sync are looked for."),
    int("log.flush.offset.checkpoint.interval.ms").default("60000").at_least(0).doc("How often recovery points are kept."),
    int("log.flush.start.offset.checkpoint.interval.ms").default("60000").at_least(0).doc("How often log starts are kept."),
    long("log.initial.task.delay.ms").default("30000").at_least(0).internal().doc("Wait after a start before logs are cleaned and synced."),
    long("log.local.retention.ms").default("-2").at_least(-2).cluster_wide().doc("As local.retention.ms, where the topic does not say."),
    long("log.local.retention.bytes").default("-2").at_least(-2).cluster_wide().doc("As local.retention.bytes, where the topic does not say."),
    boolean("log.cleaner.enable").default("true").kept().doc("Whether compaction runs."),
    int("log.cleaner.threads").default("1").at_least(0).cluster_wide().doc("Threads that compact logs."),
    long("log.cleaner.backoff.ms").default("15000").at_least(0).cluster_wide().kept().doc("How long an idle cleaner sleeps."),
    long("log.cleaner.dedupe.buffer.size").default("134217728").cluster_wide().kept().doc("Memory for the keys of all cleaners."),
    int("log.cleaner.io.buffer.size").default("524288").at_least(0).cluster_wide().doc("Memory for the reading and writing of all cleaners."),
    double("log.cleaner.io.buffer.load.factor").default("0.9").cluster_wide().doc("How full the cleaner's key table may be."),
    double("log.cleaner.io.max.bytes.per.second")
        .default("1.7976931348623157E308")
        .cluster_wide()
        .kept()
        .doc("Bytes that cleaners read and write a second at most."),
    long("log.cleaner.delete.retention.ms")
        .default("86400000")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("How long tombstones and markers stay in a compacted log, where the topic does not say."),
    double("log.cleaner.min.cleanable.ratio")
        .default("0.5")
        .fraction_up_to(1.0)
        .cluster_wide()
        .kept()
        .doc("Share of a log that is not compacted yet before it is worth it, where the topic does not say."),
    long("log.cleaner.min.compaction.lag.ms")
        .default("0")
        .at_least(0)
        .cluster_wide()
        .kept()
        .doc("Records younger than this are not compacted, where the topic does not say."),
    long("log.cleaner.max.compaction.lag.ms")
        .default("9223372036854775807")
        .at_least(1)
        .cluster_wide()
        .kept()
        .doc("Records older than this are compacted soon, where the topic does not say."),
    int("num.recovery.threads.per.data.dir").default("2").at_least(1).cluster_wide().doc("Threads that open logs at a start."),
    int("num.replica.alter.log.dirs.threads").doc("Threads that move partitions between folders."),
    int("offset.metadata.max.bytes").default("4096").kept().doc("Bytes of metadata that a committed offset may carry."),
    int("producer.id.expiration.ms")
        .default("86400000")
        .at_least(1)
        .cluster_wide()
        .kept()
        .doc("A producer that is silent for this long is forgotten."),
    int("producer.id.expiration.check.interval.ms")
        .default("600000")
        .at_least(1)
        .internal()
        .kept()
        .doc("How often silent producers are looked for."),
    string("log.durability")
        .default("flushed")
        .one_of(&["flushed", "replicated"])
        .cluster_wide()
        .kept()
        .doc("As durability, where the topic does not say."),
];
