//! Share groups (KIP-932): as a Kafka answers whose cluster does not have that feature.

use kafka_wire::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest,
    ShareFetchResponse, ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
    delete_share_group_state_response, describe_share_group_offsets_response, initialize_share_group_state_response,
    read_share_group_state_response, read_share_group_state_summary_response, share_group_describe_response, write_share_group_state_response,
};

use super::{each, filled, say, unsupported};

const NO_SHARE: &str = "This broker does not serve share groups yet.";

pub(super) fn heartbeat(_: ShareGroupHeartbeatRequest) -> ShareGroupHeartbeatResponse {
    filled!(ShareGroupHeartbeatResponse { error_code: unsupported(), error_message: say(NO_SHARE) })
}

pub(super) fn describe(asked: ShareGroupDescribeRequest) -> ShareGroupDescribeResponse {
    let groups = each(asked.group_ids, |group| {
        filled!(share_group_describe_response::DescribedGroup { group_id: group, error_code: unsupported(), error_message: say(NO_SHARE) })
    });
    filled!(ShareGroupDescribeResponse { groups: groups })
}

pub(super) fn fetch(_: ShareFetchRequest) -> ShareFetchResponse {
    filled!(ShareFetchResponse { error_code: unsupported(), error_message: say(NO_SHARE) })
}

pub(super) fn acknowledge(_: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse {
    filled!(ShareAcknowledgeResponse { error_code: unsupported(), error_message: say(NO_SHARE) })
}

/// The five requests about a share group's state are of one form: topics with partitions, and an error for each of those.
macro_rules! state {
    ($name:ident, $request:ident, $response:ident, $module:ident, $topic:ident) => {
        pub(super) fn $name(asked: kafka_wire::$request) -> kafka_wire::$response {
            let results = each(asked.topics, |topic| {
                let partitions = each(topic.partitions, |partition| {
                    filled!($module::PartitionResult { partition: partition.partition, error_code: unsupported() })
                });
                filled!($module::$topic { topic_id: topic.topic_id, partitions: partitions })
            });
            filled!(kafka_wire::$response { results: results })
        }
    };
}

state!(
    initialize_state,
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    initialize_share_group_state_response,
    InitializeStateResult
);
state!(read_state, ReadShareGroupStateRequest, ReadShareGroupStateResponse, read_share_group_state_response, ReadStateResult);
state!(write_state, WriteShareGroupStateRequest, WriteShareGroupStateResponse, write_share_group_state_response, WriteStateResult);
state!(delete_state, DeleteShareGroupStateRequest, DeleteShareGroupStateResponse, delete_share_group_state_response, DeleteStateResult);
state!(
    read_state_summary,
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
    read_share_group_state_summary_response,
    ReadStateSummaryResult
);

pub(super) fn describe_offsets(asked: DescribeShareGroupOffsetsRequest) -> DescribeShareGroupOffsetsResponse {
    let groups = each(asked.groups, |group| {
        filled!(describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseGroup {
            group_id: group.group_id,
            error_code: unsupported(),
            error_message: say(NO_SHARE),
        })
    });
    filled!(DescribeShareGroupOffsetsResponse { groups: groups })
}

pub(super) fn alter_offsets(_: AlterShareGroupOffsetsRequest) -> AlterShareGroupOffsetsResponse {
    filled!(AlterShareGroupOffsetsResponse { error_code: unsupported(), error_message: say(NO_SHARE) })
}

pub(super) fn delete_offsets(_: DeleteShareGroupOffsetsRequest) -> DeleteShareGroupOffsetsResponse {
    filled!(DeleteShareGroupOffsetsResponse { error_code: unsupported(), error_message: say(NO_SHARE) })
}
