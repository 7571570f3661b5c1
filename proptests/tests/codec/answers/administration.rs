//! Answers to those who change topics and settings.

use gracchus_core::boundary::*;
use gracchus_core::config::{ConfigEntry, ConfigKind, ConfigSource};

use super::*;

pub(super) fn create_topics(version: i16, draw: &mut Draw<'_>) {
    let created = |draw: &mut Draw<'_>| CreatedTopic {
        id: id(draw),
        partition_count: draw.i32(),
        replication_factor: draw.i16(),
        configs: draw.list(entry),
    };
    let result = |draw: &mut Draw<'_>| if draw.flag() { Ok(created(draw)) } else { Err(api_error(draw)) };
    let response = CreateTopicsResponse { topics: draw.list(|draw| (name(draw), result(draw))) };
    let mut message = wire::CreateTopicsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, result) in &response.topics {
        let mut topic = wire::create_topics_response::CreatableTopicResult::default().with_name(topic_text(name));
        (topic.error_code, topic.error_message) = number_and_message(result.as_ref().err());
        // Null in no version that has them: the Java client fails on it.
        topic.configs = Some(Vec::new());
        if let Ok(created) = result {
            topic.topic_id = since(version >= 7, uuid(created.id));
            if version >= 5 {
                topic.num_partitions = created.partition_count;
                topic.replication_factor = created.replication_factor;
                topic.configs = Some(created.configs.iter().map(creatable_config).collect());
            }
        }
        message.topics.push(topic);
    }
    compare(Api::CreateTopics, version, &Response::CreateTopics(response), &message);
}

fn entry(draw: &mut Draw<'_>) -> ConfigEntry {
    ConfigEntry {
        name: draw.text(),
        value: draw.option(Draw::text),
        is_read_only: draw.flag(),
        is_sensitive: draw.flag(),
        source: source(draw),
        synonyms: draw.list(|draw| (draw.text(), draw.option(Draw::text), source(draw))),
        kind: [ConfigKind::Boolean, ConfigKind::Int, ConfigKind::Password][usize::from(draw.below(3))],
        documentation: draw.option(Draw::text),
    }
}

fn source(draw: &mut Draw<'_>) -> ConfigSource {
    use ConfigSource::*;
    [DynamicTopic, DynamicGroup, DynamicBroker, DynamicDefaultBroker, StaticBroker, Default][usize::from(draw.below(6))]
}

fn source_number(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::DynamicTopic => 1,
        ConfigSource::DynamicGroup => 8,
        ConfigSource::DynamicBroker => 2,
        ConfigSource::DynamicDefaultBroker => 3,
        ConfigSource::StaticBroker => 4,
        ConfigSource::Default => 5,
    }
}

fn creatable_config(entry: &ConfigEntry) -> wire::create_topics_response::CreatableTopicConfigs {
    let config = wire::create_topics_response::CreatableTopicConfigs::default();
    let config = config.with_name(text(&entry.name)).with_value(entry.value.as_deref().map(text)).with_read_only(entry.is_read_only);
    config.with_config_source(source_number(entry.source)).with_is_sensitive(entry.is_sensitive)
}

pub(super) fn delete_topics(version: i16, draw: &mut Draw<'_>) {
    let disabled = |draw: &mut Draw<'_>| ApiError { code: ErrorCode::TopicDeletionDisabled, message: draw.option(Draw::text) };
    let response = DeleteTopicsResponse {
        topics: draw.list(|draw| DeletedTopic {
            name: if version >= 6 { draw.option(name) } else { Some(name(draw)) },
            id: id(draw),
            error: draw.option(disabled),
        }),
    };
    let mut message = wire::DeleteTopicsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for deleted in &response.topics {
        let mut topic = wire::delete_topics_response::DeletableTopicResult::default();
        topic.name = deleted.name.as_ref().map(topic_text);
        topic.topic_id = since(version >= 6, uuid(deleted.id));
        if let Some(error) = &deleted.error {
            // TOPIC_DELETION_DISABLED was INVALID_REQUEST before version 3.
            topic.error_code = if version >= 3 { 73 } else { 42 };
            topic.error_message = since(version >= 5, error.message.as_deref().map(text));
        }
        message.responses.push(topic);
    }
    compare(Api::DeleteTopics, version, &Response::DeleteTopics(response), &message);
}

pub(super) fn create_partitions(version: i16, draw: &mut Draw<'_>) {
    let response = CreatePartitionsResponse { topics: draw.list(|draw| (name(draw), draw.option(api_error))) };
    let mut message = wire::CreatePartitionsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, error) in &response.topics {
        let mut topic = wire::create_partitions_response::CreatePartitionsTopicResult::default().with_name(topic_text(name));
        (topic.error_code, topic.error_message) = number_and_message(error.as_ref());
        message.results.push(topic);
    }
    compare(Api::CreatePartitions, version, &Response::CreatePartitions(response), &message);
}

