//! Votes: a member votes once an epoch, its vote is kept before anybody is told of it, itself included, and who leads has the votes of a
//! majority of those who vote by its own log. A member is a node with its folder.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, ElectionState, Input, PeerMessage, StorageDone};
use gracchus_core::broker::Broker;
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::NodeId;
use gracchus_core::quorum::{QuorumMessage, Role};
use gracchus_core::record::Voter;

use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct Votes {
    /// What each node's disk holds.
    kept: BTreeMap<NodeId, ElectionState>,
    /// Whom each node is known to have voted for.
    cast: BTreeMap<(Voter, QuorumEpoch), NodeId>,
    /// Who has been seen to lead, and in which epoch.
    leading: BTreeMap<NodeId, QuorumEpoch>,
}

impl Votes {
    /// `voters` are those who vote by the node's log.
    pub(super) fn step(&mut self, broker: &Broker, input: &Input, effects: &Effects, voters: &[Voter]) -> Result<(), Violation> {
        let (node, view) = (broker.settings().node, broker.view());
        let member = Voter { node, directory: broker.settings().directory };
        if let Input::Storage(StorageDone::ElectionKept(kept)) = input {
            self.kept.insert(node, kept.clone());
        }
        for told in &effects.peers {
            if let PeerMessage::Quorum(QuorumMessage::Voted(vote)) = &told.message
                && vote.is_granted
                && !vote.is_pre_vote
            {
                self.cast(member, vote.asked_epoch, told.to)?;
            }
        }
        if let (Role::Leader(_), quorum_epoch) = view.quorum() {
            self.cast(member, quorum_epoch, node)?;
            if self.leading.insert(node, quorum_epoch) != Some(quorum_epoch) {
                self.is_elected(node, quorum_epoch, voters)?;
            }
        }
        Ok(())
    }

    fn is_elected(&self, node: NodeId, quorum_epoch: QuorumEpoch, voters: &[Voter]) -> Result<(), Violation> {
        let granting = voters.iter().filter(|voter| self.cast.get(&(**voter, quorum_epoch)) == Some(&node)).count();
        if granting > voters.len() / 2 {
            return Ok(());
        }
        let what = format!("node {node} leads epoch {quorum_epoch} by {granting} votes, and {} vote", voters.len());
        Err(Violation::safety("ElectionSafety", what))
    }

    fn cast(&mut self, member: Voter, quorum_epoch: QuorumEpoch, candidate: NodeId) -> Result<(), Violation> {
        let node = member.node;
        let first = *self.cast.entry((member, quorum_epoch)).or_insert(candidate);
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
