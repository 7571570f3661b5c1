//! Index files: entries of a fixed size, offsets counted from the segment's base.
//!
//! ```text
//! .index      relative offset u32  position u32
//! .timeindex  timestamp i64        relative offset u32
//! ```

use std::fs;
use std::path::Path;

use bytes::Buf;
use gracchus_core::record::{BatchHeader, HEADER_BYTES};

use super::super::error::CliError;
use super::report::Report;

/// Which index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexKind {
    /// Offsets to positions.
    Offset,
    /// Timestamps to offsets.
    Time,
}

/// An entry of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The position of `.index`, the timestamp of `.timeindex`.
    value: i64,
    offset: i64,
}

impl IndexKind {
    fn entry_bytes(self) -> usize {
        match self {
            Self::Offset => 8,
            Self::Time => 12,
        }
    }

    fn decode(self, base_offset: i64, mut bytes: &[u8]) -> Entry {
        match self {
            Self::Offset => {
                let offset = base_offset + i64::from(bytes.get_u32());
                Entry { offset, value: i64::from(bytes.get_u32()) }
            }
            Self::Time => {
                let value = bytes.get_i64();
                Entry { value, offset: base_offset + i64::from(bytes.get_u32()) }
            }
        }
    }
}

/// Shows an index and checks that its entries ascend; those of an offset index also against the segment beside it.
pub(super) fn dump_index(path: &Path, kind: IndexKind, base_offset: i64, report: &mut Report) -> Result<(), CliError> {
    let read = |path: &Path| fs::read(path).map_err(|error| CliError::failure(format!("{} can't be read: {error}", path.display())));
    let bytes = read(path)?;
    let segment = path.with_extension("log");
    let segment = if kind == IndexKind::Offset && segment.is_file() { Some(read(&segment)?) } else { None };
    let entry_bytes = kind.entry_bytes();
    let used = used_bytes(&bytes, entry_bytes);
    let mut before: Option<Entry> = None;
    let mut position = 0;
    for raw in bytes.get(..used).unwrap_or_default().chunks(entry_bytes) {
        if raw.len() < entry_bytes {
            return report.problem(position, &format!("the last entry is cut off, {} of its {entry_bytes} bytes are there", raw.len()));
        }
        let entry = kind.decode(base_offset, raw);
        if let Some(before) = before.filter(|before| entry.offset <= before.offset || entry.value < before.value) {
            report.problem(position, &format!("{entry:?} does not come behind {before:?}"))?;
        }
        if let Some(wrong) = segment.as_ref().and_then(|segment| wrong_position(entry, segment)) {
            report.problem(position, &wrong)?;
        }
        report.index_entry(position, kind, entry.offset, entry.value)?;
        before = Some(entry);
        position += entry_bytes as u64;
    }
    let unused = bytes.len() - used;
    if unused > 0 { report.note(position, &format!("{unused} bytes are allocated and not written")) } else { Ok(()) }
}

/// Kafka allocates an active segment's index ahead: zeros at the end are no entries.
fn used_bytes(bytes: &[u8], entry_bytes: usize) -> usize {
    let behind_last = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    behind_last.next_multiple_of(entry_bytes).min(bytes.len())
}

fn wrong_position(entry: Entry, segment: &[u8]) -> Option<String> {
    let at = usize::try_from(entry.value).ok()?;
    let head = segment.get(at..).and_then(|rest| rest.get(..HEADER_BYTES));
    match head.map(BatchHeader::parse_prefix) {
        Some(Ok(header)) if header.base_offset.0 <= entry.offset => None,
        Some(Ok(header)) => Some(format!("the batch at position {at} starts at offset {}, behind {}", header.base_offset, entry.offset)),
        Some(Err(_)) | None => Some(format!("no batch starts at position {at} of the segment")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_no_entries() {
        assert_eq!(used_bytes(&[0; 16], 8), 0);
        assert_eq!(used_bytes(&[0, 0, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8), 8);
        assert_eq!(used_bytes(&[0, 0, 0, 5, 0, 0, 1, 9, 9], 8), 9);
    }

    #[test]
    fn entries_count_from_the_base_offset() {
        assert_eq!(IndexKind::Offset.decode(100, &[0, 0, 0, 5, 0, 0, 1, 0]), Entry { offset: 105, value: 256 });
        assert_eq!(IndexKind::Time.decode(100, &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1]), Entry { offset: 101, value: 7 });
    }
}
