//! The state of producers as bytes, which the store keeps so that recovery reads only what was appended since.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ProducerStates;
use super::entry::Producer;
use crate::ids::ProducerId;
use crate::limits::PRODUCERS_PER_PARTITION_MAX;
use crate::offset::Offset;

/// A snapshot as it is read. Versions are only ever added.
#[derive(Deserialize)]
enum Snapshot {
    V1(BTreeMap<ProducerId, Producer>, Offset),
}

/// The same as it is written, without a copy of the state.
#[derive(Serialize)]
enum SnapshotRef<'a> {
    V1(&'a BTreeMap<ProducerId, Producer>, Offset),
}

/// Bytes that are no snapshot of producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorruptSnapshot;

impl ProducerStates {
    /// The state as bytes, equal for equal states. Covers the log up to [`end_offset`](Self::end_offset).
    #[must_use]
    pub fn to_snapshot(&self) -> Bytes {
        let snapshot = SnapshotRef::V1(&self.producers, self.end_offset);
        postcard::to_stdvec(&snapshot).expect("plain data serialises into memory").into()
    }

    /// The state that [`to_snapshot`](Self::to_snapshot) wrote.
    ///
    /// # Errors
    /// [`CorruptSnapshot`] for anything else, as far as that can be told: whoever keeps snapshots guards them with a checksum.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, CorruptSnapshot> {
        let (snapshot, rest) = postcard::take_from_bytes(bytes).map_err(|_| CorruptSnapshot)?;
        let Snapshot::V1(producers, end_offset) = snapshot;
        let by_last_offset: BTreeMap<_, _> = producers.iter().map(|(&id, producer)| (producer.last_offset(), id)).collect();
        let is_sound = rest.is_empty()
            && producers.len() <= PRODUCERS_PER_PARTITION_MAX
            // No two producers wrote the same offset.
            && by_last_offset.len() == producers.len()
            && producers.iter().all(|(&id, producer)| id >= ProducerId(0) && producer.is_sound(end_offset));
        if is_sound { Ok(Self { producers, by_last_offset, end_offset }) } else { Err(CorruptSnapshot) }
    }
}

impl fmt::Display for CorruptSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the snapshot of producers is corrupt")
    }
}

impl std::error::Error for CorruptSnapshot {}
