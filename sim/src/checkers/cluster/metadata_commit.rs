//! MetadataCommit: what a leader of the quorum commits a majority of the voters has on disk, and its last entry is of the leader's own epoch
//! (Raft §5.4.2).

use std::collections::BTreeMap;

use gracchus_core::broker::View;
use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::NodeId;
use gracchus_core::offset::Offset;
use gracchus_core::quorum::Role;

use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct MetadataCommit {
    /// What each node has on disk: a process that ends takes nothing of it.
    synced: BTreeMap<NodeId, Offset>,
    committed: Offset,
    /// Who led in which epoch after its last step.
    led: BTreeMap<NodeId, QuorumEpoch>,
}

impl MetadataCommit {
    pub(super) fn step(&mut self, node: NodeId, view: &View<'_>) -> Result<(), Violation> {
        let (Some(log), Some(high_watermark)) = (view.metadata_log(), view.metadata_high_watermark()) else { return Ok(()) };
        self.synced.insert(node, log.synced());
        let (role, quorum_epoch) = view.quorum();
        let leads = matches!(role, Role::Leader(_));
        let led_before = if leads { self.led.insert(node, quorum_epoch) } else { self.led.remove(&node) };
        let is_news = high_watermark > self.committed;
        self.committed = self.committed.max(high_watermark);
        // What it knew when it began to lead others have committed.
        if !leads || led_before != Some(quorum_epoch) || !is_news {
            return Ok(());
        }
        let holders = view.voters().iter().filter(|voter| self.synced.get(&voter.node).is_some_and(|synced| *synced >= high_watermark)).count();
        if holders < view.voters().majority() {
            let what = format!("node {node} commits metadata to {high_watermark}, and {holders} voters have it on disk");
            return Err(Violation::safety("MetadataCommit", what));
        }
        let last = log.epochs().epoch_of(Offset(high_watermark.0 - 1));
        if last != Some(LeaderEpoch(quorum_epoch.0)) {
            let what = format!("node {node} commits metadata to {high_watermark} in epoch {quorum_epoch}, and the last entry is of {last:?}");
            return Err(Violation::safety("MetadataCommit", what));
        }
        Ok(())
    }

    /// An empty disk holds nothing.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.synced.remove(&node);
    }
}
