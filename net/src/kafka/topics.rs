//! CreateTopics, DeleteTopics, CreatePartitions and DeleteRecords: what changes topics.

use gracchus_core::boundary::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, CreatedTopic, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic, MorePartitions, NewTopic, Request, TopicRef,
};
use gracchus_core::error::{ApiError, ErrorCode};
use gracchus_core::ids::{PartitionIndex, TopicName};
use gracchus_core::offset::Offset;
use kafka_wire::create_partitions_request::CreatePartitionsTopic;
use kafka_wire::create_partitions_response::CreatePartitionsTopicResult;
use kafka_wire::create_topics_request::CreatableTopic;
use kafka_wire::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_wire::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_wire::delete_topics_request::DeleteTopicState;
use kafka_wire::delete_topics_response::DeletableTopicResult;
use kafka_wire_core::Decoder;

use super::configs::source_number;
use super::errors::Newcomer;
use super::{DecodeError, wire};

/// The first version that deletes by id (KIP-516).
const DELETE_BY_ID_FROM: i16 = 6;

const DELETION_DISABLED: Newcomer = Newcomer { code: ErrorCode::TopicDeletionDisabled, since: 3, before: ErrorCode::InvalidRequest };

/// Partition count and replication factor where there is none to tell.
const UNKNOWN: i16 = -1;

pub(super) fn decode_create(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::CreateTopicsRequest = wire::decode(decoder, version)?;
    Ok(Request::CreateTopics(CreateTopicsRequest {
        topics: asked.topics.iter().map(new_topic).collect(),
        timeout_ms: asked.timeout_ms,
        validate_only: asked.validate_only,
    }))
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.iter();
    let configs = topic.configs.iter();
    NewTopic {
        name: wire::topic_name(&topic.name),
        partition_count: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.map(|placed| (PartitionIndex(placed.partition_index), wire::node_ids(&placed.broker_ids))).collect(),
        configs: configs.map(|config| (wire::string(&config.name), config.value.as_ref().map(wire::string))).collect(),
    }
}

pub(super) fn encode_create(response: &CreateTopicsResponse, throttle_ms: i32) -> kafka_wire::CreateTopicsResponse {
    let mut answer = kafka_wire::CreateTopicsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.topics = response.topics.iter().map(|(name, result)| created_topic(name, result)).collect();
    answer
}

fn created_topic(name: &TopicName, result: &Result<CreatedTopic, ApiError>) -> CreatableTopicResult {
    let mut topic = CreatableTopicResult::default();
    topic.name = wire::topic_text(name);
    (topic.error_code, topic.error_message) = wire::api_error(result.as_ref().err());
    topic.num_partitions = i32::from(UNKNOWN);
    topic.replication_factor = UNKNOWN;
    // Never null: the Java client fails on that, on errors too.
    topic.configs = Some(Vec::new());
    if let Ok(created) = result {
        topic.topic_id = wire::uuid(created.id);
        topic.num_partitions = created.partition_count;
        topic.replication_factor = created.replication_factor;
        topic.configs = Some(created.configs.iter().map(created_config).collect());
    }
    topic
}

fn created_config(entry: &gracchus_core::config::ConfigEntry) -> CreatableTopicConfigs {
    let mut config = CreatableTopicConfigs::default();
    config.name = wire::text(&entry.name);
    config.value = wire::optional_text(entry.value.as_ref());
    config.read_only = entry.is_read_only;
    config.config_source = source_number(entry.source);
    config.is_sensitive = entry.is_sensitive;
    config
}

pub(super) fn decode_delete(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DeleteTopicsRequest = wire::decode(decoder, version)?;
    let (mut topics, mut misnamed) = (Vec::new(), Vec::new());
    if version >= DELETE_BY_ID_FROM {
        for topic in &asked.topics {
            match topic_ref(topic) {
                Ok(topic) => topics.push(topic),
                Err(topic) => misnamed.push(topic),
            }
        }
    } else {
        topics = asked.topic_names.iter().map(|name| TopicRef::Name(wire::topic_name(name))).collect();
    }
    Ok(Request::DeleteTopics(DeleteTopicsRequest { topics, misnamed, timeout_ms: asked.timeout_ms }))
}

