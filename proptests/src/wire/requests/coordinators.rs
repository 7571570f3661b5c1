//! Coordinators, and the ids that they give out.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::ids::ProducerId;
use kafka_protocol::messages as wire;

use super::{Draw, encode, text};

pub(super) fn find_coordinator(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let kind = match draw.below(if version >= 1 { 3 } else { 1 }) {
        0 => CoordinatorKind::Group,
        1 => CoordinatorKind::Transaction,
        _ if version >= 6 => CoordinatorKind::Share,
        _ => CoordinatorKind::Unknown(2),
    };
    let keys = if version >= 4 { draw.list(Draw::text) } else { vec![draw.text()] };
    let mut message = wire::FindCoordinatorRequest::default();
    message.key_type = match kind {
        CoordinatorKind::Group => 0,
        CoordinatorKind::Transaction => 1,
        CoordinatorKind::Share => 2,
        CoordinatorKind::Unknown(kind) => kind,
    };
    if version >= 4 {
        message.coordinator_keys = keys.iter().map(|key| text(key)).collect();
    } else {
        message.key = text(keys.first().expect("there is one"));
    }
    (encode(&message, version), Request::FindCoordinator(FindCoordinatorRequest { kind, keys }))
}

pub(super) fn init_producer_id(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let producer = |draw: &mut Draw<'_>| (ProducerId(draw.i64() & i64::MAX), ProducerEpoch(draw.i16() & i16::MAX));
    let request = InitProducerIdRequest {
        transactional_id: draw.option(Draw::text),
        transaction_timeout_ms: draw.i32(),
        producer: if version >= 3 { draw.option(producer) } else { None },
    };
    let mut message = wire::InitProducerIdRequest::default();
    message.transactional_id = request.transactional_id.as_deref().map(|id| wire::TransactionalId(text(id)));
    message.transaction_timeout_ms = request.transaction_timeout_ms;
    if let Some((id, epoch)) = request.producer {
        message.producer_id = wire::ProducerId(id.0);
        message.producer_epoch = epoch.0;
    }
    (encode(&message, version), Request::InitProducerId(request))
}
