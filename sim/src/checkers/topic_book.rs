//! Which partition has which name and durability, as the node told its store.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Durability, Effects, LogSettings, StorageOp};
use gracchus_core::ids::{LogId, PartitionIndex, TopicName, TopicPartition};

/// A partition's name and how it is kept.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: TopicName,
    pub(super) durability: Durability,
}

#[derive(Debug, Default)]
pub(super) struct TopicBook {
    partitions: BTreeMap<TopicPartition, Topic>,
    /// The newest topic of a name.
    by_name: BTreeMap<(TopicName, PartitionIndex), TopicPartition>,
}

impl TopicBook {
    pub(super) fn learn(&mut self, effects: &Effects) {
        for op in &effects.storage {
            if let StorageOp::Open { log: LogId::Partition(partition), topic, settings } = op {
                let LogSettings { durability, .. } = settings;
                self.partitions.insert(*partition, Topic { name: topic.clone(), durability: *durability });
                self.by_name.insert((topic.clone(), partition.partition), *partition);
            }
        }
    }

    /// The partition that a folder of the disk is for.
    pub(super) fn of_folder(&self, folder: &str) -> Option<TopicPartition> {
        let (name, index) = folder.rsplit_once('-')?;
        let index = PartitionIndex(index.parse().ok()?);
        self.by_name.iter().find(|((known, partition), _)| known.as_str() == name && *partition == index).map(|(_, partition)| *partition)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (TopicPartition, &Topic)> {
        self.partitions.iter().map(|(partition, topic)| (*partition, topic))
    }

    pub(super) fn get(&self, partition: TopicPartition) -> Option<&Topic> {
        self.partitions.get(&partition)
    }

    pub(super) fn durability(&self, partition: TopicPartition) -> Option<Durability> {
        self.get(partition).map(|topic| topic.durability)
    }

    pub(super) fn find(&self, name: &TopicName, partition: PartitionIndex) -> Option<TopicPartition> {
        self.by_name.get(&(name.clone(), partition)).copied()
    }
}
