//! Who waits on a partition: Kafka's purgatory, as ordered sets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{ConnectionId, RequestId};
use crate::offset::Offset;

/// A part of a request that waits: the request, and the part's place in it.
pub type Slot = (RequestId, u32);

/// Parts of requests that wait for an offset to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting(BTreeSet<(Offset, Slot)>);

impl Waiting {
    /// Waits until everything below `upto` has happened.
    pub fn add(&mut self, upto: Offset, slot: Slot) {
        self.0.insert((upto, slot));
    }

    /// Takes the first that need not wait any longer, once all below `reached` has happened.
    pub fn pop_reached(&mut self, reached: Offset) -> Option<Slot> {
        let (upto, _) = self.0.first()?;
        if *upto > reached {
            return None;
        }
        self.0.pop_first().map(|(_, slot)| slot)
    }

    /// Whether somebody waits for no more than this.
    #[must_use]
    pub fn has_reached(&self, reached: Offset) -> bool {
        self.0.first().is_some_and(|(upto, _)| *upto <= reached)
    }

    /// Takes all, reached or not.
    pub fn drain(&mut self) -> impl Iterator<Item = Slot> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(_, slot)| slot)
    }

    /// Forgets a part of a request.
    pub fn remove(&mut self, upto: Offset, slot: Slot) {
        self.0.remove(&(upto, slot));
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The ids of all requests of a connection.
#[must_use]
pub fn requests_of(connection: ConnectionId) -> std::ops::RangeInclusive<RequestId> {
    RequestId { connection, sequence: 0 }..=RequestId { connection, sequence: u64::MAX }
}
