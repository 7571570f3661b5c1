//! AddRaftVoter and RemoveRaftVoter (KIP-853): who votes in the metadata quorum.

use gracchus_core::boundary::{AddRaftVoterRequest, RaftVoterResponse, RemoveRaftVoterRequest, Request};
use gracchus_core::broker::Endpoint;
use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use gracchus_core::record::Voter;
use kafka_wire::add_raft_voter_request::Listener;
use kafka_wire_core::Decoder;

use super::{DecodeError, wire};

/// The first version that says when it is to be answered (KIP-1186); the one before is answered once the change is committed.
const ACK_FROM: i16 = 1;

pub(super) fn decode_add(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::AddRaftVoterRequest = wire::decode(decoder, version)?;
    Ok(Request::AddRaftVoter(AddRaftVoterRequest {
        cluster_id: asked.cluster_id.as_ref().map(wire::string),
        timeout_ms: asked.timeout_ms,
        voter: voter(asked.voter_id, asked.voter_directory_id),
        endpoints: asked.listeners.iter().map(endpoint).collect(),
        ack_when_committed: version < ACK_FROM || asked.ack_when_committed,
    }))
}

fn endpoint(listener: &Listener) -> Endpoint {
    Endpoint { listener: listener.name.as_str().into(), host: wire::string(&listener.host), port: listener.port }
}

fn voter(node: i32, directory: kafka_wire_core::Uuid) -> Voter {
    Voter { node: NodeId(node), directory: DirectoryId(Uuid(directory.to_bytes())) }
}

pub(super) fn decode_remove(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::RemoveRaftVoterRequest = wire::decode(decoder, version)?;
    let voter = voter(asked.voter_id, asked.voter_directory_id);
    Ok(Request::RemoveRaftVoter(RemoveRaftVoterRequest { cluster_id: asked.cluster_id.as_ref().map(wire::string), voter }))
}

pub(super) fn encode_add(response: &RaftVoterResponse, throttle_ms: i32) -> kafka_wire::AddRaftVoterResponse {
    let mut answer = kafka_wire::AddRaftVoterResponse::default();
    answer.throttle_time_ms = throttle_ms;
    (answer.error_code, answer.error_message) = wire::api_error(response.result.as_ref().err());
    answer
}

pub(super) fn encode_remove(response: &RaftVoterResponse, throttle_ms: i32) -> kafka_wire::RemoveRaftVoterResponse {
    let mut answer = kafka_wire::RemoveRaftVoterResponse::default();
    answer.throttle_time_ms = throttle_ms;
    (answer.error_code, answer.error_message) = wire::api_error(response.result.as_ref().err());
    answer
}
