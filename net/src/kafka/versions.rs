//! The requests that this broker knows, and at which versions: those of Apache Kafka 4.3.
//!
//! Some are served, the others refused: decoded, and answered with an error of their own. Those are advertised too, since tools and clients
//! look for them before they begin, and an answer that says why tells more than a closed connection.

use std::ops::RangeInclusive;

use gracchus_core::boundary::Door;

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
    ElectLeaders,
    IncrementalAlterConfigs,
    AlterPartitionReassignments,
    ListPartitionReassignments,
    DescribeQuorum,
    UpdateFeatures,
    DescribeCluster,
    UnregisterBroker,
    ListConfigResources,
    DescribeTopicPartitions,
    AddRaftVoter,
    RemoveRaftVoter,
    OffsetCommit,
    OffsetFetch,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    DescribeGroups,
    ListGroups,
    DeleteGroups,
    OffsetDelete,
    ConsumerGroupHeartbeat,
    ConsumerGroupDescribe,
    /// One that is known and not served.
    Refused(RefusedApi),
}

impl Api {
    /// Those that are served, by key.
    pub const SERVED: [Self; 39] = [
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
        Self::ElectLeaders,
        Self::IncrementalAlterConfigs,
        Self::AlterPartitionReassignments,
        Self::ListPartitionReassignments,
        Self::DescribeQuorum,
        Self::UpdateFeatures,
        Self::DescribeCluster,
        Self::UnregisterBroker,
        Self::ListConfigResources,
        Self::DescribeTopicPartitions,
        Self::AddRaftVoter,
        Self::RemoveRaftVoter,
        Self::OffsetCommit,
        Self::OffsetFetch,
        Self::JoinGroup,
        Self::Heartbeat,
        Self::LeaveGroup,
        Self::SyncGroup,
        Self::DescribeGroups,
        Self::ListGroups,
        Self::DeleteGroups,
        Self::OffsetDelete,
        Self::ConsumerGroupHeartbeat,
        Self::ConsumerGroupDescribe,
    ];

    /// Those that ApiVersions tells of a door, by key: the served and the refused.
    #[must_use]
    pub fn advertised_at(door: Door) -> Vec<Self> {
        let mut all = Self::advertised();
        all.retain(|api| api.is_at(door));
        all
    }

    /// Whether it is served there.
    #[must_use]
    pub fn is_at(self, door: Door) -> bool {
        match door {
            Door::Brokers => true,
            Door::Controllers => self.is_for_controllers(),
        }
    }

    /// All, by key: the served and the refused.
    #[must_use]
    pub fn advertised() -> Vec<Self> {
        let mut all: Vec<_> = Self::SERVED.into_iter().chain(RefusedApi::ALL.iter().copied().map(Self::Refused)).collect();
        all.sort_by_key(|api| api.key());
        all
    }

    /// The request that `key` stands for, if it is known here.
    #[must_use]
    pub fn from_key(key: i16) -> Option<Self> {
        let refused = || RefusedApi::ALL.iter().copied().map(Self::Refused);
        Self::SERVED.into_iter().chain(refused()).find(|api| api.key() == key)
    }

    /// The number that stands for it on the wire.
    #[must_use]
    pub fn key(self) -> i16 {
        self.row().0
    }

    /// The versions that are answered.
    #[must_use]
    pub fn versions(self) -> RangeInclusive<i16> {
        let (_, oldest, latest, _) = self.row();
        oldest..=latest
    }

    /// The versions that ApiVersions tells: those that are final, and with `are_unstable_told` the others too
    /// (`unstable.api.versions.enable`).
    #[must_use]
    pub fn advertised_versions(self, are_unstable_told: bool) -> RangeInclusive<i16> {
        if self == Self::Produce {
            // KAFKA-18659: librdkafka up to 2.0 compresses only where it finds Produce 0. It then sends a later one.
            return 0..=*self.versions().end();
        }
        if self == Self::InitProducerId && !are_unstable_told {
            // Version 6 is not final in Kafka 4.3 (KIP-939).
            return 0..=5;
        }
        self.versions()
    }

