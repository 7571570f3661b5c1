//! The requests that this broker serves, and at which versions: those of Apache Kafka 4.3.

use std::ops::RangeInclusive;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are Kafka's own, each documented in its protocol guide")]
pub enum Api {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    FindCoordinator,
    ApiVersions,
    CreateTopics,
    DeleteTopics,
    DeleteRecords,
    InitProducerId,
    OffsetForLeaderEpoch,
    DescribeConfigs,
    AlterConfigs,
    DescribeLogDirs,
    CreatePartitions,
    IncrementalAlterConfigs,
    DescribeCluster,
    ListConfigResources,
    DescribeTopicPartitions,
}

impl Api {
    /// All of them, by key.
    pub const ALL: [Self; 19] = [
        Self::Produce,
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::FindCoordinator,
        Self::ApiVersions,
        Self::CreateTopics,
        Self::DeleteTopics,
        Self::DeleteRecords,
        Self::InitProducerId,
        Self::OffsetForLeaderEpoch,
        Self::DescribeConfigs,
        Self::AlterConfigs,
        Self::DescribeLogDirs,
        Self::CreatePartitions,
        Self::IncrementalAlterConfigs,
        Self::DescribeCluster,
        Self::ListConfigResources,
        Self::DescribeTopicPartitions,
    ];

    /// The request that `key` stands for, if it is served here.
    #[must_use]
    pub fn from_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    /// The number that stands for it on the wire.
    #[must_use]
    pub fn key(self) -> i16 {
        self.row().0
    }

    /// The versions that are served.
    #[must_use]
    pub fn versions(self) -> RangeInclusive<i16> {
        let (_, oldest, latest, _) = self.row();
        oldest..=latest
    }

    /// The versions that ApiVersions tells.
    #[must_use]
    pub fn advertised_versions(self) -> RangeInclusive<i16> {
        if self == Self::Produce {
            // KAFKA-18659: librdkafka up to 2.0 compresses only where it finds Produce 0. It then sends a later one.
            return 0..=*self.versions().end();
        }
        self.versions()
    }

    /// Whether `version` is one with compact lengths and tagged fields (KIP-482).
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.row().3
    }

    /// Key, oldest and latest version, and first flexible version.
    fn row(self) -> (i16, i16, i16, i16) {
        match self {
            Self::Produce => (0, 3, 13, 9),
            Self::Fetch => (1, 4, 18, 12),
            Self::ListOffsets => (2, 1, 11, 6),
            Self::Metadata => (3, 0, 13, 9),
            Self::FindCoordinator => (10, 0, 6, 3),
            Self::ApiVersions => (18, 0, 4, 3),
            Self::CreateTopics => (19, 2, 7, 5),
            Self::DeleteTopics => (20, 1, 6, 4),
            Self::DeleteRecords => (21, 0, 2, 2),
            // Version 6 is not stable in Kafka 4.3 (KIP-939).
            Self::InitProducerId => (22, 0, 5, 2),
            Self::OffsetForLeaderEpoch => (23, 2, 4, 4),
            Self::DescribeConfigs => (32, 1, 4, 4),
            Self::AlterConfigs => (33, 0, 2, 2),
            Self::DescribeLogDirs => (35, 1, 5, 2),
            Self::CreatePartitions => (37, 0, 3, 2),
            Self::IncrementalAlterConfigs => (44, 0, 1, 1),
            Self::DescribeCluster => (60, 0, 2, 0),
            Self::ListConfigResources => (74, 0, 1, 0),
            Self::DescribeTopicPartitions => (75, 0, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_its_own_and_they_ascend() {
        assert!(Api::ALL.is_sorted_by(|one, next| one.key() < next.key()));
        for api in Api::ALL {
            assert_eq!(Api::from_key(api.key()), Some(api));
        }
    }

    #[test]
    fn the_generated_messages_know_every_version_that_is_served() {
        for api in Api::ALL {
            let descriptor = kafka_wire::API_DESCRIPTORS.iter().find(|known| known.api_key.value() == api.key()).unwrap();
            let known = descriptor.supported_versions;
            assert_eq!(*api.versions().start(), known.min().value(), "{api:?}");
            assert!(*api.versions().end() <= known.max().value(), "{api:?}");
            let flexible = descriptor.flexible_versions.unwrap();
            for version in api.versions() {
                assert_eq!(api.is_flexible(version), flexible.contains(kafka_wire_core::ApiVersion::new(version)), "{api:?} {version}");
            }
        }
    }

    #[test]
    fn produce_is_told_from_0_and_served_from_3() {
        assert_eq!(Api::Produce.advertised_versions(), 0..=13);
        assert_eq!(Api::Produce.versions(), 3..=13);
    }
}
