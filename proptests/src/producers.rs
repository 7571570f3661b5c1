//! A naive memory of producers: it keeps every batch that it was told of and searches all of them for every answer.

use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::producer::{AppendedBatch, ProducerError, Verdict};
use gracchus_core::record::BatchHeader;

/// What the core's bounded and indexed state has to agree with.
#[derive(Clone, Debug, Default)]
pub struct ProducersModel {
    appended: Vec<Appended>,
}

#[derive(Clone, Copy, Debug)]
struct Appended {
    header: BatchHeader,
    wall_ms: i64,
}

/// Sequences repeat after this many.
const SEQUENCES: i64 = 1 << 31;

impl ProducersModel {
    /// What a batch is.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, ProducerError> {
        let new = |was_forgotten| Ok(Verdict::New { was_forgotten });
        let Some(claimed) = header.producer else {
            return new(false);
        };
        let history = self.history(header);
        let Some(held) = history.last().and_then(|appended| appended.header.producer).map(|producer| producer.epoch) else {
            return new(claimed.base_sequence > 0);
        };
        if claimed.epoch < held {
            return Err(ProducerError::Fenced { held, claimed: claimed.epoch });
        }
        if header.is_control {
            return new(false);
        }
        let batches = if claimed.epoch == held { batches_of_last_epoch(&history, held) } else { Vec::new() };
        let same = |appended: &&&BatchHeader| {
            sequence_of(appended) == i64::from(claimed.base_sequence) && appended.last_offset_delta == header.last_offset_delta
        };
        if let Some(original) = batches.iter().rev().take(5).rfind(same) {
            return Ok(Verdict::Duplicate(AppendedBatch {
                base_offset: original.base_offset,
                last_offset: original.last_offset(),
                log_append_time: None,
            }));
        }
        let next = batches.last().map_or(0, |last| (sequence_of(last) + i64::from(last.last_offset_delta) + 1) % SEQUENCES);
        if next == i64::from(claimed.base_sequence) {
            new(false)
        } else {
            let expected = i32::try_from(next).expect("sequences have 31 bits");
            Err(ProducerError::OutOfOrder { expected, found: claimed.base_sequence })
        }
    }

    /// Takes note of an append.
    pub fn append(&mut self, header: &BatchHeader, wall_ms: i64) {
        self.appended.push(Appended { header: *header, wall_ms });
    }

    /// Forgets the producers whose last append is `expiration_ms` ago or longer.
    pub fn expire(&mut self, wall_ms: i64, expiration_ms: i64) {
        let appended = self.appended.clone();
        self.appended.retain(|one| {
            let id = |appended: &Appended| appended.header.producer.map(|producer| producer.id);
            let last = appended.iter().rfind(|other| id(other) == id(one));
            last.is_some_and(|last| wall_ms - last.wall_ms < expiration_ms)
        });
    }

    fn history(&self, header: &BatchHeader) -> Vec<Appended> {
        let id = |header: &BatchHeader| header.producer.map(|producer| producer.id);
        self.appended.iter().filter(|appended| id(&appended.header) == id(header)).copied().collect()
    }
}

fn batches_of_last_epoch(history: &[Appended], held: ProducerEpoch) -> Vec<&BatchHeader> {
    let of_epoch = |appended: &&Appended| appended.header.producer.is_some_and(|producer| producer.epoch == held);
    let mut batches: Vec<_> = history.iter().rev().take_while(of_epoch).map(|appended| &appended.header).collect();
    batches.retain(|header| !header.is_control);
    batches.reverse();
    batches
}

fn sequence_of(header: &BatchHeader) -> i64 {
    header.producer.map_or(-1, |producer| producer.base_sequence.into())
}
