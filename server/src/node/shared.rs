//! What all connections of a node have in common.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use gracchus_core::broker::TopicDirectory;
use gracchus_core::ids::ConnectionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::complaints::Complaints;
use super::counters::Counters;
use super::peers::{Addresses, FromPeer, Identity, Visitors};
use super::signal::Signal;
use crate::config::ConnectionLimits;
use crate::platform::Platform;
use crate::store::Store;

/// All that a node's tasks share.
pub(super) struct Shared<P: Platform> {
    pub(super) platform: P,
    pub(super) store: Store<P>,
    pub(super) limits: ConnectionLimits,
    pub(super) counters: Arc<Counters>,
    pub(super) complaints: Complaints,
    /// Given when the node serves clients.
    pub(super) serving: Signal,
    /// Given when the node stops: nothing more is accepted, and of clients nothing read.
    pub(super) closing: Signal,
    /// Given when the broker has stopped: other nodes have nothing more to tell it.
    pub(super) ended: Signal,
    /// What other nodes know this one by.
    pub(super) identity: Identity,
    /// Where other nodes are.
    pub(super) addresses: Addresses,
    /// Other nodes' connections to this one.
    pub(super) visitors: Visitors,
    /// How what other nodes say gets to the turn loop.
    pub(super) from_peers: mpsc::Sender<FromPeer>,
    /// Connections to other nodes.
    pub(super) links: Crowd,
    connections: Crowd,
    /// How many there may be (`max.connections`), which can be altered.
    connections_max: AtomicU32,
    next_connection: AtomicU64,
    small_requests: Room,
    large_requests: Room,
    topics: RwLock<Arc<TopicDirectory>>,
}

impl<P: Platform> Shared<P> {
    pub(super) fn new(platform: P, store: Store<P>, limits: ConnectionLimits, among: Among) -> Self {
        let Among { identity, addresses, from_peers } = among;
        let counters = Counters::new(store.compactions());
        Self {
            platform,
            store,
            limits,
            counters: Arc::new(counters),
            complaints: Complaints::default(),
            serving: Signal::new(),
            closing: Signal::new(),
            ended: Signal::new(),
            identity,
            addresses,
            visitors: Visitors::default(),
            from_peers,
            links: Crowd::new(),
            connections: Crowd::new(),
            connections_max: AtomicU32::new(limits.connections_max),
            next_connection: AtomicU64::new(0),
            small_requests: Room::new(limits.queued_bytes_max / 4),
            large_requests: Room::new(limits.queued_bytes_max - limits.queued_bytes_max / 4),
            topics: RwLock::default(),
        }
    }

    /// Room for one more connection, given back when the permit is dropped; `None` when there are enough.
    pub(super) fn admit(&self) -> Option<(ConnectionId, OwnedSemaphorePermit)> {
        if self.connections.count() >= self.connections_max() {
            return None;
        }
        let permit = self.connections.enter()?;
        Some((ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed)), permit))
    }

    /// Waits until no connection is left, of clients or of nodes. None may be admitted meanwhile.
    pub(super) async fn all_closed(&self) {
        self.links.all_left().await;
        self.connections.all_left().await;
    }

    /// Waits for room for a request that is there already.
    pub(super) async fn room_for_small(&self, request_bytes: u32) -> OwnedSemaphorePermit {
        self.small_requests.take(request_bytes).await
    }

    /// Waits for room for a request that is yet to come: what is announced and never sent only keeps others of its kind waiting.
    pub(super) async fn room_for_large(&self, request_bytes: u32) -> OwnedSemaphorePermit {
        self.large_requests.take(request_bytes).await
    }

    /// Whether somebody waits for room for a large request.
    pub(super) fn is_large_room_wanted(&self) -> bool {
        self.large_requests.waiting.load(Ordering::Relaxed) > 0
    }

    /// The topics as last published.
    pub(super) fn topics(&self) -> Arc<TopicDirectory> {
        Arc::clone(&self.topics.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many connections there may be.
    pub(super) fn connections_max(&self) -> u32 {
        self.connections_max.load(Ordering::Relaxed)
    }

    /// Lets so many connections in from here on; those that are there stay.
    pub(super) fn admit_up_to(&self, connections_max: u32) {
        self.connections_max.store(connections_max.min(self.limits.connections_max), Ordering::Relaxed);
    }

    pub(super) fn publish(&self, topics: TopicDirectory) {
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(topics);
    }
}

/// What a node has to know of a cluster to be one of it.
pub(super) struct Among {
    pub(super) identity: Identity,
    pub(super) addresses: Addresses,
    pub(super) from_peers: mpsc::Sender<FromPeer>,
}

/// Tasks that come and go: a permit for every one that there could be.
pub(super) struct Crowd(Arc<Semaphore>);

impl Crowd {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(permits(u32::MAX.into()))))
    }

    /// One more, until the permit is dropped.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }

    fn count(&self) -> u32 {
        u32::try_from(permits(u32::MAX.into()).saturating_sub(self.0.available_permits())).unwrap_or(u32::MAX)
    }

    /// Waits until none is left. None may enter meanwhile.
    async fn all_left(&self) {
        let all = u32::try_from(permits(u32::MAX.into())).unwrap_or(u32::MAX);
        let _all = self.0.acquire_many(all).await.expect("this semaphore is never closed");
    }
}

/// Memory for requests: a permit for every byte that may yet be held.
struct Room {
    free: Arc<Semaphore>,
    bytes: u32,
    waiting: AtomicUsize,
}

impl Room {
    fn new(bytes: u64) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(permits(bytes.into()))), bytes, waiting: AtomicUsize::new(0) }
    }

    /// Waits for room; what is larger than all the room there is waits until it is alone.
    async fn take(&self, bytes: u32) -> OwnedSemaphorePermit {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _no_longer = Leaving(&self.waiting);
        let taken = Arc::clone(&self.free).acquire_many_owned(bytes.min(self.bytes)).await;
        taken.expect("this semaphore is never closed")
    }
}

/// Counts one less when it is dropped: whoever waits may give up.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// As many permits as asked for, or as a semaphore can hold; never none, which would let nothing through for ever.
fn permits(wanted: u64) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS)
}
