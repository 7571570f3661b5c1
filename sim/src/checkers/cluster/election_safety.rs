//! ElectionSafety: at most one leader an epoch, of the metadata quorum and of each partition.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::broker::View;
use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::partition::Partition;
use gracchus_core::quorum::Role;

use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    quorum: BTreeMap<QuorumEpoch, NodeId>,
    partitions: BTreeMap<(TopicPartition, LeaderEpoch), NodeId>,
}

impl ElectionSafety {
    pub(super) fn step(&mut self, node: NodeId, view: &View<'_>, changed: &[&Partition]) -> Result<(), Violation> {
        let (role, quorum_epoch) = view.quorum();
        if let Role::Leader(_) = role {
            let first = *self.quorum.entry(quorum_epoch).or_insert(node);
            if first != node {
                return Err(Violation::safety("ElectionSafety", format!("nodes {first} and {node} lead quorum epoch {quorum_epoch}")));
            }
        }
        for (id, leader) in changed.iter().filter_map(|held| Some((held.id, held.leader().ok()?))) {
            let first = *self.partitions.entry((id, leader.leader_epoch())).or_insert(node);
            if first != node {
                let what = format!("nodes {first} and {node} lead {id} in epoch {}", leader.leader_epoch());
                return Err(Violation::safety("ElectionSafety", what));
            }
        }
        Ok(())
    }

    /// How often the quorum has had another leader than its first, and partitions another epoch than theirs.
    pub(super) fn elections(&self) -> (usize, usize) {
        let partitions: BTreeSet<TopicPartition> = self.partitions.keys().map(|(partition, _)| *partition).collect();
        (self.quorum.len().saturating_sub(1), self.partitions.len() - partitions.len())
    }
}
