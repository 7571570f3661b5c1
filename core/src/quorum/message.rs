//! What members of the quorum tell each other. Each message may be lost, doubled or late.

use serde::{Deserialize, Serialize};

use crate::epoch::{LeaderEpoch, QuorumEpoch};
use crate::ids::{DirectoryId, NodeId};
use crate::offset::Offset;
use crate::record::Voter;

/// A message between members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuorumMessage {
    /// Asks for a vote.
    Vote(VoteRequest),
    /// Answers that.
    Voted(Vote),
    /// The sender leads its epoch.
    Begin {
        /// The epoch.
        quorum_epoch: QuorumEpoch,
    },
    /// What the sender knows. Whoever knows better says so.
    Known(Known),
    /// The sender led its epoch and does not any longer.
    End {
        /// The epoch.
        quorum_epoch: QuorumEpoch,
        /// Who should stand for election, the best first.
        successors: Vec<NodeId>,
    },
}

/// Asks for a vote (KIP-595), or whether it would be given (KIP-996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRequest {
    /// The candidate's epoch: the one that it wants to lead, or beforehand the one that it is in.
    pub quorum_epoch: QuorumEpoch,
    /// Who asks.
    pub candidate: Voter,
    /// Whose vote is asked for: one that was formatted anew is not that voter any more.
    pub voter: Voter,
    /// Where the candidate's log ends.
    pub log_end: LogEnd,
    /// Whether this is only asked beforehand: a promise of nothing.
    pub is_pre_vote: bool,
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// What the voter knows.
    pub known: Known,
    /// The epoch that was asked about.
    pub asked_epoch: QuorumEpoch,
    /// Whether it is granted.
    pub is_granted: bool,
    /// As it was asked.
    pub is_pre_vote: bool,
    /// The folder that keeps it: of a voter only the vote in its own folder counts (KIP-853).
    pub directory: DirectoryId,
}

/// An epoch and its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The latest epoch that the sender knows of.
    pub quorum_epoch: QuorumEpoch,
    /// Who leads it, if the sender knows.
    pub leader: Option<NodeId>,
}

/// Where a metadata log ends. One that is greater holds at least all that was ever committed in the other (Raft §5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogEnd {
    /// The epoch of its last batch, -1 without any.
    pub leader_epoch: LeaderEpoch,
    /// Behind its last batch.
    pub end_offset: Offset,
}
