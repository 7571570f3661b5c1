//! Who leads a partition.

use crate::ids::{NodeId, TopicPartition};
use crate::metadata::{Image, MetadataRecord, PartitionRegistration};

/// The partitions that change their leader because `node` leads no longer. One that nobody else is in sync with stays with it: clients are
/// told of no leader while that is fenced.
pub(super) fn without(image: &Image, node: NodeId) -> impl Iterator<Item = MetadataRecord> + '_ {
    partitions(image).filter(move |(_, partition)| partition.leader == Some(node)).filter_map(move |(id, partition)| {
        let is_up = |member: &NodeId| *member != node && image.brokers.get(member).is_some_and(|broker| !broker.is_fenced);
        let successor = partition.isr.iter().copied().find(is_up)?;
        Some(change(id, partition, Some(successor)))
    })
}

/// The partitions that `node` is to lead from here on: those of which it is in sync and that nobody else leads.
pub(super) fn with(image: &Image, node: NodeId) -> impl Iterator<Item = MetadataRecord> + '_ {
    partitions(image)
        .filter(move |(_, partition)| partition.isr.contains(&node) && partition.leader.is_none_or(|leader| leader == node))
        .map(move |(id, partition)| change(id, partition, Some(node)))
}

fn change(id: TopicPartition, partition: &PartitionRegistration, leader: Option<NodeId>) -> MetadataRecord {
    MetadataRecord::LeaderChange { id, leader, leader_epoch: partition.leader_epoch.next() }
}

fn partitions(image: &Image) -> impl Iterator<Item = (TopicPartition, &PartitionRegistration)> {
    image.topics.iter().flat_map(|(topic, registered)| {
        registered.partitions.iter().map(|(index, partition)| (TopicPartition { topic: *topic, partition: *index }, partition))
    })
}
