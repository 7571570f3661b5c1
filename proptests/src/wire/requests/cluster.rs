//! What there is: topics, brokers, folders, versions.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::broker::Endpoint;
use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use gracchus_core::record::Voter;
use kafka_protocol::messages as wire;

use super::{Draw, encode, index, name, text, topic_ref, topic_text, uuid};

pub(super) fn metadata(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_id = version >= 12 && draw.flag();
    // In version 0 an empty list means all topics; null came later.
    let topics =
        if draw.flag() { None } else { Some(draw.list(|draw| topic_ref(by_id, draw))) }.filter(|topics| version > 0 || !topics.is_empty());
    let request = MetadataRequest { topics, allow_auto_topic_creation: version < 4 || draw.flag() };
    let mut message = wire::MetadataRequest::default();
    message.allow_auto_topic_creation = request.allow_auto_topic_creation;
    message.topics = request.topics.as_ref().map(|topics| topics.iter().map(metadata_topic).collect());
    if version == 0 && message.topics.is_none() {
        message.topics = Some(Vec::new());
    }
    (encode(&message, version), Request::Metadata(request))
}

fn metadata_topic(topic: &TopicRef) -> wire::metadata_request::MetadataRequestTopic {
    let message = wire::metadata_request::MetadataRequestTopic::default();
    match topic {
        TopicRef::Name(name) => message.with_name(Some(topic_text(name))),
        TopicRef::Id(id) => message.with_name(None).with_topic_id(uuid(*id)),
    }
}

pub(super) fn describe_topic_partitions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DescribeTopicPartitionsRequest {
        topics: draw.list(name),
        partitions_max: draw.i32(),
        cursor: draw.option(|draw| TopicCursor { topic: name(draw), partition: index(draw) }),
    };
    let mut message = wire::DescribeTopicPartitionsRequest::default();
    let topic = wire::describe_topic_partitions_request::TopicRequest::default;
    message.topics = request.topics.iter().map(|name| topic().with_name(topic_text(name))).collect();
    message.response_partition_limit = request.partitions_max;
    message.cursor = request.cursor.as_ref().map(|cursor| {
        let mut place = wire::describe_topic_partitions_request::Cursor::default();
        place.topic_name = topic_text(&cursor.topic);
        place.partition_index = cursor.partition.0;
        place
    });
    (encode(&message, version), Request::DescribeTopicPartitions(request))
}

pub(super) fn describe_cluster(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let endpoint_type = if version >= 1 { 1 + i8::from(draw.flag()) } else { 1 };
    let request = DescribeClusterRequest {
        endpoints: if endpoint_type == 1 { EndpointType::Brokers } else { EndpointType::Controllers },
        include_fenced_brokers: version >= 2 && draw.flag(),
    };
    let mut message = wire::DescribeClusterRequest::default();
    message.endpoint_type = endpoint_type;
    message.include_fenced_brokers = request.include_fenced_brokers;
    (encode(&message, version), Request::DescribeCluster(request))
}

pub(super) fn describe_log_dirs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let topics = draw.option(|draw| BTreeMap::from_iter(draw.list(|draw| (name(draw), BTreeSet::from_iter(draw.list(index))))));
    let mut message = wire::DescribeLogDirsRequest::default();
    message.topics = topics.as_ref().map(|topics| {
        let topic = wire::describe_log_dirs_request::DescribableLogDirTopic::default;
        let topics = topics.iter();
        topics
            .map(|(name, indexes)| topic().with_topic(topic_text(name)).with_partitions(indexes.iter().map(|index| index.0).collect()))
            .collect()
    });
    (encode(&message, version), Request::DescribeLogDirs(DescribeLogDirsRequest { topics }))
}

pub(super) fn add_raft_voter(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = AddRaftVoterRequest {
        cluster_id: draw.option(Draw::text),
        timeout_ms: draw.i32(),
        voter: voter(draw),
        endpoints: draw.list(|draw| Endpoint {
            listener: draw.text().as_str().into(),
            host: draw.text(),
            port: u16::from_be_bytes(draw.array()),
        }),
        // The other codec knows no later version.
        ack_when_committed: true,
    };
    let listener = |endpoint: &Endpoint| {
        let listener = wire::add_raft_voter_request::Listener::default().with_name(text(&endpoint.listener));
        listener.with_host(text(&endpoint.host)).with_port(endpoint.port)
    };
    let mut message = wire::AddRaftVoterRequest::default().with_timeout_ms(request.timeout_ms).with_voter_id(request.voter.node.0);
    message.cluster_id = request.cluster_id.as_deref().map(text);
    message.voter_directory_id = ::uuid::Uuid::from_bytes(request.voter.directory.0.0);
    message.listeners = request.endpoints.iter().map(listener).collect();
    (encode(&message, version), Request::AddRaftVoter(request))
}

pub(super) fn remove_raft_voter(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = RemoveRaftVoterRequest { cluster_id: draw.option(Draw::text), voter: voter(draw) };
    let mut message = wire::RemoveRaftVoterRequest::default().with_voter_id(request.voter.node.0);
    message.cluster_id = request.cluster_id.as_deref().map(text);
    message.voter_directory_id = ::uuid::Uuid::from_bytes(request.voter.directory.0.0);
    (encode(&message, version), Request::RemoveRaftVoter(request))
}

fn voter(draw: &mut Draw<'_>) -> Voter {
    Voter { node: NodeId(draw.i32()), directory: DirectoryId(Uuid(draw.array())) }
}

pub(super) fn api_versions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let mut message = wire::ApiVersionsRequest::default();
    if version >= 3 {
        message.client_software_name = text(&format!("lib{}.so-x", draw.text()));
        message.client_software_version = text("2.0.2");
    }
    (encode(&message, version), Request::ApiVersions(ApiVersionsRequest {}))
}
