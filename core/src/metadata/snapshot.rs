//! Snapshots of the cluster's metadata (KIP-630): what the log below an offset adds up to, so that it need not be kept.
//!
//! Every node makes its own, of what is committed. The same offset gives the same bytes on every node of one release. They are other than the
//! recovery snapshots of logs ([`StorageOp::KeepSnapshot`](crate::boundary::StorageOp::KeepSnapshot)), which say how far a log's files are sound.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::image::Image;
use crate::epoch::LeaderEpoch;
use crate::offset::Offset;

const MAGIC: &[u8; 8] = b"GRACMETA";

/// Names a snapshot (KIP-630's snapshot id): all that is committed below an offset has one meaning, so that one name has one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SnapshotId {
    /// It stands for everything below.
    pub end_offset: Offset,
    /// The epoch of the last entry below.
    pub leader_epoch: LeaderEpoch,
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.end_offset, self.leader_epoch)
    }
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataSnapshot {
    /// Where it ends.
    pub id: SnapshotId,
    /// What the records below add up to.
    pub image: Image,
}

/// The versions that were ever written. What else a node needs to go on from a snapshot, such as the voters, goes into a version of its own.
#[derive(Deserialize)]
enum Versioned {
    V1(MetadataSnapshot),
}

/// As [`Versioned`], to be written without a copy.
#[derive(Serialize)]
enum VersionedRef<'a> {
    V1(SnapshotRef<'a>),
}

#[derive(Serialize)]
struct SnapshotRef<'a> {
    id: SnapshotId,
    image: &'a Image,
}

/// Why bytes are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsoundSnapshot {
    /// They do not begin as one.
    NoSnapshot,
    /// Their checksum is another: something was lost on the way.
    Crc,
    /// They are of no version that this release knows.
    Malformed,
}

impl fmt::Display for UnsoundSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSnapshot => "no metadata snapshot begins like that",
            Self::Crc => "its checksum does not match",
            Self::Malformed => "it does not decode",
        })
    }
}

impl MetadataSnapshot {
    /// The bytes that stand for what is committed below `id`: magic, CRC-32C of the rest, the rest.
    ///
    /// # Panics
    /// Never: an image is always serialisable.
    #[must_use]
    pub fn encode(id: SnapshotId, image: &Image) -> Bytes {
        let body = postcard::to_stdvec(&VersionedRef::V1(SnapshotRef { id, image })).expect("an image is plain data");
        let mut content = BytesMut::with_capacity(MAGIC.len() + 4 + body.len());
        content.put_slice(MAGIC);
        content.put_u32(crc_fast::crc32_iscsi(&body));
        content.put_slice(&body);
        content.freeze()
    }

    /// Whether these are the bytes of a snapshot, whole, of whatever version.
    ///
    /// # Errors
    /// [`UnsoundSnapshot`].
    pub fn check(content: &[u8]) -> Result<(), UnsoundSnapshot> {
        body(content).map(|_| ())
    }

    /// Reads a snapshot back.
    ///
    /// # Errors
    /// [`UnsoundSnapshot`].
    pub fn decode(content: &[u8]) -> Result<Self, UnsoundSnapshot> {
        match postcard::take_from_bytes(body(content)?) {
            Ok((Versioned::V1(snapshot), [])) => Ok(snapshot),
            Ok((Versioned::V1(_), _)) | Err(_) => Err(UnsoundSnapshot::Malformed),
        }
    }
}

fn body(content: &[u8]) -> Result<&[u8], UnsoundSnapshot> {
    let (crc, body) = content.strip_prefix(MAGIC).and_then(<[u8]>::split_first_chunk).ok_or(UnsoundSnapshot::NoSnapshot)?;
    if u32::from_be_bytes(*crc) == crc_fast::crc32_iscsi(body) { Ok(body) } else { Err(UnsoundSnapshot::Crc) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SnapshotId {
        SnapshotId { end_offset: Offset(70), leader_epoch: LeaderEpoch(3) }
    }

    fn image() -> Image {
        Image { next_producer_id: 1000, ..Image::default() }
    }

    #[test]
    fn a_snapshot_survives_a_round_trip_and_damage_is_seen() {
        let content = MetadataSnapshot::encode(id(), &image());
        assert_eq!(MetadataSnapshot::decode(&content), Ok(MetadataSnapshot { id: id(), image: image() }));
        for at in 0..content.len() {
            let mut flipped = content.to_vec();
            flipped[at] ^= 1;
            assert!(MetadataSnapshot::decode(&flipped).is_err() && MetadataSnapshot::check(&flipped).is_err(), "byte {at}");
            assert!(MetadataSnapshot::decode(&content[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn snapshots_keep_their_bytes_between_releases() {
        let content = MetadataSnapshot::encode(id(), &image());
        let body = [0, 140, 1, 6, 0, 0, 0, 0, 0, 208, 15, 0];
        assert_eq!(content, [&MAGIC[..], &crc_fast::crc32_iscsi(&body).to_be_bytes(), &body].concat());
    }

    #[test]
    fn a_version_that_is_not_known_is_sound_and_can_not_be_used() {
        let body = [1, 140, 1, 6];
        let content = [&MAGIC[..], &crc_fast::crc32_iscsi(&body).to_be_bytes(), &body].concat();
        assert_eq!(MetadataSnapshot::check(&content), Ok(()));
        assert_eq!(MetadataSnapshot::decode(&content), Err(UnsoundSnapshot::Malformed));
    }
}
