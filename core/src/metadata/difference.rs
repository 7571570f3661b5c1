//! What differs between two images, as records: who follows metadata record by record can follow a leap the same way.

use std::collections::{BTreeMap, BTreeSet};

use super::image::{BrokerRegistration, Image, Topic};
use super::record::{ConfigTarget, MetadataRecord};
use crate::ids::{NodeId, TopicId, TopicPartition};

impl Image {
    /// What has changed from this image to `next`, in an order in which it could have: what is gone, brokers and their settings, topics and
    /// theirs.
    #[must_use]
    pub fn difference(&self, next: &Self) -> Vec<MetadataRecord> {
        let gone = self.topics.keys().filter(|id| !next.topics.contains_key(*id)).map(|id| MetadataRecord::RemoveTopic { id: *id });
        let mut records: Vec<MetadataRecord> = gone.collect();
        let unregistered = self.brokers.keys().filter(|node| !next.brokers.contains_key(node));
        records.extend(unregistered.map(|node| MetadataRecord::UnregisterBroker { node: *node }));
        for (node, broker) in &next.brokers {
            records.extend(broker_changes(*node, self.brokers.get(node), broker));
        }
        let (of_topics, of_brokers): (Vec<_>, Vec<_>) = self.config_changes(next).into_iter().partition(is_of_topic);
        records.extend(of_brokers);
        for (id, topic) in &next.topics {
            records.extend(topic_changes(*id, self.topics.get(id), topic));
        }
        records.extend(of_topics);
        let features = next.features.iter().filter(|(name, level)| self.features.get(*name) != Some(level));
        records.extend(features.map(|(name, level)| MetadataRecord::Feature { name: name.clone(), level: *level }));
        let off = self.features.keys().filter(|name| !next.features.contains_key(*name));
        records.extend(off.map(|name| MetadataRecord::Feature { name: name.clone(), level: 0 }));
        if next.voters != self.voters {
            records.push(MetadataRecord::Voters { voters: next.voters.clone() });
        }
        if next.next_producer_id > self.next_producer_id {
            records.push(MetadataRecord::ProducerIds { next: next.next_producer_id });
        }
        records
    }

    fn config_changes(&self, next: &Self) -> Vec<MetadataRecord> {
        let none = BTreeMap::new();
        let targets: BTreeSet<&ConfigTarget> = self.configs.keys().chain(next.configs.keys()).collect();
        let mut records = Vec::new();
        for target in targets {
            if let ConfigTarget::Topic(id) = target
                && !next.topics.contains_key(id)
            {
                continue;
            }
            let (before, after) = (self.configs.get(target).unwrap_or(&none), next.configs.get(target).unwrap_or(&none));
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
                let (target, value) = (target.clone(), after.get(name).cloned());
                records.push(MetadataRecord::Config { target, name: name.clone(), value });
            }
        }
        records
    }
}

fn is_of_topic(record: &MetadataRecord) -> bool {
    matches!(record, MetadataRecord::Config { target: ConfigTarget::Topic(_), .. })
}

fn broker_changes(node: NodeId, before: Option<&BrokerRegistration>, after: &BrokerRegistration) -> Vec<MetadataRecord> {
    let BrokerRegistration { broker_epoch: _, incarnation, directory, rack, endpoints, is_fenced } = after;
    let is_same_run = before.is_some_and(|before| BrokerRegistration { is_fenced: *is_fenced, ..before.clone() } == *after);
    let mut records = Vec::new();
    if !is_same_run {
        let (incarnation, directory, rack, endpoints) = (*incarnation, *directory, rack.clone(), endpoints.clone());
        records.push(MetadataRecord::RegisterBroker { node, incarnation, directory, rack, endpoints });
    }
    let was_fenced = before.filter(|_| is_same_run).is_none_or(|before| before.is_fenced);
    match (was_fenced, is_fenced) {
        (true, false) => records.push(MetadataRecord::UnfenceBroker { node }),
        (false, true) => records.push(MetadataRecord::FenceBroker { node }),
        (true, true) | (false, false) => {}
    }
    records
}

