//! What operators ask of a cluster of several nodes, and what they are answered: where partitions lie and who leads them, who decides, which
//! features are finalised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::broker::Endpoint;
use crate::epoch::QuorumEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{DirectoryId, NodeId, PartitionIndex, TopicName};
use crate::offset::Offset;
use crate::time::Timestamp;

/// By topic, something for each of some partitions.
pub type ByPartition<T> = Vec<(TopicName, Vec<(PartitionIndex, T)>)>;

/// By topic, some of its partitions.
pub type NamedPartitions = Vec<(TopicName, Vec<PartitionIndex>)>;

/// AlterPartitionReassignments (KIP-455).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionReassignmentsRequest {
    /// Who is to have a copy, the preferred leader first; none cancels what is under way.
    pub partitions: ByPartition<Option<Vec<NodeId>>>,
    /// Whether partitions may get more replicas or fewer (KIP-860).
    pub may_change_replication_factor: bool,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// The answer to AlterPartitionReassignments: what is under way, not what is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionReassignmentsResponse {
    /// Why nothing was decided at all.
    pub error: Option<ErrorCode>,
    /// What became of each.
    pub partitions: ByPartition<Option<ApiError>>,
    /// As the request said, which the answer repeats.
    pub may_change_replication_factor: bool,
}

/// ListPartitionReassignments (KIP-455).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPartitionReassignmentsRequest {
    /// The partitions that are asked about, or none for all.
    pub partitions: Option<NamedPartitions>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// The answer to ListPartitionReassignments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPartitionReassignmentsResponse {
    /// Those of the partitions that are being reassigned.
    pub result: Result<ByPartition<Reassignment>, ErrorCode>,
}

/// A reassignment that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassignment {
    /// Who has a copy, those to come and those to go included.
    pub replicas: Vec<NodeId>,
    /// Who is to have one.
    pub adding: Vec<NodeId>,
    /// Who is to have none.
    pub removing: Vec<NodeId>,
}

/// ElectLeaders (KIP-183, KIP-460).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectLeadersRequest {
    /// Who may be elected.
    pub election: Election,
    /// The partitions, or none for all.
    pub partitions: Option<NamedPartitions>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Election {
    /// The preferred replica, which has to be in sync.
    Preferred,
    /// Any replica that is up, where nobody leads: what only others hold is lost.
    Unclean,
    /// A number that means nothing.
    Unknown(i8),
}

/// The answer to ElectLeaders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectLeadersResponse {
    /// Why nothing was decided at all.
    pub error: Option<ErrorCode>,
    /// What became of each. Of all partitions only those are named for which an election was needed.
    pub partitions: ByPartition<Option<ApiError>>,
}

/// DescribeQuorum (KIP-595).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeQuorumRequest {
    /// The logs that are asked about: there is one, partition 0 of `__cluster_metadata`.
    pub partitions: NamedPartitions,
}

/// The answer to DescribeQuorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeQuorumResponse {
    /// What was asked about.
    pub partitions: NamedPartitions,
    /// The quorum as its leader sees it, or why there is nothing to see.
    pub result: Result<QuorumDescription, ErrorCode>,
}

/// The quorum as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumDescription {
    /// Who leads.
    pub leader: NodeId,
    /// In which epoch.
    pub quorum_epoch: QuorumEpoch,
    /// All below is committed.
    pub high_watermark: Offset,
    /// Who votes.
    pub voters: Vec<QuorumMember>,
    /// Who follows without a vote.
    pub observers: Vec<QuorumMember>,
    /// Where the controllers serve.
    pub controllers: BTreeMap<NodeId, Endpoint>,
}

/// A member of the quorum as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumMember {
    /// The node.
    pub node: NodeId,
    /// Its data folder, zero while that is not known.
    pub directory: DirectoryId,
    /// Where its log ends; none while it has not fetched.
    pub log_end: Option<Offset>,
    /// When it last fetched.
    pub fetched: Option<Timestamp>,
    /// When it last held all that the leader had.
    pub caught_up: Option<Timestamp>,
}

/// UpdateFeatures (KIP-584, KIP-778).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateFeaturesRequest {
    /// What is to be finalised.
    pub updates: Vec<FeatureUpdate>,
    /// Whether to check only.
    pub validate_only: bool,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// A feature's new level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureUpdate {
    /// Its name.
    pub feature: String,
    /// The level; 0 is off.
    pub level: i16,
    /// Whether it may go down.
    pub direction: FeatureDirection,
}

/// Which way a feature's level may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeatureDirection {
    /// Up.
    Upgrade,
    /// Down, if nothing is lost by it.
    SafeDowngrade,
    /// Down, whatever is lost by it.
    UnsafeDowngrade,
    /// A number that means nothing.
    Unknown(i8),
}

/// The answer to UpdateFeatures: all are finalised, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateFeaturesResponse {
    /// Why none is.
    pub error: Option<ApiError>,
    /// The features that were asked for.
    pub features: Vec<String>,
}

/// UnregisterBroker (KIP-500): the cluster forgets a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnregisterBrokerRequest {
    /// The broker.
    pub node: NodeId,
}

/// The answer to UnregisterBroker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnregisterBrokerResponse {
    /// Why it has not.
    pub error: Option<ApiError>,
}
