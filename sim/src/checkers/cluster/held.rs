//! What each node holds of each partition, as it was last seen.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, EpochStart, StorageOp};
use gracchus_core::epoch::{LeaderEpoch, PartitionEpoch};
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::partition::{Partition, PartitionRole, Replica};

/// A copy of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) log_start: Offset,
    pub(super) log_end: Offset,
    pub(super) written: Offset,
    pub(super) synced: Offset,
    pub(super) high_watermark: Offset,
    pub(super) epochs: Vec<EpochStart>,
    pub(super) role: HeldAs,
}

/// What a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeldAs {
    Leader {
        leader_epoch: LeaderEpoch,
        /// The ISR as far as anybody may take it for such.
        maximal: Vec<NodeId>,
        /// How many members it knows the controller to have registered, and in which state.
        isr: usize,
        partition_epoch: PartitionEpoch,
    },
    Follower,
    /// Its node is down, or opens the log.
    Closed,
    /// Its disk has failed.
    Offline,
}

impl Held {
    /// How far it is there after a crash, or, where that is promised, after a power loss.
    pub(super) fn kept(&self, is_flushed: bool) -> Offset {
        if is_flushed { self.synced } else { self.written }
    }

    fn committed_since(&self, before: &Self) -> Option<usize> {
        let HeldAs::Leader { partition_epoch, isr, .. } = &self.role else { return None };
        let HeldAs::Leader { partition_epoch: earlier, .. } = &before.role else { return None };
        (partition_epoch == earlier && self.high_watermark > before.high_watermark).then_some(*isr)
    }

    fn of(replica: &Replica, role: HeldAs) -> Self {
        let log = replica.log();
        Self {
            log_start: log.start(),
            log_end: log.end(),
            written: log.written(),
            synced: log.synced(),
            high_watermark: replica.high_watermark(),
            epochs: log.epochs().starts().to_vec(),
            role,
        }
    }
}

/// A copy that is not what it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub(super) id: TopicPartition,
    /// Whether it holds more for committed than before.
    pub(super) has_committed: bool,
    /// If it leads and has committed more, in one state of the ISR from before the step to behind it: how many were in sync.
    pub(super) committed_with: Option<usize>,
}

/// All nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    copies: BTreeMap<TopicPartition, BTreeMap<NodeId, Held>>,
}

impl Nodes {
    /// Takes what a node holds by now of partitions that have changed. Those of which it holds something else.
    pub(super) fn look(&mut self, node: NodeId, partitions: &[&Partition]) -> Vec<Moved> {
        let mut changed = Vec::new();
        for partition in partitions {
            let known = self.copies.entry(partition.id).or_default();
            let before = known.get(&node);
            let after = look_at(partition, before);
            if after.as_ref() != before
                && let Some(after) = after
            {
                let committed_with = before.and_then(|before| after.committed_since(before));
                let has_committed = before.is_none_or(|before| after.high_watermark > before.high_watermark);
                known.insert(node, after);
                changed.push(Moved { id: partition.id, has_committed, committed_with });
            }
        }
        changed
    }

    /// Takes what a node gives up: a copy that went is no copy any more, whatever befalls the node.
    pub(super) fn gave_up(&mut self, node: NodeId, effects: &Effects) {
        for op in &effects.storage {
            if let StorageOp::Remove { log: LogId::Partition(id) } = op {
                self.copies.entry(*id).or_default().remove(&node);
            }
        }
    }

    pub(super) fn get(&self, node: NodeId, partition: TopicPartition) -> Option<&Held> {
        self.copies.get(&partition)?.get(&node)
    }

    /// All copies of a partition.
    pub(super) fn copies(&self, partition: TopicPartition) -> impl Iterator<Item = (NodeId, &Held)> {
        self.copies.get(&partition).into_iter().flatten().map(|(node, held)| (*node, held))
    }

    /// A node's process has ended: what it had not written is gone.
    pub(super) fn ended(&mut self, node: NodeId) {
        for held in self.copies.values_mut().filter_map(|copies| copies.get_mut(&node)) {
            held.log_end = held.written;
            held.role = HeldAs::Closed;
        }
    }

    /// A node has a log that ends there.
    pub(super) fn cut_to(&mut self, node: NodeId, partition: TopicPartition, end: Offset) {
        if let Some(held) = self.copies.get_mut(&partition).and_then(|copies| copies.get_mut(&node)) {
            held.log_end = held.log_end.min(end);
            held.written = held.written.min(end);
            held.synced = held.synced.min(end);
        }
    }

    /// A node holds nothing.
    pub(super) fn forget(&mut self, node: NodeId) {
        for copies in self.copies.values_mut() {
            copies.remove(&node);
        }
    }
}

fn look_at(partition: &Partition, before: Option<&Held>) -> Option<Held> {
    match &partition.role {
        PartitionRole::Leader(leader) => {
            let role = HeldAs::Leader {
                leader_epoch: leader.leader_epoch(),
                maximal: leader.isr().maximal().collect(),
                isr: leader.isr().committed().len(),
                partition_epoch: leader.isr().partition_epoch(),
            };
            Some(Held::of(leader, role))
        }
        PartitionRole::Follower(follower) => Some(Held::of(&follower.replica, HeldAs::Follower)),
        PartitionRole::Opening { .. } => before.map(|held| Held { role: HeldAs::Closed, ..held.clone() }),
        PartitionRole::Offline(_) => before.map(|held| Held { role: HeldAs::Offline, ..held.clone() }),
    }
}
