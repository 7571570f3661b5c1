//! What clients ask, one struct an API. Versions stay in `net`: what differs between them is a field here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::administration::{
    AlterPartitionReassignmentsRequest, DescribeQuorumRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest, UnregisterBrokerRequest,
    UpdateFeaturesRequest,
};
use super::consumer_groups::ConsumerGroupDescribeRequest;
use super::groups::{DeleteGroupsRequest, DescribeGroupsRequest, GroupRequest, ListGroupsRequest, OffsetFetchRequest};
use super::payload::Payload;
use super::response::DeletedTopic;
use crate::broker::Endpoint;
use crate::epoch::{LeaderEpoch, ProducerEpoch};
use crate::error::ErrorCode;
use crate::ids::{NodeId, PartitionIndex, ProducerId, TopicId, TopicName};
use crate::offset::Offset;
use crate::record::{BatchHeader, Voter};
use crate::time::Timestamp;

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum Request {
    ApiVersions(ApiVersionsRequest),
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest),
    Metadata(MetadataRequest),
    DescribeCluster(DescribeClusterRequest),
    DescribeTopicPartitions(DescribeTopicPartitionsRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    CreatePartitions(CreatePartitionsRequest),
    DeleteRecords(DeleteRecordsRequest),
    DescribeConfigs(DescribeConfigsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    ListConfigResources(ListConfigResourcesRequest),
    DescribeLogDirs(DescribeLogDirsRequest),
    InitProducerId(InitProducerIdRequest),
    FindCoordinator(FindCoordinatorRequest),
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
    ElectLeaders(ElectLeadersRequest),
    DescribeQuorum(DescribeQuorumRequest),
    UpdateFeatures(UpdateFeaturesRequest),
    UnregisterBroker(UnregisterBrokerRequest),
    AddRaftVoter(AddRaftVoterRequest),
    RemoveRaftVoter(RemoveRaftVoterRequest),
    /// Of one group.
    Group(Box<GroupRequest>),
    OffsetFetch(OffsetFetchRequest),
    ListGroups(ListGroupsRequest),
    DescribeGroups(DescribeGroupsRequest),
    ConsumerGroupDescribe(ConsumerGroupDescribeRequest),
    DeleteGroups(DeleteGroupsRequest),
}

impl From<GroupRequest> for Request {
    fn from(request: GroupRequest) -> Self {
        Self::Group(Box::new(request))
    }
}

/// A topic by its name or by its id: what is not found is UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TopicRef {
    /// By name.
    Name(TopicName),
    /// By id (KIP-516).
    Id(TopicId),
}

/// ApiVersions (KIP-35, KIP-511): `net` knows the versions; the core adds the finalised features (KIP-584).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiVersionsRequest {}

/// When a produce is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acks {
    /// Never: only an error ends the connection.
    None,
    /// When the leader has it, as durably as the topic says.
    Leader,
    /// When it is committed.
    All,
}

/// Produce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceRequest {
    /// The transaction's name, if there is one.
    pub transactional_id: Option<String>,
    /// When it is answered. Acks that Kafka does not know are `Err`: each partition is refused with INVALID_REQUIRED_ACKS.
    pub acks: Result<Acks, i16>,
    /// How long a commit may take in milliseconds.
    pub timeout_ms: i32,
    /// Topics in the order of the request, which the answer keeps.
    pub topics: Vec<ProduceTopic>,
}

/// The part of a produce that is for one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceTopic {
    /// The topic.
    pub topic: TopicRef,
    /// What is to be appended, a batch a partition.
    pub partitions: Vec<ProducePartition>,
}

/// A batch for a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducePartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The batch, validated by the connection; or why it was refused there.
    pub batch: Result<Batch, RejectedBatch>,
}

/// A batch whose CRC and structure are sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its header. The base offset and leader epoch are the producer's and mean nothing.
    pub header: BatchHeader,
    /// All of its bytes, header included.
    pub payload: Payload,
}

/// A batch that was refused before the core saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedBatch {
    /// Why.
    pub error: ErrorCode,
    /// In words.
    pub message: String,
    /// The records at fault, by their place in the batch (KIP-467).
    pub records: Vec<(i32, String)>,
}

/// Fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// How long to wait for `bytes_min`, in milliseconds.
    pub wait_ms_max: i32,
    /// Answer once there is this much.
    pub bytes_min: i32,
    /// Send this much at most, but always one batch.
    pub bytes_max: i32,
    /// Whether records of open transactions are held back.
    pub read_committed: bool,
    /// The session that this belongs to (KIP-227): id 0 and epoch 0 ask for a new one, epoch -1 for none.
    pub session_id: i32,
    /// The fetch's place in its session.
    pub session_epoch: i32,
    /// The partitions wanted; within a session, those whose wishes changed.
    pub topics: Vec<FetchTopic>,
    /// Partitions that leave the session.
    pub forgotten: Vec<(TopicRef, Vec<PartitionIndex>)>,
    /// The client's rack, empty if it stands in none; none of a client that can be told of the leader alone (KIP-392).
    pub rack: Option<String>,
}

/// The part of a fetch that is for one topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchTopic {
    /// The topic.
    pub topic: TopicRef,
    /// The partitions wanted.
    pub partitions: Vec<FetchPartition>,
}

/// What is wanted of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The leader epoch that the client knows (KIP-320).
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The first offset wanted.
    pub fetch_offset: Offset,
    /// The epoch of the record before it, as the client read it (KIP-595): divergence is told.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// Bytes wanted of this partition at most.
    pub partition_bytes_max: i32,
}

/// ListOffsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsRequest {
    /// Whether "latest" is the last stable offset.
    pub read_committed: bool,
    /// What is asked, by topic.
    pub topics: Vec<(TopicName, Vec<ListOffsetsPartition>)>,
    /// How long it may take in milliseconds (KIP-1075).
    pub timeout_ms: i32,
}

/// A question about a partition's offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// The leader epoch that the client knows.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// What is asked.
    pub spec: OffsetSpec,
}

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OffsetSpec {
    /// The first record whose timestamp is at least this.
    Timestamp(Timestamp),
    /// The log's end as the isolation level shows it (-1).
    Latest,
    /// The log's start (-2).
    Earliest,
    /// The record of the largest timestamp (-3, KIP-734).
    MaxTimestamp,
    /// The start of what is on local disks (-4, KIP-405).
    EarliestLocal,
    /// The end of what is in tiered storage (-5, KIP-1005), of which there is none.
    LatestTiered,
    /// The first offset that is not in tiered storage yet (-6, KIP-1023).
    EarliestPendingUpload,
    /// A negative number that means nothing.
    Unknown(i64),
}

/// OffsetForLeaderEpoch (KIP-101, KIP-320).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetForLeaderEpochRequest {
    /// What is asked, by topic.
    pub topics: Vec<(TopicName, Vec<EpochQuestion>)>,
}

/// Where does an epoch end?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochQuestion {
    /// The partition.
    pub partition: PartitionIndex,
    /// The leader epoch that the client knows.
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The epoch asked about.
    pub leader_epoch: LeaderEpoch,
}

/// Metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataRequest {
    /// The topics, or none for all.
    pub topics: Option<Vec<TopicRef>>,
    /// Whether a topic that does not exist may be created.
    pub allow_auto_topic_creation: bool,
}

/// DescribeCluster (KIP-700).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeClusterRequest {
    /// Whose endpoints are asked for (KIP-919).
    pub endpoints: EndpointType,
    /// Whether fenced brokers are listed too (KIP-1073).
    pub include_fenced_brokers: bool,
}

/// Whose endpoints are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointType {
    /// The brokers'.
    Brokers,
    /// The controllers'.
    Controllers,
    /// A number that means nothing.
    Unknown(i8),
}

/// DescribeTopicPartitions (KIP-966), in pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeTopicPartitionsRequest {
    /// The topics; all, if there is none.
    pub topics: Vec<TopicName>,
    /// Partitions in one answer at most.
    pub partitions_max: i32,
    /// Where the last page ended.
    pub cursor: Option<TopicCursor>,
}

/// A place in a paged listing of partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicCursor {
    /// The topic.
    pub topic: TopicName,
    /// The next partition to list.
    pub partition: PartitionIndex,
}

/// CreateTopics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopicsRequest {
    /// The topics.
    pub topics: Vec<NewTopic>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions; -1 for the default (KIP-464).
    pub partition_count: i32,
    /// How many replicas of each; -1 for the default.
    pub replication_factor: i16,
    /// Partitions placed by hand.
    pub assignments: Vec<(PartitionIndex, Vec<NodeId>)>,
    /// Settings of its own.
    pub configs: OwnConfigs,
}

