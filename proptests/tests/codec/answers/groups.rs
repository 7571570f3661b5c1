//! Answers about groups.

use gracchus_core::boundary::*;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;

use super::*;

fn bytes(draw: &mut Draw<'_>) -> Bytes {
    Bytes::copy_from_slice(draw.text().as_bytes())
}

fn group_id(name: &str) -> wire::GroupId {
    wire::GroupId(text(name))
}

fn outcome<T>(draw: &mut Draw<'_>, value: impl FnOnce(&mut Draw<'_>) -> T) -> Result<T, ErrorCode> {
    if draw.flag() { Ok(value(draw)) } else { Err(error(draw)) }
}

fn throttle(has: bool) -> i32 {
    since(has, THROTTLE_MS)
}

fn topic(by_id: bool, draw: &mut Draw<'_>) -> TopicRef {
    if by_id { TopicRef::Id(id(draw)) } else { TopicRef::Name(name(draw)) }
}

fn name_and_id(topic: &TopicRef) -> (wire::TopicName, uuid::Uuid) {
    match topic {
        TopicRef::Name(name) => (topic_text(name), uuid::Uuid::nil()),
        TopicRef::Id(id) => (wire::TopicName::default(), uuid(*id)),
    }
}

pub(super) fn join(version: i16, draw: &mut Draw<'_>) {
    let member = |draw: &mut Draw<'_>| JoinedMember {
        member_id: draw.text(),
        instance_id: if version >= 5 { draw.option(Draw::text) } else { None },
        subscription: bytes(draw),
    };
    let joined = |draw: &mut Draw<'_>| Joined {
        generation: draw.i32(),
        protocol_type: draw.text(),
        protocol: draw.text(),
        leader: draw.text(),
        skip_assignment: version >= 9 && draw.flag(),
        members: draw.list(member),
    };
    let response = JoinGroupResponse { result: outcome(draw, joined), member_id: draw.text() };
    let mut message = wire::JoinGroupResponse::default().with_throttle_time_ms(throttle(version >= 2));
    message.member_id = text(&response.member_id);
    match &response.result {
        Ok(joined) => {
            message.generation_id = joined.generation;
            message.protocol_type = (version >= 7).then(|| text(&joined.protocol_type));
            message.protocol_name = Some(text(&joined.protocol));
            message.leader = text(&joined.leader);
            message.skip_assignment = joined.skip_assignment;
            for member in &joined.members {
                let told = wire::join_group_response::JoinGroupResponseMember::default().with_member_id(text(&member.member_id));
                let told = told.with_group_instance_id(member.instance_id.as_deref().map(text));
                message.members.push(told.with_metadata(member.subscription.clone()));
            }
        }
        Err(error) => {
            message.error_code = number_of(*error);
            message.generation_id = -1;
            message.protocol_type = None;
            message.protocol_name = (version < 7).then(StrBytes::default);
        }
    }
    compare(Api::JoinGroup, version, &Response::Group(GroupResponse::JoinGroup(response)), &message);
}

pub(super) fn sync(version: i16, draw: &mut Draw<'_>) {
    let synced = |draw: &mut Draw<'_>| Synced { protocol_type: draw.text(), protocol: draw.text(), assignment: bytes(draw) };
    let response = SyncGroupResponse { result: outcome(draw, synced) };
    let mut message = wire::SyncGroupResponse::default().with_throttle_time_ms(throttle(version >= 1));
    (message.protocol_type, message.protocol_name) = (None, None);
    match &response.result {
        Ok(synced) => {
            message.protocol_type = (version >= 5).then(|| text(&synced.protocol_type));
            message.protocol_name = (version >= 5).then(|| text(&synced.protocol));
            message.assignment = synced.assignment.clone();
        }
        Err(error) => message.error_code = number_of(*error),
    }
    compare(Api::SyncGroup, version, &Response::Group(GroupResponse::SyncGroup(response)), &message);
}

pub(super) fn heartbeat(version: i16, draw: &mut Draw<'_>) {
    let response = HeartbeatResponse { error: draw.option(error) };
    let message = wire::HeartbeatResponse::default().with_throttle_time_ms(throttle(version >= 1)).with_error_code(number(response.error));
    compare(Api::Heartbeat, version, &Response::Group(GroupResponse::Heartbeat(response)), &message);
}

