//! A running node: the turn loop that owns the [`Broker`], the connections that feed it, and the store that works for it.
//!
//! One task, the [`turn`], hands inputs to the broker one at a time and carries out what follows. Connections talk to it over a bounded
//! queue, so that a busy broker is felt by clients as back-pressure. Nothing is spawned per request, and all that a client can make the node
//! hold is bounded by [`ConnectionLimits`](crate::config::ConnectionLimits).

mod activity;
mod complaints;
mod connection;
pub mod counters;
mod listener;
mod peers;
mod probe;
mod shared;
mod signal;
mod turn;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use gracchus_core::boundary::Door;
use gracchus_core::broker::{Broker, Endpoint};
use gracchus_core::time::{Monotonic, Wait};
use thiserror::Error;
use tokio::select;
use tokio::sync::{mpsc, oneshot};

use self::counters::Counters;
use self::peers::{Addresses, Identity, QUEUED_FROM_PEERS_MAX, find_controllers};
pub use self::probe::{GroupLag, Inspection, LAGS_MAX, Probe, Snapshot};
use self::shared::{Among, Shared};
use self::turn::{Ended, Inputs, Turn};
use crate::config::{HostPort, ListenerSettings, NodeSettings};
use crate::platform::Platform;
use crate::recording::{FlightRecorder, RecordTo};
use crate::store::Store;

/// Requests that wait for the turn loop before connections wait themselves.
const QUEUED_REQUESTS_MAX: usize = 1024;

/// How long answers that are already decided may take to leave when the node stops.
const DRAIN_MS_MAX: i64 = 5_000;

/// What a node says once it serves.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What was bound, a listener each, in the order of the settings.
    pub listeners: Vec<Bound>,
    /// What the node counts while it runs.
    pub counters: Arc<Counters>,
    /// Looks at what it is doing.
    pub probe: Probe,
}

/// A listener that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub listener: Arc<str>,
    /// Where.
    pub address: SocketAddr,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.listener, self.address)
    }
}

/// Why a node does not start, or ends without having been asked to.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A listener's address can't be had.
    #[error("can't listen on {address} ({listener}): {cause}")]
    Bind {
        /// The listener's name.
        listener: String,
        /// Its address.
        address: String,
        /// Why.
        cause: io::Error,
    },
    /// The data folder can't be used.
    #[error("can't use the data folder {folder}: {cause}")]
    DataFolder {
        /// The folder.
        folder: String,
        /// Why.
        cause: io::Error,
    },
    /// What the core is told can't be recorded.
    #[error("can't record to {file}: {cause}")]
    Record {
        /// The file.
        file: String,
        /// Why.
        cause: io::Error,
    },
    /// The store is gone, and with it everything that the node could do.
    #[error("the store has ended")]
    StoreEnded,
    /// The broker gave up; its notices say why.
    #[error("the broker can't go on: the log above says why")]
    GaveUp,
}

