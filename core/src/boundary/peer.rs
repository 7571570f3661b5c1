//! What nodes tell each other. A message may be lost with its connection, and one that is late may speak of what is over: each names the epoch
//! that it belongs to. Messages to one node over one lane arrive in the order in which they were sent.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::administration::{
    AlterPartitionReassignmentsRequest, DescribeQuorumRequest, ElectLeadersRequest, ListPartitionReassignmentsRequest, UnregisterBrokerRequest,
    UpdateFeaturesRequest,
};
use super::request::{
    AddRaftVoterRequest, AlterConfigsRequest, Batch, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest, NewTopic, RemoveRaftVoterRequest,
};
use super::response::Response;
use super::storage::LogSlice;
use crate::broker::Endpoint;
use crate::epoch::{BrokerEpoch, LeaderEpoch, PartitionEpoch, QuorumEpoch};
use crate::error::ErrorCode;
use crate::ids::{DirectoryId, IncarnationId, NodeId, TopicPartition};
use crate::metadata::SnapshotId;
use crate::offset::Offset;
use crate::quorum::QuorumMessage;
use crate::replica::{EpochEnd, Positions};

/// A message to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToPeer {
    /// The node.
    pub to: NodeId,
    /// The message.
    pub message: PeerMessage,
}

/// A message between nodes. The variants' order is part of the format: add at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// About who leads the metadata quorum.
    Quorum(QuorumMessage),
    /// Asks the quorum's leader for records of the metadata log.
    FetchMetadata(FetchMetadata),
    /// Answers that.
    Metadata(FetchedMetadata),
    /// Asks the controller to decide something.
    Call(ControllerCall),
    /// The controller has decided, and what it decided is committed; or the node is not the controller.
    Decided(ControllerDecision),
    /// Asks a leader for records of its partitions.
    FetchPartitions(FetchPartitions),
    /// Answers that.
    Partitions(FetchedPartitions),
    /// Answers a fetch of metadata whose place the leader's log does not hold: a snapshot does (KIP-630).
    MetadataInSnapshot(MetadataInSnapshot),
    /// Asks the quorum's leader for a piece of a snapshot.
    FetchMetadataSnapshot(FetchMetadataSnapshot),
    /// Answers that.
    MetadataSnapshot(FetchedMetadataSnapshot),
}

/// The connection that a message goes over, so that none of a kind waits for another's bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Votes, calls and what is asked for: small messages.
    Control,
    /// Records of partitions.
    Records,
    /// Records of the metadata log: a member that hears nothing of its leader for want of them would stand for election.
    Metadata,
}

impl PeerMessage {
    /// The lane that it belongs to.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Quorum(_) | Self::FetchMetadata(_) | Self::Call(_) | Self::Decided(_) | Self::FetchPartitions(_) => Lane::Control,
            Self::FetchMetadataSnapshot(_) => Lane::Control,
            Self::Metadata(_) | Self::MetadataInSnapshot(_) | Self::MetadataSnapshot(_) => Lane::Metadata,
            Self::Partitions(_) => Lane::Records,
        }
    }

    /// The records that it carries, in their order in the message.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut Records> {
        let (metadata, partitions) = match self {
            Self::Metadata(fetched) => (fetched.result.as_mut().ok(), None),
            Self::Partitions(fetched) => (None, Some(fetched.partitions.iter_mut().filter_map(|partition| partition.result.as_mut().ok()))),
            Self::Quorum(_) | Self::FetchMetadata(_) | Self::Call(_) | Self::Decided(_) | Self::FetchPartitions(_) => (None, None),
            Self::MetadataInSnapshot(_) | Self::FetchMetadataSnapshot(_) | Self::MetadataSnapshot(_) => (None, None),
        };
        metadata.into_iter().chain(partitions.into_iter().flatten())
    }
}

/// What a follower wants of the partitions that one node leads. Only what is new since the message before is named: the leader keeps the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPartitions {
    /// The follower's run.
    pub incarnation: IncarnationId,
    /// The follower's registration (KIP-903).
    pub broker_epoch: BrokerEpoch,
    /// Counts the beginnings: a greater number forgets all that was wanted before.
    pub session: u64,
    /// Whether it is the first of its session. A leader that does not know the session of another says so, with an answer numbered 0.
    pub begins: bool,
    /// The last answer of this session that the follower has taken: the leader sends a few ahead of it.
    pub taken: u64,
    /// What is wanted, in place of what was wanted of the same partitions before.
    pub wanted: Vec<WantedPartition>,
    /// Of these nothing is wanted any more.
    pub dropped: Vec<TopicPartition>,
}

