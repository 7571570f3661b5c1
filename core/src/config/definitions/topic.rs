//! What a topic may set for itself.

use super::Definition;
use super::build::{boolean, double, hours, int, list, long, minutes, same, string};

pub(super) const TOPIC: &[Definition] = &[
    list("cleanup.policy")
        .default("delete")
        .each_of(&["compact", "delete"])
        .else_broker(&[same("log.cleanup.policy")])
        .kept()
        .doc("What becomes of old records: delete, compact, both or, left empty, nothing."),
    int("compression.gzip.level")
        .default("-1")
        .between_or(1, 9, -1)
        .else_broker(&[same("compression.gzip.level")])
        .kept()
        .doc("Level of gzip, where compression.type is gzip."),
    int("compression.lz4.level")
        .default("9")
        .between(1, 17)
        .else_broker(&[same("compression.lz4.level")])
        .kept()
        .doc("Level of lz4, where compression.type is lz4."),
    string("compression.type")
        .default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .else_broker(&[same("compression.type")])
        .kept()
        .doc("How batches are compressed; producer leaves them as they came."),
    int("compression.zstd.level")
        .default("3")
        .between(-131_072, 22)
        .else_broker(&[same("compression.zstd.level")])
        .kept()
        .doc("Level of zstd, where compression.type is zstd."),
    long("delete.retention.ms")
        .default("86400000")
        .at_least(0)
        .else_broker(&[same("log.cleaner.delete.retention.ms")])
        .kept()
        .doc("How long tombstones and markers stay in a compacted log."),
    string("durability")
        .default("flushed")
        .one_of(&["flushed", "replicated"])
        .else_broker(&[same("log.durability")])
        .kept()
        .doc("When a record counts as kept: once it is on disk, or once it is in the page cache of the replicas that must have it."),
    long("file.delete.delay.ms")
        .default("60000")
        .at_least(0)
        .else_broker(&[same("log.segment.delete.delay.ms")])
        .kept()
        .doc("How long deleted files linger."),
    long("flush.messages")
        .default("9223372036854775807")
        .at_least(1)
        .else_broker(&[same("log.flush.interval.messages")])
        .doc("Records after which the log is synced; durability decides here."),
    long("flush.ms")
        .default("9223372036854775807")
        .at_least(0)
        .else_broker(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")])
        .doc("Time after which the log is synced; durability decides here."),
    list("follower.replication.throttled.replicas")
        .default("")
        .replicas()
        .kept()
        .doc("Replicas whose fetching is throttled, PARTITION:BROKER each, or * for all."),
    int("index.interval.bytes")
        .default("4096")
        .at_least(0)
        .else_broker(&[same("log.index.interval.bytes")])
        .kept()
        .doc("Bytes of records between two entries of the offset index."),
    int("internal.segment.bytes").internal().kept().doc("Overrides segment.bytes, for tests."),
    list("leader.replication.throttled.replicas")
        .default("")
        .replicas()
        .kept()
        .doc("Replicas that leaders throttle, PARTITION:BROKER each, or * for all."),
    long("local.retention.bytes")
        .default("-2")
        .at_least(-2)
        .else_broker(&[same("log.local.retention.bytes")])
        .doc("With tiered storage, what stays on local disks at most; -2 for all that retention.bytes allows."),
    long("local.retention.ms")
        .default("-2")
        .at_least(-2)
        .else_broker(&[same("log.local.retention.ms")])
        .doc("With tiered storage, how long records stay on local disks; -2 for as long as retention.ms says."),
    long("max.compaction.lag.ms")
        .default("9223372036854775807")
        .at_least(1)
        .else_broker(&[same("log.cleaner.max.compaction.lag.ms")])
        .kept()
        .doc("Records older than this are compacted soon."),
    int("max.message.bytes").default("1048588").at_least(0).else_broker(&[same("message.max.bytes")]).kept().doc("Largest batch of records."),
    long("message.timestamp.after.max.ms")
        .default("3600000")
        .at_least(0)
        .else_broker(&[same("log.message.timestamp.after.max.ms")])
        .kept()
        .doc("How far a record's timestamp may lie in the future."),
    long("message.timestamp.before.max.ms")
        .default("9223372036854775807")
        .at_least(0)
        .else_broker(&[same("log.message.timestamp.before.max.ms")])
        .kept()
        .doc("How far a record's timestamp may lie in the past."),
    string("message.timestamp.type")
        .default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"])
        .else_broker(&[same("log.message.timestamp.type")])
        .kept()
        .doc("Whose clock timestamps show: the producer's, or the broker's at append."),
    double("min.cleanable.dirty.ratio")
        .default("0.5")
        .fraction_up_to(1.0)
        .else_broker(&[same("log.cleaner.min.cleanable.ratio")])
        .kept()
        .doc("Share of the log that is not compacted yet before it is worth it."),
    long("min.compaction.lag.ms")
        .default("0")
        .at_least(0)
        .else_broker(&[same("log.cleaner.min.compaction.lag.ms")])
        .kept()
        .doc("Records younger than this are not compacted."),
    int("min.insync.replicas")
        .default("1")
        .at_least(1)
        .else_broker(&[same("min.insync.replicas")])
        .kept()
        .doc("In-sync replicas that acks=all needs."),
    boolean("preallocate").default("false").else_broker(&[same("log.preallocate")]).doc("Whether new segments get their room at once."),
    boolean("remote.log.copy.disable").default("false").doc("With tiered storage, whether nothing more is copied away."),
    boolean("remote.log.delete.on.disable").default("false").doc("Whether what is in tiered storage goes when it is switched off."),
    boolean("remote.storage.enable").default("false").doc("Whether old segments go to tiered storage, which does not exist here."),
    long("retention.bytes")
        .default("-1")
        .else_broker(&[same("log.retention.bytes")])
        .kept()
        .doc("Oldest segments go while a partition has more than this; -1 for no limit."),
    long("retention.ms")
        .default("604800000")
        .at_least(-1)
        .else_broker(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")])
        .kept()
        .doc("Segments older than this go; -1 for no limit."),
    int("segment.bytes")
        .default("1073741824")
        .at_least(1_048_576)
        .else_broker(&[same("log.segment.bytes")])
        .kept()
        .doc("A segment is closed before it would grow past this."),
    int("segment.index.bytes").default("10485760").at_least(4).else_broker(&[same("log.index.size.max.bytes")]).doc("Largest offset index."),
    long("segment.jitter.ms")
        .default("0")
        .at_least(0)
        .else_broker(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")])
        .doc("At most this much is taken from segment.ms by chance."),
    long("segment.ms")
        .default("604800000")
        .at_least(1)
        .else_broker(&[same("log.roll.ms"), hours("log.roll.hours")])
        .kept()
        .doc("A segment is closed when it is older than this."),
    boolean("unclean.leader.election.enable")
        .default("false")
        .else_broker(&[same("unclean.leader.election.enable")])
        .doc("Whether a replica outside the ISR may lead, at the price of committed records."),
];
