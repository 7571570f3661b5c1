//! Calls to the controller, wherever it is: this node asks, and asks again when the controller changes, when the connection to it is lost, and
//! when no answer comes: that one's connection is another, which may be lost without a trace here.
//!
//! An answer counts once this node has applied the metadata that it speaks of and has opened the logs that this made: who is told that a topic
//! is there can use it here. A command whose answer was lost may be decided twice, as in Kafka (KIP-590).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Broker;
use super::refusals::refusal;
use super::timers::Timer;
use crate::boundary::{
    CallId, ControllerAnswer, ControllerCall, ControllerCommand, ControllerDecision, Effects, MetadataRequest, PeerMessage, Reply,
    RequestContext, Response,
};
use crate::error::ErrorCode;
use crate::ids::{ConnectionId, IncarnationId, NodeId, RequestId, TopicPartition};
use crate::limits::{CALL_REPEAT_MS, CALL_RETRY_MS};
use crate::offset::Offset;
use crate::time::{Monotonic, Wait};

/// What a call is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// A client is answered.
    Reply(RequestId),
    /// Topics are created for a Metadata request: it is answered with them.
    Metadata(RequestId, RequestContext, MetadataRequest),
    /// Producer ids for this broker to give out.
    ProducerIds,
    /// To be a broker of the cluster.
    Registration,
    /// To stay one.
    Heartbeat,
    /// Other ISRs for partitions that this node leads.
    AlterPartitions,
    /// Others to lead what this node has lost.
    Failure,
    /// The topic that groups are kept in.
    OffsetsTopic,
}

impl Purpose {
    /// The client that waits.
    fn request(&self) -> Option<RequestId> {
        match self {
            Self::Reply(id) | Self::Metadata(id, _, _) => Some(*id),
            Self::ProducerIds | Self::Registration | Self::Heartbeat | Self::AlterPartitions | Self::Failure | Self::OffsetsTopic => None,
        }
    }
}

/// Calls of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Calls {
    last: u64,
    waiting: BTreeMap<CallId, Waiting>,
    /// Answers that speak of metadata which is not applied yet.
    early: Vec<(CallId, Offset, Purpose, ControllerAnswer)>,
    /// Answers that wait for logs to be opened.
    unopened: Vec<(BTreeSet<TopicPartition>, Purpose, ControllerAnswer)>,
}

/// A call without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    purpose: Purpose,
    command: ControllerCommand,
    /// When it was made; none if it has to be made.
    sent: Option<Monotonic>,
}

impl Calls {
    /// Whether a client waits.
    pub(super) fn owe_answers(&self) -> bool {
        let waiting = self.waiting.values().map(|waiting| &waiting.purpose);
        let arrived = self.early.iter().map(|(_, _, purpose, _)| purpose).chain(self.unopened.iter().map(|(_, purpose, _)| purpose));
        waiting.chain(arrived).any(|purpose| purpose.request().is_some())
    }

    /// Whether there is one without an answer for that.
    pub(super) fn are_for(&self, purpose: &Purpose) -> bool {
        self.waiting.values().any(|waiting| waiting.purpose == *purpose)
    }

    /// Drops what was asked for that: its answer tells nothing.
    pub(super) fn forget(&mut self, purpose: &Purpose) {
        self.waiting.retain(|_, waiting| waiting.purpose != *purpose);
        self.early.retain(|(_, _, held, _)| held != purpose);
    }

    /// Drops what nobody waits for any more.
    pub(super) fn abandon(&mut self, connection: ConnectionId) {
        let is_gone = |purpose: &Purpose| purpose.request().is_some_and(|id| id.connection == connection);
        self.waiting.retain(|_, waiting| !is_gone(&waiting.purpose));
        self.early.retain(|(_, _, purpose, _)| !is_gone(purpose));
        self.unopened.retain(|(_, purpose, _)| !is_gone(purpose));
    }
}

/// Who has called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Caller {
    /// The node.
    pub(super) node: NodeId,
    /// Its run.
    pub(super) incarnation: IncarnationId,
    /// The call.
    pub(super) id: CallId,
}

impl Caller {
    /// What it is told when nobody has decided, or may ever: it asks again.
    pub(super) fn undecided(self) -> ControllerDecision {
        ControllerDecision { id: self.id, incarnation: self.incarnation, upto: Offset::ZERO, answer: None }
    }
}

