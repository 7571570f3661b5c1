//! What led to what: the happened-before relation of a run (Lamport, 1978), as far as it can have mattered.
//!
//! A step follows from the message, the storage operation or the request that it answers, and from the state that the node had: of that only
//! what the step speaks of counts, and only as far back as the step that last changed it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gracchus_core::boundary::{Input, PeerMessage, Records, StorageDone, StorageOp};
use gracchus_core::ids::{LogId, NodeId, RequestId};
use gracchus_core::offset::Offset;

use super::subjects::logs_in;
use crate::trace::{Event, RollingHash, RunHash, Step, What};

/// Why an event could be as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// A message that was sent in the earlier event arrived.
    Message,
    /// The store did what it was told in the earlier event.
    Storage,
    /// A client was answered that had asked in the earlier event.
    Request,
    /// The earlier event changed what the node is to this log.
    State(LogId),
    /// The node was started.
    Start,
}

/// What led to each event.
#[derive(Debug, Default)]
pub struct Causes {
    of: BTreeMap<u64, Vec<(u64, Link)>>,
    /// The last event that changed what a node is to a log.
    changed: BTreeMap<(NodeId, LogId), u64>,
}

/// An operation that waits for its completion, as far as completions tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OpKind {
    Open,
    Write,
    Trim,
    Truncate,
    Snapshot,
    Read,
    Find,
    Compact,
    Remove,
    Election,
}

#[derive(Debug, Default)]
struct Pending {
    /// Equal messages, the one that was sent first in front.
    sent: BTreeMap<(NodeId, NodeId, RunHash), VecDeque<u64>>,
    ops: BTreeMap<(NodeId, LogId, OpKind), u64>,
    /// Of what is written of a log: where it ends, and in which event it was.
    written: BTreeMap<(NodeId, LogId), BTreeMap<Offset, u64>>,
    asked: BTreeMap<(NodeId, RequestId), u64>,
    noted: BTreeMap<NodeId, u64>,
}

impl Causes {
    /// Finds them in all events of a run.
    #[must_use]
    pub fn find(events: &[Event]) -> Self {
        let (mut causes, mut pending) = (Self::default(), Pending::default());
        for event in events {
            match &event.what {
                What::Step(step) => causes.step(event.number, step, &mut pending),
                What::Note { node: Some(node), .. } => causes.note(event.number, *node, &mut pending),
                What::Note { node: None, .. } | What::Client(_) | What::Remark(_) | What::State(_) | What::Violation(_) => {}
            }
        }
        causes
    }

