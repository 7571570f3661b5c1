//! Requests about groups.

use gracchus_core::boundary::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, Leaver, ListGroupsRequest,
    Membership, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetsWanted, PartitionCommit, Request, SyncGroupRequest,
    TopicRef,
};
use gracchus_core::ids::PartitionIndex;
use gracchus_core::offset::Offset;
use kafka_protocol::messages::{
    self as wire, join_group_request, leave_group_request, offset_commit_request, offset_delete_request, offset_fetch_request,
    sync_group_request,
};

use super::{Draw, encode, epoch, index, name, name_and_id, number, text, topic_ref, topic_text};
use bytes::Bytes;

fn group(name: &str) -> wire::GroupId {
    wire::GroupId(text(name))
}

fn bytes(draw: &mut Draw<'_>) -> Bytes {
    Bytes::copy_from_slice(draw.text().as_bytes())
}

/// A member that may have a name of its own from a version on.
fn member(instances: bool, draw: &mut Draw<'_>) -> Membership {
    Membership {
        group: draw.text(),
        generation: draw.i32(),
        member_id: draw.text(),
        instance_id: if instances { draw.option(Draw::text) } else { None },
    }
}

pub(super) fn join(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let instance_id = if version >= 5 { draw.option(Draw::text) } else { None };
    let session_timeout_ms = draw.i32();
    let request = JoinGroupRequest {
        group: draw.text(),
        session_timeout_ms,
        rebalance_timeout_ms: if version >= 1 { draw.i32() } else { session_timeout_ms },
        member_id: draw.text(),
        needs_member_id: version >= 4 && instance_id.is_none(),
        instance_id,
        protocol_type: draw.text(),
        protocols: draw.list(|draw| (draw.text(), bytes(draw))),
        may_skip_assignment: version >= 9,
    };
    let protocol = |(name, metadata): &(String, Bytes)| {
        join_group_request::JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(metadata.clone())
    };
    let mut message = wire::JoinGroupRequest::default()
        .with_group_id(group(&request.group))
        .with_session_timeout_ms(session_timeout_ms)
        .with_member_id(text(&request.member_id))
        .with_group_instance_id(request.instance_id.as_deref().map(text))
        .with_protocol_type(text(&request.protocol_type))
        .with_protocols(request.protocols.iter().map(protocol).collect());
    if version >= 1 {
        message.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    (encode(&message, version), Request::from(GroupRequest::JoinGroup(request)))
}

pub(super) fn sync(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let names = |draw: &mut Draw<'_>| if version >= 5 { Some(draw.text()) } else { None };
    let request = SyncGroupRequest {
        member: member(version >= 3, draw),
        protocol_type: names(draw),
        protocol: names(draw),
        assignments: draw.list(|draw| (draw.text(), bytes(draw))),
    };
    let given = |(member_id, assignment): &(String, Bytes)| {
        sync_group_request::SyncGroupRequestAssignment::default().with_member_id(text(member_id)).with_assignment(assignment.clone())
    };
    let message = wire::SyncGroupRequest::default()
        .with_group_id(group(&request.member.group))
        .with_generation_id(request.member.generation)
        .with_member_id(text(&request.member.member_id))
        .with_group_instance_id(request.member.instance_id.as_deref().map(text))
        .with_protocol_type(request.protocol_type.as_deref().map(text))
        .with_protocol_name(request.protocol.as_deref().map(text))
        .with_assignments(request.assignments.iter().map(given).collect());
    (encode(&message, version), Request::from(GroupRequest::SyncGroup(request)))
}

pub(super) fn heartbeat(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = HeartbeatRequest { member: member(version >= 3, draw) };
    let message = wire::HeartbeatRequest::default()
        .with_group_id(group(&request.member.group))
        .with_generation_id(request.member.generation)
        .with_member_id(text(&request.member.member_id))
        .with_group_instance_id(request.member.instance_id.as_deref().map(text));
    (encode(&message, version), Request::from(GroupRequest::Heartbeat(request)))
}

pub(super) fn leave(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let leaver = |draw: &mut Draw<'_>| Leaver { member_id: draw.text(), instance_id: draw.option(Draw::text) };
    let members = if version >= 3 { draw.list(leaver) } else { vec![Leaver { instance_id: None, ..leaver(draw) }] };
    let request = LeaveGroupRequest { group: draw.text(), members };
    let mut message = wire::LeaveGroupRequest::default().with_group_id(group(&request.group));
    if version >= 3 {
        let identity = |leaver: &Leaver| {
            leave_group_request::MemberIdentity::default()
                .with_member_id(text(&leaver.member_id))
                .with_group_instance_id(leaver.instance_id.as_deref().map(text))
        };
        message.members = request.members.iter().map(identity).collect();
    } else if let Some(only) = request.members.first() {
        message.member_id = text(&only.member_id);
    }
    (encode(&message, version), Request::from(GroupRequest::LeaveGroup(request)))
}

pub(super) fn commit(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let part = |draw: &mut Draw<'_>| PartitionCommit {
        partition: index(draw),
        offset: Offset(draw.i64()),
        leader_epoch: epoch(version >= 6, draw),
        metadata: draw.text(),
    };
    let topics = draw.list(|draw| (topic_ref(version >= 10, draw), draw.list(part)));
    let request = OffsetCommitRequest {
        member: member(version >= 7, draw),
        knows_member_epochs: version >= 9,
        retention_ms: if version <= 4 { draw.option(|draw| draw.i64() & i64::MAX) } else { None },
        topics,
    };
    let topic = |(topic, partitions): &(TopicRef, Vec<PartitionCommit>)| {
        let (name, id) = name_and_id(topic);
        let part = |part: &PartitionCommit| {
            offset_commit_request::OffsetCommitRequestPartition::default()
                .with_partition_index(part.partition.0)
                .with_committed_offset(part.offset.0)
                .with_committed_leader_epoch(number(part.leader_epoch))
                .with_committed_metadata(Some(text(&part.metadata)))
        };
        offset_commit_request::OffsetCommitRequestTopic::default()
            .with_name(name)
            .with_topic_id(id)
            .with_partitions(partitions.iter().map(part).collect())
    };
    let mut message = wire::OffsetCommitRequest::default()
        .with_group_id(group(&request.member.group))
        .with_generation_id_or_member_epoch(request.member.generation)
        .with_member_id(text(&request.member.member_id))
        .with_group_instance_id(request.member.instance_id.as_deref().map(text))
        .with_topics(request.topics.iter().map(topic).collect());
    if version <= 4 {
        message.retention_time_ms = request.retention_ms.unwrap_or(-1);
    }
    (encode(&message, version), Request::from(GroupRequest::OffsetCommit(request)))
}

