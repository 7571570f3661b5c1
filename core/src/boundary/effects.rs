//! What a step asks of the world.

use serde::{Deserialize, Serialize};

use super::peer::{PeerMessage, ToPeer};
use super::response::Response;
use super::storage::StorageOp;
use crate::ids::{NodeId, RequestId};

/// The outcome of a step. Among themselves effects have no order, except that operations on one log and messages to one
/// node stay in theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// Answers to clients.
    pub replies: Vec<Reply>,
    /// Messages to other nodes; first in, first out for each node and lane.
    pub peers: Vec<ToPeer>,
    /// Work for the store; first in, first out for each log.
    pub storage: Vec<StorageOp>,
    /// Rare events that were reached, for the simulator's statistics.
    pub marks: Vec<Mark>,
    /// Lines for the operator's log, in no order with the other effects.
    pub notices: Vec<Notice>,
    /// Whether the committed metadata changed: topics, configurations or brokers' endpoints that connections act on are to be published again.
    pub metadata_changed: bool,
    /// Whether a stop that was asked for is complete.
    pub stopped: bool,
}

impl Effects {
    /// Empties every vector and keeps the memory.
    pub fn clear(&mut self) {
        let Self { replies, peers, storage, marks, notices, metadata_changed, stopped } = self;
        replies.clear();
        peers.clear();
        storage.clear();
        marks.clear();
        notices.clear();
        *metadata_changed = false;
        *stopped = false;
    }

    /// Whether the step asked for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
            && self.peers.is_empty()
            && self.storage.is_empty()
            && self.marks.is_empty()
            && self.notices.is_empty()
            && !self.metadata_changed
            && !self.stopped
    }

    /// Tells the operator something worth knowing.
    pub fn info(&mut self, text: String) {
        self.notices.push(Notice { severity: Severity::Info, text });
    }

    /// Tells the operator that something was lost or will be.
    pub fn error(&mut self, text: String) {
        self.notices.push(Notice { severity: Severity::Error, text });
    }

    /// Sends a message to another node.
    pub fn tell(&mut self, to: NodeId, message: PeerMessage) {
        self.peers.push(ToPeer { to, message });
    }

    /// Notes that a rare event was reached.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }
}

/// An answer to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request that it answers.
    pub id: RequestId,
    /// The answer.
    pub response: Response,
}

/// Something that an operator should read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How bad it is.
    pub severity: Severity,
    /// The words.
    pub text: String,
}

/// How bad a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something was lost or will be, unless somebody acts.
    Error,
}

