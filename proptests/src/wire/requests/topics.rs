//! Topics and partitions: to make them and to delete them.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::ids::NodeId;
use kafka_protocol::messages as wire;

use super::{Draw, encode, index, name, nodes, text, topic_ref, topic_text, uuid};

pub(super) fn create_topics(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = CreateTopicsRequest {
        topics: draw.list(|draw| NewTopic {
            name: name(draw),
            partition_count: draw.i32(),
            replication_factor: draw.i16(),
            assignments: draw.list(|draw| (index(draw), draw.list(|draw| NodeId(draw.i32())))),
            configs: draw.list(|draw| (draw.text(), draw.option(Draw::text))),
        }),
        timeout_ms: draw.i32(),
        validate_only: draw.flag(),
    };
    let mut message = wire::CreateTopicsRequest::default();
    message.timeout_ms = request.timeout_ms;
    message.validate_only = request.validate_only;
    message.topics = request.topics.iter().map(creatable_topic).collect();
    (encode(&message, version), Request::CreateTopics(request))
}

fn creatable_topic(topic: &NewTopic) -> wire::create_topics_request::CreatableTopic {
    use wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopicConfig};
    let mut message = wire::create_topics_request::CreatableTopic::default();
    message.name = topic_text(&topic.name);
    message.num_partitions = topic.partition_count;
    message.replication_factor = topic.replication_factor;
    for (index, replicas) in &topic.assignments {
        let assignment = CreatableReplicaAssignment::default().with_partition_index(index.0).with_broker_ids(nodes(replicas));
        message.assignments.push(assignment);
    }
    for (name, value) in &topic.configs {
        let config = CreatableTopicConfig::default().with_name(text(name)).with_value(value.as_deref().map(text));
        message.configs.push(config);
    }
    message
}

pub(super) fn delete_topics(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_state = version >= 6;
    let request = DeleteTopicsRequest {
        topics: draw.list(|draw| {
            let by_id = by_state && draw.flag();
            topic_ref(by_id, draw)
        }),
        misnamed: Vec::new(),
        timeout_ms: draw.i32(),
    };
    let mut message = wire::DeleteTopicsRequest::default();
    message.timeout_ms = request.timeout_ms;
    for topic in &request.topics {
        let state = wire::delete_topics_request::DeleteTopicState::default();
        match topic {
            TopicRef::Name(name) if by_state => message.topics.push(state.with_name(Some(topic_text(name)))),
            TopicRef::Name(name) => message.topic_names.push(topic_text(name)),
            TopicRef::Id(id) => message.topics.push(state.with_name(None).with_topic_id(uuid(*id))),
        }
    }
    (encode(&message, version), Request::DeleteTopics(request))
}

pub(super) fn create_partitions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = CreatePartitionsRequest {
        topics: draw.list(|draw| MorePartitions {
            name: name(draw),
            partition_count: draw.i32(),
            assignments: draw.option(|draw| draw.list(|draw| draw.list(|draw| NodeId(draw.i32())))),
        }),
        timeout_ms: draw.i32(),
        validate_only: draw.flag(),
    };
    let mut message = wire::CreatePartitionsRequest::default();
    message.timeout_ms = request.timeout_ms;
    message.validate_only = request.validate_only;
    for topic in &request.topics {
        let mut more = wire::create_partitions_request::CreatePartitionsTopic::default();
        more.name = topic_text(&topic.name);
        more.count = topic.partition_count;
        let assignment = wire::create_partitions_request::CreatePartitionsAssignment::default;
        more.assignments =
            topic.assignments.as_ref().map(|placed| placed.iter().map(|replicas| assignment().with_broker_ids(nodes(replicas))).collect());
        message.topics.push(more);
    }
    (encode(&message, version), Request::CreatePartitions(request))
}
