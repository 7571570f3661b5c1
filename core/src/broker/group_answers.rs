//! What requests about groups are answered when there is nobody to decide them.

use crate::boundary::{
    DeleteGroupsResponse, DescribeGroupsResponse, GroupRequest, GroupResponse, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse,
    ListGroupsResponse, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse, SyncGroupResponse,
};
use crate::error::ErrorCode;

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
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Err(code)));
            GroupResponse::OffsetFetch(OffsetFetchResponse { groups: groups.collect() })
        }
        GroupResponse::OffsetDelete(_) => GroupResponse::OffsetDelete(OffsetDeleteResponse { result: Err(code) }),
        GroupResponse::ListGroups(_) => GroupResponse::ListGroups(ListGroupsResponse { error: Some(code), groups: Vec::new() }),
        GroupResponse::DescribeGroups(answer) => {
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Err(code.into())));
            GroupResponse::DescribeGroups(DescribeGroupsResponse { groups: groups.collect() })
        }
        GroupResponse::DeleteGroups(answer) => {
            let groups = answer.groups.into_iter().map(|(group, _)| (group, Some(code)));
            GroupResponse::DeleteGroups(DeleteGroupsResponse { groups: groups.collect() })
        }
    }
}
