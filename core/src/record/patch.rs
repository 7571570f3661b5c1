//! Changing a batch without making it anew: what lies outside its CRC for nothing, its timestamps for the price of the CRC.

use std::ops::Range;

use super::crc::batch_crc;
use super::header::{BatchHeader, CorruptBatch, TimestampType};
use crate::time::Timestamp;

/// Length of what [`patched_head`] replaces.
pub const PATCHED_HEAD_BYTES: usize = 16;

pub(super) const CRC_BYTES: Range<usize> = 17..21;
const ATTRIBUTES_BYTES: Range<usize> = 21..23;
const MAX_TIMESTAMP_BYTES: Range<usize> = 35..43;

/// The first bytes of the batch that `header` describes: base offset, length and leader epoch. A leader writes them in place of the
/// producer's, and the rest as it came.
#[must_use]
pub fn patched_head(header: &BatchHeader) -> [u8; PATCHED_HEAD_BYTES] {
    let mut head = [0; PATCHED_HEAD_BYTES];
    let encoded = header.encode();
    head.copy_from_slice(encoded.get(..PATCHED_HEAD_BYTES).expect("a header is longer than its head"));
    head
}

/// Gives every record of the batch that `batch` is, whole and alone, the time of its append, and returns the header as it is then. The
/// records, compressed or not, stay as they are.
///
/// # Errors
/// [`CorruptBatch`] when it is no batch; then nothing is changed.
pub fn rewrite_append_time(batch: &mut [u8], append_time: Timestamp) -> Result<BatchHeader, CorruptBatch> {
    rewrite_timestamps(batch, TimestampType::LogAppendTime, append_time)
}

/// Sets the largest timestamp that the header claims to the one that the records have, and returns the header as it is then.
///
/// # Errors
/// [`CorruptBatch`] when it is no batch; then nothing is changed.
pub fn rewrite_max_timestamp(batch: &mut [u8], max_timestamp: Timestamp) -> Result<BatchHeader, CorruptBatch> {
    rewrite_timestamps(batch, TimestampType::CreateTime, max_timestamp)
}

fn rewrite_timestamps(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: Timestamp) -> Result<BatchHeader, CorruptBatch> {
    let header = BatchHeader::parse(batch)?;
    let (length, found) = (u64::from(header.batch_bytes), batch.len() as u64);
    // The CRC would cover what lies behind the batch.
    assert_eq!(length, found, "the batch stands alone");
    let header = BatchHeader { timestamp_type, max_timestamp, ..header };
    write(batch, ATTRIBUTES_BYTES, &header.attributes().to_be_bytes());
    write(batch, MAX_TIMESTAMP_BYTES, &max_timestamp.0.to_be_bytes());
    let crc = batch_crc(batch);
    write(batch, CRC_BYTES, &crc.to_be_bytes());
    Ok(BatchHeader { crc, ..header })
}

fn write(batch: &mut [u8], place: Range<usize>, bytes: &[u8]) {
    batch.get_mut(place).expect("a parsed batch has a header").copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, HEADER_BYTES, check_crc};
    use super::*;
    use crate::epoch::LeaderEpoch;
    use crate::offset::Offset;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE).transactional();
        builder.append(Timestamp(1), Some(b"key"), Some(b"value"), &[]);
        builder.append(Timestamp(9), Some(b"key"), Some(b"value"), &[]);
        builder.build().to_vec()
    }

    #[test]
    fn a_patched_head_gives_the_batch_its_place_and_nothing_else() {
        let original = batch();
        let placed = BatchHeader { base_offset: Offset(1 << 33), leader_epoch: LeaderEpoch(12), ..BatchHeader::parse(&original).unwrap() };
        let mut patched = original.clone();
        patched[..PATCHED_HEAD_BYTES].copy_from_slice(&patched_head(&placed));
        assert_eq!(BatchHeader::parse(&patched), Ok(placed));
        assert_eq!(check_crc(&patched), Ok(()));
        assert_eq!(patched[PATCHED_HEAD_BYTES..], original[PATCHED_HEAD_BYTES..]);
    }

    #[test]
    fn append_time_is_written_with_a_checksum_that_fits() {
        let original = batch();
        let mut rewritten = original.clone();
        let header = rewrite_append_time(&mut rewritten, Timestamp(1_234)).unwrap();
        assert_eq!(BatchHeader::parse(&rewritten), Ok(header));
        assert_eq!(check_crc(&rewritten), Ok(()));
        assert_eq!((header.timestamp_type, header.max_timestamp), (TimestampType::LogAppendTime, Timestamp(1_234)));
        assert!(header.is_transactional);
        assert_eq!(rewritten[HEADER_BYTES..], original[HEADER_BYTES..]);
    }

    #[test]
    fn a_rewritten_maximum_leaves_the_producers_time() {
        let original = batch();
        let mut lying = original.clone();
        let header = rewrite_max_timestamp(&mut lying, Timestamp(77)).unwrap();
        assert_eq!((header.timestamp_type, header.max_timestamp), (TimestampType::CreateTime, Timestamp(77)));
        rewrite_max_timestamp(&mut lying, Timestamp(9)).unwrap();
        assert_eq!(lying, original);
    }

    #[test]
    fn what_is_no_batch_is_left_alone() {
        let mut bytes = batch();
        bytes.truncate(70);
        let before = bytes.clone();
        assert!(rewrite_append_time(&mut bytes, Timestamp(0)).is_err());
        assert_eq!(bytes, before);
    }
}
