//! A topic's settings in force: its own over the brokers' defaults.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::definitions::topic_definition;
use super::layers::Layers;
use super::{BrokerConfigs, ConfigKind, Value};
use crate::boundary::Durability;
use crate::ids::{NodeId, PartitionIndex};
use crate::record::{Codec, TimestampType};

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
    /// `segment.bytes`, or `internal.segment.bytes` where a test set it.
    pub segment_bytes: u32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election: bool,
    /// `leader.replication.throttled.replicas` (KIP-73).
    pub throttled_leaders: ThrottledReplicas,
    /// `follower.replication.throttled.replicas` (KIP-73).
    pub throttled_followers: ThrottledReplicas,
}

/// Replicas that are throttled (KIP-73).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThrottledReplicas {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those.
    These(BTreeSet<(PartitionIndex, NodeId)>),
}

impl ThrottledReplicas {
    /// From a list of PARTITION:BROKER, or of `*` alone. What is neither was refused when it was set.
    fn parse(words: &[String]) -> Self {
        if words.iter().any(|word| word == "*") {
            return Self::All;
        }
        let replica = |word: &String| {
            let (partition, broker) = word.split_once(':')?;
            Some((PartitionIndex(partition.trim().parse().ok()?), NodeId(broker.trim().parse().ok()?)))
        };
        let these: BTreeSet<_> = words.iter().filter_map(replica).collect();
        if these.is_empty() { Self::None } else { Self::These(these) }
    }

    /// Whether the node's replica of the partition is one of them.
    #[must_use]
    pub fn has(&self, partition: PartitionIndex, node: NodeId) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(these) => these.contains(&(partition, node)),
        }
    }
}

impl TopicSettings {
    /// The settings of a topic that has these of its own.
    #[must_use]
    pub fn resolve(overrides: &BTreeMap<String, String>, defaults: &BrokerConfigs) -> Self {
        let layers = Layers { overrides, defaults };
        let cleanup = layers.value("cleanup.policy");
        let cleans = |policy: &str| cleanup.list().is_some_and(|policies| policies.iter().any(|word| word == policy));
        let compression = layers.compression();
        Self {
            cleanup_delete: cleans("delete"),
            cleanup_compact: cleans("compact"),
            compression,
            compression_level: layers.compression_level(compression),
            delete_retention_ms: layers.whole("delete.retention.ms"),
            durability: if layers.text("durability") == "replicated" { Durability::Replicated } else { Durability::Flushed },
            file_delete_delay_ms: layers.whole("file.delete.delay.ms"),
            index_interval_bytes: layers.size("index.interval.bytes"),
            max_compaction_lag_ms: layers.whole("max.compaction.lag.ms"),
            message_bytes_max: layers.size("max.message.bytes"),
            timestamp_after_max_ms: layers.whole("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: layers.whole("message.timestamp.before.max.ms"),
            timestamp_type: match layers.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: layers.value("min.cleanable.dirty.ratio").real().expect("a ratio is a fraction"),
            min_compaction_lag_ms: layers.whole("min.compaction.lag.ms"),
            min_insync_replicas: layers.size("min.insync.replicas"),
            // Kafka takes any negative number for no limit.
            retention_bytes: u64::try_from(layers.whole("retention.bytes")).ok(),
            retention_ms: Some(layers.whole("retention.ms")).filter(|&age| age >= 0),
            segment_bytes: layers.segment_bytes(),
            segment_ms: layers.whole("segment.ms"),
            segment_jitter_ms: layers.whole("segment.jitter.ms"),
            throttled_leaders: ThrottledReplicas::parse(layers.value("leader.replication.throttled.replicas").list().unwrap_or_default()),
            throttled_followers: ThrottledReplicas::parse(layers.value("follower.replication.throttled.replicas").list().unwrap_or_default()),
            unclean_leader_election: layers.value("unclean.leader.election.enable").boolean().expect("it is true or false"),
        }
    }
}

impl Layers<'_> {
    fn value(self, name: &str) -> Value {
        let definition = topic_definition(name).expect("the setting is defined");
        self.effective(definition).expect("the setting has a default")
    }

    fn whole(self, name: &str) -> i64 {
        self.value(name).whole().expect("the setting is a whole number")
    }

    fn size(self, name: &str) -> u32 {
        u32::try_from(self.whole(name)).expect("the setting is a number of 31 bits")
    }

