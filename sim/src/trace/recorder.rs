//! Sees every event of a run: hashes it, counts it, keeps it in the trace, hands it to the checkers, and shows it to whoever watches.
//!
//! An event is a step of a node or something that befell the world. Events are numbered from 1. The first violation, or the event that a
//! watch ends with, ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input, Mark, StorageOp, ToPeer};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{LogId, NodeId};
use gracchus_core::time::Now;
use gracchus_server::recording::{RECORD_BYTES_MIN, RecordTo};
use tokio::sync::Notify;

use super::event::{Event, What};
use super::kept::{Kept, Tag, decode};
use super::standing::Standings;
use super::{RollingHash, RunHash};
use crate::checkers::{Checkers, Violation};
use crate::draw::{Draw, Stream};
use crate::platform::clock::simulated_time;
use crate::platform::lock;

/// Watches a run. Clones watch the same one.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Mutex<Recording>>,
    over: Arc<Notify>,
}

/// Who is shown what happens.
pub struct Watch {
    /// The first event that is wanted.
    pub from: u64,
    /// The last event that is wanted: the run ends with it.
    pub until: u64,
    /// Of nodes only the steps of this one are wanted, if one is named.
    pub node: Option<NodeId>,
    /// Steps behind which the node's whole state is wanted.
    pub states: BTreeSet<u64>,
    /// A folder where each process has a flight recorder, as one in production may have.
    pub recordings: Option<PathBuf>,
    /// Takes an event.
    pub see: Box<dyn FnMut(Event) + Send>,
}

impl Watch {
    /// All of it.
    #[must_use]
    pub fn all(see: impl FnMut(Event) + Send + 'static) -> Self {
        Self { from: 0, until: u64::MAX, node: None, states: BTreeSet::new(), recordings: None, see: Box::new(see) }
    }

