//! ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).

use std::collections::BTreeSet;

use gracchus_core::boundary::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DescribedConsumer, DescribedConsumerGroup, DescribedPartitions, GroupRequest,
};
use gracchus_core::error::ApiError;
use gracchus_core::ids::{PartitionIndex, TopicPartition};
use kafka_wire::{consumer_group_describe_response as described, consumer_group_heartbeat_response as heard};
use kafka_wire_core::Decoder;

use super::optional;
use crate::kafka::operations::{GROUP_OPERATIONS, NOT_ASKED};
use crate::kafka::{DecodeError, ListedOperations, RequestHeader, wire};

/// The first version of ConsumerGroupHeartbeat whose members make their ids (KIP-1082).
const OWN_ID_FROM: i16 = 1;
/// The first version of ConsumerGroupDescribe that tells which protocol a member is of (KIP-1099).
const MEMBER_TYPE_FROM: i16 = 1;

/// Kafka's numbers for the protocol that a member is of.
const UNTOLD: i8 = -1;
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

pub(in crate::kafka) fn decode_heartbeat(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::ConsumerGroupHeartbeatRequest = wire::decode(decoder, version)?;
    let owned = asked.topic_partitions.as_ref().map(|topics| {
        let of_topic = topics.iter().map(|topic| (wire::topic_id(topic.topic_id), wire::partitions(&topic.partitions)));
        of_topic.collect()
    });
    Ok(GroupRequest::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest {
        group: wire::string(&asked.group_id),
        member_id: wire::string(&asked.member_id),
        member_epoch: asked.member_epoch,
        instance_id: optional(asked.instance_id.as_ref()),
        rack_id: optional(asked.rack_id.as_ref()),
        rebalance_timeout_ms: (asked.rebalance_timeout_ms != -1).then_some(asked.rebalance_timeout_ms),
        topics: asked.subscribed_topic_names.as_ref().map(|names| names.iter().map(wire::topic_name).collect()),
        pattern: optional(asked.subscribed_topic_regex.as_ref()),
        assignor: optional(asked.server_assignor.as_ref()),
        owned,
        has_own_id: version >= OWN_ID_FROM,
    }))
}

pub(super) fn encode_heartbeat(response: &ConsumerGroupHeartbeatResponse, throttle_ms: i32) -> kafka_wire::ConsumerGroupHeartbeatResponse {
    let mut answer = kafka_wire::ConsumerGroupHeartbeatResponse::default();
    answer.throttle_time_ms = throttle_ms;
    match &response.result {
        Ok(told) => {
            answer.member_id = Some(wire::text(&told.member_id));
            answer.member_epoch = told.member_epoch;
            answer.heartbeat_interval_ms = told.heartbeat_interval_ms;
            answer.assignment = told.assignment.as_ref().map(assignment);
        }
        Err(error) => (answer.error_code, answer.error_message) = wire::api_error(Some(error)),
    }
    answer
}

/// Partitions in order, by topic.
fn assignment(partitions: &BTreeSet<TopicPartition>) -> heard::Assignment {
    let mut told = heard::Assignment::default();
    for id in partitions {
        let topic_id = wire::uuid(id.topic);
        match told.topic_partitions.last_mut().filter(|last| last.topic_id == topic_id) {
            Some(last) => last.partitions.push(id.partition.0),
            None => {
                let mut topic = heard::TopicPartitions::default();
                (topic.topic_id, topic.partitions) = (topic_id, vec![id.partition.0]);
                told.topic_partitions.push(topic);
            }
        }
    }
    told
}

pub(in crate::kafka) fn decode_describe(decoder: Decoder, header: &mut RequestHeader) -> Result<ConsumerGroupDescribeRequest, DecodeError> {
    let asked: kafka_wire::ConsumerGroupDescribeRequest = wire::decode(decoder, header.version)?;
    header.operations = ListedOperations { groups: asked.include_authorized_operations, ..ListedOperations::default() };
    Ok(ConsumerGroupDescribeRequest { groups: asked.group_ids.iter().map(wire::string).collect() })
}

pub(super) fn encode_describe(
    response: &ConsumerGroupDescribeResponse,
    header: &RequestHeader,
    throttle_ms: i32,
) -> kafka_wire::ConsumerGroupDescribeResponse {
    let mut answer = kafka_wire::ConsumerGroupDescribeResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.groups = response.groups.iter().map(|(name, result)| group(name, result, header)).collect();
    answer
}

fn group(name: &str, result: &Result<DescribedConsumerGroup, ApiError>, header: &RequestHeader) -> described::DescribedGroup {
    let mut told = described::DescribedGroup::default();
    told.group_id = wire::text(name);
    told.authorized_operations = NOT_ASKED;
    match result {
        Ok(group) => {
            told.group_state = wire::text(&group.state);
            (told.group_epoch, told.assignment_epoch) = (group.group_epoch, group.assignment_epoch);
            told.assignor_name = wire::text(&group.assignor);
            told.members = group.members.iter().map(|held| member(held, header.version)).collect();
            if header.operations.groups {
                told.authorized_operations = GROUP_OPERATIONS;
            }
        }
        Err(error) => (told.error_code, told.error_message) = wire::api_error(Some(error)),
    }
    told
}

fn member(held: &DescribedConsumer, version: i16) -> described::Member {
    let mut told = described::Member::default();
    told.member_id = wire::text(&held.member_id);
    told.instance_id = wire::optional_text(held.instance_id.as_ref());
    told.rack_id = wire::optional_text(held.rack_id.as_ref());
    told.member_epoch = held.member_epoch;
    told.client_id = wire::text(&held.client_id);
    told.client_host = wire::text(&held.client_host);
    told.subscribed_topic_names = held.topics.iter().map(wire::topic_text).collect();
    told.subscribed_topic_regex = wire::optional_text(held.pattern.as_ref());
    told.assignment = partitions(&held.assigned);
    told.target_assignment = partitions(&held.target);
    told.member_type = match held.is_classic {
        _ if version < MEMBER_TYPE_FROM => UNTOLD,
        true => CLASSIC,
        false => CONSUMER,
    };
    told
}

fn partitions(topics: &[DescribedPartitions]) -> described::Assignment {
    let mut told = described::Assignment::default();
    let topics = topics.iter().map(|held| {
        let mut topic = described::TopicPartitions::default();
        topic.topic_id = wire::uuid(held.topic_id);
        topic.topic_name = wire::topic_text(&held.topic);
        topic.partitions = held.partitions.iter().map(|PartitionIndex(index)| *index).collect();
        topic
    });
    told.topic_partitions = topics.collect();
    told
}