/// Runs a node until `stop` is ready and everything is on disk. `ready` is told once clients are served. What the core is told is recorded if
/// it is said where.
///
/// # Errors
/// [`NodeError`]: the node could not start, or lost its store.
pub async fn run<P: Platform>(
    platform: P,
    settings: NodeSettings,
    stop: impl Future<Output = ()> + Send,
    ready: oneshot::Sender<Ready>,
    record: Option<RecordTo>,
) -> Result<(), NodeError> {
    let NodeSettings { mut broker, listeners, peers, data_dir, limits, store, send_by_copy: _, http: _ } = settings;
    let (open, bound) = bind_all(&platform, &listeners).await?;
    let (of_controllers, of_clients): (Vec<_>, Vec<_>) = listeners.iter().zip(&bound).partition(|(settings, _)| settings.is_controller);
    broker.endpoints = endpoints(&of_clients);
    // A node without listeners of controllers serves what is theirs by its own.
    let own = endpoints(&of_controllers).into_iter().next().or_else(|| broker.endpoints.first().cloned());
    let is_controller = !of_controllers.is_empty() || broker.voters.iter().any(|voter| voter.node == broker.node);
    if let Some(own) = own.clone().filter(|_| is_controller) {
        broker.controllers.entry(broker.node).or_insert(own);
    }

    let folder_error = |cause| NodeError::DataFolder { folder: data_dir.display().to_string(), cause };
    let (store, completions) = Store::start(platform.clone(), store).await.map_err(folder_error)?;
    broker.was_unclean = !store.was_stopped_cleanly();
    // The folder is this process's by now: the recording that is there is of no other that lives.
    let recorder = match record {
        Some(to) => {
            let made = FlightRecorder::create(&to.file, to.bytes_max, broker.node.0);
            Some(made.map_err(|cause| NodeError::Record { file: to.file.display().to_string(), cause })?)
        }
        None => None,
    };
    let (from_peers, peers_said) = mpsc::channel(QUEUED_FROM_PEERS_MAX);
    let of_peers = peers.inter_broker_listener.as_deref();
    let endpoint = broker.endpoints.iter().find(|endpoint| Some(&*endpoint.listener) == of_peers).or(broker.endpoints.first()).or(own.as_ref());
    let at = endpoint.map(|endpoint| HostPort { host: endpoint.host.clone(), port: endpoint.port });
    let identity = Identity { cluster_id: broker.cluster_id.clone(), node: broker.node, incarnation: broker.incarnation, at };
    let among = Among { identity, addresses: Addresses::new(peers), from_peers };
    let shared = Arc::new(Shared::new(platform.clone(), store, limits, among));
    let (turn, requests) = mpsc::channel(QUEUED_REQUESTS_MAX);
    let (probe, probes) = Probe::new();
    // Other nodes come in from the start: none could serve before they have found each other.
    for (listener, (settings, Bound { listener: name, .. })) in open.into_iter().zip(listeners.iter().zip(&bound)) {
        let door = if settings.is_controller { Door::Controllers } else { Door::Brokers };
        platform.spawn("listener", listener::accept(Arc::clone(&shared), listener, Arc::clone(name), door, turn.clone()));
    }
    platform.spawn("discovery", find_controllers(Arc::clone(&shared), probe.clone()));
    let (serving, is_serving) = oneshot::channel();
    let opening = async {
        // Without it the node stops before it has come so far.
        if is_serving.await.is_ok() {
            shared.serving.give();
            // Whoever waits for it may be gone: the node runs all the same.
            let _ = ready.send(Ready { listeners: bound, counters: Arc::clone(&shared.counters), probe });
        }
    };
    let inputs = Inputs { requests, peers: peers_said, completions, probes };
    let turning = Turn::new(Arc::clone(&shared), Broker::new(broker), inputs, serving, recorder).run(stop);
    let (Ended { outcome, is_registered }, ()) = tokio::join!(biased; turning, opening);

    shared.closing.give();
    shared.ended.give();
    drain(&shared).await;
    shared.store.stop(is_registered).await;
    outcome
}

async fn bind_all<P: Platform>(platform: &P, listeners: &[ListenerSettings]) -> Result<(Vec<P::Listener>, Vec<Bound>), NodeError> {
    let mut open = Vec::new();
    let mut bound = Vec::new();
    for ListenerSettings { name, bind, .. } in listeners {
        let failed = |cause| NodeError::Bind { listener: name.clone(), address: bind.clone(), cause };
        let (listener, address) = platform.bind(bind).await.map_err(failed)?;
        open.push(listener);
        bound.push(Bound { listener: name.as_str().into(), address });
    }
    Ok((open, bound))
}

/// What clients are told: the advertised address, or what was bound; port 0 is the port that was bound.
fn endpoints(listeners: &[(&ListenerSettings, &Bound)]) -> Vec<Endpoint> {
    let endpoint = |(settings, Bound { listener, address }): &(&ListenerSettings, &Bound)| {
        let (host, port) = settings.advertised.clone().unwrap_or_else(|| (address.ip().to_string(), 0));
        Endpoint { listener: Arc::clone(listener), host, port: if port == 0 { address.port() } else { port } }
    };
    listeners.iter().map(endpoint).collect()
}

/// Waits until every connection has sent what it was going to, within a limit.
async fn drain<P: Platform>(shared: &Shared<P>) {
    let deadline: Monotonic = shared.platform.now().monotonic.after(Wait::from_ms(DRAIN_MS_MAX));
    select! {
        biased;
        () = shared.all_closed() => {}
        () = shared.platform.sleep_until(deadline) => tracing::warn!("clients did not read their last answers in time"),
    }
}