/// What a follower wants of a partition: answered once, when there are records for it or a reason why not. What else is new is told meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedPartition {
    /// The partition.
    pub id: TopicPartition,
    /// The epoch whose leader it is for.
    pub leader_epoch: LeaderEpoch,
    /// How far it is: it wants what follows `at.fetch_offset`.
    pub at: Positions,
    /// The epoch of the record before that, none if it holds none.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// The high watermark that it knows of: a greater one is news.
    pub high_watermark: Offset,
    /// Where its log starts: what lies below it can't serve to consumers.
    pub log_start: Offset,
    /// Where it is to start, for what it has heard of its leader's: a greater start is news.
    pub start_heard: Offset,
    /// Bytes that it takes at once: one whole batch always.
    pub bytes_max: u32,
}

impl WantedPartition {
    /// Its follower is told of the leader's high watermark and start.
    pub fn tell(&mut self, high_watermark: Offset, log_start: Offset) {
        self.high_watermark = self.high_watermark.max(high_watermark.min(self.at.fetch_offset));
        if log_start <= self.high_watermark {
            self.start_heard = self.start_heard.max(log_start);
        }
    }

    /// The same, with what its follower was told while it waited as `before`: news of that may have crossed this on the way. One that has cut
    /// its log, or asks another leader, has forgotten it.
    #[must_use]
    pub fn knowing(mut self, before: &Self) -> Self {
        if self.leader_epoch == before.leader_epoch && self.at.fetch_offset >= before.at.fetch_offset {
            self.high_watermark = self.high_watermark.max(before.high_watermark);
            self.start_heard = self.start_heard.max(before.start_heard);
        }
        self
    }
}

/// A leader's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedPartitions {
    /// The follower's run.
    pub incarnation: IncarnationId,
    /// The session that it belongs to.
    pub session: u64,
    /// Its number in the session, from 2; that of the one before, or 1, where every want goes on waiting.
    pub sequence: u64,
    /// What there is to tell.
    pub partitions: Vec<FetchedReplica>,
}

/// News of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedReplica {
    /// The partition.
    pub id: TopicPartition,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The want that it answers.
    pub fetch_offset: Offset,
    /// All below is committed.
    pub high_watermark: Offset,
    /// The leader's first offset.
    pub log_start: Offset,
    /// The records, or why there are none.
    pub result: Result<Records, Unfetched>,
    /// Whether the want goes on waiting: there are no records for it yet.
    pub keeps_want: bool,
    /// For a follower that has to begin anew at `log_start`: a snapshot of the producers that wrote below it alone, which it can't learn from
    /// the log.
    pub producers: Option<Bytes>,
}

/// Why a follower gets no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unfetched {
    /// Its log parts from the leader's there.
    Diverging(EpochEnd),
    /// It holds less than where the leader's log starts, or more than where that ends.
    OutOfRange,
}

/// A fetch of the metadata log. One that comes later stands in the place of one that still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMetadata {
    /// The epoch whose leader it is for.
    pub quorum_epoch: QuorumEpoch,
    /// The folder that the asking node keeps its log in: only a voter's own counts for a commit.
    pub directory: DirectoryId,
    /// What it wants next: it holds all below.
    pub fetch_offset: Offset,
    /// The epoch of the record before that, none if it holds none.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// What it has on disk.
    pub durable_offset: Offset,
    /// The high watermark that it knows of: a greater one is told at once.
    pub high_watermark: Offset,
}

/// The answer to a fetch of the metadata log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedMetadata {
    /// The leader's epoch.
    pub quorum_epoch: QuorumEpoch,
    /// The fetch that it answers.
    pub fetch_offset: Offset,
    /// All below is committed.
    pub high_watermark: Offset,
    /// The records; or where the logs part.
    pub result: Result<Records, EpochEnd>,
}

/// Where a follower finds what the leader's log does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataInSnapshot {
    /// The leader's epoch.
    pub quorum_epoch: QuorumEpoch,
    /// The leader's latest snapshot.
    pub id: SnapshotId,
}

/// A fetch of a piece of a snapshot (KIP-630's FetchSnapshot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMetadataSnapshot {
    /// The epoch whose leader it is for.
    pub quorum_epoch: QuorumEpoch,
    /// The folder that the asking node keeps its log in.
    pub directory: DirectoryId,
    /// The snapshot.
    pub id: SnapshotId,
    /// What of it is there already, in bytes.
    pub position: u64,
    /// Bytes that are wanted at most.
    pub bytes_max: u32,
}

/// A piece of a snapshot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedMetadataSnapshot {
    /// The leader's epoch.
    pub quorum_epoch: QuorumEpoch,
    /// The snapshot.
    pub id: SnapshotId,
    /// Bytes before the piece.
    pub position: u64,
    /// Bytes of the whole.
    pub snapshot_bytes: u64,
    /// The piece.
    pub piece: Bytes,
}

