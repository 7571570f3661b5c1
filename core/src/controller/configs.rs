//! Settings of topics, brokers and groups. The refusals and their words are Kafka's (ConfigurationControlManager, ConfigAdminManager).

use std::collections::BTreeMap;

use super::Controller;
use super::features::MIN_INSYNC;
use super::topics::counted;
use crate::boundary::{ConfigChange, ConfigResource, OwnConfigs};
use crate::config::{self, BrokerConfigs, BrokerScope, SettingsOf};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, TopicId, TopicPartition};
use crate::limits::{GROUPS_WITH_SETTINGS_MAX, MEMBER_NAME_BYTES_MAX};
use crate::metadata::{ConfigTarget, MetadataRecord, PartitionRegistration};

/// What a decision about settings comes to: records, and why a resource was refused, if it was.
pub(crate) type Altered = (Vec<MetadataRecord>, Vec<(ConfigResource, Option<ApiError>)>);

/// The settings of a resource, by name.
type Settings = BTreeMap<String, String>;

impl Controller {
    /// Gives each resource the settings listed, and takes away the others, but for what can't be taken away. `node` is the broker that was
    /// asked.
    pub(crate) fn alter_configs(&self, resources: &[(ConfigResource, OwnConfigs)], node: NodeId, defaults: &BrokerConfigs) -> Altered {
        let replace = |kind, current: &Settings, given: &[_]| {
            let mut replaced = config::replace(given)?;
            let kept = current.get_key_value(MIN_INSYNC).filter(|_| kind == SettingsOf::Broker && self.image().has_eligible_replicas());
            if let Some((name, value)) = kept {
                replaced.entry(name.clone()).or_insert_with(|| value.clone());
            }
            Ok(replaced)
        };
        self.alter_each(resources, node, defaults, replace)
    }

    /// Changes settings one by one. `node` is the broker that was asked.
    pub(crate) fn incremental_alter_configs(
        &self,
        resources: &[(ConfigResource, Vec<ConfigChange>)],
        node: NodeId,
        defaults: &BrokerConfigs,
    ) -> Altered {
        self.alter_each(resources, node, defaults, config::alter)
    }

