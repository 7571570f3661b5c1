//! Partitions as the controller has registered them: the latest state that is committed, as far as any node has applied it.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::broker::View;
use gracchus_core::epoch::BrokerEpoch;
use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::metadata::{ConfigTarget, PartitionRegistration};
use gracchus_core::offset::Offset;

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) topic: String,
    pub(super) state: PartitionRegistration,
    /// So many have to be in sync for a commit.
    pub(super) min_insync: usize,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    upto: Offset,
    partitions: BTreeMap<TopicPartition, Registered>,
    brokers: BTreeMap<NodeId, BrokerEpoch>,
    voters: BTreeSet<NodeId>,
    /// Voters whose disks are gone.
    voters_gone: BTreeSet<NodeId>,
}

impl Registry {
    /// Takes what a node has applied. True if that goes further than any did before.
    pub(super) fn learn(&mut self, view: &View<'_>) -> bool {
        let Some(upto) = view.metadata_high_watermark().filter(|upto| *upto > self.upto) else { return false };
        self.upto = upto;
        self.partitions.clear();
        for (id, topic) in &view.image().topics {
            let configs = view.image().configs_of(&ConfigTarget::Topic(*id));
            let min_insync: usize = configs.get("min.insync.replicas").and_then(|value| value.parse().ok()).unwrap_or(1);
            for (index, state) in &topic.partitions {
                let id = TopicPartition { topic: *id, partition: *index };
                let min_insync = min_insync.min(state.replicas.len());
                self.partitions.insert(id, Registered { topic: topic.name.to_string(), state: state.clone(), min_insync });
            }
        }
        self.brokers = view.image().brokers.iter().map(|(node, broker)| (*node, broker.broker_epoch)).collect();
        self.voters = view.voters().iter().map(|voter| voter.node).collect();
        true
    }

    pub(super) fn get(&self, partition: TopicPartition) -> Option<&Registered> {
        self.partitions.get(&partition)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (TopicPartition, &Registered)> {
        self.partitions.iter().map(|(id, registered)| (*id, registered))
    }

    /// The registration that holds of a broker.
    pub(super) fn broker_epoch(&self, node: NodeId) -> Option<BrokerEpoch> {
        self.brokers.get(&node).copied()
    }

    pub(super) fn voter_gone(&mut self, node: NodeId) {
        self.voters_gone.insert(node);
    }

    /// Whether a majority of the voters is left without this node.
    pub(super) fn may_lose_voter(&self, node: NodeId) -> bool {
        if !self.voters.contains(&node) {
            return !self.voters.is_empty();
        }
        let left = self.voters.iter().filter(|voter| **voter != node && !self.voters_gone.contains(voter)).count();
        left > self.voters.len() / 2
    }
}

impl Registered {
    /// Who has to hold all that is committed.
    pub(super) fn candidates(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.state.isr.iter().chain(&self.state.elr).copied()
    }
}
