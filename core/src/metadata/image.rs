//! The cluster's metadata at one offset of its log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::features::ELIGIBLE_LEADER_REPLICAS;
use super::record::{BrokerEndpoints, ConfigTarget, MetadataRecord, VoterRegistration};
use crate::epoch::{BrokerEpoch, LeaderEpoch, PartitionEpoch};
use crate::ids::{DirectoryId, IncarnationId, NodeId, PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::offset::Offset;

/// What the records up to an offset add up to. Replaying the same records gives the same image, everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Brokers, fenced ones too.
    pub brokers: BTreeMap<NodeId, BrokerRegistration>,
    /// Topics by id.
    pub topics: BTreeMap<TopicId, Topic>,
    /// Topics by name; the same ones.
    pub topic_ids: BTreeMap<TopicName, TopicId>,
    /// Settings that were altered; a target without any is not listed.
    pub configs: BTreeMap<ConfigTarget, BTreeMap<String, String>>,
    /// Finalised features.
    pub features: BTreeMap<String, i16>,
    /// The first producer id that nobody was given.
    pub next_producer_id: i64,
    /// Who votes in the metadata quorum, by node; nobody until the log has said so, and those that the settings name do.
    pub voters: Vec<VoterRegistration>,
}

/// A broker as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRegistration {
    /// Its epoch.
    pub broker_epoch: BrokerEpoch,
    /// This run of it.
    pub incarnation: IncarnationId,
    /// Its log directory.
    pub directory: DirectoryId,
    /// Its rack.
    pub rack: Option<String>,
    /// Where clients find it.
    pub endpoints: BrokerEndpoints,
    /// Whether it may not lead.
    pub is_fenced: bool,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its partitions, numbered from 0 without gaps.
    pub partitions: BTreeMap<PartitionIndex, PartitionRegistration>,
    /// Whether it ever was `replicated` by its own setting: some of what it holds may have been committed before it was on disk.
    pub was_replicated: bool,
}

/// A partition as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRegistration {
    /// Who has a copy, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Who is in sync.
    pub isr: Vec<NodeId>,
    /// Who holds all that is committed beside those, while they are fewer than `min.insync.replicas` (KIP-966).
    pub elr: Vec<NodeId>,
    /// Who leads again once it is back, while nobody leads or is eligible: who led last, or was eligible last.
    pub last_known_leader: Option<NodeId>,
    /// Who leads.
    pub leader: Option<NodeId>,
    /// In which epoch.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes of all this.
    pub partition_epoch: PartitionEpoch,
    /// Those of the replicas that a reassignment adds, until it is complete (KIP-455).
    pub adding: Vec<NodeId>,
    /// Those that have no copy any more once it is.
    pub removing: Vec<NodeId>,
}

impl PartitionRegistration {
    /// A partition that was just created, led by the first of its replicas.
    #[must_use]
    pub fn created(replicas: Vec<NodeId>, isr: Vec<NodeId>) -> Self {
        Self {
            leader: isr.first().copied(),
            replicas,
            isr,
            elr: Vec::new(),
            last_known_leader: None,
            leader_epoch: LeaderEpoch::FIRST,
            partition_epoch: PartitionEpoch::FIRST,
            adding: Vec::new(),
            removing: Vec::new(),
        }
    }

    /// How many replicas it has but for those to come: `min.insync.replicas` asks for no more than that.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.replicas.len() - self.adding.len()
    }

    /// Whether replicas come or go.
    #[must_use]
    pub fn is_reassigned(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }
}

