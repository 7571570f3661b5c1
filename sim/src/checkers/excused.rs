//! Partitions that lost what no promise covers: nothing is owed of them any more.

use std::collections::BTreeSet;

use gracchus_core::ids::TopicPartition;

#[derive(Debug, Default)]
pub(super) struct Excused {
    partitions: BTreeSet<TopicPartition>,
}

impl Excused {
    pub(super) fn add(&mut self, partition: TopicPartition) {
        self.partitions.insert(partition);
    }

    pub(super) fn has(&self, partition: TopicPartition) -> bool {
        self.partitions.contains(&partition)
    }
}
