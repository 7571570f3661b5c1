//! What lies in a segment's file behind the last batch that is kept.

use std::ops::Range;

use gracchus_core::boundary::StorageError;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, HEADER_BYTES, check_crc};

use super::failure;
use super::task::DiskTask;
use crate::platform::{Disk, FileOf, Platform};

/// Bytes that are looked through: more than a write and what is set aside on disk.
const LOOK_BYTES: u64 = 32 << 20;
/// Where a batch's format version stands.
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// Bytes that are no part of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// How many, without the zeros at the end that were set aside.
    pub(super) torn_bytes: u64,
    /// Where the last batch among them starts, if there is one that could have followed.
    pub(super) last_batch_at: Option<u64>,
}

/// Looks through a range of a file for batches whose offsets are `end` or later.
pub(super) async fn look<P: Platform>(task: &DiskTask<P>, file: &FileOf<P>, range: Range<u64>, end: Offset) -> Result<Remains, StorageError> {
    if range.is_empty() {
        return Ok(Remains::default());
    }
    let length = range.end - range.start;
    let looked = usize::try_from(length.min(LOOK_BYTES)).expect("bounded above");
    let bytes = task.disk.read_at(file, range.start, looked).await.map_err(|error| failure::from_io(&error))?;
    let Some(last) = bytes.iter().rposition(|&byte| byte != 0) else {
        return Ok(Remains { torn_bytes: length.saturating_sub(LOOK_BYTES), last_batch_at: None });
    };
    let torn_bytes = if length > LOOK_BYTES { length } else { last as u64 + 1 };
    // All of the bytes: a batch may end in zeros.
    let last_batch_at = last_batch(&bytes, end).map(|at| range.start + at as u64);
    Ok(Remains { torn_bytes, last_batch_at })
}

fn last_batch(bytes: &[u8], end: Offset) -> Option<usize> {
    let (mut at, mut found) = (0, None);
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEADER_BYTES) {
        match batch_at(rest, end) {
            Some(batch_bytes) => {
                found = Some(at);
                at += batch_bytes;
            }
            // Most of what is looked through is zeros that were set aside.
            None => at += 1 + rest.iter().skip(1 + MAGIC_AT).position(|&byte| byte == MAGIC).unwrap_or(rest.len()),
        }
    }
    found
}

/// The length of the batch at the start of `bytes`, if there is one.
fn batch_at(bytes: &[u8], end: Offset) -> Option<usize> {
    if bytes.get(MAGIC_AT) != Some(&MAGIC) {
        return None;
    }
    let header = BatchHeader::parse(bytes).ok()?;
    let ahead = header.base_offset.since(end);
    let batch_bytes = usize::try_from(header.batch_bytes).ok()?;
    let is_plausible = (0..=i64::from(i32::MAX)).contains(&ahead);
    (is_plausible && check_crc(bytes.get(..batch_bytes)?).is_ok()).then_some(batch_bytes)
}
