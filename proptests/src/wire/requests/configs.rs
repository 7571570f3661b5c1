//! Settings of topics and brokers.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::ids::NodeId;
use kafka_protocol::messages as wire;
use kafka_protocol::protocol::StrBytes;

use super::{Draw, encode, name, text};

fn resource(draw: &mut Draw<'_>) -> ConfigResource {
    match draw.below(7) {
        0 => ConfigResource::Topic(name(draw)),
        1 => ConfigResource::Broker(None),
        2 => ConfigResource::Broker(Some(NodeId(draw.i32()))),
        3 => ConfigResource::BrokerLogger(draw.text()),
        4 => ConfigResource::ClientMetrics(draw.text()),
        5 => ConfigResource::Group(draw.text()),
        _ => ConfigResource::Unknown { kind: 99, name: draw.text() },
    }
}

fn type_and_name(resource: &ConfigResource) -> (i8, StrBytes) {
    match resource {
        ConfigResource::Topic(name) => (2, text(name.as_str())),
        ConfigResource::Broker(None) => (4, text("")),
        ConfigResource::Broker(Some(node)) => (4, text(&node.to_string())),
        ConfigResource::BrokerLogger(name) => (8, text(name)),
        ConfigResource::ClientMetrics(name) => (16, text(name)),
        ConfigResource::Group(name) => (32, text(name)),
        ConfigResource::Unknown { kind, name } => (*kind, text(name)),
    }
}

pub(super) fn describe_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DescribeConfigsRequest {
        resources: draw.list(|draw| (resource(draw), draw.option(|draw| draw.list(Draw::text)))),
        include_synonyms: draw.flag(),
        include_documentation: version >= 3 && draw.flag(),
    };
    let mut message = wire::DescribeConfigsRequest::default();
    message.include_synonyms = request.include_synonyms;
    message.include_documentation = request.include_documentation;
    for (resource, names) in &request.resources {
        let mut asked = wire::describe_configs_request::DescribeConfigsResource::default();
        (asked.resource_type, asked.resource_name) = type_and_name(resource);
        asked.configuration_keys = names.as_ref().map(|names| names.iter().map(|name| text(name)).collect());
        message.resources.push(asked);
    }
    (encode(&message, version), Request::DescribeConfigs(request))
}

pub(super) fn alter_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = AlterConfigsRequest {
        resources: draw.list(|draw| (resource(draw), draw.list(|draw| (draw.text(), draw.option(Draw::text))))),
        validate_only: draw.flag(),
    };
    let mut message = wire::AlterConfigsRequest::default();
    message.validate_only = request.validate_only;
    for (resource, configs) in &request.resources {
        let mut altered = wire::alter_configs_request::AlterConfigsResource::default();
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        for (name, value) in configs {
            let config = wire::alter_configs_request::AlterableConfig::default();
            altered.configs.push(config.with_name(text(name)).with_value(value.as_deref().map(text)));
        }
        message.resources.push(altered);
    }
    (encode(&message, version), Request::AlterConfigs(request))
}

pub(super) fn incremental_alter_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let change = |draw: &mut Draw<'_>| ConfigChange {
        name: draw.text(),
        operation: match draw.below(5) {
            0 => ConfigOperation::Set,
            1 => ConfigOperation::Delete,
            2 => ConfigOperation::Append,
            3 => ConfigOperation::Subtract,
            _ => ConfigOperation::Unknown(9),
        },
        value: draw.option(Draw::text),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: draw.list(|draw| (resource(draw), draw.list(change))), validate_only: draw.flag() };
    let mut message = wire::IncrementalAlterConfigsRequest::default();
    message.validate_only = request.validate_only;
    for (resource, changes) in &request.resources {
        let mut altered = wire::incremental_alter_configs_request::AlterConfigsResource::default();
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        for change in changes {
            let mut config = wire::incremental_alter_configs_request::AlterableConfig::default();
            config.name = text(&change.name);
            config.value = change.value.as_deref().map(text);
            config.config_operation = match change.operation {
                ConfigOperation::Set => 0,
                ConfigOperation::Delete => 1,
                ConfigOperation::Append => 2,
                ConfigOperation::Subtract => 3,
                ConfigOperation::Unknown(operation) => operation,
            };
            altered.configs.push(config);
        }
        message.resources.push(altered);
    }
    (encode(&message, version), Request::IncrementalAlterConfigs(request))
}

pub(super) fn list_config_resources(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    // Version 0 asks for client metrics without saying so.
    let kinds = if version >= 1 { draw.list(Draw::i8) } else { vec![16] };
    let mut message = wire::ListConfigResourcesRequest::default();
    if version >= 1 {
        message.resource_types = kinds.clone();
    }
    (encode(&message, version), Request::ListConfigResources(ListConfigResourcesRequest { kinds }))
}
