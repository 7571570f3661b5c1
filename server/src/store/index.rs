//! Index files: entries of a fixed size, ascending, appended as the segment grows and searched by halving.
//!
//! An index is a hint. Entries reach the disk some time after the batches that they point at, and recovery writes those anew that lie
//! behind the last snapshot; a reader that finds no entry reads from the segment's start.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use gracchus_core::boundary::StorageError;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::failure;
use crate::platform::Disk;

/// Entries that are read at once.
const BLOCK_ENTRIES: u64 = 256;

/// An entry of an index.
pub(super) trait Entry: Copy {
    /// Its length in the file.
    const BYTES: u64;
    /// Appends it, offsets counted from the segment's base.
    fn encode(self, base_offset: Offset, into: &mut BytesMut);
    /// Reads one from the start of `bytes`; `None` if they are too few, or all zeros: what a power loss leaves where it took an entry and kept
    /// one behind it. No entry of zeros is written: it would say nothing.
    fn decode(base_offset: Offset, bytes: &[u8]) -> Option<Self>;
}

/// Entry of `.index`: where a batch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    /// The batch's last offset.
    pub(super) last_offset: Offset,
    /// Where the batch starts in the file.
    pub(super) position: u32,
}

/// Entry of `.timeindex`: how large timestamps have grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    /// The largest timestamp of all batches up to and with this one.
    pub(super) max_timestamp: Timestamp,
    /// The last offset of the batch that brought it.
    pub(super) last_offset: Offset,
}

impl Entry for OffsetEntry {
    const BYTES: u64 = 8;

    fn encode(self, base_offset: Offset, into: &mut BytesMut) {
        into.put_u32(relative(self.last_offset, base_offset));
        into.put_u32(self.position);
    }

    fn decode(base_offset: Offset, bytes: &[u8]) -> Option<Self> {
        let bytes = not_zeros::<Self>(bytes)?;
        let (relative, rest) = bytes.split_first_chunk()?;
        let position = u32::from_be_bytes(*rest.first_chunk()?);
        Some(Self { last_offset: absolute(u32::from_be_bytes(*relative), base_offset), position })
    }
}

impl Entry for TimeEntry {
    const BYTES: u64 = 12;

    fn encode(self, base_offset: Offset, into: &mut BytesMut) {
        into.put_i64(self.max_timestamp.0);
        into.put_u32(relative(self.last_offset, base_offset));
    }

    fn decode(base_offset: Offset, bytes: &[u8]) -> Option<Self> {
        let bytes = not_zeros::<Self>(bytes)?;
        let (timestamp, rest) = bytes.split_first_chunk()?;
        let last_offset = absolute(u32::from_be_bytes(*rest.first_chunk()?), base_offset);
        Some(Self { max_timestamp: Timestamp(i64::from_be_bytes(*timestamp)), last_offset })
    }
}

/// The bytes of an entry, unless they are zeros.
fn not_zeros<E: Entry>(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.get(..usize::try_from(E::BYTES).ok()?)?;
    bytes.iter().any(|&byte| byte != 0).then_some(bytes)
}

fn relative(offset: Offset, base_offset: Offset) -> u32 {
    u32::try_from(offset.since(base_offset)).expect("a segment is closed before an offset outgrows the index")
}

fn absolute(relative: u32, base_offset: Offset) -> Offset {
    base_offset.plus(i64::from(relative))
}

/// The growing end of an index: entries that are not in the file yet.
#[derive(Clone, Debug)]
pub(super) struct IndexTail<E> {
    entries_in_file: u64,
    pending: Vec<E>,
}

impl<E: Entry> IndexTail<E> {
    /// An index that has this many entries in its file.
    pub(super) fn new(entries_in_file: u64) -> Self {
        Self { entries_in_file, pending: Vec::new() }
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: E) {
        self.pending.push(entry);
    }

    /// How many entries wait for the file.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether the index has a file, or gets one at the next write.
    pub(super) fn is_empty(&self) -> bool {
        self.entries_in_file == 0 && self.pending.is_empty()
    }

    /// Writes the waiting entries into the file.
    pub(super) async fn write<D: Disk>(&mut self, disk: &D, file: &D::File, base_offset: Offset) -> Result<(), StorageError> {
        let mut bytes = BytesMut::new();
        for &entry in &self.pending {
            entry.encode(base_offset, &mut bytes);
        }
        let at = self.entries_in_file * E::BYTES;
        disk.write_at(file, at, &[bytes.freeze()]).await.map_err(|error| failure::from_io(&error))?;
        self.entries_in_file += self.pending.len() as u64;
        self.pending = Vec::new();
        Ok(())
    }
}

/// The last entry for which `holds`, which is true of entries up to some point and of none behind it. Where zeros stand no entry is.
pub(super) async fn last_where<D: Disk, E: Entry>(
    disk: &D,
    file: &D::File,
    base_offset: Offset,
    holds: impl Fn(&E) -> bool,
) -> Result<Option<E>, StorageError> {
    Ok(entries_where(disk, file, base_offset, &holds).await?.1)
}

/// Cuts an index behind the last entry for which `holds` and says how many entries are left, with the last of them.
pub(super) async fn cut<D: Disk, E: Entry>(
    disk: &D,
    path: &Path,
    base_offset: Offset,
    holds: impl Fn(&E) -> bool,
) -> Result<(u64, Option<E>), StorageError> {
    let file = match disk.open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, None)),
        Err(error) => return Err(failure::from_io(&error)),
    };
    let (entries, last) = entries_where(disk, &file, base_offset, &holds).await?;
    disk.truncate(&file, entries * E::BYTES).await.map_err(|error| failure::from_io(&error))?;
    Ok((entries, last))
}

/// How many entries come up to the last for which `holds`, and that one.
async fn entries_where<D: Disk, E: Entry>(
    disk: &D,
    file: &D::File,
    base_offset: Offset,
    holds: &impl Fn(&E) -> bool,
) -> Result<(u64, Option<E>), StorageError> {
    let length = disk.length(file).await.map_err(|error| failure::from_io(&error))?;
    let entries = length / E::BYTES;
    // The block is the last whose first entry holds; before it, halve.
    let (mut first, mut behind) = (0, entries.div_ceil(BLOCK_ENTRIES));
    while behind - first > 1 {
        let middle = first + (behind - first) / 2;
        let bytes = read_entries::<D, E>(disk, file, middle * BLOCK_ENTRIES, 1).await?;
        if E::decode(base_offset, &bytes).is_some_and(|entry| holds(&entry)) { first = middle } else { behind = middle }
    }
    let start = first * BLOCK_ENTRIES;
    let block = read_entries::<D, E>(disk, file, start, entries.saturating_sub(start).min(BLOCK_ENTRIES)).await?;
    let entry_bytes = usize::try_from(E::BYTES).expect("an entry is small");
    let mut found = (start, None);
    for bytes in block.chunks_exact(entry_bytes) {
        match E::decode(base_offset, bytes) {
            Some(entry) if holds(&entry) => found = (found.0 + 1, Some(entry)),
            Some(_) | None => break,
        }
    }
    Ok(found)
}

async fn read_entries<D: Disk, E: Entry>(disk: &D, file: &D::File, from: u64, count: u64) -> Result<Bytes, StorageError> {
    let length = usize::try_from(count * E::BYTES).expect("a block of entries is small");
    disk.read_at(file, from * E::BYTES, length).await.map_err(|error| failure::from_io(&error))
}
