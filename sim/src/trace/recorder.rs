//! Sees every event of a run: hashes it, counts it, hands it to the checkers, and lists it if asked.
//!
//! An event is a step of a node or something that befell the world. Events are numbered from 1. The first violation, or the event that a
//! listing ends with, ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input, Mark, StorageOp, ToPeer};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{LogId, NodeId};
use gracchus_core::time::Now;
use tokio::sync::Notify;

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

/// Where events are listed.
pub struct Listing {
    /// The first event that is wanted.
    pub from: u64,
    /// The last event that is wanted.
    pub until: u64,
    /// Of nodes only the steps of this one are wanted, if one is named.
    pub node: Option<NodeId>,
    /// Steps behind which the node's whole state is wanted.
    pub states: BTreeSet<u64>,
    /// How much is said of anything.
    pub length: Length,
    /// Takes a line.
    pub line: Box<dyn FnMut(&str) + Send>,
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("until", &self.until).finish_non_exhaustive()
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
    listing: Option<Listing>,
    checkers: Checkers,
    violation: Option<(u64, Violation)>,
    /// Why less is owed than was promised.
    excuse: Option<String>,
    /// Whether the listing has come to its end.
    is_stopped: bool,
}

impl Recorder {
    /// A recorder that orders effects as `seed` says.
    #[must_use]
    pub fn new(seed: u64, listing: Option<Listing>) -> Self {
        let recording = Recording {
            hash: RollingHash::default(),
            events: 0,
            last: Duration::ZERO,
            marks: BTreeMap::new(),
            last_steps: BTreeMap::new(),
            order: Draw::new(seed, Stream::Effects),
            buffer: Vec::new(),
            listing,
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
        let is_last =
            recording.list(Some(node), |length| format!("node {node}  {}  ->  {}", length.describe(input), length.describe(&effects)));
        if !is_over {
            recording.list_state(broker);
        }
        let checked = recording.checkers.step(node, now, input, effects, broker);
        for remark in recording.checkers.take_remarks() {
            recording.list(None, |_| format!("        {remark}"));
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

    /// Something befell the world.
    pub fn note(&self, what: &str) {
        let mut recording = lock(&self.shared);
        recording.count_event();
        recording.hash.number(nanos());
        recording.hash.bytes(what.as_bytes());
        if recording.list(None, |_| what.to_owned()) {
            self.over.notify_one();
        }
    }

    /// Lists something that is no event: it follows from events, and helps who reads them.
    pub fn remark(&self, what: impl FnOnce(Length) -> String) {
        lock(&self.shared).list(None, what);
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
        recording.listing.as_ref().filter(|_| recording.is_stopped).map(|listing| listing.until)
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
        recording.list(None, |_| format!("VIOLATION of {}: {}", violation.property, violation.what));
        if recording.violation.is_none() {
            recording.violation = Some((event, violation));
        }
        self.over.notify_one();
    }
}

impl Recording {
    fn hash_step(&mut self, node: NodeId, now: Now, input: &Input, effects: &Effects) {
        self.count_event();
        self.buffer.clear();
        let bytes = std::mem::take(&mut self.buffer);
        // What a payload holds is not written, only its length; its checksum stands in the header beside it.
        let bytes = postcard::to_extend(&(nanos(), node, now, input, effects), bytes).expect("inputs and effects are plain data");
        self.hash.number(bytes.len() as u64);
        self.hash.bytes(&bytes);
        self.buffer = bytes;
    }

    fn count_event(&mut self) {
        self.events += 1;
        self.last = simulated_time();
    }

    /// Lists the current event, which may be a step of a node, described as long as is wanted. True if it is the last one.
    fn list(&mut self, node: Option<NodeId>, describe: impl FnOnce(Length) -> String) -> bool {
        let Some(listing) = &mut self.listing else { return false };
        if self.events > listing.until {
            return true;
        }
        let is_of_another = node.is_some_and(|node| listing.node.is_some_and(|wanted| wanted != node));
        if self.events >= listing.from && !is_of_another {
            let seconds = Duration::from_nanos(nanos()).as_secs_f64();
            (listing.line)(&format!("{:>8}  {seconds:>12.6}  {}", self.events, describe(listing.length)));
        }
        self.is_stopped |= self.events == listing.until;
        self.is_stopped
    }

    /// Whether what is wanted of the run lies behind it: some more steps may be taken before it ends.
    fn is_over(&self) -> bool {
        self.violation.is_some() || self.listing.as_ref().is_some_and(|listing| self.events > listing.until)
    }

    /// Lists the state of the node that has taken this step, if it is wanted.
    fn list_state(&mut self, broker: &Broker) {
        let event = self.events;
        if let Some(listing) = self.listing.as_mut().filter(|listing| listing.states.contains(&event)) {
            (listing.line)(&format!("{broker:#?}"));
        }
    }
}

fn nanos() -> u64 {
    u64::try_from(simulated_time().as_nanos()).expect("runs are short")
}

/// How long the description of an input, of the effects or of an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// At most 600 characters; what is cut off ends with an ellipsis.
    Brief,
    /// As long as it is.
    Whole,
}

const BRIEF_CHARS_MAX: usize = 600;

impl Length {
    pub(crate) fn describe(self, value: &impl fmt::Debug) -> String {
        let mut text = format!("{value:?}");
        if self == Self::Brief
            && let Some((end, _)) = text.char_indices().nth(BRIEF_CHARS_MAX)
        {
            text.truncate(end);
            text.push('…');
        }
        text
    }
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
        let recorder = Recorder::new(1, None);
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