impl Broker {
    /// Has the controller decide something. For a client there is an answer within `patience_ms`.
    pub(super) fn call(&mut self, purpose: Purpose, command: ControllerCommand, patience_ms: Option<i32>, effects: &mut Effects) {
        self.calls.last += 1;
        let id = CallId(self.calls.last);
        if let Some(patience_ms) = patience_ms {
            self.timers.set(Timer::Call(id), self.now.monotonic.after(Wait::from_ms(i64::from(patience_ms.max(1)))));
        }
        self.calls.waiting.insert(id, Waiting { purpose, command, sent: None });
        if !self.timers.is_set(&Timer::Calls) {
            self.timers.set(Timer::Calls, self.now.monotonic.after(Wait::from_ms(CALL_REPEAT_MS)));
        }
        self.send_call(id, effects);
    }

    fn send_call(&mut self, id: CallId, effects: &mut Effects) {
        let leader = self.quorum.leader();
        let (Some(waiting), Some(leader)) = (self.calls.waiting.get_mut(&id), leader) else { return };
        waiting.sent = Some(self.now.monotonic);
        let (command, incarnation) = (waiting.command.clone(), self.settings.incarnation);
        if leader == self.settings.node {
            return self.decide(Caller { node: leader, incarnation, id }, command, effects);
        }
        effects.tell(leader, PeerMessage::Call(ControllerCall { id, incarnation, command }));
    }

    /// The controller is another: whatever waits is asked again.
    pub(super) fn resend_calls(&mut self, effects: &mut Effects) {
        let waiting: Vec<CallId> = self.calls.waiting.keys().copied().collect();
        waiting.into_iter().for_each(|id| self.send_call(id, effects));
    }

    /// Messages to a node may be lost: what that one was asked is asked again in a while.
    pub(super) fn calls_lost(&mut self, to: NodeId) {
        if self.quorum.leader() == Some(to) && self.settings.node != to {
            self.calls.waiting.values_mut().for_each(|waiting| waiting.sent = None);
            self.timers.set(Timer::Calls, self.now.monotonic.after(Wait::from_ms(CALL_RETRY_MS)));
        }
    }

