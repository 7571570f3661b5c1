//! Groups of the consumer protocol (KIP-848) and of Kafka Streams (KIP-1071): features that a cluster may not have, which is final.

use kafka_wire::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
    consumer_group_describe_response, streams_group_describe_response,
};

use super::{each, filled, say, unsupported};

const NO_GROUPS: &str = "This broker does not coordinate groups of the consumer protocol (KIP-848) yet.";
const NO_STREAMS: &str = "This broker does not coordinate groups of Kafka Streams yet.";

pub(super) fn consumer_heartbeat(_: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    filled!(ConsumerGroupHeartbeatResponse { error_code: unsupported(), error_message: say(NO_GROUPS) })
}

pub(super) fn consumer_describe(asked: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let groups = each(asked.group_ids, |group| {
        filled!(consumer_group_describe_response::DescribedGroup { group_id: group, error_code: unsupported(), error_message: say(NO_GROUPS) })
    });
    filled!(ConsumerGroupDescribeResponse { groups: groups })
}

pub(super) fn streams_heartbeat(_: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    filled!(StreamsGroupHeartbeatResponse { error_code: unsupported(), error_message: say(NO_STREAMS) })
}

pub(super) fn streams_describe(asked: StreamsGroupDescribeRequest) -> StreamsGroupDescribeResponse {
    let groups = each(asked.group_ids, |group| {
        filled!(streams_group_describe_response::DescribedGroup { group_id: group, error_code: unsupported(), error_message: say(NO_STREAMS) })
    });
    filled!(StreamsGroupDescribeResponse { groups: groups })
}
