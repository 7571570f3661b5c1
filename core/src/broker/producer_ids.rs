//! InitProducerId without a transaction: ids from blocks that the controller gives out (KIP-730).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::calls::Purpose;
use crate::boundary::{ControllerCommand, Effects, InitProducerIdRequest, InitProducerIdResponse, Reply, Response};
use crate::epoch::ProducerEpoch;
use crate::error::ErrorCode;
use crate::ids::{ConnectionId, ProducerId, RequestId};
use crate::limits::{PRODUCER_ID_BLOCK, PRODUCER_IDS_MS_MAX};

/// Ids that this broker may give out, and clients that wait for more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProducerIds {
    next: i64,
    end: i64,
    is_asking: bool,
    waiting: VecDeque<RequestId>,
}

impl ProducerIds {
    /// Drops what a client waits for that is gone.
    pub(super) fn abandon(&mut self, connection: ConnectionId) {
        self.waiting.retain(|id| id.connection != connection);
    }
}

impl Broker {
    pub(super) fn init_producer_id(&mut self, id: RequestId, request: &InitProducerIdRequest, effects: &mut Effects) {
        if request.transactional_id.is_some() {
            return reply(id, Err(ErrorCode::InvalidRequest), effects);
        }
        self.producer_ids.waiting.push_back(id);
        self.serve_producer_ids(effects);
    }

    fn serve_producer_ids(&mut self, effects: &mut Effects) {
        let ids = &mut self.producer_ids;
        while ids.next < ids.end
            && let Some(id) = ids.waiting.pop_front()
        {
            reply(id, Ok((ProducerId(ids.next), ProducerEpoch(0))), effects);
            ids.next += 1;
        }
        if ids.waiting.is_empty() || ids.is_asking {
            return;
        }
        self.producer_ids.is_asking = true;
        self.call(Purpose::ProducerIds, ControllerCommand::AllocateProducerIds, Some(PRODUCER_IDS_MS_MAX), effects);
    }

    pub(super) fn producer_ids_refused(&mut self, code: ErrorCode, effects: &mut Effects) {
        self.producer_ids.is_asking = false;
        for id in self.producer_ids.waiting.drain(..) {
            reply(id, Err(code), effects);
        }
    }

    pub(super) fn producer_ids_granted(&mut self, first: i64, effects: &mut Effects) {
        let ids = &mut self.producer_ids;
        (ids.next, ids.end, ids.is_asking) = (first, first + PRODUCER_ID_BLOCK, false);
        self.serve_producer_ids(effects);
    }
}

fn reply(id: RequestId, result: Result<(ProducerId, ProducerEpoch), ErrorCode>, effects: &mut Effects) {
    effects.replies.push(Reply { id, response: Response::InitProducerId(InitProducerIdResponse { result }) });
}