    pub(super) fn retry_calls(&mut self, effects: &mut Effects) {
        let (now, repeat) = (self.now.monotonic, Wait::from_ms(CALL_REPEAT_MS));
        let is_due = |waiting: &Waiting| waiting.sent.is_none_or(|sent| now.since(sent) >= repeat);
        let due: Vec<CallId> = self.calls.waiting.iter().filter(|(_, waiting)| is_due(waiting)).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.send_call(id, effects));
        if !self.calls.waiting.is_empty() && !self.timers.is_set(&Timer::Calls) {
            self.timers.set(Timer::Calls, now.after(repeat));
        }
    }

    /// An answer has come.
    pub(super) fn decision_came(&mut self, decision: ControllerDecision, effects: &mut Effects) {
        if decision.incarnation != self.settings.incarnation {
            return;
        }
        let Some(answer) = decision.answer else {
            if let Some(waiting) = self.calls.waiting.get_mut(&decision.id) {
                waiting.sent = None;
                self.timers.set(Timer::Calls, self.now.monotonic.after(Wait::from_ms(CALL_RETRY_MS)));
            }
            return;
        };
        // None waits when the call was answered before, or its client is gone.
        let Some(waiting) = self.calls.waiting.remove(&decision.id) else { return };
        self.calls.early.push((decision.id, decision.upto, waiting.purpose, answer));
        self.finish_calls(effects);
    }

    /// Takes the answers that speak of nothing that this node has not applied.
    pub(super) fn finish_calls(&mut self, effects: &mut Effects) {
        let Some(applied) = self.metadata.as_ref().map(|metadata| metadata.high_watermark()) else { return };
        let ready: Vec<_> = self.calls.early.extract_if(.., |(_, upto, _, _)| *upto <= applied).collect();
        for (id, _, purpose, answer) in ready {
            self.timers.cancel(&Timer::Call(id));
            if self.opening.is_empty() || purpose.request().is_none() {
                self.finish_call(purpose, answer, effects);
            } else {
                self.calls.unopened.push((self.opening.clone(), purpose, answer));
            }
        }
    }

    /// A partition's log is open, or never will be: answers leave that waited for it last.
    pub(super) fn no_longer_opening(&mut self, id: TopicPartition, effects: &mut Effects) {
        if !self.opening.remove(&id) {
            return;
        }
        self.calls.unopened.iter_mut().for_each(|(unopened, _, _)| {
            unopened.remove(&id);
        });
        let ready: Vec<_> = self.calls.unopened.extract_if(.., |(unopened, _, _)| unopened.is_empty()).collect();
        for (_, purpose, answer) in ready {
            self.finish_call(purpose, answer, effects);
        }
    }

    fn finish_call(&mut self, purpose: Purpose, answer: ControllerAnswer, effects: &mut Effects) {
        match (purpose, answer) {
            (Purpose::Reply(id), ControllerAnswer::Response(response)) => effects.replies.push(Reply { id, response: *response }),
            (Purpose::Metadata(id, context, request), _) => {
                let response = Response::Metadata(self.describe_metadata(&context, &request));
                effects.replies.push(Reply { id, response });
            }
            (Purpose::ProducerIds, ControllerAnswer::ProducerIds(first)) => self.producer_ids_granted(first, effects),
            (Purpose::ProducerIds, ControllerAnswer::Refused(code)) => self.producer_ids_refused(code, effects),
            (Purpose::Registration, answer) => self.registration_answered(&answer, effects),
            (Purpose::Heartbeat, answer) => self.heartbeat_answered(&answer, effects),
            (Purpose::AlterPartitions, answer) => self.isrs_answered(&answer, effects),
            (Purpose::Failure, _) => {}
            (Purpose::OffsetsTopic, _) => self.offsets_topic_decided(effects),
            (Purpose::Reply(_) | Purpose::ProducerIds, answer) => effects.error(format!("the controller answered with {answer:?}")),
        }
    }

    /// A client has waited long enough: for what was decided too, if that is known.
    pub(super) fn call_timed_out(&mut self, id: CallId, effects: &mut Effects) {
        let known: Vec<_> = self.calls.early.extract_if(.., |(early, _, _, _)| *early == id).collect();
        for (_, _, purpose, answer) in known {
            self.finish_call(purpose, answer, effects);
        }
        self.refuse_call(id, ErrorCode::RequestTimedOut, effects);
    }

    /// The node stops: who waits for another node's answer waits no longer, and who has one does not wait for this node to follow it.
    pub(super) fn refuse_calls(&mut self, effects: &mut Effects) {
        if self.quorum.is_leader() {
            return;
        }
        let waiting: Vec<CallId> = self.calls.waiting.keys().copied().collect();
        waiting.into_iter().for_each(|id| self.refuse_call(id, ErrorCode::NotController, effects));
        let early = self.calls.early.extract_if(.., |(_, _, purpose, _)| purpose.request().is_some());
        let early: Vec<_> = early.collect();
        early.iter().for_each(|(id, ..)| self.timers.cancel(&Timer::Call(*id)));
        let early = early.into_iter().map(|(_, _, purpose, answer)| (purpose, answer));
        let unopened = std::mem::take(&mut self.calls.unopened).into_iter().map(|(_, purpose, answer)| (purpose, answer));
        for (purpose, answer) in early.chain(unopened) {
            self.finish_call(purpose, answer, effects);
        }
    }

    fn refuse_call(&mut self, id: CallId, code: ErrorCode, effects: &mut Effects) {
        self.timers.cancel(&Timer::Call(id));
        let Some(Waiting { purpose, command, .. }) = self.calls.waiting.remove(&id) else { return };
        match purpose {
            Purpose::Reply(id) => effects.replies.extend(refusal(command, code).map(|response| Reply { id, response })),
            Purpose::Metadata(..) => self.finish_call(purpose, ControllerAnswer::Done, effects),
            Purpose::ProducerIds => self.producer_ids_refused(ErrorCode::CoordinatorNotAvailable, effects),
            Purpose::Registration | Purpose::Heartbeat | Purpose::AlterPartitions | Purpose::Failure | Purpose::OffsetsTopic => {}
        }
    }
}