pub(super) fn leave(version: i16, draw: &mut Draw<'_>) {
    let leaver = |draw: &mut Draw<'_>| Leaver { member_id: draw.text(), instance_id: draw.option(Draw::text) };
    let left = |draw: &mut Draw<'_>| (leaver(draw), draw.option(error));
    let members = |draw: &mut Draw<'_>| if version >= 3 { draw.list(left) } else { vec![left(draw)] };
    let response = LeaveGroupResponse { result: outcome(draw, members) };
    let mut message = wire::LeaveGroupResponse::default().with_throttle_time_ms(throttle(version >= 1));
    match &response.result {
        Ok(members) if version >= 3 => {
            for (leaver, error) in members {
                let told = wire::leave_group_response::MemberResponse::default().with_member_id(text(&leaver.member_id));
                let told = told.with_group_instance_id(leaver.instance_id.as_deref().map(text));
                message.members.push(told.with_error_code(number(*error)));
            }
        }
        Ok(members) => message.error_code = number(members[0].1),
        Err(error) => message.error_code = number_of(*error),
    }
    compare(Api::LeaveGroup, version, &Response::Group(GroupResponse::LeaveGroup(response)), &message);
}

pub(super) fn commit(version: i16, draw: &mut Draw<'_>) {
    let topics = draw.list(|draw| (topic(version >= 10, draw), draw.list(|draw| (index(draw), draw.option(error)))));
    let mut message = wire::OffsetCommitResponse::default().with_throttle_time_ms(throttle(version >= 3));
    for (topic, partitions) in &topics {
        let (name, id) = name_and_id(topic);
        let mut told = wire::offset_commit_response::OffsetCommitResponseTopic::default().with_name(name).with_topic_id(id);
        for (index, error) in partitions {
            let part = wire::offset_commit_response::OffsetCommitResponsePartition::default().with_partition_index(index.0);
            told.partitions.push(part.with_error_code(number(*error)));
        }
        message.topics.push(told);
    }
    compare(Api::OffsetCommit, version, &Response::Group(GroupResponse::OffsetCommit(OffsetCommitResponse { topics })), &message);
}

pub(super) fn fetch(version: i16, draw: &mut Draw<'_>) {
    let committed = |draw: &mut Draw<'_>| {
        let epoch = if version >= 5 { draw.option(|draw| LeaderEpoch(draw.i32() & i32::MAX)) } else { None };
        (Offset(draw.i64()), epoch, draw.text())
    };
    let part = |draw: &mut Draw<'_>| FetchedOffset { partition: index(draw), result: outcome(draw, |draw| draw.option(committed)) };
    let topics = |draw: &mut Draw<'_>| draw.list(|draw| (topic(version >= 10, draw), draw.list(part)));
    // The first version has no error but those of partitions.
    let result = |draw: &mut Draw<'_>| if version < 2 { Ok(topics(draw)) } else { outcome(draw, topics) };
    let group = |draw: &mut Draw<'_>| (draw.text(), result(draw));
    let groups = if version >= 8 { draw.list(group) } else { vec![group(draw)] };
    let parts = |part: &FetchedOffset| match &part.result {
        Ok(Some((offset, epoch, metadata))) => (offset.0, epoch.map_or(-1, |epoch| epoch.0), text(metadata), 0),
        Ok(None) => (-1, -1, StrBytes::default(), 0),
        Err(error) => (-1, -1, StrBytes::default(), number_of(*error)),
    };
    let mut message = wire::OffsetFetchResponse::default().with_throttle_time_ms(throttle(version >= 3));
    for (name, result) in &groups {
        let mut told = wire::offset_fetch_response::OffsetFetchResponseGroup::default().with_group_id(group_id(name));
        told.error_code = number(result.as_ref().err().copied());
        for (topic, partitions) in result.as_ref().map(Vec::as_slice).unwrap_or_default() {
            let (name, id) = name_and_id(topic);
            let mut many = wire::offset_fetch_response::OffsetFetchResponseTopics::default().with_name(name.clone()).with_topic_id(id);
            let mut one = wire::offset_fetch_response::OffsetFetchResponseTopic::default().with_name(name);
            for part in partitions {
                let (offset, epoch, metadata, error) = parts(part);
                let told = wire::offset_fetch_response::OffsetFetchResponsePartitions::default().with_partition_index(part.partition.0);
                let told = told.with_committed_offset(offset).with_committed_leader_epoch(epoch);
                many.partitions.push(told.with_metadata(Some(metadata.clone())).with_error_code(error));
                let told = wire::offset_fetch_response::OffsetFetchResponsePartition::default().with_partition_index(part.partition.0);
                let told = told.with_committed_offset(offset).with_committed_leader_epoch(epoch);
                one.partitions.push(told.with_metadata(Some(metadata)).with_error_code(error));
            }
            if version >= 8 {
                told.topics.push(many);
            } else {
                message.topics.push(one);
            }
        }
        if version >= 8 {
            message.groups.push(told);
        } else {
            message.error_code = told.error_code;
        }
    }
    compare(
        Api::OffsetFetch,
        version,
        &Response::Group(GroupResponse::OffsetFetch(OffsetFetchResponse { groups, tells_each: version < 2 })),
        &message,
    );
}

