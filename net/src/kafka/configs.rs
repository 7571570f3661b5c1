//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources: settings.

use gracchus_core::boundary::{
    AlterConfigsRequest, AlterConfigsResponse, ConfigChange, ConfigOperation, ConfigResource, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, ListConfigResourcesRequest, ListConfigResourcesResponse, Request,
};
use gracchus_core::config::{ConfigEntry, ConfigKind, ConfigSource};
use gracchus_core::ids::{NodeId, TopicName};
use kafka_wire::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym};
use kafka_wire::incremental_alter_configs_request::AlterableConfig;
use kafka_wire::{alter_configs_response, incremental_alter_configs_response, list_config_resources_response};
use kafka_wire_core::{Decoder, StrBytes};

use super::errors::number_of;
use super::{DecodeError, wire};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// The type that ListConfigResources version 0 asks for without saying so: it was ListClientMetricsResources (KIP-714).
const LISTED_BY_VERSION_0: i8 = CLIENT_METRICS;

fn resource(kind: i8, name: &StrBytes) -> ConfigResource {
    let unknown = || ConfigResource::Unknown { kind, name: wire::string(name) };
    match kind {
        TOPIC => ConfigResource::Topic(wire::topic_name(name)),
        BROKER if name.is_empty() => ConfigResource::Broker(None),
        BROKER => name.parse().map_or_else(|_| unknown(), |node| ConfigResource::Broker(Some(NodeId(node)))),
        BROKER_LOGGER => ConfigResource::BrokerLogger(wire::string(name)),
        CLIENT_METRICS => ConfigResource::ClientMetrics(wire::string(name)),
        GROUP => ConfigResource::Group(wire::string(name)),
        _ => unknown(),
    }
}

/// The resource's type and name as the wire has them.
fn type_and_name(resource: &ConfigResource) -> (i8, StrBytes) {
    match resource {
        ConfigResource::Topic(TopicName(name)) => (TOPIC, wire::text(name)),
        ConfigResource::Broker(None) => (BROKER, StrBytes::default()),
        ConfigResource::Broker(Some(node)) => (BROKER, wire::text(node.to_string())),
        ConfigResource::BrokerLogger(name) => (BROKER_LOGGER, wire::text(name)),
        ConfigResource::ClientMetrics(name) => (CLIENT_METRICS, wire::text(name)),
        ConfigResource::Group(name) => (GROUP, wire::text(name)),
        ConfigResource::Unknown { kind, name } => (*kind, wire::text(name)),
    }
}

pub(super) fn decode_describe(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DescribeConfigsRequest = wire::decode(decoder, version)?;
    let resources = asked.resources.iter().map(|asked| {
        let names = asked.configuration_keys.as_ref().map(|names| names.iter().map(wire::string).collect());
        (resource(asked.resource_type, &asked.resource_name), names)
    });
    Ok(Request::DescribeConfigs(DescribeConfigsRequest {
        resources: resources.collect(),
        include_synonyms: asked.include_synonyms,
        include_documentation: asked.include_documentation,
    }))
}

pub(super) fn encode_describe(response: &DescribeConfigsResponse, throttle_ms: i32) -> kafka_wire::DescribeConfigsResponse {
    let mut answer = kafka_wire::DescribeConfigsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (resource, described) in &response.resources {
        let mut result = DescribeConfigsResult::default();
        (result.error_code, result.error_message) = wire::api_error(described.as_ref().err());
        (result.resource_type, result.resource_name) = type_and_name(resource);
        result.configs = described.iter().flatten().map(entry).collect();
        answer.results.push(result);
    }
    answer
}

fn entry(entry: &ConfigEntry) -> DescribeConfigsResourceResult {
    let mut config = DescribeConfigsResourceResult::default();
    config.name = wire::text(&entry.name);
    config.value = wire::optional_text(entry.value.as_ref());
    config.read_only = entry.is_read_only;
    config.config_source = source_number(entry.source);
    config.is_sensitive = entry.is_sensitive;
    config.synonyms = entry.synonyms.iter().map(|(name, value, source)| synonym(name, value.as_ref(), *source)).collect();
    config.config_type = kind_number(entry.kind);
    config.documentation = wire::optional_text(entry.documentation.as_ref());
    config
}

