//! Groups of consumers: there is no coordinator for them. Clients may ask again, as FindCoordinator tells them too.
//!
//! Groups of Kafka Streams (KIP-1071) are a feature that a cluster may not have, which is final.

use kafka_wire::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse, SyncGroupRequest, SyncGroupResponse,
    consumer_group_describe_response, delete_groups_response, describe_groups_response, offset_commit_response, offset_fetch_request,
    offset_fetch_response, streams_group_describe_response,
};

use super::{each, filled, no_coordinator, say, unsupported};

const NO_GROUPS: &str = "This broker does not coordinate groups yet.";
const NO_STREAMS: &str = "This broker does not coordinate groups of Kafka Streams yet.";

/// The first version of OffsetFetch with an error of its own, not only one a partition.
const FETCH_ERROR_FROM: i16 = 2;

/// The first version of OffsetFetch that asks for many groups at once (KIP-709).
const FETCH_MANY_FROM: i16 = 8;

/// The first version of DescribeGroups whose errors have a message (KIP-1043).
const DESCRIBE_MESSAGE_FROM: i16 = 6;

/// The offset of nothing.
const NO_OFFSET: i64 = -1;

pub(super) fn offset_commit(asked: OffsetCommitRequest) -> OffsetCommitResponse {
    let topics = each(asked.topics, |topic| {
        let partitions = each(topic.partitions, |partition| {
            filled!(offset_commit_response::OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: no_coordinator(),
            })
        });
        filled!(offset_commit_response::OffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions: partitions })
    });
    filled!(OffsetCommitResponse { topics: topics })
}

pub(super) fn offset_fetch(asked: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    if version >= FETCH_MANY_FROM {
        let groups = each(asked.groups, |group| {
            filled!(offset_fetch_response::OffsetFetchResponseGroup { group_id: group.group_id, error_code: no_coordinator() })
        });
        return filled!(OffsetFetchResponse { groups: groups });
    }
    if version >= FETCH_ERROR_FROM {
        return filled!(OffsetFetchResponse { error_code: no_coordinator() });
    }
    filled!(OffsetFetchResponse { topics: each(asked.topics.unwrap_or_default(), unfetched) })
}

fn unfetched(topic: offset_fetch_request::OffsetFetchRequestTopic) -> offset_fetch_response::OffsetFetchResponseTopic {
    let partitions = each(topic.partition_indexes, |index| {
        filled!(offset_fetch_response::OffsetFetchResponsePartition {
            partition_index: index,
            committed_offset: NO_OFFSET,
            error_code: no_coordinator(),
        })
    });
    filled!(offset_fetch_response::OffsetFetchResponseTopic { name: topic.name, partitions: partitions })
}

pub(super) fn join(asked: JoinGroupRequest) -> JoinGroupResponse {
    filled!(JoinGroupResponse { error_code: no_coordinator(), member_id: asked.member_id })
}

pub(super) fn heartbeat(_: HeartbeatRequest) -> HeartbeatResponse {
    filled!(HeartbeatResponse { error_code: no_coordinator() })
}

pub(super) fn leave(_: LeaveGroupRequest) -> LeaveGroupResponse {
    filled!(LeaveGroupResponse { error_code: no_coordinator() })
}

pub(super) fn sync(_: SyncGroupRequest) -> SyncGroupResponse {
    filled!(SyncGroupResponse { error_code: no_coordinator() })
}

pub(super) fn describe(asked: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
    let message = if version >= DESCRIBE_MESSAGE_FROM { say(NO_GROUPS) } else { None };
    let groups = each(asked.groups, |group| {
        filled!(describe_groups_response::DescribedGroup { group_id: group, error_code: no_coordinator(), error_message: message.clone() })
    });
    filled!(DescribeGroupsResponse { groups: groups })
}

pub(super) fn list(_: ListGroupsRequest) -> ListGroupsResponse {
    filled!(ListGroupsResponse { error_code: no_coordinator() })
}

pub(super) fn delete(asked: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = each(asked.groups_names, |group| {
        filled!(delete_groups_response::DeletableGroupResult { group_id: group, error_code: no_coordinator() })
    });
    filled!(DeleteGroupsResponse { results: results })
}

pub(super) fn offset_delete(_: OffsetDeleteRequest) -> OffsetDeleteResponse {
    filled!(OffsetDeleteResponse { error_code: no_coordinator() })
}

pub(super) fn consumer_heartbeat(_: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    filled!(ConsumerGroupHeartbeatResponse { error_code: no_coordinator(), error_message: say(NO_GROUPS) })
}

pub(super) fn consumer_describe(asked: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let groups = each(asked.group_ids, |group| {
        filled!(consumer_group_describe_response::DescribedGroup {
            group_id: group,
            error_code: no_coordinator(),
            error_message: say(NO_GROUPS),
        })
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