pub(super) fn delete_offsets(version: i16, draw: &mut Draw<'_>) {
    let topics = |draw: &mut Draw<'_>| draw.list(|draw| (topic(false, draw), draw.list(|draw| (index(draw), draw.option(error)))));
    let response = OffsetDeleteResponse { result: outcome(draw, topics) };
    let mut message = wire::OffsetDeleteResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.error_code = number(response.result.as_ref().err().copied());
    for (topic, partitions) in response.result.as_ref().map(Vec::as_slice).unwrap_or_default() {
        let mut told = wire::offset_delete_response::OffsetDeleteResponseTopic::default().with_name(name_and_id(topic).0);
        for (index, error) in partitions {
            let part = wire::offset_delete_response::OffsetDeleteResponsePartition::default().with_partition_index(index.0);
            told.partitions.push(part.with_error_code(number(*error)));
        }
        message.topics.push(told);
    }
    compare(Api::OffsetDelete, version, &Response::Group(GroupResponse::OffsetDelete(response)), &message);
}

pub(super) fn list(version: i16, draw: &mut Draw<'_>) {
    let listed = |draw: &mut Draw<'_>| ListedGroup {
        group: draw.text(),
        protocol_type: draw.text(),
        state: since(version >= 4, draw.text()),
        kind: since(version >= 5, draw.text()),
    };
    let response = ListGroupsResponse { error: draw.option(error), groups: draw.list(listed) };
    let mut message = wire::ListGroupsResponse::default().with_throttle_time_ms(throttle(version >= 1));
    message.error_code = number(response.error);
    for group in &response.groups {
        let told = wire::list_groups_response::ListedGroup::default().with_group_id(group_id(&group.group));
        let told = told.with_protocol_type(text(&group.protocol_type)).with_group_state(text(&group.state));
        message.groups.push(told.with_group_type(text(&group.kind)));
    }
    compare(Api::ListGroups, version, &Response::Group(GroupResponse::ListGroups(response)), &message);
}

pub(super) fn describe(version: i16, draw: &mut Draw<'_>) {
    let member = |draw: &mut Draw<'_>| DescribedMember {
        member_id: draw.text(),
        instance_id: if version >= 4 { draw.option(Draw::text) } else { None },
        client_id: draw.text(),
        client_host: draw.text(),
        subscription: bytes(draw),
        assignment: bytes(draw),
    };
    let group = |draw: &mut Draw<'_>| DescribedGroup {
        state: draw.text(),
        protocol_type: draw.text(),
        protocol: draw.text(),
        members: draw.list(member),
    };
    let described = |draw: &mut Draw<'_>| if draw.flag() { Ok(group(draw)) } else { Err(api_error(draw)) };
    let response = DescribeGroupsResponse { groups: draw.list(|draw| (draw.text(), described(draw))) };
    let mut message = wire::DescribeGroupsResponse::default().with_throttle_time_ms(throttle(version >= 1));
    for (name, result) in &response.groups {
        let mut told = wire::describe_groups_response::DescribedGroup::default().with_group_id(group_id(name));
        let (code, words) = number_and_message(result.as_ref().err());
        (told.error_code, told.error_message) = (code, words.filter(|_| version >= 6));
        told.authorized_operations = i32::MIN;
        if let Ok(group) = result {
            told.group_state = text(&group.state);
            told.protocol_type = text(&group.protocol_type);
            told.protocol_data = text(&group.protocol);
            for member in &group.members {
                let told_of = wire::describe_groups_response::DescribedGroupMember::default().with_member_id(text(&member.member_id));
                let told_of = told_of.with_group_instance_id(member.instance_id.as_deref().map(text)).with_client_id(text(&member.client_id));
                let told_of = told_of.with_client_host(text(&member.client_host)).with_member_metadata(member.subscription.clone());
                told.members.push(told_of.with_member_assignment(member.assignment.clone()));
            }
        }
        message.groups.push(told);
    }
    compare(Api::DescribeGroups, version, &Response::Group(GroupResponse::DescribeGroups(response)), &message);
}

pub(super) fn delete(version: i16, draw: &mut Draw<'_>) {
    let response = DeleteGroupsResponse { groups: draw.list(|draw| (draw.text(), draw.option(error))) };
    let mut message = wire::DeleteGroupsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for (name, error) in &response.groups {
        let told = wire::delete_groups_response::DeletableGroupResult::default().with_group_id(group_id(name));
        message.results.push(told.with_error_code(number(*error)));
    }
    compare(Api::DeleteGroups, version, &Response::Group(GroupResponse::DeleteGroups(response)), &message);
}
