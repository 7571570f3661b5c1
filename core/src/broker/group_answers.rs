//! What requests about groups are answered when there is nobody to decide them.

use crate::boundary::{
    ByTopic, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, DeleteGroupsResponse, DescribeGroupsResponse, FetchedOffset,
    GroupRequest, GroupResponse, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse, OffsetCommitResponse,
    OffsetDeleteResponse, OffsetFetchResponse, OffsetsWanted, SyncGroupResponse,
};
use crate::error::ErrorCode;
use crate::ids::PartitionIndex;

/// The refusal of a request about one group.
pub(super) fn refusal_of(request: &GroupRequest, code: ErrorCode) -> GroupResponse {
    match request {
        GroupRequest::JoinGroup(asked) => GroupResponse::JoinGroup(JoinGroupResponse { result: Err(code), member_id: asked.member_id.clone() }),
        GroupRequest::SyncGroup(_) => GroupResponse::SyncGroup(SyncGroupResponse { result: Err(code) }),
        GroupRequest::LeaveGroup(_) => GroupResponse::LeaveGroup(LeaveGroupResponse { result: Err(code) }),
        GroupRequest::OffsetCommit(asked) => {
            let topics = asked
                .topics
                .iter()
                .map(|(topic, partitions)| (topic.clone(), partitions.iter().map(|partition| (partition.partition, Some(code))).collect()));
            GroupResponse::OffsetCommit(OffsetCommitResponse { topics: topics.collect() })
        }
        GroupRequest::OffsetDelete(_) => GroupResponse::OffsetDelete(OffsetDeleteResponse { result: Err(code) }),
        GroupRequest::ConsumerGroupHeartbeat(_) => {
            GroupResponse::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse { result: Err(code.into()) })
        }
        GroupRequest::Heartbeat(_) => GroupResponse::Heartbeat(HeartbeatResponse { error: Some(code) }),
    }
}

/// What is said in the place of an answer whose records may never be committed.
pub(super) fn refused(response: GroupResponse, code: ErrorCode) -> GroupResponse {
    match response {
        GroupResponse::JoinGroup(answer) => GroupResponse::JoinGroup(JoinGroupResponse { result: Err(code), member_id: answer.member_id }),
        GroupResponse::SyncGroup(_) => GroupResponse::SyncGroup(SyncGroupResponse { result: Err(code) }),
        GroupResponse::Heartbeat(_) => GroupResponse::Heartbeat(HeartbeatResponse { error: Some(code) }),
        GroupResponse::LeaveGroup(_) => GroupResponse::LeaveGroup(LeaveGroupResponse { result: Err(code) }),
        GroupResponse::OffsetCommit(answer) => {
            let refuse =
                |(topic, partitions): (_, Vec<(_, _)>)| (topic, partitions.into_iter().map(|(partition, _)| (partition, Some(code))).collect());
            GroupResponse::OffsetCommit(OffsetCommitResponse { topics: answer.topics.into_iter().map(refuse).collect() })
        }
        GroupResponse::OffsetFetch(answer) => {
            let tells_each = answer.tells_each;
            let each = |part: FetchedOffset| FetchedOffset { result: Err(code), ..part };
            let of_topic = |(topic, parts): (_, Vec<_>)| (topic, parts.into_iter().map(each).collect());
            let refuse = |told: Result<ByTopic<_>, _>| match told {
                Ok(topics) if tells_each => Ok(topics.into_iter().map(of_topic).collect()),
                Ok(_) | Err(_) => Err(code),
            };
            let groups = answer.groups.into_iter().map(|(group, told)| (group, refuse(told)));
            GroupResponse::OffsetFetch(OffsetFetchResponse { groups: groups.collect(), tells_each })
        }
        GroupResponse::OffsetDelete(_) => GroupResponse::OffsetDelete(OffsetDeleteResponse { result: Err(code) }),
        GroupResponse::ListGroups(_) => GroupResponse::ListGroups(ListGroupsResponse { error: Some(code), groups: Vec::new() }),
        GroupResponse::DescribeGroups(answer) => {
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Err(code.into())));
            GroupResponse::DescribeGroups(DescribeGroupsResponse { groups: groups.collect() })
        }
        GroupResponse::ConsumerGroupHeartbeat(_) => {
            GroupResponse::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse { result: Err(code.into()) })
        }
        GroupResponse::ConsumerGroupDescribe(answer) => {
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Err(code.into())));
            GroupResponse::ConsumerGroupDescribe(ConsumerGroupDescribeResponse { groups: groups.collect() })
        }
        GroupResponse::DeleteGroups(answer) => {
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Some(code)));
            GroupResponse::DeleteGroups(DeleteGroupsResponse { groups: groups.collect() })
        }
    }
}

/// The same of each partition that is asked for, for clients that know no other errors.
pub(super) fn refused_each(wanted: &OffsetsWanted, code: ErrorCode) -> ByTopic<FetchedOffset> {
    let topics = wanted.topics.iter().flatten();
    let refuse = |partition: &PartitionIndex| FetchedOffset { partition: *partition, result: Err(code) };
    topics.map(|(topic, partitions)| (topic.clone(), partitions.iter().map(refuse).collect())).collect()
}
