//! Batches that another node sends: as its log has them, compacted ones and control batches too.

use bytes::Bytes;
use gracchus_core::boundary::{Batch, Payload};
use gracchus_core::record::{BatchHeader, Codec, CorruptBatch, HEADER_BYTES, check_crc, validate_records};

/// Takes bytes apart into whole batches with sound headers and checksums, and, where they are not compressed, sound records.
///
/// # Errors
/// What is wrong with the first that is not.
pub fn split_batches(mut bytes: Bytes) -> Result<Vec<Batch>, CorruptBatch> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let header = BatchHeader::parse(&bytes)?;
        let batch = bytes.split_to(usize::try_from(header.batch_bytes).expect("so many bytes are there"));
        check_crc(&batch)?;
        if header.codec == Codec::None {
            validate_records(batch.get(HEADER_BYTES..).unwrap_or_default(), &header)?;
        }
        batches.push(Batch { header, payload: Payload::new(batch) });
    }
    Ok(batches)
}