/// The topic, or the answer to one that is named in both ways or in neither.
fn topic_ref(topic: &DeleteTopicState) -> Result<TopicRef, DeletedTopic> {
    let name = topic.name.as_ref().map(wire::topic_name);
    let id = wire::topic_id(topic.topic_id);
    let fault = match (name, topic.topic_id.is_zero()) {
        (Some(name), true) => return Ok(TopicRef::Name(name)),
        (None, false) => return Ok(TopicRef::Id(id)),
        (Some(name), false) => (Some(name), "You may not specify both topic name and topic id."),
        (None, true) => (None, "Neither topic name nor id were specified."),
    };
    let (name, message) = fault;
    Err(DeletedTopic { name, id, error: Some(ApiError::new(ErrorCode::InvalidRequest, message)) })
}

pub(super) fn encode_delete(response: &DeleteTopicsResponse, version: i16, throttle_ms: i32) -> kafka_wire::DeleteTopicsResponse {
    let mut answer = kafka_wire::DeleteTopicsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for deleted in &response.topics {
        let mut topic = DeletableTopicResult::default();
        topic.name = deleted.name.as_ref().map(wire::topic_text);
        if topic.name.is_none() && version < DELETE_BY_ID_FROM {
            topic.name = Some(wire::text(""));
        }
        topic.topic_id = wire::uuid(deleted.id);
        let error = deleted.error.clone().map(|error| ApiError { code: DELETION_DISABLED.known_to(version, error.code), ..error });
        (topic.error_code, topic.error_message) = wire::api_error(error.as_ref());
        answer.responses.push(topic);
    }
    answer
}

pub(super) fn decode_partitions(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::CreatePartitionsRequest = wire::decode(decoder, version)?;
    Ok(Request::CreatePartitions(CreatePartitionsRequest {
        topics: asked.topics.iter().map(more_partitions).collect(),
        timeout_ms: asked.timeout_ms,
        validate_only: asked.validate_only,
    }))
}

fn more_partitions(topic: &CreatePartitionsTopic) -> MorePartitions {
    let assignments = topic.assignments.as_ref();
    MorePartitions {
        name: wire::topic_name(&topic.name),
        partition_count: topic.count,
        assignments: assignments.map(|placed| placed.iter().map(|replicas| wire::node_ids(&replicas.broker_ids)).collect()),
    }
}

pub(super) fn encode_partitions(response: &CreatePartitionsResponse, throttle_ms: i32) -> kafka_wire::CreatePartitionsResponse {
    let mut answer = kafka_wire::CreatePartitionsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (name, error) in &response.topics {
        let mut topic = CreatePartitionsTopicResult::default();
        topic.name = wire::topic_text(name);
        (topic.error_code, topic.error_message) = wire::api_error(error.as_ref());
        answer.results.push(topic);
    }
    answer
}

pub(super) fn decode_delete_records(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DeleteRecordsRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        let offsets = partitions.map(|partition| (PartitionIndex(partition.partition_index), Offset(partition.offset)));
        (wire::topic_name(&topic.name), offsets.collect())
    });
    Ok(Request::DeleteRecords(DeleteRecordsRequest { topics: topics.collect(), timeout_ms: asked.timeout_ms }))
}

pub(super) fn encode_delete_records(response: &DeleteRecordsResponse, throttle_ms: i32) -> kafka_wire::DeleteRecordsResponse {
    let mut answer = kafka_wire::DeleteRecordsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (name, partitions) in &response.topics {
        let mut topic = DeleteRecordsTopicResult::default();
        topic.name = wire::topic_text(name);
        topic.partitions = partitions.iter().map(|(index, result)| new_start(*index, *result)).collect();
        answer.topics.push(topic);
    }
    answer
}

fn new_start(index: PartitionIndex, result: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = wire::value_or(&result, Offset(-1));
    let mut partition = DeleteRecordsPartitionResult::default();
    partition.partition_index = index.0;
    partition.low_watermark = low_watermark.0;
    partition.error_code = error_code;
    partition
}
