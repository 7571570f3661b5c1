//! What a partition remembers of idempotent producers, so that a retry is not stored twice (KIP-98).
//!
//! For every producer there are its epoch and its last batches of that epoch. A batch is checked against them before it is appended, and
//! applied once it is; replaying a log's headers in order gives the same state, except that the time of an append is then the time of the
//! replay. Always true: of a known producer only the next sequence is new, and what is remembered is bounded, in producers and in batches.
//!
//! A producer is forgotten when it has not appended for `producer.id.expiration.ms`, or when there are too many and no other appended
//! longer ago. A producer that is not known may start at any sequence (KIP-360), unless [`RefusedProducers`] knows of an earlier batch.
//!
//! The state can't be rolled back: with a sixth batch or a new epoch the batches before are gone. Whoever truncates a log restores a
//! snapshot from below the cut and applies the headers from there.

mod entry;
mod refused;
mod sequence;
mod snapshot;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::entry::Producer;
use crate::epoch::ProducerEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::ids::ProducerId;
use crate::limits::PRODUCERS_PER_PARTITION_MAX;
use crate::offset::Offset;
use crate::record::BatchHeader;
use crate::time::Timestamp;

pub use self::refused::RefusedProducers;
pub use self::snapshot::CorruptSnapshot;

/// The producers of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerStates {
    producers: BTreeMap<ProducerId, Producer>,
    /// Every producer by the last offset that it wrote, which is the order of their last appends.
    by_last_offset: BTreeMap<Offset, ProducerId>,
    end_offset: Offset,
}

/// What a batch is to a partition that accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is to be appended.
    New {
        /// The producer is past sequence 0, yet the partition does not know it: it was forgotten (KIP-360).
        was_forgotten: bool,
    },
    /// It is in the log already, and is answered as it was then.
    Duplicate(AppendedBatch),
}

/// Where a duplicate was appended the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedBatch {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Offset of its last record: the retry is acknowledged when this is committed.
    pub last_offset: Offset,
    /// When it was appended, if the topic's timestamps were the broker's.
    pub log_append_time: Option<Timestamp>,
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProducerError {
    /// A producer of the same id has a newer epoch.
    Fenced {
        /// The epoch that the partition knows.
        held: ProducerEpoch,
        /// The batch's.
        claimed: ProducerEpoch,
    },
    /// Batches are missing before this one, or it is older than what is remembered.
    OutOfOrder {
        /// The sequence that comes next.
        expected: i32,
        /// The batch's.
        found: i32,
    },
}

impl ProducerStates {
    /// No producers, in a log that starts at `start_offset`.
    #[must_use]
    pub fn new(start_offset: Offset) -> Self {
        Self { producers: BTreeMap::new(), by_last_offset: BTreeMap::new(), end_offset: start_offset }
    }

    /// Says whether a batch that a producer sent is to be appended. One without a producer always is. Of control batches only the epoch is
    /// looked at.
    ///
    /// # Errors
    /// [`ProducerError`] says why not.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, ProducerError> {
        let Some(batch) = header.producer else {
            return Ok(Verdict::New { was_forgotten: false });
        };
        match self.producers.get(&batch.id) {
            None => Ok(Verdict::New { was_forgotten: batch.base_sequence > 0 }),
            Some(producer) => producer.check(batch, header),
        }
    }

    /// Takes note of a batch that was appended, at its offset in the log; of every one, also of those without a producer. `wall` is the time
    /// of day.
    ///
    /// # Panics
    /// When the batch ends no later than what was applied. The first of a log may begin before it.
    pub fn apply(&mut self, header: &BatchHeader, wall: Timestamp) {
        assert!(header.next_offset() > self.end_offset, "batches are applied in the order of the log");
        self.end_offset = header.next_offset();
        let Some(batch) = header.producer else {
            return;
        };
        let last_offset = header.last_offset();
        match self.producers.get_mut(&batch.id) {
            None => {
                self.producers.insert(batch.id, Producer::new(batch, header, wall));
            }
            Some(producer) => {
                self.by_last_offset.remove(&producer.last_offset());
                producer.append(batch, header, wall);
            }
        }
        self.by_last_offset.insert(last_offset, batch.id);
        self.evict_beyond(PRODUCERS_PER_PARTITION_MAX);
    }

    /// Forgets the producers that have not appended for `expiration_ms`, and says how many they were. Costs what it removes.
    pub fn expire(&mut self, wall: Timestamp, expiration_ms: i64) -> usize {
        let mut expired = 0;
        while let Some(oldest) = self.by_last_offset.first_entry() {
            let producer = self.producers.get_mut(oldest.get()).expect("the index names known producers");
            if producer.idle_ms(wall) < expiration_ms {
                break;
            }
            self.producers.remove(&oldest.remove());
            expired += 1;
        }
        expired
    }

    /// Whether a producer has appended and was not forgotten.
    #[must_use]
    pub fn knows(&self, id: ProducerId) -> bool {
        self.producers.contains_key(&id)
    }

    /// What there is to know at `offset` of a log that begins there: the batches that end below it. Walks all producers. Until the headers from
    /// there on are applied, a producer may have appended later than its place in the order of last appends says.
    #[must_use]
    pub fn below(&self, offset: Offset) -> Self {
        let below = |(id, producer): (&ProducerId, &Producer)| Some((*id, producer.below(offset)?));
        let producers: BTreeMap<ProducerId, Producer> = self.producers.iter().filter_map(below).collect();
        let by_last_offset = producers.iter().map(|(id, producer)| (producer.last_offset(), *id)).collect();
        Self { producers, by_last_offset, end_offset: offset }
    }

    /// Last offsets of the batches below `offset` by which retries are recognised, ascending. Walks all producers.
    #[must_use]
    pub fn batch_ends_below(&self, offset: Offset) -> Vec<Offset> {
        let mut ends: Vec<Offset> = self.producers.values().flat_map(Producer::batch_ends).filter(|end| *end < offset).collect();
        ends.sort_unstable();
        ends
    }

    /// The offset behind the last batch that was applied: what a snapshot covers.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// How many producers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    fn evict_beyond(&mut self, producers_max: usize) {
        while self.producers.len() > producers_max {
            let (_, oldest) = self.by_last_offset.pop_first().expect("every producer is in the index");
            self.producers.remove(&oldest);
        }
    }
}

impl From<ProducerError> for ErrorCode {
    fn from(error: ProducerError) -> Self {
        match error {
            // Not PRODUCER_FENCED, which is for coordinators: this one lets the client abort and go on (KIP-588).
            ProducerError::Fenced { .. } => Self::InvalidProducerEpoch,
            ProducerError::OutOfOrder { .. } => Self::OutOfOrderSequenceNumber,
        }
    }
}

impl From<ProducerError> for ApiError {
    fn from(error: ProducerError) -> Self {
        Self::new(error.into(), error.to_string())
    }
}

impl fmt::Display for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { held, claimed } => write!(f, "the producer's epoch {claimed} was superseded by {held}"),
            Self::OutOfOrder { expected, found } => write!(f, "the batch starts at sequence {found}, and {expected} comes next"),
        }
    }
}

impl std::error::Error for ProducerError {}

#[cfg(test)]
mod tests;
