//! Metadata, and DescribeTopicPartitions (KIP-966): the cluster as clients see it.

use gracchus_core::boundary::{
    BrokerEndpoint, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest, MetadataResponse, PartitionMetadata,
    Request, TopicCursor, TopicMetadata, TopicRef,
};
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::{NodeId, PartitionIndex};
use kafka_wire::describe_topic_partitions_response::{Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic};
use kafka_wire::metadata_request::MetadataRequestTopic;
use kafka_wire::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use kafka_wire_core::Decoder;

use super::errors::{Newcomer, number_or_none};
use super::operations::{CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS};
use super::{Asked, DecodeError, ListedOperations, RequestHeader, wire};

/// The first version that may ask by topic id. Versions 10 and 11 have the field and refuse it (KAFKA-14053).
const TOPIC_ID_FROM: i16 = 12;

const LISTENER_NOT_FOUND: Newcomer = Newcomer { code: ErrorCode::ListenerNotFound, since: 6, before: ErrorCode::LeaderNotAvailable };

/// The first version that can list permissions.
const OPERATIONS_FROM: i16 = 8;

/// The last version that can list those on the cluster; DescribeCluster has taken that over.
const CLUSTER_OPERATIONS_UPTO: i16 = 10;

pub(super) fn decode(decoder: Decoder, header: &mut RequestHeader) -> Result<Asked, DecodeError> {
    let asked: kafka_wire::MetadataRequest = wire::decode(decoder, header.version)?;
    header.operations = ListedOperations {
        cluster: asked.include_cluster_authorized_operations,
        topics: asked.include_topic_authorized_operations,
        groups: false,
    };
    let topics = asked.topics.filter(|topics| header.version > 0 || !topics.is_empty());
    if header.version < TOPIC_ID_FROM
        && let Some(topics) = &topics
        && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero())
    {
        return Ok(refusal(header, topics));
    }
    let topics = topics.map(|topics| topics.iter().map(topic_ref).collect());
    Ok(Request::Metadata(MetadataRequest { topics, allow_auto_topic_creation: asked.allow_auto_topic_creation }).into())
}

fn topic_ref(topic: &MetadataRequestTopic) -> TopicRef {
    match &topic.name {
        Some(name) if topic.topic_id.is_zero() => TopicRef::Name(wire::topic_name(name)),
        Some(_) | None => TopicRef::Id(wire::topic_id(topic.topic_id)),
    }
}

/// Kafka's answer to topic ids in a version that must not have them.
fn refusal(header: &RequestHeader, topics: &[MetadataRequestTopic]) -> Asked {
    let topic = |topic: &MetadataRequestTopic| TopicMetadata {
        error: Some(ErrorCode::InvalidRequest),
        name: topic.name.as_ref().map(wire::topic_name),
        id: wire::topic_id(topic.topic_id),
        is_internal: false,
        partitions: Vec::new(),
    };
    let topics = topics.iter().map(topic).collect();
    let answer = MetadataResponse { brokers: Vec::new(), cluster_id: String::new(), controller: None, topics };
    Asked::Answered(wire::frame(header, &encode(&answer, header, 0)).expect("it is no longer than the request"))
}

