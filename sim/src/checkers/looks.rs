//! Which of a node's partitions a step has changed, as far as any checker looks: most steps change one or none, and only what has changed can
//! break a property that held before.

use std::collections::BTreeMap;

use gracchus_core::boundary::EpochStart;
use gracchus_core::broker::Broker;
use gracchus_core::epoch::{LeaderEpoch, PartitionEpoch};
use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::partition::{Partition, PartitionRole};

#[derive(Debug, Default)]
pub(super) struct Looks {
    seen: BTreeMap<NodeId, BTreeMap<TopicPartition, Look>>,
}

/// All that checkers take from a partition. Sets of nodes are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    role: RoleSeen,
    /// Start, end, written, synced, high watermark.
    offsets: Option<[Offset; 5]>,
    /// How many epochs its log has, the first and the last with their starts.
    epochs: (usize, Option<EpochStart>, Option<EpochStart>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoleSeen {
    Leader { leader_epoch: LeaderEpoch, partition_epoch: PartitionEpoch, maximal: u64, committed: usize, replicas: usize },
    Follower,
    Opening,
    Offline,
}

impl Looks {
    /// The partitions of a node that are not what they were at its step before.
    pub(super) fn changed<'a>(&mut self, node: NodeId, broker: &'a Broker) -> Vec<&'a Partition> {
        let seen = self.seen.entry(node).or_default();
        let (mut changed, mut count) = (Vec::new(), 0);
        for partition in broker.view().partitions() {
            count += 1;
            let look = Look::at(partition);
            if seen.get(&partition.id) != Some(&look) {
                seen.insert(partition.id, look);
                changed.push(partition);
            }
        }
        if seen.len() > count {
            // One that comes again is another copy.
            let mut held = broker.view().partitions().map(|partition| partition.id).peekable();
            seen.retain(|id, _| held.next_if_eq(id).is_some());
        }
        changed
    }

    /// What the checkers know has changed by itself: each node's next step is looked at as a whole.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }
}

impl Look {
    fn at(partition: &Partition) -> Self {
        let role = match &partition.role {
            PartitionRole::Leader(leader) => RoleSeen::Leader {
                leader_epoch: leader.leader_epoch(),
                partition_epoch: leader.isr().partition_epoch(),
                maximal: leader.isr().maximal().fold(0, |bits, node| bits | bit(node)),
                committed: leader.isr().committed().len(),
                replicas: leader.isr().replicas().len(),
            },
            PartitionRole::Follower(_) => RoleSeen::Follower,
            PartitionRole::Opening { .. } => RoleSeen::Opening,
            PartitionRole::Offline(_) => RoleSeen::Offline,
        };
        let replica = partition.replica();
        let starts = replica.map(|replica| replica.log().epochs().starts()).unwrap_or_default();
        let offsets = replica.map(|replica| {
            let log = replica.log();
            [log.start(), log.end(), log.written(), log.synced(), replica.high_watermark()]
        });
        Self { role, offsets, epochs: (starts.len(), starts.first().copied(), starts.last().copied()) }
    }
}

fn bit(node: NodeId) -> u64 {
    1 << u32::try_from(node.0).ok().filter(|number| *number < 64).expect("nodes are few")
}
