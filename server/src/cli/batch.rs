//! Batches with their records compressed, and back.

use bytes::Bytes;
use gracchus_core::record::{BatchBuilder, BatchHeader, Codec, HEADER_BYTES};

use super::error::CliError;

/// Compresses a batch's records and gives the batch its bytes.
pub(crate) fn seal(builder: BatchBuilder, codec: Codec) -> Result<Bytes, CliError> {
    if codec == Codec::None { Ok(builder.build()) } else { Err(CliError::usage(format!("no batch can be compressed with {codec:?}"))) }
}

/// A batch's records, decompressed.
pub(crate) fn open(header: &BatchHeader, batch: &Bytes) -> Result<Bytes, String> {
    if header.codec == Codec::None { Ok(batch.slice(HEADER_BYTES..)) } else { Err(format!("its codec {:?} can't be read", header.codec)) }
}
