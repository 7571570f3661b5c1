//! A look at what a node is doing, for whoever watches it.

use gracchus_core::broker::View;
use gracchus_core::quorum::Role;
use tokio::sync::{mpsc, oneshot};

/// Looks that wait for the turn loop before the next one waits itself.
const WAITING_MAX: usize = 8;

/// Asks the turn loop for a [`Snapshot`]. That it answers says that the node is alive.
#[derive(Clone, Debug)]
pub struct Probe(mpsc::Sender<oneshot::Sender<Snapshot>>);

/// What the turn loop answers probes on.
pub(super) type Probes = mpsc::Receiver<oneshot::Sender<Snapshot>>;

/// What a node has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether it serves clients.
    pub is_serving: bool,
    /// Whether it leads the metadata quorum.
    pub leads_quorum: bool,
    /// Whether it leads the metadata quorum, or hears who does.
    pub hears_quorum: bool,
    /// Partitions that it has a copy of.
    pub partitions: usize,
    /// Partitions that it leads.
    pub leaders: usize,
    /// Produces that wait to be committed.
    pub waiting_produces: usize,
    /// Fetches that wait for records.
    pub waiting_fetches: usize,
    /// Bytes free on its disk, if they are known.
    pub free_bytes: Option<u64>,
}

impl Probe {
    pub(super) fn new() -> (Self, Probes) {
        let (sender, probes) = mpsc::channel(WAITING_MAX);
        (Self(sender), probes)
    }

    /// Looks; none when the node has ended.
    pub async fn look(&self) -> Option<Snapshot> {
        let (answer, snapshot) = oneshot::channel();
        self.0.send(answer).await.ok()?;
        snapshot.await.ok()
    }
}

impl Snapshot {
    pub(super) fn of(view: &View<'_>) -> Self {
        let (waiting_produces, waiting_fetches) = view.waiting_requests();
        Self {
            is_serving: view.is_serving(),
            leads_quorum: matches!(view.quorum().0, Role::Leader(_)),
            hears_quorum: view.hears_quorum(),
            partitions: view.partitions().count(),
            leaders: view.leaders().count(),
            waiting_produces,
            waiting_fetches,
            free_bytes: view.free_bytes(),
        }
    }
}
