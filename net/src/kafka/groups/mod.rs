//! Groups on the wire: what each version of their requests asks, and what it can be told.

mod admin;
mod consumer;
mod members;
mod offsets;

use bytes::Bytes;
use gracchus_core::boundary::GroupResponse;
use kafka_wire_core::StrBytes;

pub(super) use self::admin::{decode_delete, decode_describe, decode_list};
pub(super) use self::consumer::{decode_describe as decode_describe_consumer, decode_heartbeat as decode_consumer_heartbeat};
pub(super) use self::members::{decode_heartbeat, decode_join, decode_leave, decode_sync};
pub(super) use self::offsets::{decode_commit, decode_delete as decode_delete_offsets, decode_fetch};
use super::{EncodeError, RequestHeader, wire};

/// A member of no generation.
const NO_GENERATION: i32 = -1;

/// Encodes an answer about groups.
pub(super) fn encode(header: &RequestHeader, response: &GroupResponse, throttle_ms: i32) -> Result<Bytes, EncodeError> {
    let version = header.version;
    match response {
        GroupResponse::JoinGroup(answer) => wire::frame(header, &members::encode_join(answer, version, throttle_ms)),
        GroupResponse::SyncGroup(answer) => wire::frame(header, &members::encode_sync(answer, throttle_ms)),
        GroupResponse::Heartbeat(answer) => wire::frame(header, &members::encode_heartbeat(answer, throttle_ms)),
        GroupResponse::LeaveGroup(answer) => wire::frame(header, &members::encode_leave(answer, version, throttle_ms)),
        GroupResponse::ConsumerGroupHeartbeat(answer) => wire::frame(header, &consumer::encode_heartbeat(answer, throttle_ms)),
        GroupResponse::ConsumerGroupDescribe(answer) => wire::frame(header, &consumer::encode_describe(answer, header, throttle_ms)),
        GroupResponse::OffsetCommit(answer) => wire::frame(header, &offsets::encode_commit(answer, version, throttle_ms)),
        GroupResponse::OffsetDelete(answer) => wire::frame(header, &offsets::encode_delete(answer, throttle_ms)),
        GroupResponse::OffsetFetch(answer) => wire::frame(header, &offsets::encode_fetch(answer, version, throttle_ms)),
        GroupResponse::ListGroups(answer) => wire::frame(header, &admin::encode_list(answer, throttle_ms)),
        GroupResponse::DescribeGroups(answer) => wire::frame(header, &admin::encode_describe(answer, header, throttle_ms)),
        GroupResponse::DeleteGroups(answer) => wire::frame(header, &admin::encode_delete(answer, throttle_ms)),
    }
}

fn optional(value: Option<&StrBytes>) -> Option<String> {
    value.map(wire::string)
}
