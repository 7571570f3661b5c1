//! Topics: creation, deletion, growth. The refusals and their words are Kafka's (ReplicationControlManager, `Topic.validate`).

use std::collections::{BTreeMap, BTreeSet};

use super::Controller;
use super::partitions::{Placement, check_assignment, place};
use crate::boundary::{CreatedTopic, DeletedTopic, MorePartitions, NewTopic, TopicRef};
use crate::config::{self, BrokerConfigs, Listing};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{CLUSTER_METADATA_TOPIC, NodeId, PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::limits::{NEW_PARTITIONS_MAX, TOPIC_NAME_BYTES_MAX};
use crate::metadata::{ConfigTarget, Image, MetadataRecord, PartitionRegistration, Topic};
use crate::rng::Random;

/// What a decision about topics comes to: records, and an outcome for each topic.
pub(crate) type Decided<T> = (Vec<MetadataRecord>, Vec<(TopicName, Result<T, ApiError>)>);

impl Controller {
    /// Decides on new topics: each for itself, unless there are too many partitions in all.
    pub fn create_topics(&self, topics: &[NewTopic], defaults: &BrokerConfigs, random: &mut Random) -> Decided<CreatedTopic> {
        let mut records = Vec::new();
        let mut outcomes = Vec::new();
        let asked = counted(topics.iter().map(|topic| &topic.name));
        if partitions_asked(topics.iter().filter(|topic| asked.get(&topic.name) == Some(&1)), defaults) > NEW_PARTITIONS_MAX {
            let mut seen = BTreeSet::new();
            let named = topics.iter().map(|topic| &topic.name).filter(|name| seen.insert(*name));
            return (records, named.map(|name| (name.clone(), Err(too_many_partitions()))).collect());
        }
        let mut taken = BTreeSet::new();
        for topic in topics {
            if asked.get(&topic.name).is_some_and(|&times| times > 1) {
                if taken.insert(topic.name.clone()) {
                    outcomes.push((topic.name.clone(), Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))));
                }
                continue;
            }
            let outcome = self.create_topic(topic, defaults, random).map(|(created, more)| {
                records.extend(more);
                created
            });
            outcomes.push((topic.name.clone(), outcome));
        }
        (records, outcomes)
    }

    fn create_topic(
        &self,
        topic: &NewTopic,
        defaults: &BrokerConfigs,
        random: &mut Random,
    ) -> Result<(CreatedTopic, Vec<MetadataRecord>), ApiError> {
        if topic.name.as_str() == CLUSTER_METADATA_TOPIC {
            // Kafka's own answer: no principal, however mighty, may create it.
            return Err(ApiError::new(ErrorCode::TopicAuthorizationFailed, "Authorization failed."));
        }
        check_name(topic.name.as_str())?;
        self.check_name_is_free(&topic.name)?;
        let configs = config::check_new_topic(&topic.configs, defaults)?;
        let placed = self.place_topic(topic, defaults, random)?;
        let id = TopicId(random.uuid());
        let mut records = vec![MetadataRecord::Topic { id, name: topic.name.clone() }];
        records.extend(configs.iter().map(|(name, value)| MetadataRecord::Config {
            target: ConfigTarget::Topic(id),
            name: name.clone(),
            value: Some(value.clone()),
        }));
        records.extend(new_partitions(self.image(), id, 0, &placed));
        let created = CreatedTopic {
            id,
            partition_count: i32::try_from(placed.len()).expect("the number of new partitions is bounded"),
            replication_factor: placed.first().and_then(|replicas| i16::try_from(replicas.len()).ok()).unwrap_or(0),
            configs: config::describe_topic(&configs, defaults, Listing::default()),
        };
        Ok((created, records))
    }

    fn check_name_is_free(&self, name: &TopicName) -> Result<(), ApiError> {
        if self.image().topic_ids.contains_key(name) {
            return Err(ApiError::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        let colliding = self.colliding_with(name);
        match colliding {
            Some(other) => {
                Err(ApiError::new(ErrorCode::InvalidTopicException, format!("Topic '{name}' collides with existing topic: {other}")))
            }
            None => Ok(()),
        }
    }

    fn place_topic(&self, topic: &NewTopic, defaults: &BrokerConfigs, random: &mut Random) -> Result<Vec<Vec<NodeId>>, ApiError> {
        if !topic.assignments.is_empty() {
            return self.assigned_by_hand(topic);
        }
        let replication_factor = match topic.replication_factor {
            -1 => defaults.whole("default.replication.factor"),
            count if count > 0 => i64::from(count),
            _ => {
                let message = "Replication factor must be larger than 0, or -1 to use the default value.";
                return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
            }
        };
        let partition_count = match topic.partition_count {
            -1 => defaults.whole("num.partitions"),
            count if count > 0 => i64::from(count),
            _ => return Err(ApiError::new(ErrorCode::InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")),
        };
        // Topics begin at different brokers, or the first one would lead every topic of one partition.
        let brokers = u32::try_from(self.image().brokers.len()).unwrap_or(1).max(1);
        let first = i64::from(random.below(brokers));
        place(self.image(), &Placement { first, partition_count, replication_factor })
    }

    fn assigned_by_hand(&self, topic: &NewTopic) -> Result<Vec<Vec<NodeId>>, ApiError> {
        if topic.partition_count != -1 {
            let message = "A manual partition assignment was specified, but numPartitions was not set to -1.";
            return Err(ApiError::new(ErrorCode::InvalidRequest, message));
        }
        if topic.replication_factor != -1 {
            let message = "A manual partition assignment was specified, but replicationFactor was not set to -1.";
            return Err(ApiError::new(ErrorCode::InvalidRequest, message));
        }
        let by_index: BTreeMap<_, _> = topic.assignments.iter().cloned().collect();
        if by_index.len() < topic.assignments.len() {
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, "Found multiple manual partition assignments for one partition."));
        }
        if by_index.keys().zip(0..).any(|(index, expected)| index.0 != expected) {
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence."));
        }
        let placed: Vec<_> = by_index.into_values().collect();
        check_assignment(self.image(), &placed, None)?;
        Ok(placed)
    }

    /// Decides on more partitions for topics, each for itself.
    #[must_use]
    pub fn create_partitions(&self, topics: &[MorePartitions]) -> Decided<()> {
        let mut records = Vec::new();
        let mut outcomes = Vec::new();
        let asked = counted(topics.iter().map(|topic| &topic.name));
        let mut refused = BTreeSet::new();
        let mut partitions_left = NEW_PARTITIONS_MAX;
        for topic in topics {
            if asked.get(&topic.name).is_some_and(|&times| times > 1) {
                if refused.insert(&topic.name) {
                    outcomes.push((topic.name.clone(), Err(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))));
                }
                continue;
            }
            let outcome = self.grow_topic(topic, &mut partitions_left).map(|more| records.extend(more));
            outcomes.push((topic.name.clone(), outcome));
        }
        (records, outcomes)
    }

    fn grow_topic(&self, more: &MorePartitions, partitions_left: &mut i64) -> Result<Vec<MetadataRecord>, ApiError> {
        let Some((id, topic)) = self.image().topic_named(&more.name) else {
            return Err(ErrorCode::UnknownTopicOrPartition.into());
        };
        let present = i64::try_from(topic.partitions.len()).unwrap_or(i64::MAX);
        let wanted = i64::from(more.partition_count);
        if wanted == present {
            return Err(ApiError::new(ErrorCode::InvalidPartitions, format!("Topic already has {present} partition(s).")));
        }
        if wanted < present {
            let message = format!("The topic {} currently has {present} partition(s); {wanted} would not be an increase.", more.name);
            return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
        }
        let added = wanted - present;
        *partitions_left = partitions_left.saturating_sub(added);
        if *partitions_left < 0 {
            return Err(too_many_partitions());
        }
        let placed = match &more.assignments {
            Some(assignments) => {
                check_growth(added, assignments)?;
                check_assignment(self.image(), assignments, replicas_of(topic))?;
                assignments.clone()
            }
            None => {
                let replication_factor = replicas_of(topic).and_then(|count| i64::try_from(count).ok()).unwrap_or(1);
                place(self.image(), &Placement { first: present, partition_count: added, replication_factor })?
            }
        };
        Ok(new_partitions(self.image(), id, present, &placed))
    }

    fn find(&self, topic: &TopicRef) -> Result<(TopicId, &Topic), ErrorCode> {
        match topic {
            TopicRef::Name(name) => self.image().topic_named(name).ok_or(ErrorCode::UnknownTopicOrPartition),
            TopicRef::Id(id) => self.image().topics.get(id).map(|topic| (*id, topic)).ok_or(ErrorCode::UnknownTopicId),
        }
    }

    /// Decides on the end of topics, each for itself.
    #[must_use]
    pub fn delete_topics(&self, topics: &[TopicRef], is_enabled: bool) -> (Vec<MetadataRecord>, Vec<DeletedTopic>) {
        let mut records = Vec::new();
        let mut outcomes = Vec::new();
        let asked = counted(topics.iter().map(|topic| self.find(topic).map_or_else(|_| Err(topic), |(id, _)| Ok(id))));
        let mut refused = BTreeSet::new();
        for topic in topics {
            let found = self.find(topic);
            let named = found.as_ref().map_or_else(|_| Err(topic), |(id, _)| Ok(*id));
            let is_twice = asked.get(&named).is_some_and(|&times| times > 1);
            if is_twice && !refused.insert(named) {
                continue;
            }
            let error = match &found {
                _ if is_twice => Some(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.")),
                Err(code) => Some((*code).into()),
                Ok(_) if !is_enabled => Some(ErrorCode::TopicDeletionDisabled.into()),
                Ok((id, _)) => {
                    records.push(MetadataRecord::RemoveTopic { id: *id });
                    None
                }
            };
            let name = match (&found, topic) {
                (Ok((_, found)), _) => Some(found.name.clone()),
                (Err(_), TopicRef::Name(name)) => Some(name.clone()),
                (Err(_), TopicRef::Id(_)) => None,
            };
            let id = match (&found, topic) {
                (Ok((id, _)), _) | (Err(_), TopicRef::Id(id)) => *id,
                (Err(_), TopicRef::Name(_)) => TopicId::default(),
            };
            outcomes.push(DeletedTopic { name, id, error });
        }
        (records, outcomes)
    }
}

/// Partitions that new topics want. Counts that make no sense are refused topic by topic, and count for nothing here.
fn partitions_asked<'a>(topics: impl Iterator<Item = &'a NewTopic>, defaults: &BrokerConfigs) -> i64 {
    let by_default = defaults.whole("num.partitions");
    let asked = topics.map(|topic| match topic.partition_count {
        _ if !topic.assignments.is_empty() => i64::try_from(topic.assignments.len()).unwrap_or(i64::MAX),
        -1 => by_default,
        count => i64::from(count).max(0),
    });
    asked.fold(0, i64::saturating_add)
}