    fn alter_each<C>(
        &self,
        resources: &[(ConfigResource, Vec<C>)],
        node: NodeId,
        defaults: &BrokerConfigs,
        alter: impl Fn(SettingsOf, &Settings, &[C]) -> Result<Settings, ApiError>,
    ) -> Altered {
        let mut records = Vec::new();
        let mut outcomes = Vec::new();
        let asked = counted(resources.iter().map(|(resource, _)| resource));
        let mut groups_left = GROUPS_WITH_SETTINGS_MAX.saturating_sub(self.image().groups_with_settings().count());
        for (resource, changes) in resources {
            let is_twice = asked.get(resource).is_some_and(|&times| times > 1);
            let outcome = if is_twice {
                Err(ApiError::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
            } else {
                self.target(resource, node).and_then(|target| {
                    let current = self.image().configs_of(&target);
                    let altered = alter(settings_of(&target), &current, changes)?;
                    check(&target, &self.without_others_listeners(&target, &altered), defaults)?;
                    self.check_min_insync(&target, &current, &altered)?;
                    take_room(&target, &current, &altered, &mut groups_left)?;
                    Ok(differences(&target, &current, &altered))
                })
            };
            outcomes.push((resource.clone(), outcome.map(|more| records.extend(more)).err()));
        }
        let disqualified = self.disqualified(&records);
        records.extend(disqualified);
        (records, outcomes)
    }

    /// While replicas are eligible (KIP-966), how many have to be in sync is one number for all brokers.
    fn check_min_insync(&self, target: &ConfigTarget, current: &Settings, altered: &Settings) -> Result<(), ApiError> {
        let (before, after) = (current.get(MIN_INSYNC), altered.get(MIN_INSYNC));
        if !self.image().has_eligible_replicas() || before == after {
            return Ok(());
        }
        let refuse = |message: &str| Err(ApiError::new(ErrorCode::InvalidConfig, message));
        match target {
            ConfigTarget::Broker(_) => refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled."),
            ConfigTarget::DefaultBroker if after.is_none() => {
                refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
            }
            ConfigTarget::DefaultBroker | ConfigTarget::Topic(_) | ConfigTarget::Group(_) => Ok(()),
        }
    }

    /// The settings without those of listeners that a broker does not have: they protect nothing, and have no effect.
    fn without_others_listeners(&self, target: &ConfigTarget, altered: &Settings) -> Settings {
        let ConfigTarget::Broker(node) = target else { return altered.clone() };
        let endpoints = self.image().brokers.get(node).map(|broker| broker.endpoints.as_slice()).unwrap_or_default();
        let is_others = |name: &str| {
            let listener = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')).map(|(listener, _)| listener);
            listener.is_some_and(|listener| !endpoints.iter().any(|endpoint| endpoint.listener.eq_ignore_ascii_case(listener)))
        };
        altered.iter().filter(|(name, _)| !is_others(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Partitions that lose their eligible leader replicas to a change of `min.insync.replicas`: those may lack what is committed under the new
    /// one (KIP-966).
    fn disqualified(&self, records: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let is_changed = |id: TopicId| {
            records.iter().any(|record| {
                let MetadataRecord::Config { target, name, .. } = record else { return false };
                let is_its = match target {
                    ConfigTarget::Topic(topic) => *topic == id,
                    ConfigTarget::Broker(_) | ConfigTarget::DefaultBroker => true,
                    ConfigTarget::Group(_) => false,
                };
                is_its && name == MIN_INSYNC
            })
        };
        let mut disqualified = Vec::new();
        for (id, topic) in self.image().topics.iter().filter(|(id, _)| is_changed(**id)) {
            for (index, partition) in topic.partitions.iter().filter(|(_, partition)| !partition.elr.is_empty()) {
                let partition_epoch = partition.partition_epoch.next();
                let state = PartitionRegistration { elr: Vec::new(), partition_epoch, ..partition.clone() };
                disqualified.push(MetadataRecord::Partition { id: TopicPartition { topic: *id, partition: *index }, state });
            }
        }
        disqualified
    }

    fn target(&self, resource: &ConfigResource, node: NodeId) -> Result<ConfigTarget, ApiError> {
        let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidRequest, message));
        match resource {
            ConfigResource::Topic(name) => match self.image().topic_named(name) {
                Some((id, _)) => Ok(ConfigTarget::Topic(id)),
                None => Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))),
            },
            ConfigResource::Broker(None) => Ok(ConfigTarget::DefaultBroker),
            ConfigResource::Broker(Some(broker)) if *broker == node => Ok(ConfigTarget::Broker(*broker)),
            ConfigResource::Broker(Some(broker)) => refuse(format!("Unexpected broker id, expected {node}, but received {broker}")),
            ConfigResource::BrokerLogger(_) => refuse("Log levels can't be altered while this broker runs.".into()),
            ConfigResource::ClientMetrics(_) => refuse("This broker takes no metrics from clients.".into()),
            ConfigResource::Group(name) if name.is_empty() => refuse("Default group resources are not allowed.".into()),
            ConfigResource::Group(name) if name.len() > MEMBER_NAME_BYTES_MAX => {
                refuse(format!("A group's name has no more than {MEMBER_NAME_BYTES_MAX} bytes."))
            }
            ConfigResource::Group(name) => Ok(ConfigTarget::Group(name.clone())),
            ConfigResource::Unknown { kind, .. } => refuse(format!("Unknown resource type {kind}")),
        }
    }
}

fn settings_of(target: &ConfigTarget) -> SettingsOf {
    match target {
        ConfigTarget::Topic(_) => SettingsOf::Topic,
        ConfigTarget::Group(_) => SettingsOf::Group,
        ConfigTarget::Broker(_) | ConfigTarget::DefaultBroker => SettingsOf::Broker,
    }
}

fn check(target: &ConfigTarget, altered: &Settings, defaults: &BrokerConfigs) -> Result<(), ApiError> {
    match target {
        ConfigTarget::Topic(_) => config::check_topic(altered, defaults),
        ConfigTarget::Group(_) => config::check_group(altered, defaults),
        ConfigTarget::Broker(_) => config::check_broker(altered, BrokerScope::One),
        ConfigTarget::DefaultBroker => config::check_broker(altered, BrokerScope::All),
    }
}

/// Only so many groups have settings of their own: who may set them may name any.
fn take_room(target: &ConfigTarget, current: &Settings, altered: &Settings, groups_left: &mut usize) -> Result<(), ApiError> {
    match target {
        ConfigTarget::Group(_) if current.is_empty() && !altered.is_empty() => {
            let message = format!("Only {GROUPS_WITH_SETTINGS_MAX} groups may have settings of their own.");
            *groups_left = groups_left.checked_sub(1).ok_or_else(|| ApiError::new(ErrorCode::PolicyViolation, message))?;
            Ok(())
        }
        ConfigTarget::Group(_) | ConfigTarget::Topic(_) | ConfigTarget::Broker(_) | ConfigTarget::DefaultBroker => Ok(()),
    }
}

fn differences(target: &ConfigTarget, current: &Settings, altered: &Settings) -> Vec<MetadataRecord> {
    let gone = current.keys().filter(|name| !altered.contains_key(*name)).map(|name| (name, None));
    let set = altered.iter().filter(|(name, value)| current.get(*name) != Some(value)).map(|(name, value)| (name, Some(value.clone())));
    gone.chain(set).map(|(name, value)| MetadataRecord::Config { target: target.clone(), name: name.clone(), value }).collect()
}