pub(super) fn fetch(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let topics = |draw: &mut Draw<'_>| draw.list(|draw| (topic_ref(version >= 10, draw), draw.list(index)));
    let wanted = |draw: &mut Draw<'_>| OffsetsWanted {
        group: draw.text(),
        topics: if version >= 2 { draw.option(topics) } else { Some(topics(draw)) },
        member_id: if version >= 9 { draw.option(Draw::text) } else { None },
        member_epoch: if version >= 9 { draw.i32() } else { -1 },
    };
    let groups = if version >= 8 { draw.list(wanted) } else { vec![wanted(draw)] };
    let request = OffsetFetchRequest { groups, by_id: version >= 10, tells_each: version < 2 };
    let indexes = |indexes: &[PartitionIndex]| indexes.iter().map(|index| index.0).collect::<Vec<_>>();
    let mut message = wire::OffsetFetchRequest::default();
    if version >= 8 {
        let topic = |(topic, partitions): &(TopicRef, Vec<PartitionIndex>)| {
            let (name, id) = name_and_id(topic);
            offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(name)
                .with_topic_id(id)
                .with_partition_indexes(indexes(partitions))
        };
        let of_group = |wanted: &OffsetsWanted| {
            offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group(&wanted.group))
                .with_member_id(wanted.member_id.as_deref().map(text))
                .with_member_epoch(wanted.member_epoch)
                .with_topics(wanted.topics.as_ref().map(|topics| topics.iter().map(topic).collect()))
        };
        message.groups = request.groups.iter().map(of_group).collect();
    } else if let Some(only) = request.groups.first() {
        let topic = |(topic, partitions): &(TopicRef, Vec<PartitionIndex>)| {
            offset_fetch_request::OffsetFetchRequestTopic::default().with_name(name_and_id(topic).0).with_partition_indexes(indexes(partitions))
        };
        message.group_id = group(&only.group);
        message.topics = only.topics.as_ref().map(|topics| topics.iter().map(topic).collect());
    }
    (encode(&message, version), Request::OffsetFetch(request))
}

pub(super) fn delete_offsets(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let topics = draw.list(|draw| (name(draw), draw.list(index)));
    let message_topics = topics.iter().map(|(name, partitions)| {
        let part = |index: &PartitionIndex| offset_delete_request::OffsetDeleteRequestPartition::default().with_partition_index(index.0);
        offset_delete_request::OffsetDeleteRequestTopic::default()
            .with_name(topic_text(name))
            .with_partitions(partitions.iter().map(part).collect())
    });
    let message_topics: Vec<_> = message_topics.collect();
    let request =
        OffsetDeleteRequest { group: draw.text(), topics: topics.into_iter().map(|(name, parts)| (TopicRef::Name(name), parts)).collect() };
    let message = wire::OffsetDeleteRequest::default().with_group_id(group(&request.group)).with_topics(message_topics);
    (encode(&message, version), Request::from(GroupRequest::OffsetDelete(request)))
}

pub(super) fn list(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let states = if version >= 4 { draw.list(Draw::text) } else { Vec::new() };
    let types = if version >= 5 { draw.list(Draw::text) } else { Vec::new() };
    let texts = |names: &[String]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
    let message = wire::ListGroupsRequest::default().with_states_filter(texts(&states)).with_types_filter(texts(&types));
    (encode(&message, version), Request::ListGroups(ListGroupsRequest { states, types }))
}

pub(super) fn describe(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DescribeGroupsRequest { groups: draw.list(Draw::text) };
    let message = wire::DescribeGroupsRequest::default().with_groups(request.groups.iter().map(|name| group(name)).collect());
    (encode(&message, version), Request::DescribeGroups(request))
}

pub(super) fn delete(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DeleteGroupsRequest { groups: draw.list(Draw::text) };
    let message = wire::DeleteGroupsRequest::default().with_groups_names(request.groups.iter().map(|name| group(name)).collect());
    (encode(&message, version), Request::DeleteGroups(request))
}
