//! LogMatching: a batch that stands at an offset under an epoch is the same wherever it stands, and below the lesser of their high watermarks
//! two replicas have the same epochs, so the same batches.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;

use super::held::{Held, HeldAs, Nodes};
use crate::checkers::Violation;
use crate::checkers::excused::Excused;

#[derive(Debug, Default)]
pub(super) struct LogMatching {
    /// The checksum of the batch that stands at an offset under an epoch, and who first had it.
    batches: BTreeMap<(TopicPartition, Offset, LeaderEpoch), (NodeId, u32)>,
}

impl LogMatching {
    pub(super) fn appended(&mut self, node: NodeId, effects: &Effects, excused: &Excused) -> Result<(), Violation> {
        for op in &effects.storage {
            let StorageOp::Append { log: LogId::Partition(id), header, .. } = op else { continue };
            let (first, crc) = *self.batches.entry((*id, header.base_offset, header.leader_epoch)).or_insert((node, header.crc));
            if crc != header.crc && !excused.has(*id) {
                let what =
                    format!("{id} has one batch at {} of epoch {} on node {first}, another on {node}", header.base_offset, header.leader_epoch);
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
