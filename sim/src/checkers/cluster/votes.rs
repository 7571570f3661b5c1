//! Votes: a member votes once an epoch, and its vote is kept before anybody is told of it, itself included.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, ElectionState, Input, PeerMessage, StorageDone};
use gracchus_core::broker::View;
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::NodeId;
use gracchus_core::quorum::{QuorumMessage, Role};

use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct Votes {
    /// What each node's disk holds.
    kept: BTreeMap<NodeId, ElectionState>,
    /// Whom each node is known to have voted for.
    cast: BTreeMap<(NodeId, QuorumEpoch), NodeId>,
}

impl Votes {
    pub(super) fn step(&mut self, node: NodeId, input: &Input, effects: &Effects, view: &View<'_>) -> Result<(), Violation> {
        if let Input::Storage(StorageDone::ElectionKept(kept)) = input {
            self.kept.insert(node, kept.clone());
        }
        for told in &effects.peers {
            if let PeerMessage::Quorum(QuorumMessage::Voted(vote)) = &told.message
                && vote.is_granted
                && !vote.is_pre_vote
            {
                self.cast(node, vote.asked_epoch, told.to)?;
            }
        }
        if let (Role::Leader(_), quorum_epoch) = view.quorum() {
            self.cast(node, quorum_epoch, node)?;
        }
        Ok(())
    }

    fn cast(&mut self, node: NodeId, quorum_epoch: QuorumEpoch, candidate: NodeId) -> Result<(), Violation> {
        let first = *self.cast.entry((node, quorum_epoch)).or_insert(candidate);
        if first != candidate {
            let what = format!("node {node} votes for {candidate} in epoch {quorum_epoch}, and has voted for {first}");
            return Err(Violation::safety("Votes", what));
        }
        let kept = self.kept.get(&node);
        let is_kept = kept.is_some_and(|kept| {
            let is_this = kept.quorum_epoch == quorum_epoch && kept.voted_for.is_some_and(|voted| voted.node == candidate);
            // A later epoch may have come while the answer waited.
            is_this || kept.quorum_epoch > quorum_epoch
        });
        if !is_kept {
            let what = format!("node {node} has voted for {candidate} in epoch {quorum_epoch}, and keeps {kept:?}");
            return Err(Violation::safety("Votes", what));
        }
        Ok(())
    }

    /// The epoch that a node's disk holds.
    pub(super) fn kept_epoch(&self, node: NodeId) -> Option<QuorumEpoch> {
        self.kept.get(&node).map(|kept| kept.quorum_epoch)
    }

    /// An empty disk keeps no vote.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.kept.remove(&node);
    }
}