/// DeleteTopics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTopicsRequest {
    /// The topics.
    pub topics: Vec<TopicRef>,
    /// Those of which it can't be said what is meant, as they are to be answered.
    pub misnamed: Vec<DeletedTopic>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// CreatePartitions (KIP-195).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatePartitionsRequest {
    /// The topics.
    pub topics: Vec<MorePartitions>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A topic that gets more partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MorePartitions {
    /// Its name.
    pub name: TopicName,
    /// How many there are to be in all.
    pub partition_count: i32,
    /// The new partitions' replicas, if they are placed by hand.
    pub assignments: Option<Vec<Vec<NodeId>>>,
}

/// DeleteRecords (KIP-107).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsRequest {
    /// By topic and partition, the first offset that is kept; -1 for the high watermark.
    pub topics: Vec<(TopicName, Vec<(PartitionIndex, Offset)>)>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
}

/// What a setting belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConfigResource {
    /// A topic (2).
    Topic(TopicName),
    /// A broker (4), or with none the default of all.
    Broker(Option<NodeId>),
    /// A broker's log levels (8).
    BrokerLogger(String),
    /// A client metrics subscription (16).
    ClientMetrics(String),
    /// A consumer group (32).
    Group(String),
    /// A resource that nobody knows.
    Unknown {
        /// Its type as the client wrote it.
        kind: i8,
        /// Its name.
        name: String,
    },
}

/// DescribeConfigs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeConfigsRequest {
    /// What is asked: a resource, and the names wanted or none for all.
    pub resources: Vec<(ConfigResource, Option<Vec<String>>)>,
    /// Whether each entry lists where its value could come from.
    pub include_synonyms: bool,
    /// Whether each entry says what it means.
    pub include_documentation: bool,
}

/// Settings of a resource's own, by name; a null is refused as Kafka does.
pub type OwnConfigs = Vec<(String, Option<String>)>;

/// AlterConfigs: what is not named falls back to its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterConfigsRequest {
    /// Each resource with all its settings.
    pub resources: Vec<(ConfigResource, OwnConfigs)>,
    /// Whether to check only.
    pub validate_only: bool,
}

/// IncrementalAlterConfigs (KIP-339).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncrementalAlterConfigsRequest {
    /// Each resource with its changes.
    pub resources: Vec<(ConfigResource, Vec<ConfigChange>)>,
    /// Whether to check only.
    pub validate_only: bool,
}

/// A change of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// The setting.
    pub name: String,
    /// What to do with it.
    pub operation: ConfigOperation,
    /// The value that the operation takes.
    pub value: Option<String>,
}

/// What to do with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigOperation {
    /// Give it the value.
    Set,
    /// Back to its default.
    Delete,
    /// Add to a list.
    Append,
    /// Take from a list.
    Subtract,
    /// A number that means nothing.
    Unknown(i8),
}

/// ListConfigResources (KIP-1142).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListConfigResourcesRequest {
    /// The types wanted, as Kafka numbers them; all, if there is none.
    pub kinds: Vec<i8>,
}

/// DescribeLogDirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeLogDirsRequest {
    /// The partitions wanted, or none for all.
    pub topics: Option<BTreeMap<TopicName, BTreeSet<PartitionIndex>>>,
}

/// InitProducerId (KIP-98, KIP-360).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitProducerIdRequest {
    /// The transaction's name, if there is one.
    pub transactional_id: Option<String>,
    /// How long a transaction may last in milliseconds.
    pub transaction_timeout_ms: i32,
    /// The producer that asks for a new epoch, if it has one already.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
}

/// FindCoordinator (KIP-699: many keys at once).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindCoordinatorRequest {
    /// What is coordinated.
    pub kind: CoordinatorKind,
    /// The groups or transactions.
    pub keys: Vec<String>,
}

/// What a coordinator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoordinatorKind {
    /// Consumer groups.
    Group,
    /// Transactions.
    Transaction,
    /// Share groups (KIP-932).
    Share,
    /// A number that means nothing.
    Unknown(i8),
}

/// AddRaftVoter (KIP-853): a node with its folder becomes a voter of the metadata quorum, once it has caught up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddRaftVoterRequest {
    /// The cluster that is meant, if that is said.
    pub cluster_id: Option<String>,
    /// How long it may take in milliseconds.
    pub timeout_ms: i32,
    /// The node with its folder.
    pub voter: Voter,
    /// Where it is.
    pub endpoints: Vec<Endpoint>,
    /// Whether it is answered once it is committed, and not already when it is appended (KIP-1186).
    pub ack_when_committed: bool,
}

/// RemoveRaftVoter (KIP-853): a voter of the metadata quorum becomes none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveRaftVoterRequest {
    /// The cluster that is meant, if that is said.
    pub cluster_id: Option<String>,
    /// The voter.
    pub voter: Voter,
}
