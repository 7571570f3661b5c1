//! Nothing is served that was not written, to that partition, by somebody.

use std::collections::BTreeMap;

use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::Violation;
use crate::history::{RecordId, Session, record_timestamp};

/// What a session promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Its records have sequences: no duplicate, no reordering.
    Idempotent,
    /// They have none.
    Plain,
}

#[derive(Debug)]
struct Written {
    kind: SessionKind,
    next: u32,
    /// Where each batch went and when it was made, by the number of its first record.
    batches: BTreeMap<u32, (TopicPartition, Timestamp)>,
}

#[derive(Debug, Default)]
pub(super) struct NothingUnwritten {
    sessions: BTreeMap<Session, Written>,
}

impl NothingUnwritten {
    pub(super) fn open_session(&mut self, kind: SessionKind) -> Session {
        let session = Session(u32::try_from(self.sessions.len()).expect("sessions are few"));
        self.sessions.insert(session, Written { kind, next: 0, batches: BTreeMap::new() });
        session
    }

    pub(super) fn write(&mut self, session: Session, partition: TopicPartition, count: u32, made: Timestamp) -> RecordId {
        let written = self.sessions.get_mut(&session).expect("a session is opened before it writes");
        let number = written.next;
        written.batches.insert(number, (partition, made));
        written.next += count;
        RecordId { session, number }
    }

    pub(super) fn kind(&self, session: Session) -> SessionKind {
        self.sessions.get(&session).map_or(SessionKind::Plain, |written| written.kind)
    }

    pub(super) fn check(&self, partition: TopicPartition, offset: Offset, id: RecordId) -> Result<(), Violation> {
        let home = self.batch_of(id).map(|(home, _)| home);
        if home == Some(partition) {
            return Ok(());
        }
        let what = match home {
            Some(home) => format!("{partition} has {id} at {offset}, which was written to {home}"),
            None => format!("{partition} has {id} at {offset}, which nobody wrote"),
        };
        Err(Violation::safety("NothingUnwritten", what))
    }
    /// The timestamp that a record was given, if anybody wrote it.
    pub(super) fn timestamp(&self, id: RecordId) -> Option<Timestamp> {
        self.batch_of(id).map(|(_, made)| record_timestamp(made, id))
    }

    fn batch_of(&self, id: RecordId) -> Option<(TopicPartition, Timestamp)> {
        let written = self.sessions.get(&id.session).filter(|written| id.number < written.next)?;
        written.batches.range(..=id.number).next_back().map(|(_, batch)| *batch)
    }
}