fn topic_changes(id: TopicId, before: Option<&Topic>, after: &Topic) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    if before.is_none() {
        records.push(MetadataRecord::Topic { id, name: after.name.clone() });
    }
    for (partition, state) in &after.partitions {
        if before.and_then(|before| before.partitions.get(partition)) != Some(state) {
            let id = TopicPartition { topic: id, partition: *partition };
            records.push(MetadataRecord::Partition { id, state: state.clone() });
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::PartitionEpoch;
    use crate::ids::{DirectoryId, IncarnationId, PartitionIndex, Uuid};
    use crate::metadata::PartitionRegistration;
    use crate::offset::Offset;

    fn topic(number: u8) -> TopicId {
        TopicId(Uuid([number; 16]))
    }

    fn partition(number: u8, partition_epoch: i32) -> MetadataRecord {
        let id = TopicPartition { topic: topic(number), partition: PartitionIndex(0) };
        let created = PartitionRegistration::created(vec![NodeId(1)], vec![NodeId(1)]);
        MetadataRecord::Partition { id, state: PartitionRegistration { partition_epoch: PartitionEpoch(partition_epoch), ..created } }
    }

    fn create(number: u8, name: &str) -> MetadataRecord {
        MetadataRecord::Topic { id: topic(number), name: name.into() }
    }

    fn set(target: ConfigTarget, name: &str, value: Option<&str>) -> MetadataRecord {
        MetadataRecord::Config { target, name: name.into(), value: value.map(Into::into) }
    }

    fn register(node: i32) -> MetadataRecord {
        let (incarnation, directory) = (IncarnationId(Uuid([1; 16])), DirectoryId(Uuid([2; 16])));
        MetadataRecord::RegisterBroker { node: NodeId(node), incarnation, directory, rack: None, endpoints: Vec::new() }
    }

    fn replayed(image: &Image, records: &[MetadataRecord]) -> Image {
        let mut image = image.clone();
        records.iter().for_each(|record| image.replay(Offset(0), record));
        image
    }

    /// Two images of a history, one of them later.
    fn earlier_and_later() -> (Image, Image) {
        let earlier = replayed(
            &Image::default(),
            &[
                register(1),
                create(1, "gone"),
                create(2, "kept"),
                create(3, "anew"),
                partition(1, 0),
                partition(2, 0),
                set(ConfigTarget::Topic(topic(1)), "retention.ms", Some("1")),
                set(ConfigTarget::Topic(topic(2)), "retention.ms", Some("1")),
                set(ConfigTarget::DefaultBroker, "num.io.threads", Some("1")),
            ],
        );
        let later = replayed(
            &earlier,
            &[
                MetadataRecord::UnfenceBroker { node: NodeId(1) },
                register(2),
                MetadataRecord::RemoveTopic { id: topic(1) },
                MetadataRecord::RemoveTopic { id: topic(3) },
                create(4, "anew"),
                partition(4, 0),
                partition(2, 1),
                set(ConfigTarget::Topic(topic(2)), "retention.ms", None),
                set(ConfigTarget::Topic(topic(4)), "retention.ms", Some("2")),
                set(ConfigTarget::DefaultBroker, "num.io.threads", Some("2")),
                MetadataRecord::Feature { name: "metadata.version".into(), level: 30 },
                MetadataRecord::ProducerIds { next: 1000 },
            ],
        );
        (earlier, later)
    }

    #[test]
    fn the_difference_leads_from_one_image_to_the_other() {
        let (earlier, later) = earlier_and_later();
        assert_eq!(replayed(&earlier, &earlier.difference(&later)), later);
        assert_eq!(replayed(&Image::default(), &Image::default().difference(&later)), later);
    }

    #[test]
    fn images_that_are_the_same_do_not_differ() {
        let (_, later) = earlier_and_later();
        assert_eq!(later.difference(&later), []);
    }

    #[test]
    fn what_was_created_and_deleted_in_between_leaves_no_trace() {
        let (earlier, _) = earlier_and_later();
        let later = replayed(&earlier, &[create(9, "short"), partition(9, 0), MetadataRecord::RemoveTopic { id: topic(9) }]);
        assert_eq!(earlier.difference(&later), []);
    }
}
