//! NoCommittedRecordLostGlobally, on one node: what was acknowledged is there when all is well again, unless the log's start has passed it.
//! That it is the right record is for ConsistentRead to say.

use std::collections::BTreeMap;

use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;

use super::Violation;
use crate::history::RecordId;

#[derive(Debug, Default)]
pub(super) struct AcknowledgedIsKept {
    /// Base offset and number of records of every acknowledged batch.
    acked: BTreeMap<TopicPartition, BTreeMap<Offset, u32>>,
}

impl AcknowledgedIsKept {
    pub(super) fn acked(&mut self, partition: TopicPartition, base_offset: Offset, count: u32) {
        self.acked.entry(partition).or_default().insert(base_offset, count);
    }

    /// A power loss may have taken what lies from `offset` on.
    pub(super) fn forget_from(&mut self, partition: TopicPartition, offset: Offset) {
        if let Some(acked) = self.acked.get_mut(&partition) {
            acked.split_off(&offset);
        }
    }

    /// Holds a log's end against what was acknowledged.
    pub(super) fn check_end(&self, partition: TopicPartition, log_end: Offset) -> Result<(), Violation> {
        let Some((&base_offset, &count)) = self.acked.get(&partition).and_then(|acked| acked.last_key_value()) else { return Ok(()) };
        let end = base_offset.plus(i64::from(count));
        if end > log_end {
            let what = format!("{partition} ends at {log_end}, yet what was acknowledged ends at {end}");
            return Err(Violation::safety("AcknowledgedIsKept", what));
        }
        Ok(())
    }

    /// Holds the whole log against what was acknowledged.
    pub(super) fn check(
        &self,
        partition: TopicPartition,
        log_start: Offset,
        records: &[(Offset, RecordId)],
        log_end: Offset,
    ) -> Result<(), Violation> {
        if self.acked.get(&partition).is_none_or(BTreeMap::is_empty) {
            return Ok(());
        }
        self.check_end(partition, log_end)?;
        let mut expected = log_start;
        for &(offset, _) in records.iter().skip_while(|(offset, _)| *offset < log_start) {
            if offset != expected {
                return Err(Violation::safety("NoGap", format!("{partition} has {offset} where {expected} was due")));
            }
            expected = offset.plus(1);
        }
        if expected != log_end {
            return Err(Violation::safety("NoGap", format!("{partition} was read to {expected}, yet it ends at {log_end}")));
        }
        Ok(())
    }
}
