//! Requests of the consumer protocol.

use bytes::Bytes;
use gracchus_core::boundary::{ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, GroupRequest, Request};
use gracchus_core::ids::{PartitionIndex, TopicId};
use kafka_protocol::messages::{self as wire, consumer_group_heartbeat_request::TopicPartitions};

use super::{Draw, encode, id, index, name, text, topic_text, uuid};

fn group(name: &str) -> wire::GroupId {
    wire::GroupId(text(name))
}

pub(super) fn heartbeat(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let owned = |draw: &mut Draw<'_>| draw.list(|draw| (id(draw), draw.list(index)));
    let request = ConsumerGroupHeartbeatRequest {
        group: draw.text(),
        member_id: draw.text(),
        member_epoch: draw.i32(),
        instance_id: draw.option(Draw::text),
        rack_id: draw.option(Draw::text),
        rebalance_timeout_ms: draw.option(|draw| draw.i32() & i32::MAX),
        topics: draw.option(|draw| draw.list(name)),
        pattern: if version >= 1 { draw.option(Draw::text) } else { None },
        assignor: draw.option(Draw::text),
        owned: draw.option(owned),
        has_own_id: version >= 1,
    };
    let of_topic = |(topic, partitions): &(TopicId, Vec<PartitionIndex>)| {
        let indexes = partitions.iter().map(|index| index.0).collect();
        TopicPartitions::default().with_topic_id(uuid(*topic)).with_partitions(indexes)
    };
    let mut message = wire::ConsumerGroupHeartbeatRequest::default();
    message.group_id = group(&request.group);
    message.member_id = text(&request.member_id);
    message.member_epoch = request.member_epoch;
    message.instance_id = request.instance_id.as_deref().map(text);
    message.rack_id = request.rack_id.as_deref().map(text);
    message.rebalance_timeout_ms = request.rebalance_timeout_ms.unwrap_or(-1);
    message.subscribed_topic_names = request.topics.as_ref().map(|names| names.iter().map(topic_text).collect());
    message.subscribed_topic_regex = request.pattern.as_deref().map(text);
    message.server_assignor = request.assignor.as_deref().map(text);
    message.topic_partitions = request.owned.as_ref().map(|topics| topics.iter().map(of_topic).collect());
    (encode(&message, version), Request::from(GroupRequest::ConsumerGroupHeartbeat(request)))
}

pub(super) fn describe(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = ConsumerGroupDescribeRequest { groups: draw.list(Draw::text) };
    let message = wire::ConsumerGroupDescribeRequest::default().with_group_ids(request.groups.iter().map(|name| group(name)).collect());
    (encode(&message, version), Request::ConsumerGroupDescribe(request))
}