fn resource(draw: &mut Draw<'_>) -> ConfigResource {
    match draw.below(4) {
        0 => ConfigResource::Topic(name(draw)),
        1 => ConfigResource::Broker(draw.option(node)),
        2 => ConfigResource::Group(draw.text()),
        _ => ConfigResource::Unknown { kind: draw.i8(), name: draw.text() },
    }
}

fn type_and_name(resource: &ConfigResource) -> (i8, StrBytes) {
    match resource {
        ConfigResource::Topic(name) => (2, text(name.as_str())),
        ConfigResource::Broker(node) => (4, text(&node.map_or(String::new(), |node| node.to_string()))),
        ConfigResource::BrokerLogger(name) => (8, text(name)),
        ConfigResource::ClientMetrics(name) => (16, text(name)),
        ConfigResource::Group(name) => (32, text(name)),
        ConfigResource::Unknown { kind, name } => (*kind, text(name)),
    }
}

pub(super) fn describe_configs(version: i16, draw: &mut Draw<'_>) {
    use wire::describe_configs_response::*;
    let result = |draw: &mut Draw<'_>| if draw.flag() { Ok(draw.list(entry)) } else { Err(api_error(draw)) };
    let response = gracchus_core::boundary::DescribeConfigsResponse { resources: draw.list(|draw| (resource(draw), result(draw))) };
    let mut message = wire::DescribeConfigsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (resource, result) in &response.resources {
        let mut described = DescribeConfigsResult::default();
        (described.error_code, described.error_message) = number_and_message(result.as_ref().err());
        (described.resource_type, described.resource_name) = type_and_name(resource);
        for entry in result.iter().flatten() {
            let mut config = DescribeConfigsResourceResult::default().with_name(text(&entry.name)).with_read_only(entry.is_read_only);
            config.value = entry.value.as_deref().map(text);
            config.is_sensitive = entry.is_sensitive;
            config.config_source = source_number(entry.source);
            for (name, value, source) in &entry.synonyms {
                let synonym = DescribeConfigsSynonym::default().with_name(text(name)).with_value(value.as_deref().map(text));
                config.synonyms.push(synonym.with_source(source_number(*source)));
            }
            if version >= 3 {
                config.config_type = if entry.kind == ConfigKind::Boolean {
                    1
                } else if entry.kind == ConfigKind::Int {
                    3
                } else {
                    9
                };
                config.documentation = entry.documentation.as_deref().map(text);
            }
            described.configs.push(config);
        }
        message.results.push(described);
    }
    compare(Api::DescribeConfigs, version, &Response::DescribeConfigs(response), &message);
}

fn altered(draw: &mut Draw<'_>) -> AlterConfigsResponse {
    AlterConfigsResponse { resources: draw.list(|draw| (resource(draw), draw.option(api_error))) }
}

pub(super) fn alter_configs(version: i16, draw: &mut Draw<'_>) {
    let response = altered(draw);
    let mut message = wire::AlterConfigsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (resource, error) in &response.resources {
        let mut answered = wire::alter_configs_response::AlterConfigsResourceResponse::default();
        (answered.error_code, answered.error_message) = number_and_message(error.as_ref());
        (answered.resource_type, answered.resource_name) = type_and_name(resource);
        message.responses.push(answered);
    }
    compare(Api::AlterConfigs, version, &Response::AlterConfigs(response), &message);
}

pub(super) fn incremental_alter_configs(version: i16, draw: &mut Draw<'_>) {
    let response = altered(draw);
    let mut message = wire::IncrementalAlterConfigsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (resource, error) in &response.resources {
        let mut answered = wire::incremental_alter_configs_response::AlterConfigsResourceResponse::default();
        (answered.error_code, answered.error_message) = number_and_message(error.as_ref());
        (answered.resource_type, answered.resource_name) = type_and_name(resource);
        message.responses.push(answered);
    }
    compare(Api::IncrementalAlterConfigs, version, &Response::AlterConfigs(response), &message);
}

pub(super) fn list_config_resources(version: i16, draw: &mut Draw<'_>) {
    // Version 0 knows no types: all are client metrics.
    let listed = |draw: &mut Draw<'_>| if version >= 1 { resource(draw) } else { ConfigResource::ClientMetrics(draw.text()) };
    let result = if draw.flag() { Ok(draw.list(listed)) } else { Err(error(draw)) };
    let mut message = wire::ListConfigResourcesResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.error_code = number(result.as_ref().err().copied());
    for resource in result.iter().flatten() {
        let mut answered = wire::list_config_resources_response::ConfigResource::default();
        (answered.resource_type, answered.resource_name) = type_and_name(resource);
        message.config_resources.push(answered);
    }
    compare(Api::ListConfigResources, version, &Response::ListConfigResources(ListConfigResourcesResponse { result }), &message);
}