    /// Whether `version` is one with compact lengths and tagged fields (KIP-482).
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.row().3
    }

    /// Whether it is served by the listeners of controllers (KIP-919).
    #[must_use]
    pub fn is_for_controllers(self) -> bool {
        match self {
            Self::ApiVersions
            | Self::CreateTopics
            | Self::DeleteTopics
            | Self::DescribeConfigs
            | Self::AlterConfigs
            | Self::CreatePartitions
            | Self::ElectLeaders
            | Self::IncrementalAlterConfigs
            | Self::AlterPartitionReassignments
            | Self::ListPartitionReassignments
            | Self::DescribeQuorum
            | Self::UpdateFeatures
            | Self::DescribeCluster
            | Self::UnregisterBroker
            | Self::AddRaftVoter
            | Self::RemoveRaftVoter => true,
            Self::Produce
            | Self::Fetch
            | Self::ListOffsets
            | Self::Metadata
            | Self::FindCoordinator
            | Self::DeleteRecords
            | Self::InitProducerId
            | Self::OffsetForLeaderEpoch
            | Self::DescribeLogDirs
            | Self::ListConfigResources
            | Self::DescribeTopicPartitions
            | Self::OffsetCommit
            | Self::OffsetFetch
            | Self::JoinGroup
            | Self::Heartbeat
            | Self::LeaveGroup
            | Self::SyncGroup
            | Self::DescribeGroups
            | Self::ListGroups
            | Self::DeleteGroups
            | Self::OffsetDelete
            | Self::ConsumerGroupHeartbeat
            | Self::ConsumerGroupDescribe => false,
            Self::Refused(refused) => refused.is_for_controllers(),
        }
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
            Self::InitProducerId => (22, 0, 6, 2),
            Self::OffsetForLeaderEpoch => (23, 2, 4, 4),
            Self::DescribeConfigs => (32, 1, 4, 4),
            Self::AlterConfigs => (33, 0, 2, 2),
            Self::DescribeLogDirs => (35, 1, 5, 2),
            Self::CreatePartitions => (37, 0, 3, 2),
            Self::ElectLeaders => (43, 0, 2, 2),
            Self::IncrementalAlterConfigs => (44, 0, 1, 1),
            Self::AlterPartitionReassignments => (45, 0, 1, 0),
            Self::ListPartitionReassignments => (46, 0, 0, 0),
            Self::DescribeQuorum => (55, 0, 2, 0),
            Self::UpdateFeatures => (57, 0, 2, 0),
            Self::DescribeCluster => (60, 0, 2, 0),
            Self::UnregisterBroker => (64, 0, 0, 0),
            Self::ListConfigResources => (74, 0, 1, 0),
            Self::DescribeTopicPartitions => (75, 0, 0, 0),
            Self::AddRaftVoter => (80, 0, 1, 0),
            Self::RemoveRaftVoter => (81, 0, 0, 0),
            Self::OffsetCommit => (8, 2, 10, 8),
            Self::OffsetFetch => (9, 1, 10, 6),
            Self::JoinGroup => (11, 0, 9, 6),
            Self::Heartbeat => (12, 0, 4, 4),
            Self::LeaveGroup => (13, 0, 5, 4),
            Self::SyncGroup => (14, 0, 5, 4),
            Self::DescribeGroups => (15, 0, 6, 5),
            Self::ListGroups => (16, 0, 5, 3),
            Self::DeleteGroups => (42, 0, 2, 2),
            Self::OffsetDelete => (47, 0, 0, NEVER),
            Self::ConsumerGroupHeartbeat => (68, 0, 1, 0),
            Self::ConsumerGroupDescribe => (69, 0, 1, 0),
            Self::Refused(refused) => refused.row(),
        }
    }
}

/// No version has compact lengths.
const NEVER: i16 = i16::MAX;

macro_rules! refused {
    ($($name:ident = $key:literal, $oldest:literal..=$latest:literal, flexible from $flexible:expr;)*) => {
        /// A kind of request that is known and not served: [`super::refusals`] says how each is answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are Kafka's own, each documented in its protocol guide")]
        pub enum RefusedApi {
            $($name,)*
        }

        impl RefusedApi {
            /// All of them, by key.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Key, oldest and latest version, and first flexible version.
            fn row(self) -> (i16, i16, i16, i16) {
                match self {
                    $(Self::$name => ($key, $oldest, $latest, $flexible),)*
                }
            }
        }
    };
}