    /// What led to an event at first hand.
    #[must_use]
    pub fn of(&self, event: u64) -> &[(u64, Link)] {
        self.of.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last events that changed what nodes are to a log.
    pub fn last_changes(&self, log: LogId) -> impl Iterator<Item = u64> {
        self.changed.iter().filter(move |((_, changed), _)| *changed == log).map(|(_, event)| *event)
    }

    /// All that led to these events, and they themselves. Of the state that they met only what concerns `log` counts, if one is named.
    #[must_use]
    pub fn cone(&self, of: impl IntoIterator<Item = u64>, log: Option<LogId>) -> BTreeSet<u64> {
        let mut cone: BTreeSet<u64> = of.into_iter().collect();
        let is_of_another = |link: Link| matches!((link, log), (Link::State(of), Some(log)) if of != log);
        let mut open: Vec<u64> = Vec::new();
        for target in &cone {
            open.extend(self.of(*target).iter().filter(|(_, link)| !is_of_another(*link)).map(|(event, _)| *event));
        }
        while let Some(event) = open.pop() {
            if cone.insert(event) {
                open.extend(self.of(event).iter().map(|(earlier, _)| *earlier));
            }
        }
        cone
    }

    /// The messages that arrived: in which event each was sent, and in which it arrived.
    pub fn messages(&self) -> impl Iterator<Item = (u64, u64)> {
        let arrived = |event: &u64, causes: &[(u64, Link)]| {
            let sent = causes.iter().find(|(_, link)| *link == Link::Message)?;
            Some((sent.0, *event))
        };
        self.of.iter().filter_map(move |(event, causes)| arrived(event, causes))
    }

    fn note(&mut self, number: u64, node: NodeId, pending: &mut Pending) {
        pending.noted.insert(node, number);
        // What befalls a node may take of each of its logs.
        let mut causes = Vec::new();
        for ((of, log), changed) in &mut self.changed {
            if *of == node {
                causes.push((std::mem::replace(changed, number), Link::State(*log)));
            }
        }
        self.of.insert(number, causes);
    }

    fn step(&mut self, number: u64, step: &Step, pending: &mut Pending) {
        let node = step.node;
        let mut causes = Vec::new();
        match &step.input {
            Input::Start => {
                pending.ops.retain(|(of, ..), _| *of != node);
                pending.written.retain(|(of, _), _| *of != node);
                pending.asked.retain(|(of, _), _| *of != node);
                causes.extend(pending.noted.get(&node).map(|noted| (*noted, Link::Start)));
            }
            Input::Peer { from, message } => {
                let sent = pending.sent.get_mut(&(*from, node, fingerprint(message))).and_then(VecDeque::pop_front);
                causes.extend(sent.map(|sent| (sent, Link::Message)));
            }
            Input::Storage(done) => {
                let write =
                    written(done).and_then(|(log, end)| pending.written.get(&(node, log))?.range(..=end).next_back().map(|(_, op)| *op));
                let other = || completed(done).and_then(|(log, kind)| pending.ops.get(&(node, log, kind)).copied());
                causes.extend(write.or_else(other).map(|op| (op, Link::Storage)));
            }
            Input::Request { id, .. } => {
                pending.asked.insert((node, *id), number);
            }
            Input::Disconnected(_)
            | Input::PeerLost(_)
            | Input::PeerRefused(_)
            | Input::ControllersFound(_)
            | Input::Deadline
            | Input::Stop => {}
        }
        for reply in &step.effects.replies {
            let asked = pending.asked.remove(&(node, reply.id)).filter(|asked| *asked != number);
            causes.extend(asked.map(|asked| (asked, Link::Request)));
        }
        let mut logs = logs_in(&(&step.input, &step.effects));
        logs.extend(step.changed.iter().map(|changed| changed.log));
        for log in logs {
            causes.extend(self.changed.get(&(node, log)).map(|changed| (*changed, Link::State(log))));
        }
        for changed in &step.changed {
            self.changed.insert((node, changed.log), number);
        }
        for told in &step.effects.peers {
            pending.sent.entry((node, told.to, fingerprint(&told.message))).or_default().push_back(number);
        }
        for op in &step.effects.storage {
            if let Some((log, kind)) = submitted(op) {
                pending.ops.insert((node, log, kind), number);
            }
            if let StorageOp::Append { log, header, .. } = op {
                pending.written.entry((node, *log)).or_default().insert(header.next_offset(), number);
            }
        }
        causes.retain(|(event, _)| *event < number);
        causes.sort_unstable();
        causes.dedup();
        self.of.insert(number, causes);
    }
}

/// Tells messages apart, but for the records in them, which a sender has as a place in its log.
fn fingerprint(message: &PeerMessage) -> RunHash {
    let mut message = message.clone();
    message.records_mut().for_each(|records| *records = Records::Slice(None));
    let mut hash = RollingHash::default();
    hash.bytes(&postcard::to_stdvec(&message).expect("messages are plain data"));
    hash.value()
}

/// Up to where a log is written or synced.
fn written(done: &StorageDone) -> Option<(LogId, Offset)> {
    if let StorageDone::Written { log, end_offset, .. } | StorageDone::Synced { log, end_offset, .. } = done {
        Some((*log, *end_offset))
    } else {
        None
    }
}

fn submitted(op: &StorageOp) -> Option<(LogId, OpKind)> {
    match op {
        StorageOp::Open { log, .. } => Some((*log, OpKind::Open)),
        StorageOp::Append { log, .. } | StorageOp::Sync { log } => Some((*log, OpKind::Write)),
        StorageOp::Trim { log, .. } => Some((*log, OpKind::Trim)),
        StorageOp::Truncate { log, .. } => Some((*log, OpKind::Truncate)),
        StorageOp::KeepSnapshot { log, .. } => Some((*log, OpKind::Snapshot)),
        StorageOp::Read { log, .. } => Some((*log, OpKind::Read)),
        StorageOp::Find { log, .. } => Some((*log, OpKind::Find)),
        StorageOp::Compact { log, .. } => Some((*log, OpKind::Compact)),
        StorageOp::Remove { log } => Some((*log, OpKind::Remove)),
        StorageOp::KeepElection(_) | StorageOp::LoadElection => Some((LogId::Metadata, OpKind::Election)),
        StorageOp::KeepMetadataSnapshot { .. } => Some((LogId::Metadata, OpKind::Snapshot)),
        StorageOp::LoadMetadataSnapshots | StorageOp::ReadMetadataSnapshot { .. } => Some((LogId::Metadata, OpKind::Read)),
        StorageOp::Configure { .. } | StorageOp::RemoveOthers { .. } => None,
    }
}

fn completed(done: &StorageDone) -> Option<(LogId, OpKind)> {
    match done {
        StorageDone::Opened { log, .. } => Some((*log, OpKind::Open)),
        StorageDone::Written { log, .. } | StorageDone::Synced { log, .. } | StorageDone::Rolled { log, .. } => Some((*log, OpKind::Write)),
        StorageDone::Trimmed { log, .. } => Some((*log, OpKind::Trim)),
        StorageDone::Truncated { log, .. } => Some((*log, OpKind::Truncate)),
        StorageDone::SnapshotKept { log, .. } => Some((*log, OpKind::Snapshot)),
        StorageDone::Read { log, .. } => Some((*log, OpKind::Read)),
        StorageDone::Found { log, .. } => Some((*log, OpKind::Find)),
        StorageDone::SegmentsCompacted { log, .. } | StorageDone::Compacted { log, .. } => Some((*log, OpKind::Compact)),
        StorageDone::Removed { log, .. } => Some((*log, OpKind::Remove)),
        StorageDone::ElectionKept(_) | StorageDone::Election(_) => Some((LogId::Metadata, OpKind::Election)),
        StorageDone::MetadataSnapshotKept { .. } | StorageDone::MetadataSnapshotNotKept { .. } => Some((LogId::Metadata, OpKind::Snapshot)),
        StorageDone::MetadataSnapshots { .. } | StorageDone::MetadataSnapshotRead { .. } => Some((LogId::Metadata, OpKind::Read)),
        StorageDone::Failed { log, .. } => Some((*log, OpKind::Write)),
        StorageDone::OthersRemoved | StorageDone::Space { .. } => None,
    }
}
