//! Settings by Kafka's dotted names: what there is, what it may be, and where a value comes from.

use serde::{Deserialize, Serialize};

use crate::boundary::Durability;
use crate::record::{Codec, TimestampType};

/// A setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigEntry {
    /// Kafka's dotted name.
    pub name: String,
    /// Its value; none when it is sensitive or unset.
    pub value: Option<String>,
    /// Whether it can't be altered.
    pub is_read_only: bool,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Where it could come from, strongest first: name, value and source. Empty unless asked for.
    pub synonyms: Vec<(String, Option<String>, ConfigSource)>,
    /// What values it takes.
    pub kind: ConfigKind,
    /// What it means. None unless asked for.
    pub documentation: Option<String>,
}

/// Where a value comes from; the order is that of precedence, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConfigSource {
    /// The topic's own (1).
    DynamicTopic,
    /// Altered on this broker (2).
    DynamicBroker,
    /// Altered for all brokers (3).
    DynamicDefaultBroker,
    /// The node's file, environment or flags (4).
    StaticBroker,
    /// Kafka's default, or ours (5).
    Default,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigKind {
    /// true or false.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A decimal fraction.
    Double,
    /// Words with commas between them.
    List,
    /// The name of a Java class.
    Class,
    /// A secret.
    Password,
}

/// A topic's settings in force, typed: its own values over the brokers' defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopicSettings {
    /// `cleanup.policy` has `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub cleanup_compact: bool,
    /// `compression.type`; none for `producer`, which leaves batches as they came.
    pub compression: Option<Codec>,
    /// `compression.gzip.level`, `compression.lz4.level` or `compression.zstd.level`, whichever `compression` uses.
    pub compression_level: i32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `durability`, a name of ours: `flushed` or `replicated`.
    pub durability: Durability,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`: of a whole batch.
    pub message_bytes_max: u32,
    /// `message.timestamp.after.max.ms` (KIP-937).
    pub timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms` (KIP-937).
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// `retention.bytes`; none for no limit.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`; none for no limit.
    pub retention_ms: Option<i64>,
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
}
