//! Groups of Kafka Streams (KIP-1071): a feature that a cluster may not have, which is final.

use kafka_wire::{
    StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
    streams_group_describe_response,
};

use super::{each, filled, say, unsupported};

const NO_STREAMS: &str = "This broker does not coordinate groups of Kafka Streams yet.";

pub(super) fn streams_heartbeat(_: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    filled!(StreamsGroupHeartbeatResponse { error_code: unsupported(), error_message: say(NO_STREAMS) })
}

pub(super) fn streams_describe(asked: StreamsGroupDescribeRequest) -> StreamsGroupDescribeResponse {
    let groups = each(asked.group_ids, |group| {
        filled!(streams_group_describe_response::DescribedGroup { group_id: group, error_code: unsupported(), error_message: say(NO_STREAMS) })
    });
    filled!(StreamsGroupDescribeResponse { groups: groups })
}