/// A rare event that a simulated run should reach now and then. Named for what happened, not for where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mark {
    /// A retried batch was answered with the offset of its first append.
    DuplicateBatchAnswered,
    /// A batch with a gap before it was refused.
    OutOfOrderSequence,
    /// A gap was not told of to a producer whose batch before was refused for the moment.
    RefusedBehindRefused,
    /// A batch of an older producer epoch was refused.
    ProducerFenced,
    /// An idempotent producer that the partition does not know started past sequence 0 (KIP-360).
    UnknownProducerStarted,
    /// A coordinator of groups has read what one before it kept.
    GroupsLoaded,
    /// A coordinator of groups lost its log while somebody waited for a commit.
    CoordinatorDeposed,
    /// A group of the classic protocol became one of the consumer protocol (KIP-848).
    GroupUpgraded,
    /// The last member of the consumer protocol went, and left a group of the classic one.
    GroupDowngraded,
    /// A member was told to give up partitions before it gets others.
    MemberUnrevoked,
    /// A member waits for what others have not given up.
    MemberUnreleased,
    /// A member has not given up in time what it was told to, and is gone.
    RevocationOverdue,
    /// A static member took the place of the one that bore its name before (KIP-345).
    StaticMemberSucceeded,
    /// A fetch waited for data and got it.
    FetchWokenByAppend,
    /// A fetch waited to the end of its time.
    FetchTimedOut,
    /// A fetch below the log's start was refused.
    FetchBelowLogStart,
    /// A fetch ahead of the high watermark was refused.
    FetchAboveLogEnd,
    /// A consumer was told of a replica that stands in its own rack (KIP-392).
    PreferredReplicaNamed,
    /// A consumer read from a follower.
    FollowerRead,
    /// A DeleteRecords waited for others after the leader's own log started there.
    DeletionAwaitedReplicas,
    /// Producers waited for a sync while more was appended: a group was committed at once.
    GroupCommit,
    /// A topic was deleted while appends to it were in flight.
    TopicDeletedWithAppendsInFlight,
    /// A partition was opened with a tail that had to be cut.
    TornTailCut,
    /// A partition was opened with damage in what had been synced.
    DamageFound,
    /// Segments were deleted for their age or the log's size.
    RetentionAdvanced,
    /// Closed segments were replaced by what compaction has left of them.
    SegmentsCompacted,
    /// A follower was inside of what its leader has compacted away.
    FollowerInsideFiller,
    /// DeleteRecords moved a log's start.
    RecordsDeleted,
    /// DeleteRecords took all that a log had.
    LogEmptied,
    /// A topic was altered to `flushed` while the disk did not have all of it.
    DurabilityRaised,
    /// A produce was refused because the disk is nearly full.
    ProduceRefusedForSpace,
    /// An append or a sync failed and the replica went offline.
    ReplicaFailed,
    /// The producer state was rebuilt from batches behind a snapshot.
    ProducersRebuilt,
    /// A completion was ignored: the log had moved on since.
    StaleCompletionIgnored,
    /// A node would not have got a majority of the votes, and did not disturb the quorum by asking for them (KIP-996).
    PreVoteRefused,
    /// A leader of the quorum heard from no majority and resigned.
    LeaderResigned,
    /// A member cut records from its metadata log that were never committed.
    MetadataTruncated,
    /// A leader of the quorum lost its epoch with decisions that were not committed.
    DecisionsAbandoned,
    /// A broker was fenced for its silence.
    BrokerFenced,
    /// A leader of a partition was deposed.
    LeaderDeposed,
    /// A follower cut records of a partition that its leader does not have.
    FollowerTruncated,
    /// The controller has heard that nobody listens any longer where a node was, which gets no time to show that it lives.
    BrokerGone,
    /// A Metadata request waited for a leader in the place of one that may be gone, and was told of one.
    MetadataAwaitedLeader,
    /// A node was told who the controllers are.
    ControllersFound,
    /// A follower's log began anew, where its leader's begins.
    FollowerBeganAnew,
    /// A leader proposed a smaller ISR.
    IsrShrunk,
    /// A leader proposed a larger ISR.
    IsrExpanded,
    /// A leader that the controller did not answer for a session told its producers so.
    CutOffLeaderAnswered,
    /// A batch was committed once a follower had it.
    CommittedByFollower,
    /// A replica led that was not in sync, and eligible (KIP-966).
    EligibleLeaderElected,
    /// Who had led last, or was eligible last, led again, since nobody else was left.
    LastKnownLeaderElected,
    /// A broker registered whose run before had ended without a stop.
    UncleanRestart,
    /// A follower appended the batch that its log starts inside of.
    LogBegunInsideBatch,
    /// A reassignment was completed: replicas went.
    ReassignmentCompleted,
    /// A follower said how far it is while an answer was on its way to it.
    WantCrossedAnswer,
    /// A replica that catches up was kept waiting for the rate that it may be sent at (KIP-73).
    ReplicaThrottled,
    /// A replica that catches up was kept waiting so that clients who write are not.
    CatchUpPaced,
    /// A preferred replica led again while the one before it was up.
    PreferredLeaderElected,
    /// The folder of a voter was written down that the settings name without one.
    VoterPinned,
    /// A node became a voter.
    VoterAdded,
    /// A voter became none.
    VoterRemoved,
    /// A node has put a snapshot of the cluster's metadata on its disk.
    MetadataSnapshotTaken,
    /// A node has started from a snapshot of the cluster's metadata.
    MetadataSnapshotLoaded,
    /// A node went on without a snapshot of the cluster's metadata that was damaged.
    MetadataSnapshotRefused,
    /// A leader has dropped metadata records that a snapshot stands for, or a follower has.
    MetadataTrimmed,
    /// A member took a snapshot from the leader in place of records that this one holds no longer.
    CaughtUpFromSnapshot,
}
