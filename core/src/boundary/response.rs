//! What clients are answered, one struct an API. An error that concerns one part of a request stands at that part.

use serde::{Deserialize, Serialize};

use super::administration::{
    AlterPartitionReassignmentsResponse, DescribeQuorumResponse, ElectLeadersResponse, ListPartitionReassignmentsResponse,
    UnregisterBrokerResponse, UpdateFeaturesResponse,
};
use super::groups::GroupResponse;
use super::input::Door;
use super::request::{ConfigResource, TopicCursor, TopicRef};
use super::storage::LogSlice;
use crate::config::ConfigEntry;
use crate::epoch::{LeaderEpoch, ProducerEpoch};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, PartitionIndex, ProducerId, TopicId, TopicName};
use crate::offset::Offset;
use crate::time::Timestamp;

/// An answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum Response {
    ApiVersions(ApiVersionsResponse),
    Produce(ProduceResponse),
    Fetch(FetchResponse),
    ListOffsets(ListOffsetsResponse),
    OffsetForLeaderEpoch(OffsetForLeaderEpochResponse),
    Metadata(MetadataResponse),
    DescribeCluster(DescribeClusterResponse),
    DescribeTopicPartitions(DescribeTopicPartitionsResponse),
    CreateTopics(CreateTopicsResponse),
    DeleteTopics(DeleteTopicsResponse),
    CreatePartitions(CreatePartitionsResponse),
    DeleteRecords(DeleteRecordsResponse),
    DescribeConfigs(DescribeConfigsResponse),
    /// Of AlterConfigs and of IncrementalAlterConfigs.
    AlterConfigs(AlterConfigsResponse),
    ListConfigResources(ListConfigResourcesResponse),
    DescribeLogDirs(DescribeLogDirsResponse),
    InitProducerId(InitProducerIdResponse),
    FindCoordinator(FindCoordinatorResponse),
    AlterPartitionReassignments(AlterPartitionReassignmentsResponse),
    ListPartitionReassignments(ListPartitionReassignmentsResponse),
    ElectLeaders(ElectLeadersResponse),
    DescribeQuorum(DescribeQuorumResponse),
    UpdateFeatures(UpdateFeaturesResponse),
    UnregisterBroker(UnregisterBrokerResponse),
    /// Of AddRaftVoter and of RemoveRaftVoter.
    RaftVoter(RaftVoterResponse),
    /// Of all that is asked about groups.
    Group(GroupResponse),
}

/// A broker's address on the listener that the question came by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerEndpoint {
    /// The broker.
    pub node: NodeId,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether the controller has fenced it.
    pub is_fenced: bool,
}

/// Finalised features (KIP-584).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiVersionsResponse {
    /// Features that this node supports: name, lowest and highest level.
    pub supported: Vec<(String, i16, i16)>,
    /// Features as finalised: name and level.
    pub finalized: Vec<(String, i16)>,
    /// Offset of the metadata that the finalised features were read at; -1 when unknown.
    pub finalized_epoch: i64,
    /// What the listener serves that the question came by.
    pub door: Door,
    /// Whether versions of APIs are told that are not final yet (`unstable.api.versions.enable`).
    pub are_unstable_versions_told: bool,
}

/// Produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceResponse {
    /// By topic, in the order of the request.
    pub topics: Vec<(TopicRef, Vec<ProducedPartition>)>,
    /// Where the leaders are that the answer names, for clients that ask for it (KIP-951).
    pub endpoints: Vec<BrokerEndpoint>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducedPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// Where it is, or why it is not.
    pub result: Result<Produced, ProduceFailure>,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Produced {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// When it was appended, if the topic's timestamps are the broker's.
    pub log_append_time: Option<Timestamp>,
    /// The log's first offset.
    pub log_start: Offset,
}

