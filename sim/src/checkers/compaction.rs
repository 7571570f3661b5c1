//! CompactionKeepsLatest: of what is known to have been in a log, compaction has taken only what another record of the same key came behind, or what
//! has no value and has stayed its time.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::ids::{LogId, TopicPartition};
use gracchus_core::offset::Offset;

use super::Violation;
use super::topic_book::TopicBook;
use crate::history::{RecordId, is_tombstone, key, read_records};

/// What has no value and is to stay for longer than this, in milliseconds, is still there when a run ends.
const RUN_MS_MAX: i64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct CompactionKeepsLatest {
    /// The shortest time that a record without a value was to stay, of partitions that were compacted anywhere.
    compacted: BTreeMap<TopicPartition, i64>,
    /// The last record without a value of each key that was appended anywhere: nobody need have seen it before it went.
    tombstones: BTreeMap<(TopicPartition, u8), Offset>,
}

impl CompactionKeepsLatest {
    pub(super) fn step(&mut self, effects: &Effects, topics: &TopicBook) {
        for op in &effects.storage {
            if let StorageOp::Append { log: LogId::Partition(partition), header, payload, .. } = op
                && topics.get(*partition).is_some_and(|topic| topic.is_compacted)
            {
                // Records of groups are none of ours.
                let records = read_records(header, payload.bytes()).unwrap_or_default();
                for (offset, id) in records.into_iter().filter(|(_, id)| is_tombstone(*id)) {
                    let last = self.tombstones.entry((*partition, key(id))).or_default();
                    *last = (*last).max(offset);
                }
            }
            if let StorageOp::Compact { log: LogId::Partition(partition), compaction } = op {
                let shortest = self.compacted.entry(*partition).or_insert(i64::MAX);
                *shortest = (*shortest).min(compaction.delete_retention_ms);
            }
        }
    }

    pub(super) fn is_compacted(&self, partition: TopicPartition) -> bool {
        self.compacted.contains_key(&partition)
    }

    /// Holds a log that was read as a whole against what was seen of it.
    pub(super) fn check(
        &self,
        partition: TopicPartition,
        (log_start, log_end): (Offset, Offset),
        records: &[(Offset, RecordId)],
        seen: impl Iterator<Item = (Offset, RecordId)>,
    ) -> Result<(), Violation> {
        let Some(tombstones_stay_ms) = self.compacted.get(&partition) else { return Ok(()) };
        let there: BTreeSet<Offset> = records.iter().map(|(offset, _)| *offset).collect();
        let known: Vec<(Offset, RecordId)> = seen.filter(|(offset, _)| *offset >= log_start && *offset < log_end).collect();
        let latest: BTreeMap<u8, Offset> = known.iter().map(|(offset, id)| (key(*id), *offset)).collect();
        for (offset, id) in known {
            let is_latest = latest.get(&key(id)) == Some(&offset);
            let has_tombstone = self.tombstones.get(&(partition, key(id))).is_some_and(|last| *last >= offset);
            let may_go = !is_latest || (has_tombstone && *tombstones_stay_ms < RUN_MS_MAX);
            if !may_go && !there.contains(&offset) {
                let what = format!("{partition} has lost {id} at {offset}, and nothing of key {} is known behind it", key(id));
                return Err(Violation::safety("CompactionKeepsLatest", what));
            }
        }
        Ok(())
    }
}