    fn text(self, name: &str) -> String {
        self.value(name).to_string()
    }

    fn compression(self) -> Option<Codec> {
        match self.text("compression.type").as_str() {
            "uncompressed" => Some(Codec::None),
            "gzip" => Some(Codec::Gzip),
            "snappy" => Some(Codec::Snappy),
            "lz4" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            _ => None,
        }
    }

    fn compression_level(self, compression: Option<Codec>) -> i32 {
        let name = match compression {
            Some(Codec::Gzip) => "compression.gzip.level",
            Some(Codec::Lz4) => "compression.lz4.level",
            Some(Codec::Zstd) => "compression.zstd.level",
            Some(Codec::None | Codec::Snappy) | None => return 0,
        };
        i32::try_from(self.whole(name)).expect("a level is a number of 32 bits")
    }

    fn segment_bytes(self) -> u32 {
        let definition = topic_definition("internal.segment.bytes").expect("the setting is defined");
        debug_assert_eq!(definition.kind, ConfigKind::Int);
        let internal = self.effective(definition).and_then(|value| value.whole()).and_then(|bytes| u32::try_from(bytes).ok());
        internal.unwrap_or_else(|| self.size("segment.bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn resolve(overrides: &[(&str, &str)], given: &[(&str, &str)]) -> TopicSettings {
        TopicSettings::resolve(&map(overrides), &BrokerConfigs::new(map(given)))
    }

    #[test]
    fn a_topic_without_settings_has_kafkas_defaults() {
        let settings = resolve(&[], &[]);
        assert!(settings.cleanup_delete && !settings.cleanup_compact);
        assert_eq!(settings.compression, None);
        assert_eq!(settings.durability, Durability::Flushed);
        assert_eq!(settings.message_bytes_max, 1_048_588);
        assert_eq!(settings.retention_ms, Some(604_800_000));
        assert_eq!(settings.retention_bytes, None);
        assert_eq!(settings.segment_bytes, 1 << 30);
        assert_eq!(settings.segment_ms, 604_800_000);
        assert_eq!(settings.timestamp_type, TimestampType::CreateTime);
    }

    #[test]
    fn retention_comes_from_milliseconds_before_minutes_before_hours() {
        let hours = ("log.retention.hours", "24");
        let minutes = ("log.retention.minutes", "30");
        assert_eq!(resolve(&[], &[hours]).retention_ms, Some(86_400_000));
        assert_eq!(resolve(&[], &[hours, minutes]).retention_ms, Some(1_800_000));
        assert_eq!(resolve(&[], &[hours, minutes, ("log.retention.ms", "5")]).retention_ms, Some(5));
        assert_eq!(resolve(&[("retention.ms", "7")], &[hours, minutes]).retention_ms, Some(7));
    }

    #[test]
    fn retention_without_limit_is_told_in_any_unit() {
        assert_eq!(resolve(&[], &[("log.retention.hours", "-1")]).retention_ms, None);
        assert_eq!(resolve(&[("retention.ms", "-1"), ("retention.bytes", "-5")], &[]).retention_ms, None);
        assert_eq!(resolve(&[("retention.bytes", "-5")], &[]).retention_bytes, None);
    }

    #[test]
    fn the_level_is_that_of_the_codec() {
        let settings = resolve(&[("compression.type", "zstd"), ("compression.zstd.level", "7"), ("compression.lz4.level", "2")], &[]);
        assert_eq!((settings.compression, settings.compression_level), (Some(Codec::Zstd), 7));
        assert_eq!(resolve(&[], &[("compression.type", "gzip")]).compression_level, -1);
    }

    #[test]
    fn an_empty_cleanup_policy_keeps_everything() {
        let settings = resolve(&[("cleanup.policy", "")], &[]);
        assert!(!settings.cleanup_delete && !settings.cleanup_compact);
    }

    #[test]
    fn a_segment_as_small_as_a_test_wants_it() {
        assert_eq!(resolve(&[("internal.segment.bytes", "100")], &[]).segment_bytes, 100);
    }

    #[test]
    fn durability_is_the_topics_before_the_brokers() {
        assert_eq!(resolve(&[], &[("log.durability", "replicated")]).durability, Durability::Replicated);
        assert_eq!(resolve(&[("durability", "flushed")], &[("log.durability", "replicated")]).durability, Durability::Flushed);
    }
}
