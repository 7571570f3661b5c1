//! ConsistentRead: what was read or acknowledged at an offset is always read there.

use std::collections::BTreeMap;

use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;

use super::Violation;
use crate::history::RecordId;

#[derive(Debug, Default)]
pub(super) struct ConsistentRead {
    seen: BTreeMap<TopicPartition, BTreeMap<Offset, RecordId>>,
}

impl ConsistentRead {
    pub(super) fn saw(&mut self, partition: TopicPartition, offset: Offset, id: RecordId) -> Result<(), Violation> {
        let known = *self.seen.entry(partition).or_default().entry(offset).or_insert(id);
        if known == id {
            return Ok(());
        }
        Err(Violation::safety("ConsistentRead", format!("{partition} has {id} at {offset}, where {known} was seen before")))
    }

    pub(super) fn seen(&self, partition: TopicPartition) -> impl Iterator<Item = (Offset, RecordId)> {
        self.seen.get(&partition).into_iter().flatten().map(|(offset, id)| (*offset, *id))
    }

    /// A power loss may have taken what lies from `offset` on.
    pub(super) fn forget_from(&mut self, partition: TopicPartition, offset: Offset) {
        if let Some(seen) = self.seen.get_mut(&partition) {
            seen.split_off(&offset);
        }
    }
}
