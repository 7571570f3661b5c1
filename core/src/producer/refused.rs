//! Producers whose batches a partition has refused for the moment: what each has to come with next.
//!
//! An unknown producer may start at any sequence (KIP-360), so nothing else would tell one that was forgotten from one whose first batches have
//! yet to come again: of several requests in flight the first would be refused, a later one be let in, and the first be out of order for good
//! (KAFKA-14359). Kafka keeps the lowest sequence of a producer for this in transactions alone (KIP-890).
//!
//! It is not kept on disk: with the process goes the connection on which the later requests come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ProducerError, sequence};
use crate::epoch::ProducerEpoch;
use crate::ids::ProducerId;
use crate::limits::REFUSED_PRODUCERS_MAX;
use crate::record::BatchHeader;

/// The first sequence that each of them has to come with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedProducers {
    first: BTreeMap<ProducerId, (ProducerEpoch, i32)>,
}

impl RefusedProducers {
    /// Takes note of a batch that its producer is to send again.
    pub fn note(&mut self, header: &BatchHeader) {
        let Some(batch) = header.producer else { return };
        let first = self.first.entry(batch.id).or_insert((batch.epoch, batch.base_sequence));
        if batch.epoch > first.0 || (batch.epoch == first.0 && sequence::precedes(batch.base_sequence, first.1)) {
            *first = (batch.epoch, batch.base_sequence);
        }
        if self.first.len() > REFUSED_PRODUCERS_MAX {
            // Ids only grow: the lowest is the oldest producer.
            self.first.pop_first();
        }
    }

    /// Says whether an unknown producer may start with this batch.
    ///
    /// # Errors
    /// One that comes before it was refused.
    pub fn check(&self, header: &BatchHeader) -> Result<(), ProducerError> {
        let Some(batch) = header.producer else { return Ok(()) };
        match self.first.get(&batch.id) {
            Some(&(epoch, expected)) if epoch == batch.epoch && sequence::precedes(expected, batch.base_sequence) => {
                Err(ProducerError::OutOfOrder { expected, found: batch.base_sequence })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a batch that leaves out `expected` comes behind one that begins there and is to be sent again: the producer sent both before it
    /// heard of that.
    #[must_use]
    pub fn awaits(&self, header: &BatchHeader, expected: i32) -> bool {
        let awaited = header.producer.and_then(|batch| Some((batch.epoch, *self.first.get(&batch.id)?)));
        awaited.is_some_and(|(epoch, first)| first == (epoch, expected))
    }

    /// Takes note of a batch that was appended: its producer is known from here on.
    pub fn let_in(&mut self, header: &BatchHeader) {
        if let Some(batch) = header.producer {
            self.first.remove(&batch.id);
        }
    }
}
