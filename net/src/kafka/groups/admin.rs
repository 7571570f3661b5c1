//! ListGroups, DescribeGroups and DeleteGroups.

use gracchus_core::boundary::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, ListGroupsRequest,
    ListGroupsResponse,
};
use gracchus_core::error::{ApiError, ErrorCode};
use kafka_wire::delete_groups_response::DeletableGroupResult;
use kafka_wire::describe_groups_response::{self, DescribedGroupMember};
use kafka_wire::list_groups_response::ListedGroup;
use kafka_wire_core::{Decoder, StrBytes};

use crate::kafka::errors::number_or_none;
use crate::kafka::operations::{GROUP_OPERATIONS, NOT_ASKED};
use crate::kafka::{DecodeError, ListedOperations, RequestHeader, wire};

/// The first version of DescribeGroups that is told that a group is not there (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

pub(in crate::kafka) fn decode_list(decoder: Decoder, version: i16) -> Result<ListGroupsRequest, DecodeError> {
    let asked: kafka_wire::ListGroupsRequest = wire::decode(decoder, version)?;
    let names = |names: &[StrBytes]| names.iter().map(wire::string).collect();
    Ok(ListGroupsRequest { states: names(&asked.states_filter), types: names(&asked.types_filter) })
}

pub(super) fn encode_list(response: &ListGroupsResponse, throttle_ms: i32) -> kafka_wire::ListGroupsResponse {
    let groups = response.groups.iter().map(|group| {
        let mut told = ListedGroup::default();
        told.group_id = wire::text(&group.group);
        told.protocol_type = wire::text(&group.protocol_type);
        told.group_state = wire::text(&group.state);
        told.group_type = wire::text(&group.kind);
        told
    });
    let mut answer = kafka_wire::ListGroupsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.error_code = number_or_none(response.error);
    answer.groups = groups.collect();
    answer
}

pub(in crate::kafka) fn decode_describe(decoder: Decoder, header: &mut RequestHeader) -> Result<DescribeGroupsRequest, DecodeError> {
    let asked: kafka_wire::DescribeGroupsRequest = wire::decode(decoder, header.version)?;
    header.operations = ListedOperations { groups: asked.include_authorized_operations, ..ListedOperations::default() };
    Ok(DescribeGroupsRequest { groups: asked.groups.iter().map(wire::string).collect() })
}

pub(super) fn encode_describe(
    response: &DescribeGroupsResponse,
    header: &RequestHeader,
    throttle_ms: i32,
) -> kafka_wire::DescribeGroupsResponse {
    let mut answer = kafka_wire::DescribeGroupsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.groups = response.groups.iter().map(|(name, result)| described(name, result, header)).collect();
    answer
}

fn described(name: &str, result: &Result<DescribedGroup, ApiError>, header: &RequestHeader) -> describe_groups_response::DescribedGroup {
    let mut told = describe_groups_response::DescribedGroup::default();
    told.group_id = wire::text(name);
    told.authorized_operations = NOT_ASKED;
    match result {
        Ok(group) => {
            told.group_state = wire::text(&group.state);
            told.protocol_type = wire::text(&group.protocol_type);
            told.protocol_data = wire::text(&group.protocol);
            let members = group.members.iter().map(|member| {
                let mut told = DescribedGroupMember::default();
                told.member_id = wire::text(&member.member_id);
                told.group_instance_id = wire::optional_text(member.instance_id.as_ref());
                told.client_id = wire::text(&member.client_id);
                told.client_host = wire::text(&member.client_host);
                told.member_metadata = member.subscription.clone();
                told.member_assignment = member.assignment.clone();
                told
            });
            told.members = members.collect();
            if header.operations.groups {
                told.authorized_operations = GROUP_OPERATIONS;
            }
        }
        // Kafka's word for a group that is not there.
        Err(error) if error.code == ErrorCode::GroupIdNotFound && header.version < NOT_FOUND_FROM => told.group_state = wire::text("Dead"),
        Err(error) => {
            (told.error_code, told.error_message) = wire::api_error(Some(error));
            if error.code == ErrorCode::GroupIdNotFound {
                told.group_state = wire::text("Dead");
            }
            if header.version < NOT_FOUND_FROM {
                told.error_message = None;
            }
        }
    }
    told
}

pub(in crate::kafka) fn decode_delete(decoder: Decoder, version: i16) -> Result<DeleteGroupsRequest, DecodeError> {
    let asked: kafka_wire::DeleteGroupsRequest = wire::decode(decoder, version)?;
    Ok(DeleteGroupsRequest { groups: asked.groups_names.iter().map(wire::string).collect() })
}

pub(super) fn encode_delete(response: &DeleteGroupsResponse, throttle_ms: i32) -> kafka_wire::DeleteGroupsResponse {
    let results = response.groups.iter().map(|(name, error)| {
        let mut told = DeletableGroupResult::default();
        told.group_id = wire::text(name);
        told.error_code = number_or_none(*error);
        told
    });
    let mut answer = kafka_wire::DeleteGroupsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.results = results.collect();
    answer
}
