//! MetadataCommit: what a leader of the quorum commits a majority of those has on disk who vote by its log, and its last entry is of the
//! leader's own epoch (Raft §5.4.2). A voter is a node with its folder: what another folder of the node holds is nothing.

use std::collections::BTreeMap;

use gracchus_core::broker::Broker;
use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::NodeId;
use gracchus_core::offset::Offset;
use gracchus_core::quorum::Role;
use gracchus_core::record::Voter;

use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct MetadataCommit {
    /// What each node has on disk, in each of its folders: a process that ends takes nothing of it.
    synced: BTreeMap<Voter, Offset>,
    committed: Offset,
    /// Who led in which epoch after its last step.
    led: BTreeMap<NodeId, QuorumEpoch>,
}

impl MetadataCommit {
    /// `voters` are those who voted by the node's log before the step.
    pub(super) fn step(&mut self, broker: &Broker, voters: &[Voter]) -> Result<(), Violation> {
        let (node, view) = (broker.settings().node, broker.view());
        let member = Voter { node, directory: broker.settings().directory };
        let (Some(log), Some(high_watermark)) = (view.metadata_log(), view.metadata_high_watermark()) else { return Ok(()) };
        self.synced.insert(member, log.synced());
        let (role, quorum_epoch) = view.quorum();
        let leads = matches!(role, Role::Leader(_));
        let led_before = if leads { self.led.insert(node, quorum_epoch) } else { self.led.remove(&node) };
        let is_news = high_watermark > self.committed;
        self.committed = self.committed.max(high_watermark);
        // What it knew when it began to lead others have committed.
        if !leads || led_before != Some(quorum_epoch) || !is_news {
            return Ok(());
        }
        let holders = voters.iter().filter(|voter| self.synced.get(voter).is_some_and(|synced| *synced >= high_watermark)).count();
        if holders <= voters.len() / 2 {
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
}
