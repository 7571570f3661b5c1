//! Batches with their records compressed, and back.

use bytes::Bytes;
use gracchus_core::record::{BatchBuilder, BatchHeader, Codec, HEADER_BYTES, assemble};
use gracchus_net::records::{DecompressError, compress, decompress};

/// What a batch's records may come to when they are decompressed.
const SECTION_BYTES_MAX: usize = 1 << 30;

/// The levels at which Kafka's own producer compresses.
const GZIP_LEVEL: i32 = -1;
const ZSTD_LEVEL: i32 = 3;

/// Compresses a batch's records and gives the batch its bytes.
pub(crate) fn seal(builder: BatchBuilder, codec: Codec) -> Bytes {
    let level = match codec {
        Codec::None => return builder.build(),
        Codec::Zstd => ZSTD_LEVEL,
        Codec::Gzip | Codec::Snappy | Codec::Lz4 => GZIP_LEVEL,
    };
    let (header, section) = builder.finish();
    assemble(&BatchHeader { codec, ..header }, &compress(codec, level, &section))
}

/// A batch's records, decompressed.
pub(crate) fn open(header: &BatchHeader, batch: &Bytes) -> Result<Bytes, DecompressError> {
    let section = batch.slice(HEADER_BYTES..);
    if header.codec == Codec::None { Ok(section) } else { decompress(header.codec, &section, SECTION_BYTES_MAX) }
}
