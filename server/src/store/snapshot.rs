//! Snapshots: all that recovery has to know of a log below an offset, in one file that is there whole or not at all.
//!
//! A snapshot is written only after everything below its offset, indexes too, is on disk. Recovery therefore trusts what lies below and
//! reads only what lies behind, so its time does not grow with the log. The last two are kept: a bad one falls back to the one before.

use bytes::Bytes;
use gracchus_core::boundary::{EpochStart, SealedSegment};
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint;

const MAGIC: &[u8; 8] = b"GRACSNAP";

/// How many snapshots of a log are kept.
pub(super) const KEPT: usize = 2;

/// A log as of an offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// It covers everything below.
    pub(super) upto: Offset,
    /// Segments that end at `upto` or before the one that it lies in.
    pub(super) sealed: Vec<SealedSegment>,
    /// Base offset of the segment that `upto` lies in.
    pub(super) base_offset: Offset,
    /// Where `upto` lies in that segment's file.
    pub(super) position: u64,
    /// The largest timestamp of that segment's batches below `position`.
    pub(super) max_timestamp: Timestamp,
    /// Where leader epochs start.
    pub(super) epochs: Vec<EpochStart>,
    /// The core's own bytes.
    pub(super) producers: Bytes,
}

/// The versions that were ever written.
#[derive(Serialize, Deserialize)]
enum Versioned {
    V1(Snapshot),
}

impl Snapshot {
    /// Whether the log held no record below it.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.sealed.is_empty() && self.position == 0
    }

    /// The same of a log of which a part was compacted into one segment. None if it ends inside of that part: nobody can say where.
    pub(super) fn compacted(mut self, made: &SealedSegment) -> Option<Self> {
        if self.upto <= made.base_offset {
            return Some(self);
        }
        if self.upto < made.end_offset {
            return None;
        }
        let is_replaced = |base_offset: Offset| base_offset >= made.base_offset && base_offset < made.end_offset;
        let before = self.sealed.len();
        let place = self.sealed.partition_point(|segment| segment.base_offset < made.base_offset);
        self.sealed.retain(|segment| !is_replaced(segment.base_offset));
        if is_replaced(self.base_offset) && self.position > 0 {
            (self.base_offset, self.position, self.max_timestamp) = (made.base_offset, made.bytes, made.max_timestamp);
        } else if self.sealed.len() < before {
            self.sealed.insert(place, *made);
        }
        Some(self)
    }

    /// The file's content: magic, CRC-32C of the rest, the rest.
    pub(super) fn encode(self) -> Bytes {
        checkpoint::seal(MAGIC, &Versioned::V1(self))
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub(super) fn decode(content: &[u8]) -> Option<Self> {
        let Versioned::V1(snapshot) = checkpoint::unseal(MAGIC, content)?;
        Some(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::epoch::LeaderEpoch;

    use super::*;

    #[test]
    fn a_snapshot_follows_a_compaction() {
        let sealed = |base: i64, end: i64, bytes| SealedSegment {
            base_offset: Offset(base),
            end_offset: Offset(end),
            bytes,
            max_timestamp: Timestamp(5),
        };
        let snapshot = Snapshot {
            upto: Offset(70),
            sealed: vec![sealed(0, 10, 100), sealed(10, 20, 100), sealed(20, 50, 300)],
            base_offset: Offset(50),
            position: 360,
            max_timestamp: Timestamp(9),
            epochs: Vec::new(),
            producers: Bytes::new(),
        };
        let made = sealed(10, 50, 80);
        let compacted = snapshot.clone().compacted(&made).unwrap();
        assert_eq!((compacted.sealed, compacted.position), (vec![sealed(0, 10, 100), made], 360));
        // One that ends with the part ends with the new segment.
        let ending = sealed(20, 70, 90);
        let compacted = snapshot.clone().compacted(&ending).unwrap();
        assert_eq!((compacted.sealed.len(), compacted.base_offset, compacted.position), (2, Offset(20), 90));
        assert_eq!(snapshot.clone().compacted(&sealed(20, 71, 90)), None);
        let later = sealed(70, 90, 10);
        assert_eq!(snapshot.clone().compacted(&later), Some(snapshot));
    }

    #[test]
    fn a_snapshot_survives_a_round_trip_and_damage_is_seen() {
        let snapshot = Snapshot {
            upto: Offset(70),
            sealed: vec![SealedSegment { base_offset: Offset(0), end_offset: Offset(50), bytes: 900, max_timestamp: Timestamp(5) }],
            base_offset: Offset(50),
            position: 360,
            max_timestamp: Timestamp(9),
            epochs: vec![EpochStart { leader_epoch: LeaderEpoch(1), start_offset: Offset(0) }],
            producers: Bytes::from_static(b"producers"),
        };
        let content = snapshot.clone().encode();
        assert_eq!(Snapshot::decode(&content), Some(snapshot));
        for at in 0..content.len() {
            let mut flipped = content.to_vec();
            flipped[at] ^= 1;
            assert_eq!(Snapshot::decode(&flipped), None, "byte {at}");
            assert_eq!(Snapshot::decode(&content[..at]), None, "cut at {at}");
        }
    }
}
