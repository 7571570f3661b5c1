//! A batch's checksum: CRC-32C (Castagnoli) of everything from the attributes to the end.

use super::header::{ATTRIBUTES_AT, BatchHeader, CorruptBatch};

/// The checksum that belongs in the header of the batch that `batch` is, whole and alone.
///
/// # Panics
/// When `batch` is shorter than a header.
#[must_use]
pub fn batch_crc(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(batch.get(ATTRIBUTES_AT..).expect("a batch is longer than its head"))
}

/// Checks the batch at the start of `bytes` against its checksum. What follows the batch is not looked at.
///
/// # Errors
/// [`CorruptBatch::Crc`], or whatever else is wrong with the header.
pub fn check_crc(bytes: &[u8]) -> Result<(), CorruptBatch> {
    let header = BatchHeader::parse(bytes)?;
    let batch = usize::try_from(header.batch_bytes).ok().and_then(|length| bytes.get(..length)).expect("parse found the batch whole");
    let computed = batch_crc(batch);
    if computed == header.crc { Ok(()) } else { Err(CorruptBatch::Crc { stored: header.crc, computed }) }
}

#[cfg(test)]
mod tests {
    use super::super::header::HEADER_BYTES;
    use super::super::{BatchBuilder, patched_head};
    use super::*;
    use crate::epoch::LeaderEpoch;
    use crate::offset::Offset;
    use crate::time::Timestamp;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(7), LeaderEpoch(3));
        builder.append(Timestamp(1), Some(b"key"), Some(b"value"), &[]);
        builder.build().to_vec()
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        let mut bytes = vec![0; ATTRIBUTES_AT];
        bytes.extend_from_slice(b"123456789");
        // The check value of CRC-32/ISCSI in the catalogue of parametrised CRC algorithms.
        assert_eq!(batch_crc(&bytes), 0xe306_9283);
    }

    #[test]
    fn a_flipped_bit_behind_the_checksum_is_found_wherever_it_is() {
        let good = batch();
        assert_eq!(check_crc(&good), Ok(()));
        for at in HEADER_BYTES..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(matches!(check_crc(&bad), Err(CorruptBatch::Crc { .. })), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn base_offset_and_leader_epoch_lie_outside_the_checksum() {
        let mut bytes = batch();
        let mut header = BatchHeader::parse(&bytes).unwrap();
        header.base_offset = Offset(1 << 40);
        header.leader_epoch = LeaderEpoch(99);
        bytes[..16].copy_from_slice(&patched_head(&header));
        assert_eq!(check_crc(&bytes), Ok(()));
    }

    #[test]
    fn what_follows_the_batch_is_not_looked_at() {
        let mut bytes = batch();
        bytes.extend_from_slice(&[0xff; 100]);
        assert_eq!(check_crc(&bytes), Ok(()));
    }

    #[test]
    fn a_batch_that_is_cut_off_is_short() {
        let bytes = batch();
        for length in 0..bytes.len() {
            assert!(matches!(check_crc(&bytes[..length]), Err(CorruptBatch::Short { .. })), "{length} bytes");
        }
    }
}
