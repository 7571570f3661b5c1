//! Sends in order and no duplicate: an idempotent session's records stand in a partition in the order of writing, each once. A session that
//! is not idempotent may repeat records, and what it gave up may arrive late.

use std::collections::BTreeMap;

use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;

use super::Violation;
use super::nothing_unwritten::{NothingUnwritten, SessionKind};
use crate::history::{RecordId, Session};

pub(super) struct IdempotentOrder;

impl IdempotentOrder {
    pub(super) fn check(
        partition: TopicPartition,
        records: impl Iterator<Item = (Offset, RecordId)>,
        sessions: &NothingUnwritten,
    ) -> Result<(), Violation> {
        let mut last: BTreeMap<Session, (Offset, u32)> = BTreeMap::new();
        for (offset, id) in records {
            let Some((last_offset, last_number)) = last.insert(id.session, (offset, id.number)) else { continue };
            if last_number < id.number {
                continue;
            }
            match sessions.kind(id.session) {
                SessionKind::Idempotent if last_number == id.number => {
                    let what = format!("{partition} has {id} at {last_offset} and again at {offset}");
                    return Err(Violation::safety("NoDuplicate", what));
                }
                SessionKind::Idempotent => {
                    let what = format!("{partition} has {id} at {offset}, behind number {last_number} of its session at {last_offset}");
                    return Err(Violation::safety("SendsInOrder", what));
                }
                SessionKind::Plain => {}
            }
        }
        Ok(())
    }
}
