//! FindCoordinator and InitProducerId: how producers and consumers begin.

use gracchus_core::boundary::{
    BrokerEndpoint, CoordinatorKind, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, Request,
};
use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::error::{ApiError, ErrorCode};
use gracchus_core::ids::ProducerId;
use kafka_wire::find_coordinator_response::Coordinator;
use kafka_wire_core::{Decoder, StrBytes};

use super::errors::Newcomer;
use super::{Asked, DecodeError, RequestHeader, wire};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// The first version that asks for many at once (KIP-699).
const MANY_FROM: i16 = 4;

/// The first version that may ask for share groups (KIP-932).
const SHARE_FROM: i16 = 6;

/// KIP-588.
const PRODUCER_FENCED: Newcomer = Newcomer { code: ErrorCode::ProducerFenced, since: 4, before: ErrorCode::InvalidProducerEpoch };

pub(super) fn decode_find(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::FindCoordinatorRequest = wire::decode(decoder, version)?;
    let kind = match asked.key_type {
        GROUP => CoordinatorKind::Group,
        TRANSACTION => CoordinatorKind::Transaction,
        SHARE if version >= SHARE_FROM => CoordinatorKind::Share,
        unknown => CoordinatorKind::Unknown(unknown),
    };
    let keys = if version >= MANY_FROM { asked.coordinator_keys.iter().map(wire::string).collect() } else { vec![wire::string(&asked.key)] };
    Ok(Request::FindCoordinator(FindCoordinatorRequest { kind, keys }))
}

pub(super) fn encode_find(response: &FindCoordinatorResponse, version: i16, throttle_ms: i32) -> kafka_wire::FindCoordinatorResponse {
    let mut answer = kafka_wire::FindCoordinatorResponse::default();
    answer.throttle_time_ms = throttle_ms;
    let mut coordinators = response.coordinators.iter().map(|(key, result)| coordinator(key, result));
    if version >= MANY_FROM {
        answer.coordinators = coordinators.collect();
    } else if let Some(only) = coordinators.next() {
        answer.error_code = only.error_code;
        answer.error_message = only.error_message;
        answer.node_id = only.node_id;
        answer.host = only.host;
        answer.port = only.port;
    }
    answer
}

fn coordinator(key: &str, result: &Result<BrokerEndpoint, ApiError>) -> Coordinator {
    let mut coordinator = Coordinator::default();
    coordinator.key = wire::text(key);
    (coordinator.error_code, coordinator.error_message) = wire::api_error(result.as_ref().err());
    (coordinator.node_id, coordinator.host, coordinator.port) = match result {
        Ok(endpoint) => (endpoint.node.0, wire::text(&endpoint.host), i32::from(endpoint.port)),
        Err(_) => (wire::NO_NODE, StrBytes::default(), -1),
    };
    coordinator
}

pub(super) fn decode_init(decoder: Decoder, header: &RequestHeader) -> Result<Asked, DecodeError> {
    let asked: kafka_wire::InitProducerIdRequest = wire::decode(decoder, header.version)?;
    if (asked.producer_id == -1) != (asked.producer_epoch == -1) {
        let refusal = InitProducerIdResponse { result: Err(ErrorCode::InvalidRequest) };
        let frame = wire::frame(header, &encode_init(&refusal, header.version, 0)).expect("it is a short answer");
        return Ok(Asked::Answered(frame));
    }
    let producer = (asked.producer_id >= 0).then_some((ProducerId(asked.producer_id), ProducerEpoch(asked.producer_epoch)));
    Ok(Request::InitProducerId(InitProducerIdRequest {
        transactional_id: asked.transactional_id.as_ref().map(wire::string),
        transaction_timeout_ms: asked.transaction_timeout_ms,
        producer,
    })
    .into())
}

pub(super) fn encode_init(response: &InitProducerIdResponse, version: i16, throttle_ms: i32) -> kafka_wire::InitProducerIdResponse {
    let result = response.result.map_err(|error| PRODUCER_FENCED.known_to(version, error));
    let ((producer_id, producer_epoch), error_code) = wire::value_or(&result, (ProducerId(-1), ProducerEpoch(-1)));
    let mut answer = kafka_wire::InitProducerIdResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.error_code = error_code;
    answer.producer_id = producer_id.0;
    answer.producer_epoch = producer_epoch.0;
    answer
}
