//! What is remembered of one producer.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{AppendedBatch, ProducerError, Verdict, sequence};
use crate::epoch::ProducerEpoch;
use crate::limits::BATCHES_PER_PRODUCER_MAX;
use crate::offset::Offset;
use crate::record::{BatchHeader, BatchProducer, TimestampType};
use crate::time::Timestamp;

/// A producer that has appended. Part of snapshots as it stands here: a change of its fields is a new version of those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Producer {
    producer_epoch: ProducerEpoch,
    /// Offset of the last record of any kind that it wrote.
    last_offset: Offset,
    /// When it wrote that.
    last_append: Timestamp,
    /// Its last batches of this epoch, oldest first.
    batches: VecDeque<Batch>,
}

/// A batch by which a retry is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Batch {
    base_sequence: i32,
    last_offset_delta: i32,
    base_offset: Offset,
    log_append_time: Option<Timestamp>,
}

impl Producer {
    /// A producer with its first batch.
    pub(super) fn new(batch: BatchProducer, header: &BatchHeader, wall: Timestamp) -> Self {
        let mut producer = Self { producer_epoch: batch.epoch, last_offset: header.last_offset(), last_append: wall, batches: VecDeque::new() };
        producer.append(batch, header, wall);
        producer
    }

    /// Says what a batch is to this producer.
    pub(super) fn check(&self, batch: BatchProducer, header: &BatchHeader) -> Result<Verdict, ProducerError> {
        let (held, claimed) = (self.producer_epoch, batch.epoch);
        if claimed < held {
            return Err(ProducerError::Fenced { held, claimed });
        }
        if header.is_control {
            return Ok(Verdict::New { was_forgotten: false });
        }
        // A new epoch starts anew, and so does one of which only a marker is known.
        let last = self.batches.back().filter(|_| claimed == held);
        let expected = last.map_or(0, |last| sequence::next(last.last_sequence()));
        if claimed == held
            && let Some(appended) = self.find(batch.base_sequence, header.last_offset_delta)
        {
            return Ok(Verdict::Duplicate(appended));
        }
        if batch.base_sequence != expected {
            return Err(ProducerError::OutOfOrder { expected, found: batch.base_sequence });
        }
        Ok(Verdict::New { was_forgotten: false })
    }

    /// Takes note of a batch that is in the log. What is in the log counts, whatever the epoch: a forgotten producer may have come back with
    /// an older one.
    pub(super) fn append(&mut self, batch: BatchProducer, header: &BatchHeader, wall: Timestamp) {
        if batch.epoch != self.producer_epoch {
            self.producer_epoch = batch.epoch;
            self.batches.clear();
        }
        self.last_offset = header.last_offset();
        self.last_append = wall;
        if header.is_control {
            return;
        }
        if self.batches.len() == BATCHES_PER_PRODUCER_MAX {
            self.batches.pop_front();
        }
        self.batches.push_back(Batch {
            base_sequence: batch.base_sequence,
            last_offset_delta: header.last_offset_delta,
            base_offset: header.base_offset,
            log_append_time: (header.timestamp_type == TimestampType::LogAppendTime).then_some(header.max_timestamp),
        });
    }

    /// What is remembered of it that it wrote below `offset`; none if that is nothing.
    pub(super) fn below(&self, offset: Offset) -> Option<Self> {
        if self.last_offset < offset {
            return Some(self.clone());
        }
        let batches: VecDeque<Batch> = self.batches.iter().copied().filter(|batch| batch.appended().last_offset < offset).collect();
        let last_offset = batches.back()?.appended().last_offset;
        Some(Self { producer_epoch: self.producer_epoch, last_offset, last_append: self.last_append, batches })
    }

    /// Last offsets of the batches by which its retries are recognised.
    pub(super) fn batch_ends(&self) -> impl Iterator<Item = Offset> {
        self.batches.iter().map(|batch| batch.appended().last_offset)
    }

    pub(super) fn last_offset(&self) -> Offset {
        self.last_offset
    }

    /// How long ago it appended.
    pub(super) fn idle_ms(&mut self, wall: Timestamp) -> i64 {
        // The clock was ahead and has stepped back: counting from here keeps a producer from being remembered until it catches up.
        self.last_append = self.last_append.min(wall);
        wall.0.saturating_sub(self.last_append.0)
    }

    /// Whether this can have come from appends to a log that ends at `end_offset`.
    pub(super) fn is_sound(&self, end_offset: Offset) -> bool {
        self.batches.len() <= BATCHES_PER_PRODUCER_MAX
            && self.batches.iter().all(|batch| batch.base_sequence >= 0 && batch.last_offset_delta >= 0 && batch.base_offset >= Offset::ZERO)
            && self.last_offset >= Offset::ZERO
            && self.last_offset < end_offset
            && self.producer_epoch >= ProducerEpoch(0)
    }

    fn find(&self, base_sequence: i32, last_offset_delta: i32) -> Option<AppendedBatch> {
        let is_same = |batch: &&Batch| batch.base_sequence == base_sequence && batch.last_offset_delta == last_offset_delta;
        self.batches.iter().find(is_same).map(Batch::appended)
    }
}

impl Batch {
    fn last_sequence(&self) -> i32 {
        sequence::plus(self.base_sequence, self.last_offset_delta)
    }

    fn appended(&self) -> AppendedBatch {
        AppendedBatch {
            base_offset: self.base_offset,
            last_offset: Offset(self.base_offset.0.saturating_add(self.last_offset_delta.into())),
            log_append_time: self.log_append_time,
        }
    }
}