/// Why a batch is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceFailure {
    /// The error.
    pub error: ApiError,
    /// The records at fault, by their place in the batch.
    pub records: Vec<(i32, String)>,
    /// The log's first offset, where it is known.
    pub log_start: Option<Offset>,
    /// Who leads the partition, when it is not this node (KIP-951).
    pub current_leader: Option<(NodeId, LeaderEpoch)>,
}

/// Fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchResponse {
    /// An error of the whole fetch: of its session, say.
    pub error: Option<ErrorCode>,
    /// The session, 0 for none.
    pub session_id: i32,
    /// All slices together give this many bytes at most, but the first one with a batch gives one whole batch.
    pub bytes_max: u32,
    /// By topic.
    pub topics: Vec<(TopicRef, Vec<FetchedPartition>)>,
    /// Where the leaders are that the answer names (KIP-951).
    pub endpoints: Vec<BrokerEndpoint>,
}

/// What a fetch gets of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// Why there is nothing, if so.
    pub error: Option<ErrorCode>,
    /// The high watermark, -1 if unknown; and so for the two that follow.
    pub high_watermark: Offset,
    /// The last stable offset.
    pub last_stable_offset: Offset,
    /// The log's first offset.
    pub log_start: Offset,
    /// Where the client's log parts from this one: an epoch and its end (KIP-595).
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Who leads the partition, when it is not this node (KIP-951).
    pub current_leader: Option<(NodeId, LeaderEpoch)>,
    /// Aborted transactions that the slice may hold records of: producer and first offset. None unless the fetch is read_committed.
    pub aborted: Option<Vec<(ProducerId, Offset)>>,
    /// A replica that the client had better fetch from (KIP-392).
    pub preferred_read_replica: Option<NodeId>,
    /// The records.
    pub slice: Option<LogSlice>,
}

/// ListOffsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsResponse {
    /// By topic.
    pub topics: Vec<(TopicName, Vec<ListedOffset>)>,
}

/// An answer about a partition's offsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedOffset {
    /// The partition.
    pub partition: PartitionIndex,
    /// What was found. An offset of -1 says that no record is meant; and so for the timestamp and the epoch.
    pub result: Result<OffsetFound, ErrorCode>,
}

/// An offset with what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetFound {
    /// The offset.
    pub offset: Offset,
    /// Its record's timestamp.
    pub timestamp: Timestamp,
    /// Its record's leader epoch.
    pub leader_epoch: LeaderEpoch,
}

/// OffsetForLeaderEpoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetForLeaderEpochResponse {
    /// By topic.
    pub topics: Vec<(TopicName, Vec<EpochEnd>)>,
}

/// Where an epoch ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochEnd {
    /// The partition.
    pub partition: PartitionIndex,
    /// The largest epoch that is not above the one asked for, and where it ends; -1 and -1 when there is none.
    pub result: Result<(LeaderEpoch, Offset), ErrorCode>,
}

/// Metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataResponse {
    /// The brokers that are up.
    pub brokers: Vec<BrokerEndpoint>,
    /// The cluster.
    pub cluster_id: String,
    /// Where admin requests may go: a broker that passes them on.
    pub controller: Option<NodeId>,
    /// The topics asked for.
    pub topics: Vec<TopicMetadata>,
}

/// A topic as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMetadata {
    /// What is wrong with it.
    pub error: Option<ErrorCode>,
    /// Its name, unless it was asked for by an unknown id.
    pub name: Option<TopicName>,
    /// Its id, zero when unknown.
    pub id: TopicId,
    /// Whether it belongs to the brokers.
    pub is_internal: bool,
    /// Its partitions, ascending.
    pub partitions: Vec<PartitionMetadata>,
}