impl RefusedApi {
    /// Whether it is one that the listeners of controllers know.
    fn is_for_controllers(self) -> bool {
        matches!(
            self,
            Self::SaslHandshake
                | Self::SaslAuthenticate
                | Self::DescribeAcls
                | Self::CreateAcls
                | Self::DeleteAcls
                | Self::CreateDelegationToken
                | Self::RenewDelegationToken
                | Self::ExpireDelegationToken
                | Self::DescribeDelegationToken
                | Self::DescribeClientQuotas
                | Self::AlterClientQuotas
                | Self::DescribeUserScramCredentials
                | Self::AlterUserScramCredentials
        )
    }
}

refused! {
    SaslHandshake = 17, 0..=1, flexible from NEVER;
    AddPartitionsToTxn = 24, 0..=5, flexible from 3;
    AddOffsetsToTxn = 25, 0..=4, flexible from 3;
    EndTxn = 26, 0..=5, flexible from 3;
    WriteTxnMarkers = 27, 1..=2, flexible from 1;
    TxnOffsetCommit = 28, 0..=5, flexible from 3;
    DescribeAcls = 29, 1..=3, flexible from 2;
    CreateAcls = 30, 1..=3, flexible from 2;
    DeleteAcls = 31, 1..=3, flexible from 2;
    AlterReplicaLogDirs = 34, 1..=2, flexible from 2;
    SaslAuthenticate = 36, 0..=2, flexible from 2;
    CreateDelegationToken = 38, 1..=3, flexible from 2;
    RenewDelegationToken = 39, 1..=2, flexible from 2;
    ExpireDelegationToken = 40, 1..=2, flexible from 2;
    DescribeDelegationToken = 41, 1..=3, flexible from 2;
    DescribeClientQuotas = 48, 0..=1, flexible from 1;
    AlterClientQuotas = 49, 0..=1, flexible from 1;
    DescribeUserScramCredentials = 50, 0..=0, flexible from 0;
    AlterUserScramCredentials = 51, 0..=0, flexible from 0;
    DescribeProducers = 61, 0..=0, flexible from 0;
    DescribeTransactions = 65, 0..=0, flexible from 0;
    ListTransactions = 66, 0..=2, flexible from 0;
    ShareGroupHeartbeat = 76, 1..=1, flexible from 1;
    ShareGroupDescribe = 77, 1..=1, flexible from 1;
    ShareFetch = 78, 1..=2, flexible from 1;
    ShareAcknowledge = 79, 1..=2, flexible from 1;
    InitializeShareGroupState = 83, 0..=0, flexible from 0;
    ReadShareGroupState = 84, 0..=0, flexible from 0;
    WriteShareGroupState = 85, 0..=1, flexible from 0;
    DeleteShareGroupState = 86, 0..=0, flexible from 0;
    ReadShareGroupStateSummary = 87, 0..=1, flexible from 0;
    StreamsGroupHeartbeat = 88, 0..=0, flexible from 0;
    StreamsGroupDescribe = 89, 0..=0, flexible from 0;
    DescribeShareGroupOffsets = 90, 0..=1, flexible from 0;
    AlterShareGroupOffsets = 91, 0..=0, flexible from 0;
    DeleteShareGroupOffsets = 92, 0..=0, flexible from 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_its_own_and_they_ascend() {
        assert!(Api::advertised().is_sorted_by(|one, next| one.key() < next.key()));
        for api in Api::advertised() {
            assert_eq!(Api::from_key(api.key()), Some(api));
        }
    }

    #[test]
    fn the_generated_messages_know_every_version_that_is_answered() {
        for api in Api::advertised() {
            let descriptor = kafka_wire::API_DESCRIPTORS.iter().find(|known| known.api_key.value() == api.key()).unwrap();
            let known = descriptor.supported_versions;
            assert_eq!(*api.versions().start(), known.min().value(), "{api:?}");
            assert!(*api.versions().end() <= known.max().value(), "{api:?}");
            for version in api.versions() {
                let is_flexible =
                    descriptor.flexible_versions.is_some_and(|flexible| flexible.contains(kafka_wire_core::ApiVersion::new(version)));
                assert_eq!(api.is_flexible(version), is_flexible, "{api:?} {version}");
            }
        }
    }

    #[test]
    fn versions_that_are_not_final_are_told_on_request() {
        assert_eq!(Api::InitProducerId.advertised_versions(false), 0..=5);
        assert_eq!(Api::InitProducerId.advertised_versions(true), 0..=6);
    }

    #[test]
    fn produce_is_told_from_0_and_served_from_3() {
        assert_eq!(Api::Produce.advertised_versions(false), 0..=13);
        assert_eq!(Api::Produce.versions(), 3..=13);
    }
}