impl fmt::Debug for FetchedMetadataSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quorum_epoch, id, position, snapshot_bytes, piece } = self;
        write!(f, "{} of {snapshot_bytes} bytes from {position} on of snapshot {id} in epoch {quorum_epoch}", piece.len())
    }
}

/// Records on their way: described when they leave, and batches when they come.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Records {
    /// None, or what the store is to send.
    Slice(Option<LogSlice>),
    /// Whole batches of the metadata log, as they stand there.
    Metadata(Vec<Bytes>),
    /// Whole batches of a partition whose CRC and structure are sound, with their offsets and epochs.
    Data(Vec<Batch>),
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slice(slice) => f.debug_tuple("Slice").field(slice).finish(),
            Self::Metadata(batches) => write!(f, "{} batches", batches.len()),
            Self::Data(batches) => write!(f, "{} batches", batches.len()),
        }
    }
}

/// Names a call among those of its caller's incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// Something that the controller is to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerCall {
    /// The call.
    pub id: CallId,
    /// The run of the node that calls: another run waits for no answer.
    pub incarnation: IncarnationId,
    /// What is to be decided.
    pub command: ControllerCommand,
}

/// A command for the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "those of clients are documented by their structs")]
pub enum ControllerCommand {
    CreateTopics(CreateTopicsRequest),
    CreatePartitions(CreatePartitionsRequest),
    DeleteTopics(DeleteTopicsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// Topics that a Metadata request may create, as far as they are missing.
    AutoCreateTopics(Vec<NewTopic>),
    /// A broker has started.
    Register(Registration),
    /// A broker lives.
    Heartbeat(Heartbeat),
    /// A broker needs producer ids.
    AllocateProducerIds,
    /// A leader has found that the ISR of its partitions should be others (KIP-497).
    AlterPartitions(AlterPartitions),
    /// A broker can't use its copies of these partitions before it starts again.
    ReplicasFailed {
        /// The broker's registration.
        broker_epoch: BrokerEpoch,
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Whether records are gone that were kept: then what is left is not relied on. A disk that only failed to do something has them yet.
        are_damaged: bool,
    },
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
    ElectLeaders(ElectLeadersRequest),
    DescribeQuorum(DescribeQuorumRequest),
    UpdateFeatures(UpdateFeaturesRequest),
    UnregisterBroker(UnregisterBrokerRequest),
    AddRaftVoter(AddRaftVoterRequest),
    RemoveRaftVoter(RemoveRaftVoterRequest),
}

/// New ISRs for partitions that one broker leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitions {
    /// The leader's registration.
    pub broker_epoch: BrokerEpoch,
    /// By partition, the epoch that it is led in and the members.
    pub partitions: Vec<(TopicPartition, LeaderEpoch, IsrProposal)>,
}

/// Who should be in sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsrProposal {
    /// The members, with the run that each fetches in; none for the leader itself.
    pub members: Vec<(NodeId, Option<BrokerEpoch>)>,
    /// The state that this is to follow.
    pub partition_epoch: PartitionEpoch,
}

/// A broker that has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// This run of it.
    pub incarnation: IncarnationId,
    /// Its data folder.
    pub directory: DirectoryId,
    /// Its rack.
    pub rack: Option<String>,
    /// Whether the run before ended without a stop: what was only written then may be gone (KIP-966).
    pub was_unclean: bool,
    /// Where clients and nodes find it.
    pub endpoints: Vec<Endpoint>,
}

/// A broker's sign of life (KIP-631).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its registration.
    pub broker_epoch: BrokerEpoch,
    /// It has applied the metadata below.
    pub applied: Offset,
    /// Whether its logs are open, so that it can lead.
    pub is_ready: bool,
    /// Whether it wants to stop, and waits until it leads nothing.
    pub is_stopping: bool,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerDecision {
    /// The call.
    pub id: CallId,
    /// The run of the node that called.
    pub incarnation: IncarnationId,
    /// Everything that was decided lies below.
    pub upto: Offset,
    /// The answer; none if the node is not the controller, or is it no longer.
    pub answer: Option<ControllerAnswer>,
}

/// What the controller says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllerAnswer {
    /// To a client.
    Response(Box<Response>),
    /// It is done, as far as it could be.
    Done,
    /// It was refused.
    Refused(ErrorCode),
    /// Producer ids from here on, a block of them.
    ProducerIds(i64),
    /// These ISRs are refused, in that state of theirs; the others are what was proposed.
    RefusedIsrs(Vec<(TopicPartition, PartitionEpoch)>),
}
