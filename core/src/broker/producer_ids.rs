//! InitProducerId without a transaction: ids from blocks that the controller gives out (KIP-730).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::commands::Outcome;
use crate::boundary::{Effects, InitProducerIdRequest, InitProducerIdResponse, Reply, Response};
use crate::epoch::ProducerEpoch;
use crate::error::ErrorCode;
use crate::ids::{ConnectionId, ProducerId, RequestId};
use crate::limits::PRODUCER_ID_BLOCK;

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
        let granted = self
            .controller
            .as_ref()
            .ok_or(ErrorCode::CoordinatorNotAvailable)
            .and_then(|controller| controller.allocate_producer_ids().map_err(|error| error.code));
        match granted {
            Ok((first, record)) => {
                self.producer_ids.is_asking = true;
                self.commit(&[record], Outcome::ProducerIds(first), effects);
            }
            Err(code) => self.refuse_producer_ids(code, effects),
        }
    }

    fn refuse_producer_ids(&mut self, code: ErrorCode, effects: &mut Effects) {
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
