//! The turn loop: the one task that owns the broker.
//!
//! What has come in is taken a batch at a time, and after each batch the deadline is looked at, so that no kind of input keeps another from
//! its turn. Effects are carried out after each step, in no particular order among kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use gracchus_core::boundary::{Effects, Input, Notice, Reply, Request, RequestContext, Response, Severity, StorageDone};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{ConnectionId, NodeId, RequestId};
use gracchus_core::time::Monotonic;
use tokio::select;
use tokio::sync::{mpsc, oneshot};

use super::NodeError;
use super::peers::{FromPeer, Links};
use super::probe::{Look, Probes};
use super::shared::Shared;
use crate::platform::Platform;
use crate::recording::FlightRecorder;

/// Inputs of one kind that are taken before the next kind has its turn.
const BATCH_INPUTS_MAX: usize = 256;

/// What connections tell the turn loop, in the order in which it happened to each.
pub(super) enum FromConnection {
    /// A request has come.
    Request {
        id: RequestId,
        context: RequestContext,
        request: Request,
        /// Where its answer goes.
        answer: oneshot::Sender<Response>,
    },
    /// The connection is gone, and nobody waits for its answers.
    Closed(ConnectionId),
}

pub(super) struct Turn<P: Platform> {
    shared: Arc<Shared<P>>,
    broker: Broker,
    effects: Effects,
    inputs: Inputs,
    links: Links<P>,
    /// Nodes that messages were dropped for.
    lost: BTreeSet<NodeId>,
    /// Requests that the broker has not answered yet.
    unanswered: BTreeMap<RequestId, oneshot::Sender<Response>>,
    /// Told once, when the broker serves.
    serving: Option<oneshot::Sender<()>>,
    has_stopped: bool,
    recorder: Option<FlightRecorder>,
}

/// Where the turn loop's inputs come from.
pub(super) struct Inputs {
    pub(super) requests: mpsc::Receiver<FromConnection>,
    pub(super) peers: mpsc::Receiver<FromPeer>,
    pub(super) completions: mpsc::UnboundedReceiver<StorageDone>,
    pub(super) probes: Probes,
}

/// What ended a wait.
enum Wake {
    Stop,
    Completion(Option<StorageDone>),
    Peer(FromPeer),
    Request(FromConnection),
    Probe(Look),
    Alarm,
}

/// How the turns ended.
pub(super) struct Ended {
    pub(super) outcome: Result<(), NodeError>,
    /// Whether the controller has heard of this run.
    pub(super) is_registered: bool,
}

impl<P: Platform> Turn<P> {
    pub(super) fn new(
        shared: Arc<Shared<P>>,
        broker: Broker,
        inputs: Inputs,
        serving: oneshot::Sender<()>,
        recorder: Option<FlightRecorder>,
    ) -> Self {
        let serving = Some(serving);
        let links = Links::new(Arc::clone(&shared));
        Self {
            shared,
            broker,
            effects: Effects::default(),
            inputs,
            links,
            lost: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            serving,
            has_stopped: false,
            recorder,
        }
    }

