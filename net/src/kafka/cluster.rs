//! DescribeCluster and DescribeLogDirs: the nodes, and what is on this one's disk.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::boundary::{
    BrokerEndpoint, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, Door, EndpointType,
    Request,
};
use gracchus_core::ids::{PartitionIndex, TopicName};
use kafka_wire::describe_cluster_response::DescribeClusterBroker;
use kafka_wire::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic};
use kafka_wire_core::Decoder;

use super::operations::CLUSTER_OPERATIONS;
use super::{DecodeError, RequestHeader, wire};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// The first version that says whether brokers or controllers are listed (KIP-919).
const ENDPOINT_TYPE_FROM: i16 = 1;

/// The first version that says of a broker that it is fenced (KIP-1073).
const FENCED_FROM: i16 = 2;

pub(super) fn decode_describe(decoder: Decoder, header: &mut RequestHeader) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DescribeClusterRequest = wire::decode(decoder, header.version)?;
    header.operations.cluster = asked.include_cluster_authorized_operations;
    let endpoints = match asked.endpoint_type {
        BROKERS => EndpointType::Brokers,
        CONTROLLERS => EndpointType::Controllers,
        unknown => EndpointType::Unknown(unknown),
    };
    Ok(Request::DescribeCluster(DescribeClusterRequest { endpoints, include_fenced_brokers: asked.include_fenced_brokers }))
}

pub(super) fn encode_describe(
    response: &DescribeClusterResponse,
    header: &RequestHeader,
    throttle_ms: i32,
) -> kafka_wire::DescribeClusterResponse {
    let mut answer = kafka_wire::DescribeClusterResponse::default();
    answer.throttle_time_ms = throttle_ms;
    (answer.error_code, answer.error_message) = wire::api_error(response.result.as_ref().err());
    answer.controller_id = wire::NO_NODE;
    if let Ok(cluster) = &response.result {
        answer.cluster_id = wire::text(&cluster.cluster_id);
        answer.controller_id = wire::node_or_none(cluster.controller);
        answer.endpoint_type = match cluster.door {
            Door::Controllers if header.version >= ENDPOINT_TYPE_FROM => CONTROLLERS,
            Door::Brokers | Door::Controllers => BROKERS,
        };
        answer.brokers = cluster.brokers.iter().map(|endpoint| broker(endpoint, header.version)).collect();
        if header.operations.cluster {
            answer.cluster_authorized_operations = CLUSTER_OPERATIONS;
        }
    }
    answer
}

fn broker(endpoint: &BrokerEndpoint, version: i16) -> DescribeClusterBroker {
    let mut broker = DescribeClusterBroker::default();
    broker.broker_id = endpoint.node.0;
    broker.host = wire::text(&endpoint.host);
    broker.port = i32::from(endpoint.port);
    broker.rack = wire::optional_text(endpoint.rack.as_ref());
    broker.is_fenced = endpoint.is_fenced && version >= FENCED_FROM;
    broker
}

pub(super) fn decode_log_dirs(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DescribeLogDirsRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.map(|topics| {
        let mut wanted: BTreeMap<TopicName, BTreeSet<PartitionIndex>> = BTreeMap::new();
        for topic in &topics {
            wanted.entry(wire::topic_name(&topic.topic)).or_default().extend(wire::partitions(&topic.partitions));
        }
        wanted
    });
    Ok(Request::DescribeLogDirs(DescribeLogDirsRequest { topics }))
}

pub(super) fn encode_log_dirs(response: &DescribeLogDirsResponse, throttle_ms: i32) -> kafka_wire::DescribeLogDirsResponse {
    let mut directory = DescribeLogDirsResult::default();
    directory.log_dir = wire::text(&response.directory);
    directory.topics = response.topics.iter().map(|(name, partitions)| log_dir_topic(name, partitions)).collect();
    directory.total_bytes = response.total_bytes;
    directory.usable_bytes = response.free_bytes;
    let mut answer = kafka_wire::DescribeLogDirsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.results = vec![directory];
    answer
}

fn log_dir_topic(name: &TopicName, partitions: &[(PartitionIndex, u64)]) -> DescribeLogDirsTopic {
    let mut topic = DescribeLogDirsTopic::default();
    topic.name = wire::topic_text(name);
    for (index, bytes) in partitions {
        let mut partition = DescribeLogDirsPartition::default();
        partition.partition_index = index.0;
        partition.partition_size = i64::try_from(*bytes).unwrap_or(i64::MAX);
        topic.partitions.push(partition);
    }
    topic
}
