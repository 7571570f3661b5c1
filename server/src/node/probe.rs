//! A look at what a node is doing, for whoever watches it.

use std::collections::BTreeMap;

use gracchus_core::broker::View;
use gracchus_core::group::GroupTally;
use gracchus_core::quorum::Role;
use tokio::sync::{mpsc, oneshot};

/// Looks that wait for the turn loop before the next one waits itself.
const WAITING_MAX: usize = 8;

/// Lags that one [`Inspection`] tells at most: with more committed offsets than that it tells none, so that nothing waits long for it.
pub const LAGS_MAX: usize = 10_000;

/// Asks the turn loop for a [`Snapshot`]. That it answers says that the node is alive.
#[derive(Clone, Debug)]
pub struct Probe(mpsc::Sender<Look>);

/// What the turn loop answers probes on.
pub(super) type Probes = mpsc::Receiver<Look>;

/// Who looks at a node, and how closely.
#[derive(Debug)]
pub(super) enum Look {
    /// At what costs nothing to tell.
    Glance(oneshot::Sender<Snapshot>),
    /// At what grows with what the node has.
    Inspection(oneshot::Sender<Inspection>),
}

impl Look {
    /// Tells whoever looks, who may have lost patience.
    pub(super) fn answer(self, view: &View<'_>) {
        match self {
            Self::Glance(asked) => drop(asked.send(Snapshot::of(view))),
            Self::Inspection(asked) => drop(asked.send(Inspection::of(view))),
        }
    }
}

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
        self.0.send(Look::Glance(answer)).await.ok()?;
        snapshot.await.ok()
    }

    /// Looks closely; none when the node has ended.
    pub async fn inspect(&self) -> Option<Inspection> {
        let (answer, inspection) = oneshot::channel();
        self.0.send(Look::Inspection(answer)).await.ok()?;
        inspection.await.ok()
    }
}

/// What of a node takes longer to tell the more it has: for whoever asks a few times a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// How many groups it coordinates, by Kafka's names for their type and state.
    pub groups: BTreeMap<(&'static str, &'static str), u64>,
    /// How many members those have, by type.
    pub members: BTreeMap<&'static str, u64>,
    /// Offsets that those have committed.
    pub offsets: u64,
    /// What its coordinators have done since it started.
    pub tally: GroupTally,
    /// How far the groups lag behind what is committed in partitions that the node has a copy of; none where they have more than [`LAGS_MAX`]
    /// offsets.
    pub lags: Vec<GroupLag>,
    /// The largest share of a log that is to be compacted and is not, from 0 to 1.
    pub dirty_ratio_max: f64,
}

/// How far a group lags behind in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// The group.
    pub group: String,
    /// The partition's topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// Records between what the group has committed and the high watermark.
    pub lag: u64,
}

impl Inspection {
    fn of(view: &View<'_>) -> Self {
        let (mut groups, mut members, mut offsets) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (_, group) in view.groups() {
            *groups.entry((group.kind(), group.state_name())).or_default() += 1;
            *members.entry(group.kind()).or_default() += u64::try_from(group.member_count()).unwrap_or(u64::MAX);
            offsets += group.offsets().values().map(BTreeMap::len).sum::<usize>();
        }
        Self {
            groups,
            members,
            offsets: u64::try_from(offsets).unwrap_or(u64::MAX),
            tally: view.group_tally(),
            lags: if offsets <= LAGS_MAX { lags(view) } else { Vec::new() },
            dirty_ratio_max: view.dirty_ratio_max(),
        }
    }
}

fn lags(view: &View<'_>) -> Vec<GroupLag> {
    let mut lags = Vec::new();
    for (name, group) in view.groups() {
        for (topic, partitions) in group.offsets() {
            let Some(id) = view.image().topic_ids.get(topic) else { continue };
            for (partition, committed) in partitions {
                let Some(end) = view.high_watermark(*id, *partition) else { continue };
                let lag = u64::try_from(end.since(committed.offset)).unwrap_or(0);
                lags.push(GroupLag { group: name.clone(), topic: topic.as_str().to_owned(), partition: partition.0, lag });
            }
        }
    }
    lags
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