impl Image {
    /// Takes the record at `offset`.
    ///
    /// # Panics
    /// When the record contradicts the image, which only a log that is not this image's can do.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) {
        match record {
            MetadataRecord::RegisterBroker { node, incarnation, directory, rack, endpoints } => {
                let registration = BrokerRegistration {
                    broker_epoch: BrokerEpoch(offset.0),
                    incarnation: *incarnation,
                    directory: *directory,
                    rack: rack.clone(),
                    endpoints: endpoints.clone(),
                    is_fenced: true,
                };
                self.brokers.insert(*node, registration);
            }
            MetadataRecord::UnfenceBroker { node } => {
                self.brokers.get_mut(node).expect("only a registered broker is unfenced").is_fenced = false;
            }
            MetadataRecord::UnregisterBroker { node } => {
                self.brokers.remove(node);
                self.configs.remove(&ConfigTarget::Broker(*node));
            }
            MetadataRecord::FenceBroker { node } => {
                self.brokers.get_mut(node).expect("only a registered broker is fenced").is_fenced = true;
            }
            MetadataRecord::Topic { id, name } => {
                self.topics.insert(*id, Topic { name: name.clone(), partitions: BTreeMap::new(), was_replicated: false });
                let former = self.topic_ids.insert(name.clone(), *id);
                assert_eq!(former, None, "a topic's name is free when it is created");
            }
            MetadataRecord::Partition { id, state } => {
                let topic = self.topics.get_mut(&id.topic).expect("a partition's topic exists");
                if let Some(former) = topic.partitions.insert(id.partition, state.clone()) {
                    assert!(former.partition_epoch < state.partition_epoch, "partition epochs only grow");
                    assert!(former.leader_epoch <= state.leader_epoch, "leader epochs only grow");
                }
            }
            MetadataRecord::RemoveTopic { id } => {
                let topic = self.topics.remove(id).expect("a topic exists when it is removed");
                self.topic_ids.remove(&topic.name);
                self.configs.remove(&ConfigTarget::Topic(*id));
            }
            MetadataRecord::Config { target, name, value } => self.replay_config(target, name, value.as_deref()),
            MetadataRecord::ProducerIds { next } => {
                assert!(self.next_producer_id < *next, "producer ids are never given out twice");
                self.next_producer_id = *next;
            }
            MetadataRecord::Feature { name, level: 0 } => {
                self.features.remove(name);
            }
            MetadataRecord::Feature { name, level } => {
                self.features.insert(name.clone(), *level);
            }
            MetadataRecord::Voters { voters } => {
                assert!(!voters.is_empty(), "somebody votes");
                self.voters.clone_from(voters);
            }
        }
    }

    fn replay_config(&mut self, target: &ConfigTarget, name: &str, value: Option<&str>) {
        if let ConfigTarget::Topic(id) = target
            && let Some(topic) = self.topics.get_mut(id)
        {
            topic.was_replicated |= name == "durability" && value == Some("replicated");
        }
        let values = self.configs.entry(target.clone()).or_default();
        match value {
            Some(value) => values.insert(name.to_owned(), value.to_owned()),
            None => values.remove(name),
        };
        if values.is_empty() {
            self.configs.remove(target);
        }
    }

    /// The topic of that name.
    #[must_use]
    pub fn topic_named(&self, name: &TopicName) -> Option<(TopicId, &Topic)> {
        let id = self.topic_ids.get(name)?;
        Some((*id, self.topics.get(id)?))
    }

    /// A partition's registration.
    #[must_use]
    pub fn partition(&self, id: TopicPartition) -> Option<&PartitionRegistration> {
        self.topics.get(&id.topic)?.partitions.get(&id.partition)
    }

    /// Whether members that leave an ISR below the minimum stay eligible to lead (KIP-966).
    #[must_use]
    pub fn has_eligible_replicas(&self) -> bool {
        self.features.get(ELIGIBLE_LEADER_REPLICAS).is_some_and(|level| *level > 0)
    }

    /// The groups that have settings of their own, by name.
    pub fn groups_with_settings(&self) -> impl Iterator<Item = &String> {
        self.configs.keys().filter_map(|target| match target {
            ConfigTarget::Group(name) => Some(name),
            ConfigTarget::Topic(_) | ConfigTarget::Broker(_) | ConfigTarget::DefaultBroker => None,
        })
    }

    /// Settings of a target that were altered.
    #[must_use]
    pub fn configs_of(&self, target: &ConfigTarget) -> BTreeMap<String, String> {
        self.configs.get(target).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Uuid;

    #[test]
    fn a_removed_topic_leaves_nothing_behind() {
        let id = TopicId(Uuid([1; 16]));
        let mut image = Image::default();
        let partition = TopicPartition { topic: id, partition: PartitionIndex(0) };
        let config = MetadataRecord::Config { target: ConfigTarget::Topic(id), name: "retention.ms".into(), value: Some("1".into()) };
        let records = [
            MetadataRecord::Topic { id, name: "t".into() },
            MetadataRecord::Partition { id: partition, state: PartitionRegistration::created(vec![NodeId(1)], vec![NodeId(1)]) },
            config,
            MetadataRecord::RemoveTopic { id },
        ];
        for (offset, record) in (0..).zip(&records) {
            image.replay(Offset(offset), record);
        }
        assert_eq!(image, Image::default());
    }
}
