//! Monotonic: a member's quorum epoch never goes back, across restarts too; what is known to be committed of the metadata log never does, and
//! who leads it holds all of that (LeaderCompleteness).

use std::collections::BTreeMap;

use gracchus_core::broker::View;
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::NodeId;
use gracchus_core::offset::Offset;
use gracchus_core::quorum::Role;

use crate::checkers::Violation;

#[derive(Debug)]
pub(super) struct Monotonic {
    quorum_epochs: BTreeMap<NodeId, QuorumEpoch>,
    high_watermarks: BTreeMap<NodeId, Offset>,
    /// The furthest that any member knew to be committed, and by which epoch.
    committed: Offset,
    latest_leader: QuorumEpoch,
}

impl Default for Monotonic {
    fn default() -> Self {
        Self { quorum_epochs: BTreeMap::new(), high_watermarks: BTreeMap::new(), committed: Offset::ZERO, latest_leader: QuorumEpoch::ZERO }
    }
}

impl Monotonic {
    pub(super) fn step(&mut self, node: NodeId, view: &View<'_>) -> Result<(), Violation> {
        let (role, quorum_epoch) = view.quorum();
        let fell = |what: String| Err(Violation::safety("Monotonic", what));
        // A node that has just started has not read its vote yet.
        let has_started = quorum_epoch > QuorumEpoch::ZERO;
        if let Some(before) = self.quorum_epochs.get(&node).filter(|before| has_started && **before > quorum_epoch) {
            return fell(format!("node {node} goes back from quorum epoch {before} to {quorum_epoch}"));
        }
        if has_started {
            self.quorum_epochs.insert(node, quorum_epoch);
        }
        if let Some(high_watermark) = view.metadata_high_watermark() {
            let before = self.high_watermarks.insert(node, high_watermark);
            if let Some(before) = before.filter(|before| *before > high_watermark) {
                return fell(format!("node {node}'s metadata high watermark goes back from {before} to {high_watermark}"));
            }
            self.committed = self.committed.max(high_watermark);
        }
        if let Role::Leader(_) = role
            && quorum_epoch > self.latest_leader
        {
            self.latest_leader = quorum_epoch;
            let log_end = view.metadata_log().map(|log| log.end()).unwrap_or_default();
            if log_end < self.committed {
                let what = format!("node {node} leads quorum epoch {quorum_epoch} with metadata to {log_end} of {}", self.committed);
                return Err(Violation::safety("LeaderCompleteness", what));
            }
        }
        Ok(())
    }

    /// What a node knows to be committed it learns anew, and of its epochs it knows the one that it had kept.
    pub(super) fn ended(&mut self, node: NodeId, kept: Option<QuorumEpoch>) {
        self.high_watermarks.remove(&node);
        match kept {
            Some(kept) => self.quorum_epochs.insert(node, kept),
            None => self.quorum_epochs.remove(&node),
        };
    }

    /// An empty disk knows no epoch.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.quorum_epochs.remove(&node);
    }
}