pub(super) fn encode(response: &MetadataResponse, header: &RequestHeader, throttle_ms: i32) -> kafka_wire::MetadataResponse {
    let mut answer = kafka_wire::MetadataResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.brokers = response.brokers.iter().map(broker).collect();
    answer.cluster_id = Some(wire::text(&response.cluster_id));
    answer.controller_id = wire::node_or_none(response.controller);
    answer.topics = response.topics.iter().map(|metadata| topic(metadata, header)).collect();
    if header.operations.cluster && (OPERATIONS_FROM..=CLUSTER_OPERATIONS_UPTO).contains(&header.version) {
        answer.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    answer
}

fn broker(endpoint: &BrokerEndpoint) -> MetadataResponseBroker {
    let mut broker = MetadataResponseBroker::default();
    broker.node_id = endpoint.node.0;
    broker.host = wire::text(&endpoint.host);
    broker.port = i32::from(endpoint.port);
    broker.rack = wire::optional_text(endpoint.rack.as_ref());
    broker
}

fn topic(metadata: &TopicMetadata, header: &RequestHeader) -> MetadataResponseTopic {
    let mut topic = MetadataResponseTopic::default();
    topic.error_code = number_or_none(metadata.error);
    topic.name = metadata.name.as_ref().map(wire::topic_text);
    if topic.name.is_none() && header.version < TOPIC_ID_FROM {
        topic.name = Some(wire::text(""));
    }
    topic.topic_id = wire::uuid(metadata.id);
    topic.is_internal = metadata.is_internal;
    topic.partitions = metadata.partitions.iter().map(|metadata| partition(metadata, header.version)).collect();
    topic.topic_authorized_operations =
        if header.operations.topics && header.version >= OPERATIONS_FROM { TOPIC_OPERATIONS } else { NOT_ASKED };
    topic
}

fn partition(metadata: &PartitionMetadata, version: i16) -> MetadataResponsePartition {
    let mut partition = MetadataResponsePartition::default();
    partition.error_code = number_or_none(partition_error(metadata, version));
    partition.partition_index = metadata.partition.0;
    partition.leader_id = wire::node_or_none(metadata.leader);
    partition.leader_epoch = metadata.leader_epoch.0;
    // Version 0 lists only brokers that it also gives the address of.
    let listed = |nodes: &[NodeId]| -> Vec<i32> {
        nodes.iter().filter(|node| version > 0 || !metadata.offline_replicas.contains(node)).map(|node| node.0).collect()
    };
    partition.replica_nodes = listed(&metadata.replicas);
    partition.isr_nodes = listed(&metadata.isr);
    partition.offline_replicas = wire::nodes(&metadata.offline_replicas);
    partition
}

fn partition_error(metadata: &PartitionMetadata, version: i16) -> Option<ErrorCode> {
    let misses_replicas = version == 0 && !metadata.offline_replicas.is_empty();
    let error = metadata.error.or(misses_replicas.then_some(ErrorCode::ReplicaNotAvailable));
    error.map(|error| LISTENER_NOT_FOUND.known_to(version, error))
}

pub(super) fn decode_describe(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DescribeTopicPartitionsRequest = wire::decode(decoder, version)?;
    Ok(Request::DescribeTopicPartitions(DescribeTopicPartitionsRequest {
        topics: asked.topics.iter().map(|topic| wire::topic_name(&topic.name)).collect(),
        partitions_max: asked.response_partition_limit,
        cursor: asked
            .cursor
            .map(|cursor| TopicCursor { topic: wire::topic_name(&cursor.topic_name), partition: PartitionIndex(cursor.partition_index) }),
    }))
}

pub(super) fn encode_describe(response: &DescribeTopicPartitionsResponse, throttle_ms: i32) -> kafka_wire::DescribeTopicPartitionsResponse {
    let mut answer = kafka_wire::DescribeTopicPartitionsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.topics = response.topics.iter().map(described_topic).collect();
    answer.next_cursor = response.next.as_ref().map(|next| {
        let mut cursor = Cursor::default();
        cursor.topic_name = wire::topic_text(&next.topic);
        cursor.partition_index = next.partition.0;
        cursor
    });
    answer
}

fn described_topic(metadata: &TopicMetadata) -> DescribeTopicPartitionsResponseTopic {
    let mut topic = DescribeTopicPartitionsResponseTopic::default();
    topic.error_code = number_or_none(metadata.error);
    topic.name = metadata.name.as_ref().map(wire::topic_text);
    topic.topic_id = wire::uuid(metadata.id);
    topic.is_internal = metadata.is_internal;
    topic.partitions = metadata.partitions.iter().map(described_partition).collect();
    topic.topic_authorized_operations = TOPIC_OPERATIONS;
    topic
}

fn described_partition(metadata: &PartitionMetadata) -> DescribeTopicPartitionsResponsePartition {
    let mut partition = DescribeTopicPartitionsResponsePartition::default();
    partition.error_code = number_or_none(metadata.error);
    partition.partition_index = metadata.partition.0;
    partition.leader_id = wire::node_or_none(metadata.leader);
    partition.leader_epoch = metadata.leader_epoch.0;
    partition.replica_nodes = wire::nodes(&metadata.replicas);
    partition.isr_nodes = wire::nodes(&metadata.isr);
    partition.eligible_leader_replicas = Some(wire::nodes(&metadata.eligible_leader_replicas));
    partition.last_known_elr = Some(metadata.last_known_leader.iter().map(|node| node.0).collect());
    partition.offline_replicas = wire::nodes(&metadata.offline_replicas);
    partition
}
