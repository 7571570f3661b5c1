//! LogMatching: a batch that stands at an offset under an epoch is the same wherever it stands, and below the lesser of their high watermarks
//! two replicas have the same epochs, so the same batches.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, HEADER_BYTES, Records};
use gracchus_net::records::decompress;

use super::held::{Held, HeldAs, Nodes};
use crate::checkers::Violation;
use crate::checkers::excused::Excused;
use crate::checkers::topic_book::TopicBook;
use crate::trace::{RollingHash, RunHash};

/// Bytes of a batch's records at most.
const BATCH_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
pub(super) struct LogMatching {
    /// The checksum of the batch that stands at an offset under an epoch, and who first had it.
    batches: BTreeMap<(TopicPartition, Offset, LeaderEpoch), (NodeId, u32)>,
    /// The same of each record of a compacted topic: there a batch may have lost some of them, or all.
    records: BTreeMap<(TopicPartition, Offset, LeaderEpoch), (NodeId, RunHash)>,
}

impl LogMatching {
    pub(super) fn appended(&mut self, node: NodeId, effects: &Effects, topics: &TopicBook, excused: &Excused) -> Result<(), Violation> {
        for op in &effects.storage {
            let StorageOp::Append { log: LogId::Partition(id), header, payload, .. } = op else { continue };
            if topics.get(*id).is_some_and(|topic| topic.is_compacted) {
                self.check_records(node, *id, header, payload.bytes(), excused)?;
                continue;
            }
            let (first, crc) = *self.batches.entry((*id, header.base_offset, header.leader_epoch)).or_insert((node, header.crc));
            if crc != header.crc && !excused.has(*id) {
                let what =
                    format!("{id} has one batch at {} of epoch {} on node {first}, another on {node}", header.base_offset, header.leader_epoch);
                return Err(Violation::safety("LogMatching", what));
            }
        }
        Ok(())
    }

    fn check_records(
        &mut self,
        node: NodeId,
        id: TopicPartition,
        header: &BatchHeader,
        batch: &[u8],
        excused: &Excused,
    ) -> Result<(), Violation> {
        let section = decompress(header.codec, batch.get(HEADER_BYTES..).unwrap_or_default(), BATCH_BYTES_MAX);
        let section = section.map_err(|error| Violation::safety("LogMatching", format!("{id}: {error} at {}", header.base_offset)))?;
        for record in Records::new(&section).flatten() {
            let offset = header.base_offset.plus(i64::from(record.offset_delta));
            let mut hash = RollingHash::default();
            for bytes in [record.key, record.value] {
                hash.bytes(bytes.unwrap_or(b"nothing"));
            }
            let hash = hash.value();
            let (first, known) = *self.records.entry((id, offset, header.leader_epoch)).or_insert((node, hash));
            if known != hash && !excused.has(id) {
                let what = format!("{id} has one record at {offset} of epoch {} on node {first}, another on {node}", header.leader_epoch);
                return Err(Violation::safety("LogMatching", what));
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, node: NodeId, id: TopicPartition, nodes: &Nodes) -> Result<(), Violation> {
        let Some(held) = nodes.get(node, id).filter(|held| is_open(held)) else { return Ok(()) };
        for (other, others) in nodes.copies(id).filter(|(other, held)| *other != node && is_open(held)) {
            let from = held.log_start.max(others.log_start);
            let upto = held.high_watermark.min(others.high_watermark);
            if from >= upto {
                continue;
            }
            let (ours, theirs) = (epochs_between(held, from, upto), epochs_between(others, from, upto));
            if ours != theirs {
                let what =
                    format!("{id} has epochs {ours:?} on node {node} and {theirs:?} on {other}, committed on both from {from} to {upto}");
                return Err(Violation::safety("LogMatching", what));
            }
        }
        Ok(())
    }
}

fn is_open(held: &Held) -> bool {
    match held.role {
        HeldAs::Leader { .. } | HeldAs::Follower => true,
        HeldAs::Closed | HeldAs::Offline => false,
    }
}

/// The epochs of a log between two offsets, each with where it begins there.
fn epochs_between(held: &Held, from: Offset, upto: Offset) -> Vec<(Offset, LeaderEpoch)> {
    let ends = held.epochs.iter().skip(1).map(|next| next.start_offset).chain([held.log_end]);
    let within = held.epochs.iter().zip(ends).filter(|(epoch, end)| epoch.start_offset < upto && *end > from && epoch.start_offset < *end);
    within.map(|(epoch, _)| (epoch.start_offset.max(from), epoch.leader_epoch)).collect()
}