fn synonym(name: &str, value: Option<&String>, source: ConfigSource) -> DescribeConfigsSynonym {
    let mut synonym = DescribeConfigsSynonym::default();
    synonym.name = wire::text(name);
    synonym.value = wire::optional_text(value);
    synonym.source = source_number(source);
    synonym
}

pub(super) fn source_number(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::DynamicTopic => 1,
        ConfigSource::DynamicGroup => 8,
        ConfigSource::DynamicBroker => 2,
        ConfigSource::DynamicDefaultBroker => 3,
        ConfigSource::StaticBroker => 4,
        ConfigSource::Default => 5,
    }
}

fn kind_number(kind: ConfigKind) -> i8 {
    match kind {
        ConfigKind::Unknown => 0,
        ConfigKind::Boolean => 1,
        ConfigKind::String => 2,
        ConfigKind::Int => 3,
        ConfigKind::Short => 4,
        ConfigKind::Long => 5,
        ConfigKind::Double => 6,
        ConfigKind::List => 7,
        ConfigKind::Class => 8,
        ConfigKind::Password => 9,
    }
}

pub(super) fn decode_alter(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::AlterConfigsRequest = wire::decode(decoder, version)?;
    let resources = asked.resources.iter().map(|asked| {
        let configs = asked.configs.iter().map(|config| (wire::string(&config.name), config.value.as_ref().map(wire::string)));
        (resource(asked.resource_type, &asked.resource_name), configs.collect())
    });
    Ok(Request::AlterConfigs(AlterConfigsRequest { resources: resources.collect(), validate_only: asked.validate_only }))
}

pub(super) fn encode_alter(response: &AlterConfigsResponse, throttle_ms: i32) -> kafka_wire::AlterConfigsResponse {
    let mut answer = kafka_wire::AlterConfigsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (resource, error) in &response.resources {
        let mut altered = alter_configs_response::AlterConfigsResourceResponse::default();
        (altered.error_code, altered.error_message) = wire::api_error(error.as_ref());
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        answer.responses.push(altered);
    }
    answer
}

pub(super) fn decode_incremental_alter(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::IncrementalAlterConfigsRequest = wire::decode(decoder, version)?;
    let resources =
        asked.resources.iter().map(|asked| (resource(asked.resource_type, &asked.resource_name), asked.configs.iter().map(change).collect()));
    Ok(Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only: asked.validate_only }))
}

fn change(config: &AlterableConfig) -> ConfigChange {
    let operation = match config.config_operation {
        0 => ConfigOperation::Set,
        1 => ConfigOperation::Delete,
        2 => ConfigOperation::Append,
        3 => ConfigOperation::Subtract,
        unknown => ConfigOperation::Unknown(unknown),
    };
    ConfigChange { name: wire::string(&config.name), operation, value: config.value.as_ref().map(wire::string) }
}

pub(super) fn encode_incremental_alter(response: &AlterConfigsResponse, throttle_ms: i32) -> kafka_wire::IncrementalAlterConfigsResponse {
    let mut answer = kafka_wire::IncrementalAlterConfigsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (resource, error) in &response.resources {
        let mut altered = incremental_alter_configs_response::AlterConfigsResourceResponse::default();
        (altered.error_code, altered.error_message) = wire::api_error(error.as_ref());
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        answer.responses.push(altered);
    }
    answer
}

pub(super) fn decode_list(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::ListConfigResourcesRequest = wire::decode(decoder, version)?;
    let kinds = if version == 0 { vec![LISTED_BY_VERSION_0] } else { asked.resource_types };
    Ok(Request::ListConfigResources(ListConfigResourcesRequest { kinds }))
}

pub(super) fn encode_list(response: &ListConfigResourcesResponse, throttle_ms: i32) -> kafka_wire::ListConfigResourcesResponse {
    let mut answer = kafka_wire::ListConfigResourcesResponse::default();
    answer.throttle_time_ms = throttle_ms;
    match &response.result {
        Ok(resources) => answer.config_resources = resources.iter().map(listed_resource).collect(),
        Err(error) => answer.error_code = number_of(*error),
    }
    answer
}

fn listed_resource(resource: &ConfigResource) -> list_config_resources_response::ConfigResource {
    let mut listed = list_config_resources_response::ConfigResource::default();
    (listed.resource_type, listed.resource_name) = type_and_name(resource);
    listed
}
