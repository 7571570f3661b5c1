//! DescribeConfigs and ListConfigResources: settings as the committed metadata has them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::Broker;
use crate::boundary::{
    ConfigResource, DescribeConfigsRequest, DescribeConfigsResponse, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::config::{ConfigEntry, Listing, describe_broker, describe_broker_default, describe_group, describe_topic};
use crate::controller::check_name;
use crate::error::{ApiError, ErrorCode};
use crate::ids::NodeId;
use crate::limits::CONFIG_ENTRIES_MAX;
use crate::metadata::ConfigTarget;

/// Resource types as Kafka numbers them (`ConfigResource.Type`).
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

impl Broker {
    pub(super) fn describe_configs(&self, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
        let (include_synonyms, include_documentation) = (request.include_synonyms, request.include_documentation);
        let mut entries_left = CONFIG_ENTRIES_MAX;
        let described = merged(request.resources).into_iter().map(|(resource, names)| {
            let listing = Listing { names: names.as_ref(), include_synonyms, include_documentation };
            let entries = match entries_left {
                0 => Err(ApiError::new(ErrorCode::InvalidRequest, "Too many settings are described at once: ask for fewer resources.")),
                _ => self.configs_of(&resource, listing),
            };
            entries_left = entries_left.saturating_sub(entries.as_ref().map_or(0, Vec::len));
            (resource, entries)
        });
        DescribeConfigsResponse { resources: described.collect() }
    }

    fn configs_of(&self, resource: &ConfigResource, listing: Listing<'_>) -> Result<Vec<ConfigEntry>, ApiError> {
        let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidRequest, message));
        match resource {
            ConfigResource::Topic(name) => {
                check_name(name.as_str())?;
                let (id, _) = self.image.topic_named(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
                Ok(describe_topic(&self.image.configs_of(&ConfigTarget::Topic(id)), &self.configs, listing))
            }
            ConfigResource::Broker(None) => Ok(describe_broker_default(&self.configs, listing)),
            ConfigResource::Broker(Some(node)) if *node == self.settings.node => Ok(describe_broker(&self.configs, listing)),
            ConfigResource::Broker(Some(node)) => {
                refuse(format!("Unexpected broker id, expected {} or empty string, but received {node}", self.settings.node))
            }
            ConfigResource::BrokerLogger(_) => refuse("This broker does not tell its log levels.".into()),
            ConfigResource::ClientMetrics(name) if name.is_empty() => refuse("Client metrics subscription name must not be empty".into()),
            // None is kept, so that each is as Kafka describes one that was never made.
            ConfigResource::ClientMetrics(_) => Ok(Vec::new()),
            ConfigResource::Group(name) if name.is_empty() => refuse("Group name must not be empty".into()),
            // Whether there is such a group or not, as in Kafka.
            ConfigResource::Group(name) => {
                Ok(describe_group(&self.image.configs_of(&ConfigTarget::Group(name.clone())), &self.configs, listing))
            }
            ConfigResource::Unknown { kind, .. } => refuse(format!("Unsupported resource type: {kind}")),
        }
    }

    pub(super) fn list_config_resources(&self, request: &ListConfigResourcesRequest) -> ListConfigResourcesResponse {
        let known = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
        if !request.kinds.iter().all(|kind| known.contains(kind)) {
            return ListConfigResourcesResponse { result: Err(ErrorCode::UnsupportedVersion) };
        }
        let is_wanted = |kind| request.kinds.is_empty() || request.kinds.contains(&kind);
        let mut resources = Vec::new();
        if is_wanted(GROUP) {
            resources.extend(self.image.groups_with_settings().cloned().map(ConfigResource::Group));
        }
        if is_wanted(BROKER) {
            resources.extend(self.nodes().map(|node| ConfigResource::Broker(Some(node))));
        }
        if is_wanted(TOPIC) {
            resources.extend(self.image.topic_ids.keys().cloned().map(ConfigResource::Topic));
        }
        ListConfigResourcesResponse { result: Ok(resources) }
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.image.brokers.iter().filter(|(_, broker)| !broker.is_fenced).map(|(node, _)| *node)
    }
}

/// Each resource once, where it stands first, with all the names that are wanted of it; none for all that there are.
fn merged(resources: Vec<(ConfigResource, Option<Vec<String>>)>) -> Vec<(ConfigResource, Option<BTreeSet<String>>)> {
    let mut merged: Vec<(ConfigResource, Option<BTreeSet<String>>)> = Vec::new();
    let mut places = BTreeMap::new();
    for (resource, names) in resources {
        let names = names.filter(|names| !names.is_empty()).map(BTreeSet::from_iter);
        match places.entry(resource.clone()) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push((resource, names));
            }
            Entry::Occupied(place) => {
                let (_, wanted) = merged.get_mut(*place.get()).expect("it was put there");
                *wanted = wanted.take().zip(names).map(|(wanted, names)| wanted.into_iter().chain(names).collect());
            }
        }
    }
    merged
}
