//! Which partition has which name and durability, as the node told its store.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Durability, Effects, LogSettings, StorageOp};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{LogId, PartitionIndex, TopicName, TopicPartition};
use gracchus_core::metadata::ConfigTarget;

/// A partition's name and how it is kept.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: TopicName,
    /// The weakest that it ever was: what is promised of a topic once it has been altered is for AlteredDurability to say.
    pub(super) durability: Durability,
    /// A segment is not longer, so neither is a batch.
    pub(super) segment_bytes_max: u32,
    /// Whether it was deleted.
    pub(super) is_removed: bool,
    /// Whether it is compacted, from when it was made on.
    pub(super) is_compacted: bool,
}

#[derive(Debug, Default)]
pub(super) struct TopicBook {
    partitions: BTreeMap<TopicPartition, Topic>,
    /// The newest topic of a name.
    by_name: BTreeMap<(TopicName, PartitionIndex), TopicPartition>,
}

impl TopicBook {
    pub(super) fn learn(&mut self, effects: &Effects, broker: &Broker) {
        for op in &effects.storage {
            match op {
                StorageOp::Open { log: LogId::Partition(partition), topic, settings } => {
                    let opened = || Topic {
                        name: topic.clone(),
                        durability: settings.durability,
                        segment_bytes_max: settings.segment_bytes_max,
                        is_removed: false,
                        is_compacted: is_compacted(*partition, broker),
                    };
                    self.partitions.entry(*partition).or_insert_with(opened).weaken(settings);
                    self.by_name.insert((topic.clone(), partition.partition), *partition);
                }
                StorageOp::Configure { log: LogId::Partition(partition), settings } => {
                    if let Some(topic) = self.partitions.get_mut(partition) {
                        topic.weaken(settings);
                    }
                }
                StorageOp::Remove { log: LogId::Partition(partition) } => {
                    if let Some(topic) = self.partitions.get_mut(partition) {
                        topic.is_removed = true;
                    }
                }
                StorageOp::Open { .. } | StorageOp::Configure { .. } | StorageOp::Remove { .. } => {}
                StorageOp::Append { .. } | StorageOp::Sync { .. } | StorageOp::Trim { .. } | StorageOp::Truncate { .. } => {}
                StorageOp::KeepSnapshot { .. } | StorageOp::Read { .. } | StorageOp::Find { .. } | StorageOp::Compact { .. } => {}
                StorageOp::RemoveOthers { .. } | StorageOp::KeepElection(_) | StorageOp::LoadElection => {}
                StorageOp::KeepMetadataSnapshot { .. } | StorageOp::LoadMetadataSnapshots | StorageOp::ReadMetadataSnapshot { .. } => {}
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

impl Topic {
    fn weaken(&mut self, settings: &LogSettings) {
        if settings.durability == Durability::Replicated {
            self.durability = Durability::Replicated;
        }
    }
}

fn is_compacted(partition: TopicPartition, broker: &Broker) -> bool {
    let own = broker.view().image().configs_of(&ConfigTarget::Topic(partition.topic));
    own.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
}