fn too_many_partitions() -> ApiError {
    ApiError::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request.")
}

/// How often each is named.
pub(super) fn counted<T: Ord>(named: impl Iterator<Item = T>) -> BTreeMap<T, u32> {
    let mut times = BTreeMap::new();
    for name in named {
        *times.entry(name).or_default() += 1;
    }
    times
}

fn check_growth(added: i64, assignments: &[Vec<NodeId>]) -> Result<(), ApiError> {
    if i64::try_from(assignments.len()) == Ok(added) {
        return Ok(());
    }
    let message = format!("Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.", assignments.len());
    Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
}

fn replicas_of(topic: &Topic) -> Option<usize> {
    topic.partitions.values().next().map(|partition| partition.replicas.len())
}

fn new_partitions(image: &Image, id: TopicId, first: i64, placed: &[Vec<NodeId>]) -> Vec<MetadataRecord> {
    let first = i32::try_from(first).expect("a topic's partitions are numbered in 32 bits");
    let is_up = |node: &NodeId| image.brokers.get(node).is_some_and(|broker| !broker.is_fenced);
    let created = placed.iter().zip(first..).map(|(replicas, index)| {
        let isr = replicas.iter().copied().filter(is_up).collect();
        MetadataRecord::Partition {
            id: TopicPartition { topic: id, partition: PartitionIndex(index) },
            state: PartitionRegistration::created(replicas.clone(), isr),
        }
    });
    created.collect()
}

/// Checks a topic's name.
///
/// # Errors
/// INVALID_TOPIC_EXCEPTION, saying why.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    let fault = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > TOPIC_NAME_BYTES_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")
        }
        _ if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(ApiError::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {fault}")))
}
