//! The metadata quorum: who may append to the metadata log.
//!
//! | from | on | to |
//! | --- | --- | --- |
//! | unattached | its vote and its log are loaded, and it is the only voter | candidate: epoch + 1, a vote for itself |
//! | candidate | the vote is on disk, and the votes are a majority | leader |
//! | any | its disk fails | resigned, for the rest of this run |
//!
//! A vote counts, even a node's own, only once it is on disk (Raft §5.2, KIP-595). This is a quorum of one voter: it needs no election timer.

use serde::{Deserialize, Serialize};

use crate::boundary::ElectionState;
use crate::epoch::QuorumEpoch;
use crate::ids::NodeId;

/// A voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    node: NodeId,
    quorum_epoch: QuorumEpoch,
    role: Role,
}

/// What a voter is in its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Knows no leader.
    Unattached,
    /// Asks for votes.
    Candidate,
    /// Appends.
    Leader,
    /// Lost its disk.
    Resigned,
}

impl Quorum {
    /// A voter that knows nothing yet.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self { node, quorum_epoch: QuorumEpoch::ZERO, role: Role::Unattached }
    }

    /// Stands for election in the epoch after any that it knows of, by its last vote or its log, and says what must be on disk before the vote
    /// counts.
    pub fn stand(&mut self, last: Option<&ElectionState>, in_log: Option<QuorumEpoch>) -> ElectionState {
        assert_eq!(self.role, Role::Unattached, "only a voter that knows no leader stands");
        let known = last.map(|last| last.quorum_epoch).max(in_log);
        self.quorum_epoch = known.unwrap_or(QuorumEpoch::ZERO).next();
        self.role = Role::Candidate;
        ElectionState { quorum_epoch: self.quorum_epoch, voted_for: Some(self.node), leader: None }
    }

    /// Takes that its vote is on disk; says whether it leads from here on.
    pub fn vote_kept(&mut self, kept: &ElectionState) -> bool {
        let is_elected = self.role == Role::Candidate && kept.quorum_epoch == self.quorum_epoch && kept.voted_for == Some(self.node);
        if is_elected {
            self.role = Role::Leader;
        }
        is_elected
    }

    /// Gives up: its disk has failed.
    pub fn resign(&mut self) {
        self.role = Role::Resigned;
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its epoch.
    #[must_use]
    pub fn quorum_epoch(&self) -> QuorumEpoch {
        self.quorum_epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_counts_once_it_is_on_disk() {
        let mut quorum = Quorum::new(NodeId(1));
        let vote = quorum.stand(None, None);
        assert_eq!((vote.quorum_epoch, quorum.role()), (QuorumEpoch(1), Role::Candidate));
        assert!(quorum.vote_kept(&vote));
        assert_eq!(quorum.role(), Role::Leader);
    }

    #[test]
    fn an_epoch_is_never_led_twice() {
        let mut before = Quorum::new(NodeId(1));
        let vote = before.stand(None, None);
        let mut after = Quorum::new(NodeId(1));
        let vote_after = after.stand(Some(&vote), None);
        assert!(vote_after.quorum_epoch > vote.quorum_epoch);
        assert!(!after.vote_kept(&vote), "the vote of an older epoch elects nobody");
    }
}
