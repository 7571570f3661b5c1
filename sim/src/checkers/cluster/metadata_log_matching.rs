//! MetadataLogMatching: every node's committed metadata is what the committed records add up to, also where a snapshot stands for them.
//!
//! What that is this checker finds out by itself, from what nodes append: when a node is the first to know that something is committed, what it
//! has appended there is what everyone's metadata has to contain.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::broker::View;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, NodeId};
use gracchus_core::metadata::{Image, MetadataRecord, MetadataSnapshot, SnapshotId, decode};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, HEADER_BYTES, Records};

use crate::checkers::Violation;
use crate::trace::{RollingHash, RunHash};

#[derive(Debug, Default)]
pub(super) struct MetadataLogMatching {
    /// What each node has appended and was not seen to be committed, by its first offset.
    appended: BTreeMap<NodeId, BTreeMap<Offset, Appended>>,
    /// What is committed adds up to this.
    image: Image,
    /// Everything below is committed.
    upto: Offset,
    /// What it added up to at the end of each batch, and the epoch of that.
    known: BTreeMap<Offset, (RunHash, LeaderEpoch)>,
    looked_at: BTreeMap<NodeId, Offset>,
}

/// A batch.
#[derive(Debug)]
struct Appended {
    next_offset: Offset,
    leader_epoch: LeaderEpoch,
    records: Vec<(Offset, MetadataRecord)>,
}

impl MetadataLogMatching {
    pub(super) fn step(&mut self, node: NodeId, effects: &Effects, view: &View<'_>) -> Result<(), Violation> {
        self.follow(node, effects)?;
        let Some(upto) = view.metadata_high_watermark() else { return Ok(()) };
        self.learn(node, upto)?;
        for op in &effects.storage {
            if let StorageOp::KeepMetadataSnapshot { id, content } = op {
                self.check_snapshot(node, *id, content)?;
            }
        }
        if self.looked_at.insert(node, upto) == Some(upto) {
            return Ok(());
        }
        if self.at(upto).map(|(known, _)| known) == Some(hash(view.image())) {
            return Ok(());
        }
        fails(format!("node {node} has other metadata than what is committed to {upto} adds up to"))
    }

    /// Takes what a node does to its log.
    fn follow(&mut self, node: NodeId, effects: &Effects) -> Result<(), Violation> {
        let appended = self.appended.entry(node).or_default();
        for op in &effects.storage {
            if let StorageOp::Append { log: LogId::Metadata, header, payload, .. } = op {
                // What lay there before may have gone with the power.
                appended.split_off(&header.base_offset);
                let records = records(header, payload.bytes())
                    .ok_or_else(|| Violation::safety("MetadataLogMatching", format!("node {node} appends what does not decode")))?;
                let batch = Appended { next_offset: header.next_offset(), leader_epoch: header.leader_epoch, records };
                appended.insert(header.base_offset, batch);
            } else if let StorageOp::Truncate { log: LogId::Metadata, to } = op {
                appended.retain(|_, batch| batch.next_offset <= *to);
            }
        }
        Ok(())
    }

    /// Takes that a node knows everything below `upto` to be committed.
    fn learn(&mut self, node: NodeId, upto: Offset) -> Result<(), Violation> {
        while self.upto < upto {
            let batch = self.appended.get_mut(&node).and_then(|appended| appended.remove(&self.upto));
            let Some(batch) = batch.filter(|batch| batch.next_offset <= upto) else {
                return fails(format!("node {node} takes metadata for committed to {upto}, and has appended no batch at {}", self.upto));
            };
            batch.records.iter().for_each(|(offset, record)| self.image.replay(*offset, record));
            self.upto = batch.next_offset;
            self.known.insert(self.upto, (hash(&self.image), batch.leader_epoch));
            self.appended.values_mut().for_each(|appended| appended.retain(|_, batch| batch.next_offset > self.upto));
        }
        Ok(())
    }

    fn at(&self, offset: Offset) -> Option<(RunHash, LeaderEpoch)> {
        if offset == Offset::ZERO { Some((hash(&Image::default()), LeaderEpoch::NONE)) } else { self.known.get(&offset).copied() }
    }

    fn check_snapshot(&self, node: NodeId, id: SnapshotId, content: &[u8]) -> Result<(), Violation> {
        let snapshot = MetadataSnapshot::decode(content).ok().filter(|snapshot| snapshot.id == id);
        let is_right = snapshot.is_some_and(|snapshot| self.at(id.end_offset) == Some((hash(&snapshot.image), id.leader_epoch)));
        if is_right { Ok(()) } else { fails(format!("node {node} keeps a snapshot {id} that is not what is committed there")) }
    }

    pub(super) fn ended(&mut self, node: NodeId) {
        self.looked_at.remove(&node);
    }

    /// An empty disk holds nothing.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.appended.remove(&node);
    }
}

fn fails(what: String) -> Result<(), Violation> {
    Err(Violation::safety("MetadataLogMatching", what))
}

fn hash(image: &Image) -> RunHash {
    let mut hash = RollingHash::default();
    hash.bytes(&postcard::to_stdvec(image).expect("an image is plain data"));
    hash.value()
}

fn records(header: &BatchHeader, batch: &[u8]) -> Option<Vec<(Offset, MetadataRecord)>> {
    if header.is_control {
        return Some(Vec::new());
    }
    let decoded = Records::new(batch.get(HEADER_BYTES..)?).map(|record| {
        let record = record.ok()?;
        Some((header.base_offset.plus(i64::from(record.offset_delta)), decode(record.value?).ok()?))
    });
    decoded.collect()
}