/// A partition as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionMetadata {
    /// What is wrong with it.
    pub error: Option<ErrorCode>,
    /// The partition.
    pub partition: PartitionIndex,
    /// Who leads it.
    pub leader: Option<NodeId>,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// Who has a copy, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Who is in sync.
    pub isr: Vec<NodeId>,
    /// Who may be elected though not in sync (KIP-966).
    pub eligible_leader_replicas: Vec<NodeId>,
    /// Who led last, or was eligible last, when nobody can be elected (KIP-966).
    pub last_known_leader: Option<NodeId>,
    /// Replicas that are down.
    pub offline_replicas: Vec<NodeId>,
}

/// DescribeCluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeClusterResponse {
    /// The cluster, or why there is no answer.
    pub result: Result<ClusterDescription, ApiError>,
}

/// A cluster as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterDescription {
    /// The cluster.
    pub cluster_id: String,
    /// The active controller, or a broker that stands for it.
    pub controller: Option<NodeId>,
    /// Whether the nodes are brokers or controllers.
    pub door: Door,
    /// The nodes of that kind.
    pub brokers: Vec<BrokerEndpoint>,
}

/// DescribeTopicPartitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeTopicPartitionsResponse {
    /// The topics.
    pub topics: Vec<TopicMetadata>,
    /// Where the next page starts, if there is one.
    pub next: Option<TopicCursor>,
}

/// CreateTopics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopicsResponse {
    /// By topic, in the order of the request.
    pub topics: Vec<(TopicName, Result<CreatedTopic, ApiError>)>,
}

/// A topic that was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partition_count: i32,
    /// How many replicas each.
    pub replication_factor: i16,
    /// All its settings, defaults included (KIP-525).
    pub configs: Vec<ConfigEntry>,
}

/// DeleteTopics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTopicsResponse {
    /// In the order of the request.
    pub topics: Vec<DeletedTopic>,
}

/// What became of a topic that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedTopic {
    /// Its name, unless it was named by an unknown id.
    pub name: Option<TopicName>,
    /// Its id, zero when unknown.
    pub id: TopicId,
    /// Why it is still there.
    pub error: Option<ApiError>,
}

/// CreatePartitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatePartitionsResponse {
    /// By topic, in the order of the request.
    pub topics: Vec<(TopicName, Option<ApiError>)>,
}

/// Where a partition's log starts after records were deleted.
pub type NewLogStart = (PartitionIndex, Result<Offset, ErrorCode>);

/// DeleteRecords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsResponse {
    /// By topic and partition, the log's new start.
    pub topics: Vec<(TopicName, Vec<NewLogStart>)>,
}

/// DescribeConfigs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeConfigsResponse {
    /// By resource, in the order of the request.
    pub resources: Vec<(ConfigResource, Result<Vec<ConfigEntry>, ApiError>)>,
}

/// AlterConfigs and IncrementalAlterConfigs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterConfigsResponse {
    /// By resource, in the order of the request.
    pub resources: Vec<(ConfigResource, Option<ApiError>)>,
}

/// ListConfigResources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListConfigResourcesResponse {
    /// The resources, or why there is no answer.
    pub result: Result<Vec<ConfigResource>, ErrorCode>,
}

/// DescribeLogDirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeLogDirsResponse {
    /// By topic, each partition with its bytes on disk.
    pub topics: Vec<(TopicName, Vec<(PartitionIndex, u64)>)>,
    /// The folder, as the settings name it.
    pub directory: String,
    /// Bytes free on its disk, -1 when unknown.
    pub free_bytes: i64,
    /// Bytes of its disk, -1 when unknown.
    pub total_bytes: i64,
}

/// InitProducerId.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitProducerIdResponse {
    /// The producer, or why there is none.
    pub result: Result<(ProducerId, ProducerEpoch), ErrorCode>,
}

/// FindCoordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindCoordinatorResponse {
    /// By key, in the order of the request.
    pub coordinators: Vec<(String, Result<BrokerEndpoint, ApiError>)>,
}

/// Whether the voters of the metadata quorum are what was asked for (KIP-853).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftVoterResponse {
    /// They are, or why not.
    pub result: Result<(), ApiError>,
}