    fn wants(&self, event: u64, node: Option<NodeId>) -> bool {
        let is_of_another = node.is_some_and(|node| self.node.is_some_and(|wanted| wanted != node));
        (self.from..=self.until).contains(&event) && !is_of_another
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("until", &self.until).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Recording {
    hash: RollingHash,
    events: u64,
    /// When the last event was.
    last: Duration,
    marks: BTreeMap<Mark, u64>,
    /// Each node's last step.
    last_steps: BTreeMap<NodeId, u64>,
    order: Draw,
    buffer: Vec<u8>,
    kept: Kept,
    watch: Option<Watch>,
    /// What each node is to its logs, for who watches.
    standings: BTreeMap<NodeId, Standings>,
    checkers: Checkers,
    violation: Option<(u64, Violation)>,
    /// Why less is owed than was promised.
    excuse: Option<String>,
    /// Whether the watch has come to its end.
    is_stopped: bool,
}

impl Recorder {
    /// A recorder that orders effects as `seed` says, and keeps the last events, of so many bytes at most.
    #[must_use]
    pub fn new(seed: u64, kept_bytes_max: usize, watch: Option<Watch>) -> Self {
        let recording = Recording {
            hash: RollingHash::default(),
            events: 0,
            last: Duration::ZERO,
            marks: BTreeMap::new(),
            last_steps: BTreeMap::new(),
            order: Draw::new(seed, Stream::Effects),
            buffer: Vec::new(),
            kept: Kept::new(kept_bytes_max),
            watch,
            standings: BTreeMap::new(),
            checkers: Checkers::default(),
            violation: None,
            excuse: None,
            is_stopped: false,
        };
        Self { shared: Arc::new(Mutex::new(recording)), over: Arc::new(Notify::new()) }
    }

    /// A node has taken a step. Shuffles its effects.
    pub fn step(&self, node: NodeId, now: Now, input: &Input, effects: &mut Effects, broker: &Broker) {
        let mut recording = lock(&self.shared);
        recording.hash_step(node, now, input, effects);
        for mark in &effects.marks {
            *recording.marks.entry(*mark).or_default() += 1;
        }
        let (event, is_over) = (recording.events, recording.is_over());
        if !is_over {
            recording.last_steps.insert(node, event);
        }
        let is_last = recording.show_step(node, broker);
        let checked = recording.checkers.step(node, now, input, effects, broker);
        for remark in recording.checkers.take_remarks() {
            recording.show(None, || What::Remark(remark));
        }
        shuffle(effects, &mut recording.order);
        drop(recording);
        self.check(checked);
        if is_last {
            self.over.notify_one();
        }
    }

    /// The run is over and told: what watched it is dropped, for disks and checkers hold each other.
    pub fn close(&self) {
        let checkers = std::mem::take(&mut lock(&self.shared).checkers);
        drop(checkers);
    }

    /// Something befell the world, or one node of it.
    pub fn note(&self, node: Option<NodeId>, what: &str) {
        let mut recording = lock(&self.shared);
        recording.hash_note(node, what);
        let is_last = recording.show(None, || What::Note { node, text: what.to_owned() });
        if is_last {
            self.over.notify_one();
        }
    }

    /// Where a node's process, the so-many-th, records what its core is told, if it is to.
    #[must_use]
    pub fn records_to(&self, node: NodeId, process: u64) -> Option<RecordTo> {
        let recording = lock(&self.shared);
        let file = recording.watch.as_ref()?.recordings.as_ref()?.join(format!("node-{node}-process-{process}.recording"));
        Some(RecordTo { file, bytes_max: RECORD_BYTES_MIN })
    }

    /// A node's process has ended.
    pub fn ended(&self, node: NodeId) {
        lock(&self.shared).standings.remove(&node);
    }

    /// Shows something that is no event: it follows from events, and helps who reads them.
    pub fn remark(&self, what: impl FnOnce() -> What) {
        lock(&self.shared).show(None, what);
    }

    /// More has gone wrong than the promises cover. The checkers have to be told of what.
    pub fn excuse(&self, why: String) {
        lock(&self.shared).excuse.get_or_insert(why);
    }

    /// Why less is owed than was promised, if so.
    #[must_use]
    pub fn excused(&self) -> Option<String> {
        lock(&self.shared).excuse.clone()
    }

    /// Tells the checkers something, and ends the run if they object.
    pub fn tell<T>(&self, what: impl FnOnce(&mut Checkers) -> Result<T, Violation>) -> Option<T> {
        let told = what(&mut lock(&self.shared).checkers);
        match told {
            Ok(value) => Some(value),
            Err(violation) => {
                self.check(Err(violation));
                None
            }
        }
    }

    /// Waits for an event that ends the run.
    pub async fn over(&self) {
        self.over.notified().await;
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        lock(&self.shared).events
    }

    /// When the last event was, in simulated time.
    #[must_use]
    pub fn last(&self) -> Duration {
        lock(&self.shared).last
    }

    /// How often each mark was reached.
    #[must_use]
    pub fn marks(&self) -> BTreeMap<Mark, u64> {
        lock(&self.shared).marks.clone()
    }

    /// Each node's last step.
    #[must_use]
    pub fn last_steps(&self) -> BTreeMap<NodeId, u64> {
        lock(&self.shared).last_steps.clone()
    }

    /// The first violation, with the event at which it showed.
    #[must_use]
    pub fn violation(&self) -> Option<(u64, Violation)> {
        lock(&self.shared).violation.clone()
    }

    /// The event that the run was to end with, if it has come to that.
    #[must_use]
    pub fn stopped_at(&self) -> Option<u64> {
        let recording = lock(&self.shared);
        recording.watch.as_ref().filter(|_| recording.is_stopped).map(|watch| watch.until)
    }

    /// Takes what was kept of the events.
    #[must_use]
    pub fn take_kept(&self) -> Kept {
        std::mem::take(&mut lock(&self.shared).kept)
    }

    /// The hash of all events and of the draws that ordered effects.
    #[must_use]
    pub fn hash(&self) -> RunHash {
        let recording = lock(&self.shared);
        let mut hash = recording.hash;
        let (position, next) = recording.order.fingerprint();
        hash.bytes(&position.to_le_bytes());
        hash.number(next);
        hash.value()
    }

    fn check(&self, checked: Result<(), Violation>) {
        let Err(violation) = checked else { return };
        let mut recording = lock(&self.shared);
        let event = recording.events;
        recording.show(None, || What::Violation(format!("{}: {}", violation.property, violation.what)));
        if recording.violation.is_none() {
            recording.violation = Some((event, violation));
        }
        self.over.notify_one();
    }
}

impl Recording {
    fn hash_step(&mut self, node: NodeId, now: Now, input: &Input, effects: &Effects) {
        // What a payload holds is not written, only its length; its checksum stands in the header beside it.
        self.take_in(|bytes| postcard::to_extend(&(Tag::Step, nanos(), node, now, input, effects), bytes));
    }

    fn hash_note(&mut self, node: Option<NodeId>, what: &str) {
        self.take_in(|bytes| postcard::to_extend(&(Tag::Note, nanos(), node, what), bytes));
    }

    /// Counts an event, and takes it into the hash and the trace.
    fn take_in(&mut self, write: impl FnOnce(Vec<u8>) -> postcard::Result<Vec<u8>>) {
        self.events += 1;
        self.last = simulated_time();
        self.buffer.clear();
        let bytes = write(std::mem::take(&mut self.buffer)).expect("events are plain data");
        self.hash.number(bytes.len() as u64);
        self.hash.bytes(&bytes);
        self.kept.take(&bytes, &self.hash);
        self.buffer = bytes;
    }

    fn show_step(&mut self, node: NodeId, broker: &Broker) -> bool {
        if self.watch.is_none() {
            return false;
        }
        let changed = self.standings.entry(node).or_default().look(broker);
        // A copy of its own, without payloads: as long as one is held it counts against what its node may hold.
        let mut step = decode(self.events, &self.buffer).expect("it was written as it is read").what;
        if let What::Step(step) = &mut step {
            step.changed = changed;
        }
        let is_last = self.show(Some(node), || step);
        if self.watch.as_ref().is_some_and(|watch| watch.states.contains(&self.events)) && !self.is_over() {
            self.show(Some(node), || What::State(format!("{broker:#?}")));
        }
        is_last
    }

    /// Shows what has to do with the current event, or is a step of a node. True if that is the last one.
    fn show(&mut self, node: Option<NodeId>, what: impl FnOnce() -> What) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        if watch.wants(self.events, node) {
            (watch.see)(Event { number: self.events, at: self.last, what: what() });
        }
        self.is_stopped |= self.events == watch.until;
        self.events >= watch.until
    }

    /// Whether what is wanted of the run lies behind it: some more steps may be taken before it ends.
    fn is_over(&self) -> bool {
        self.violation.is_some() || self.watch.as_ref().is_some_and(|watch| self.events > watch.until)
    }
}

fn nanos() -> u64 {
    u64::try_from(simulated_time().as_nanos()).expect("runs are short")
}

/// Puts effects into any order that the driver has to live with: operations on one log stay in order, and so do messages to one node over one
/// lane.
fn shuffle(effects: &mut Effects, order: &mut Draw) {
    order.shuffle(&mut effects.replies);
    shuffle_queues(&mut effects.storage, order, log_of);
    shuffle_queues(&mut effects.peers, order, |told: &ToPeer| (told.to, told.message.lane()));
}

/// Puts items into any order in which those with one key stay in theirs.
fn shuffle_queues<T, K: Ord>(items: &mut Vec<T>, order: &mut Draw, key_of: impl Fn(&T) -> K) {
    if items.len() < 2 {
        return;
    }
    let mut keys: Vec<K> = items.iter().map(&key_of).collect();
    order.shuffle(&mut keys);
    let mut by_key: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for item in items.drain(..).rev() {
        by_key.entry(key_of(&item)).or_default().push(item);
    }
    for key in keys {
        items.extend(by_key.get_mut(&key).and_then(Vec::pop));
    }
}

fn log_of(op: &StorageOp) -> LogId {
    match op {
        StorageOp::Open { log, .. }
        | StorageOp::Configure { log, .. }
        | StorageOp::Append { log, .. }
        | StorageOp::Sync { log }
        | StorageOp::Trim { log, .. }
        | StorageOp::Truncate { log, .. }
        | StorageOp::KeepSnapshot { log, .. }
        | StorageOp::Read { log, .. }
        | StorageOp::Find { log, .. }
        | StorageOp::Compact { log, .. }
        | StorageOp::Remove { log } => *log,
        StorageOp::KeepElection(_) | StorageOp::LoadElection | StorageOp::RemoveOthers { .. } => LogId::Metadata,
        StorageOp::KeepMetadataSnapshot { .. } | StorageOp::LoadMetadataSnapshots | StorageOp::ReadMetadataSnapshot { .. } => LogId::Metadata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::disk::{DiskFaults, SimDisk};

    #[test]
    fn a_run_that_is_closed_leaves_nothing_behind() {
        let recorder = Recorder::new(1, 0, None);
        let disk = SimDisk::new(1, DiskFaults::default()).told_to(recorder.clone());
        recorder.tell(|checkers| {
            checkers.add_node(NodeId(1), disk);
            Ok(())
        });
        let shared = Arc::downgrade(&recorder.shared);
        recorder.close();
        drop(recorder);
        assert!(shared.upgrade().is_none(), "a disk and its checkers hold each other");
    }
}