    /// Takes turns until the broker has stopped, which `stop` asks it to.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> Ended {
        let outcome = self.take_turns(stop).await;
        Ended { outcome, is_registered: self.broker.view().is_registered() }
    }

    async fn take_turns(&mut self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let mut stop = pin!(stop);
        let mut is_stopping = false;
        // The alarm is set anew only when it would ring too late: a deadline that has moved back costs one turn for nothing.
        let mut alarm_at = Monotonic(u64::MAX);
        let shared = Arc::clone(&self.shared);
        let mut alarm = pin!(shared.platform.sleep_until(alarm_at));

        self.step(Input::Start);
        while !self.has_stopped {
            if let Some(deadline) = self.broker.next_deadline().filter(|&deadline| deadline < alarm_at) {
                alarm_at = deadline;
                alarm.set(shared.platform.sleep_until(alarm_at));
            }
            let wake = select! {
                biased;
                () = &mut stop, if !is_stopping => Wake::Stop,
                done = self.inputs.completions.recv() => Wake::Completion(done),
                Some(peer) = self.inputs.peers.recv() => Wake::Peer(peer),
                Some(request) = self.inputs.requests.recv() => Wake::Request(request),
                Some(probe) = self.inputs.probes.recv() => Wake::Probe(probe),
                () = &mut alarm => Wake::Alarm,
            };
            match wake {
                Wake::Stop => {
                    is_stopping = true;
                    shared.closing.give();
                    self.step(Input::Stop);
                }
                Wake::Completion(done) => self.step(Input::Storage(done.ok_or(NodeError::StoreEnded)?)),
                Wake::Peer(peer) => self.hear(peer),
                Wake::Request(request) => self.take(request),
                Wake::Probe(look) => look.answer(&self.broker.view()),
                Wake::Alarm => {
                    alarm_at = Monotonic(u64::MAX);
                    alarm.set(shared.platform.sleep_until(alarm_at));
                }
            }
            self.take_batch();
            self.tell_if_serving();
        }
        if is_stopping { Ok(()) } else { Err(NodeError::GaveUp) }
    }

    fn tell_if_serving(&mut self) {
        if self.serving.is_some() && self.broker.view().is_serving() {
            let told = self.serving.take().expect("it is there").send(());
            assert!(told.is_ok(), "the node waits for it for as long as it turns");
        }
    }

    /// Takes what has come in by now, and the deadline if it has passed.
    fn take_batch(&mut self) {
        for _ in 0..BATCH_INPUTS_MAX {
            let Ok(done) = self.inputs.completions.try_recv() else { break };
            self.step(Input::Storage(done));
        }
        for _ in 0..BATCH_INPUTS_MAX {
            let Ok(peer) = self.inputs.peers.try_recv() else { break };
            self.hear(peer);
        }
        // What follows may be dropped too: that has its turn in the next batch.
        for node in std::mem::take(&mut self.lost) {
            self.step(Input::PeerLost(node));
        }
        for _ in 0..BATCH_INPUTS_MAX {
            let Ok(request) = self.inputs.requests.try_recv() else { break };
            self.take(request);
        }
        if self.broker.next_deadline().is_some_and(|deadline| deadline <= self.shared.platform.now().monotonic) {
            self.step(Input::Deadline);
        }
    }

    fn hear(&mut self, from: FromPeer) {
        self.step(match from {
            FromPeer::Said { from, message } => Input::Peer { from, message },
            FromPeer::Lost(node) => Input::PeerLost(node),
            FromPeer::Refused(node) => Input::PeerRefused(node),
            FromPeer::Found(controllers) => Input::ControllersFound(controllers),
        });
    }

    fn take(&mut self, from: FromConnection) {
        match from {
            FromConnection::Request { id, context, request, answer } => {
                let former = self.unanswered.insert(id, answer);
                assert!(former.is_none(), "request ids are unique");
                self.step(Input::Request { id, context, request });
            }
            FromConnection::Closed(connection) => {
                self.forget(connection);
                self.step(Input::Disconnected(connection));
            }
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        let first = RequestId { connection, sequence: 0 };
        let last = RequestId { connection, sequence: u64::MAX };
        while let Some((&id, _)) = self.unanswered.range(first..=last).next() {
            self.unanswered.remove(&id);
        }
    }

    fn step(&mut self, input: Input) {
        if let Input::Storage(done) = &input {
            self.shared.counters.completed(done);
        }
        let now = self.shared.platform.now();
        let observed = P::OBSERVES.then(|| input.clone());
        self.effects.clear();
        if let Some(recorder) = &mut self.recorder {
            recorder.before(now, &input, &self.broker);
        }
        self.broker.step(now, input, &mut self.effects);
        if let Some(recorder) = &mut self.recorder {
            recorder.after(&self.effects);
        }
        if let Some(input) = observed {
            self.shared.platform.observe(now, &input, &mut self.effects, &self.broker);
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        // Marks are the simulator's, which has seen them.
        let Effects { replies, peers, storage, marks: _, notices, metadata_changed, stopped } = &mut self.effects;
        for op in storage.drain(..) {
            self.shared.counters.submitted(&op);
            self.shared.store.submit(op);
        }
        for told in peers.drain(..) {
            let to = told.to;
            if !self.links.send(told) {
                self.lost.insert(to);
            }
        }
        for Reply { id, response } in replies.drain(..) {
            // None is waiting when the connection closed meanwhile.
            if let Some(answer) = self.unanswered.remove(&id) {
                let _ = answer.send(response);
            }
        }
        for Notice { severity, text } in notices.drain(..) {
            match severity {
                Severity::Info => tracing::info!("{text}"),
                Severity::Error => tracing::error!("{text}"),
            }
        }
        if *metadata_changed {
            self.shared.publish(self.broker.topic_directory());
            self.shared.addresses.publish(&self.broker.view());
            let connections_max = self.broker.configs().whole("max.connections");
            self.shared.admit_up_to(u32::try_from(connections_max).unwrap_or(u32::MAX));
        }
        self.has_stopped |= *stopped;
    }
}
