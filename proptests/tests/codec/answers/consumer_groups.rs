//! Answers of the consumer protocol.

use std::collections::BTreeMap;

use gracchus_core::boundary::*;
use gracchus_core::ids::TopicPartition;
use kafka_protocol::messages::consumer_group_describe_response as described;
use kafka_protocol::messages::consumer_group_heartbeat_response as heard;

use super::*;

pub(super) fn heartbeat(version: i16, draw: &mut Draw<'_>) {
    let partitions = |draw: &mut Draw<'_>| draw.list(|draw| TopicPartition { topic: id(draw), partition: index(draw) });
    let told = |draw: &mut Draw<'_>| Heard {
        member_id: draw.text(),
        member_epoch: draw.i32(),
        heartbeat_interval_ms: draw.i32(),
        assignment: draw.option(|draw| partitions(draw).into_iter().collect()),
    };
    let result = if draw.flag() { Ok(told(draw)) } else { Err(api_error(draw)) };
    let mut message = wire::ConsumerGroupHeartbeatResponse::default().with_throttle_time_ms(THROTTLE_MS);
    match &result {
        Ok(told) => {
            message.member_id = Some(text(&told.member_id));
            message.member_epoch = told.member_epoch;
            message.heartbeat_interval_ms = told.heartbeat_interval_ms;
            message.assignment = told.assignment.as_ref().map(|partitions| {
                let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
                for id in partitions {
                    topics.entry(id.topic).or_default().push(id.partition.0);
                }
                let topics = topics
                    .into_iter()
                    .map(|(topic, indexes)| heard::TopicPartitions::default().with_topic_id(uuid(topic)).with_partitions(indexes));
                heard::Assignment::default().with_topic_partitions(topics.collect())
            });
        }
        Err(error) => (message.error_code, message.error_message) = number_and_message(Some(error)),
    }
    let response = GroupResponse::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse { result });
    compare(Api::ConsumerGroupHeartbeat, version, &Response::Group(response), &message);
}

pub(super) fn describe(version: i16, draw: &mut Draw<'_>) {
    let partitions = |draw: &mut Draw<'_>| DescribedPartitions { topic_id: id(draw), topic: name(draw), partitions: draw.list(index) };
    let member = |draw: &mut Draw<'_>| DescribedConsumer {
        member_id: draw.text(),
        instance_id: draw.option(Draw::text),
        rack_id: draw.option(Draw::text),
        member_epoch: draw.i32(),
        client_id: draw.text(),
        client_host: draw.text(),
        topics: draw.list(name),
        pattern: draw.option(Draw::text),
        assigned: draw.list(partitions),
        target: draw.list(partitions),
        is_classic: draw.flag(),
    };
    let group = |draw: &mut Draw<'_>| DescribedConsumerGroup {
        state: draw.text(),
        group_epoch: draw.i32(),
        assignment_epoch: draw.i32(),
        assignor: draw.text(),
        members: draw.list(member),
    };
    let result = |draw: &mut Draw<'_>| if draw.flag() { Ok(group(draw)) } else { Err(api_error(draw)) };
    let response = ConsumerGroupDescribeResponse { groups: draw.list(|draw| (draw.text(), result(draw))) };
    let mut message = wire::ConsumerGroupDescribeResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, result) in &response.groups {
        let mut told = described::DescribedGroup::default().with_group_id(wire::GroupId(text(name)));
        (told.error_code, told.error_message) = number_and_message(result.as_ref().err());
        told.authorized_operations = i32::MIN;
        if let Ok(group) = result {
            told.group_state = text(&group.state);
            (told.group_epoch, told.assignment_epoch) = (group.group_epoch, group.assignment_epoch);
            told.assignor_name = text(&group.assignor);
            told.members = group.members.iter().map(|member| told_of(member, version)).collect();
        }
        message.groups.push(told);
    }
    compare(Api::ConsumerGroupDescribe, version, &Response::Group(GroupResponse::ConsumerGroupDescribe(response)), &message);
}

fn told_of(member: &DescribedConsumer, version: i16) -> described::Member {
    let assignment = |topics: &[DescribedPartitions]| {
        let topics = topics.iter().map(|held| {
            let indexes = held.partitions.iter().map(|index| index.0).collect();
            let told = described::TopicPartitions::default().with_topic_id(uuid(held.topic_id));
            told.with_topic_name(topic_text(&held.topic)).with_partitions(indexes)
        });
        described::Assignment::default().with_topic_partitions(topics.collect())
    };
    let mut told = described::Member::default();
    told.member_id = text(&member.member_id);
    told.instance_id = member.instance_id.as_deref().map(text);
    told.rack_id = member.rack_id.as_deref().map(text);
    told.member_epoch = member.member_epoch;
    told.client_id = text(&member.client_id);
    told.client_host = text(&member.client_host);
    told.subscribed_topic_names = member.topics.iter().map(topic_text).collect();
    told.subscribed_topic_regex = member.pattern.as_deref().map(text);
    told.assignment = assignment(&member.assigned);
    told.target_assignment = assignment(&member.target);
    told.member_type = if version >= 1 { i8::from(!member.is_classic) } else { -1 };
    told
}
