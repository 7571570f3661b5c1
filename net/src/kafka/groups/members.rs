//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

use gracchus_core::boundary::{
    GroupRequest, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, Leaver,
    Membership, SyncGroupRequest, SyncGroupResponse,
};
use kafka_wire::join_group_response::JoinGroupResponseMember;
use kafka_wire::leave_group_response::MemberResponse;
use kafka_wire_core::{Decoder, StrBytes};

use super::{NO_GENERATION, optional};
use crate::kafka::errors::{number_of, number_or_none};
use crate::kafka::{DecodeError, wire};

/// The first version of JoinGroup that tells apart how long a rebalance and how long a session may last (KIP-62).
const REBALANCE_TIMEOUT_FROM: i16 = 1;
/// The first whose members join with an id that they were given (KIP-394).
const MEMBER_ID_FROM: i16 = 4;
/// The first in which there may be no protocol.
const NULLABLE_PROTOCOL_FROM: i16 = 7;
/// The first whose leader may be told not to assign (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// The first version of SyncGroup that has to say which protocol is meant (KIP-559).
const NAMED_PROTOCOL_FROM: i16 = 5;
/// The first version of LeaveGroup with many members (KIP-345).
const MANY_LEAVE_FROM: i16 = 3;

pub(in crate::kafka) fn decode_join(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::JoinGroupRequest = wire::decode(decoder, version)?;
    let instance_id = optional(asked.group_instance_id.as_ref());
    Ok(GroupRequest::JoinGroup(JoinGroupRequest {
        group: wire::string(&asked.group_id),
        session_timeout_ms: asked.session_timeout_ms,
        rebalance_timeout_ms: if version >= REBALANCE_TIMEOUT_FROM { asked.rebalance_timeout_ms } else { asked.session_timeout_ms },
        member_id: wire::string(&asked.member_id),
        needs_member_id: version >= MEMBER_ID_FROM && instance_id.is_none(),
        instance_id,
        protocol_type: wire::string(&asked.protocol_type),
        protocols: asked.protocols.into_iter().map(|protocol| (wire::string(&protocol.name), protocol.metadata)).collect(),
        may_skip_assignment: version >= SKIP_ASSIGNMENT_FROM,
    }))
}

pub(super) fn encode_join(response: &JoinGroupResponse, version: i16, throttle_ms: i32) -> kafka_wire::JoinGroupResponse {
    let mut answer = kafka_wire::JoinGroupResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.member_id = wire::text(&response.member_id);
    match &response.result {
        Ok(joined) => {
            answer.generation_id = joined.generation;
            answer.protocol_type = Some(wire::text(&joined.protocol_type));
            answer.protocol_name = Some(wire::text(&joined.protocol));
            answer.leader = wire::text(&joined.leader);
            answer.skip_assignment = joined.skip_assignment;
            let members = joined.members.iter().map(|member| {
                let mut told = JoinGroupResponseMember::default();
                told.member_id = wire::text(&member.member_id);
                told.group_instance_id = wire::optional_text(member.instance_id.as_ref());
                told.metadata = member.subscription.clone();
                told
            });
            answer.members = members.collect();
        }
        Err(code) => {
            answer.error_code = number_of(*code);
            answer.generation_id = NO_GENERATION;
            answer.protocol_name = (version < NULLABLE_PROTOCOL_FROM).then(StrBytes::default);
        }
    }
    answer
}

pub(in crate::kafka) fn decode_sync(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::SyncGroupRequest = wire::decode(decoder, version)?;
    // One that has to name a protocol and does not means none.
    let named = |name: Option<&StrBytes>| optional(name).or((version >= NAMED_PROTOCOL_FROM).then(String::new));
    Ok(GroupRequest::SyncGroup(SyncGroupRequest {
        member: Membership {
            group: wire::string(&asked.group_id),
            generation: asked.generation_id,
            member_id: wire::string(&asked.member_id),
            instance_id: optional(asked.group_instance_id.as_ref()),
        },
        protocol_type: named(asked.protocol_type.as_ref()),
        protocol: named(asked.protocol_name.as_ref()),
        assignments: asked.assignments.into_iter().map(|given| (wire::string(&given.member_id), given.assignment)).collect(),
    }))
}

pub(super) fn encode_sync(response: &SyncGroupResponse, throttle_ms: i32) -> kafka_wire::SyncGroupResponse {
    let mut answer = kafka_wire::SyncGroupResponse::default();
    answer.throttle_time_ms = throttle_ms;
    match &response.result {
        Ok(synced) => {
            answer.protocol_type = Some(wire::text(&synced.protocol_type));
            answer.protocol_name = Some(wire::text(&synced.protocol));
            answer.assignment = synced.assignment.clone();
        }
        Err(code) => answer.error_code = number_of(*code),
    }
    answer
}

pub(in crate::kafka) fn decode_heartbeat(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::HeartbeatRequest = wire::decode(decoder, version)?;
    let member = Membership {
        group: wire::string(&asked.group_id),
        generation: asked.generation_id,
        member_id: wire::string(&asked.member_id),
        instance_id: optional(asked.group_instance_id.as_ref()),
    };
    Ok(GroupRequest::Heartbeat(HeartbeatRequest { member }))
}

pub(super) fn encode_heartbeat(response: &HeartbeatResponse, throttle_ms: i32) -> kafka_wire::HeartbeatResponse {
    let mut answer = kafka_wire::HeartbeatResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.error_code = number_or_none(response.error);
    answer
}

pub(in crate::kafka) fn decode_leave(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::LeaveGroupRequest = wire::decode(decoder, version)?;
    let members = if version >= MANY_LEAVE_FROM {
        let leaver = |member: &kafka_wire::leave_group_request::MemberIdentity| Leaver {
            member_id: wire::string(&member.member_id),
            instance_id: optional(member.group_instance_id.as_ref()),
        };
        asked.members.iter().map(leaver).collect()
    } else {
        vec![Leaver { member_id: wire::string(&asked.member_id), instance_id: None }]
    };
    Ok(GroupRequest::LeaveGroup(LeaveGroupRequest { group: wire::string(&asked.group_id), members }))
}

pub(super) fn encode_leave(response: &LeaveGroupResponse, version: i16, throttle_ms: i32) -> kafka_wire::LeaveGroupResponse {
    let mut answer = kafka_wire::LeaveGroupResponse::default();
    answer.throttle_time_ms = throttle_ms;
    match &response.result {
        Ok(members) if version >= MANY_LEAVE_FROM => {
            let members = members.iter().map(|(leaver, error)| {
                let mut left = MemberResponse::default();
                left.member_id = wire::text(&leaver.member_id);
                left.group_instance_id = wire::optional_text(leaver.instance_id.as_ref());
                left.error_code = number_or_none(*error);
                left
            });
            answer.members = members.collect();
        }
        Ok(members) => answer.error_code = number_or_none(members.first().and_then(|(_, error)| *error)),
        Err(code) => answer.error_code = number_of(*code),
    }
    answer
}
