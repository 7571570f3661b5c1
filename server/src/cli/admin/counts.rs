//! How many partitions there are, and how many are not as they should be.

use std::collections::BTreeMap;

use kafka_wire::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use serde::Serialize;

use super::under_way::UnderWay;

/// Counts over the whole cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Topics, the cluster's own too.
    pub(super) topics: usize,
    /// Their partitions.
    pub(super) partitions: usize,
    /// Partitions that nobody leads: they can't be read or written.
    pub(super) without_leader: usize,
    /// Partitions with a replica that is not in sync, those left out that a reassignment adds.
    pub(super) under_replicated: usize,
    /// Partitions with fewer replicas in sync than `min.insync.replicas` asks for: acks=all is refused.
    pub(super) under_min_isr: usize,
    /// Replicas on brokers that are down, or on a disk that has failed.
    pub(super) offline_replicas: usize,
    /// Partitions that are being reassigned.
    pub(super) reassigned: usize,
}

impl Counts {
    /// Counts over these topics, of which `min_isr` has `min.insync.replicas`.
    pub(super) fn of(topics: &[MetadataResponseTopic], min_isr: &BTreeMap<String, usize>, under_way: &[UnderWay]) -> Self {
        let adding: BTreeMap<(&str, i32), &[i32]> =
            under_way.iter().map(|moved| ((moved.topic.as_str(), moved.partition), moved.adding.as_slice())).collect();
        let mut counts = Self { topics: topics.len(), reassigned: under_way.len(), ..Self::default() };
        for topic in topics {
            let name = topic.name.as_deref().unwrap_or_default();
            let min_isr = min_isr.get(name).copied().unwrap_or(1);
            for partition in &topic.partitions {
                let adding = adding.get(&(name, partition.partition_index)).copied().unwrap_or_default();
                counts.add(partition, min_isr, adding);
            }
        }
        counts
    }

    fn add(&mut self, partition: &MetadataResponsePartition, min_isr: usize, adding: &[i32]) {
        let settled: Vec<_> = partition.replica_nodes.iter().filter(|node| !adding.contains(node)).collect();
        let isr = &partition.isr_nodes;
        self.partitions += 1;
        self.without_leader += usize::from(partition.leader_id < 0);
        self.under_replicated += usize::from(settled.iter().any(|node| !isr.contains(node)));
        // A partition is not asked for more than it has.
        self.under_min_isr += usize::from(isr.len() < min_isr.min(settled.len()));
        self.offline_replicas += partition.offline_replicas.len();
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire_core::StrBytes;

    use super::*;

    fn partition(number: i32, leader: i32, replicas: &[i32], isr: &[i32], offline: &[i32]) -> MetadataResponsePartition {
        let mut partition = MetadataResponsePartition::default();
        partition.partition_index = number;
        partition.leader_id = leader;
        partition.replica_nodes = replicas.to_vec();
        partition.isr_nodes = isr.to_vec();
        partition.offline_replicas = offline.to_vec();
        partition
    }

    fn topic(name: &str, partitions: Vec<MetadataResponsePartition>) -> MetadataResponseTopic {
        let mut topic = MetadataResponseTopic::default();
        topic.name = Some(StrBytes::from(name));
        topic.partitions = partitions;
        topic
    }

    #[test]
    fn what_is_not_as_it_should_be_is_counted() {
        let lost = topic("lost", vec![partition(0, -1, &[3], &[], &[3]), partition(1, 1, &[1], &[1], &[])]);
        let short = topic("short", vec![partition(0, 1, &[1, 2, 3], &[1], &[2, 3]), partition(1, 1, &[1, 2, 3], &[1, 2], &[3])]);
        let min_isr = BTreeMap::from([("lost".to_owned(), 2), ("short".to_owned(), 2)]);
        let counts = Counts::of(&[lost, short], &min_isr, &[]);
        let expected =
            Counts { topics: 2, partitions: 4, without_leader: 1, under_replicated: 3, under_min_isr: 2, offline_replicas: 4, reassigned: 0 };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_replica_that_a_reassignment_adds_is_not_missed() {
        let moving = topic("moving", vec![partition(0, 1, &[2, 3, 1], &[1, 2], &[]), partition(1, 1, &[1, 2], &[1], &[])]);
        let adding = |partition, adding: &[i32]| UnderWay {
            topic: "moving".to_owned(),
            partition,
            replicas: Vec::new(),
            adding: adding.to_vec(),
            removing: Vec::new(),
        };
        let min_isr = BTreeMap::from([("moving".to_owned(), 3)]);
        let counts = Counts::of(std::slice::from_ref(&moving), &min_isr, &[adding(0, &[3]), adding(1, &[])]);
        assert_eq!((counts.under_replicated, counts.under_min_isr, counts.reassigned), (1, 1, 2));
    }
}
