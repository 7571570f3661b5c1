//! Compressing and decompressing a batch's records.
//!
//! Decompression stops at a bound. Up to it memory grows with what comes out, but for a codec's own window.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use gracchus_core::record::Codec;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use thiserror::Error;

use super::snappy;

/// Why records can't be decompressed.
#[derive(Debug, Error)]
pub enum DecompressError {
    /// They come to more than is allowed.
    #[error("the records decompress to more than {0} bytes")]
    TooLarge(usize),
    /// They are not what their codec makes.
    #[error("the records do not decompress: {0}")]
    Malformed(#[from] io::Error),
}

/// Decompresses the records of a batch: what follows its header.
///
/// # Errors
/// [`DecompressError`], at the latest when `bytes_max` bytes have come out.
pub fn decompress(codec: Codec, section: &[u8], bytes_max: usize) -> Result<Bytes, DecompressError> {
    match codec {
        Codec::None if section.len() > bytes_max => Err(DecompressError::TooLarge(bytes_max)),
        Codec::None => Ok(Bytes::copy_from_slice(section)),
        Codec::Gzip => read_bounded(MultiGzDecoder::new(section), bytes_max),
        Codec::Snappy => snappy::decompress(section, bytes_max).map(Bytes::from),
        Codec::Lz4 => read_bounded(FrameDecoder::new(section), bytes_max),
        Codec::Zstd => read_bounded(zstd::stream::read::Decoder::with_buffer(section)?, bytes_max),
    }
}

fn read_bounded(reader: impl Read, bytes_max: usize) -> Result<Bytes, DecompressError> {
    let mut bytes = Vec::new();
    reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(DecompressError::TooLarge(bytes_max)) } else { Ok(bytes.into()) }
}

/// The most bytes that `section_bytes` of the codec can decompress to: what its densest form, a run of one byte, takes.
#[must_use]
pub(super) fn decompressed_bytes_max(codec: Codec, section_bytes: usize) -> usize {
    let times = match codec {
        Codec::None => 1,
        // RFC 1951: a match of 258 bytes takes two bits at least.
        Codec::Gzip => 1_032,
        Codec::Snappy => snappy::EXPANSION_MAX,
        // A length grows by 255 with each byte.
        Codec::Lz4 => 255,
        // RFC 8878: a block of 128 KiB takes four bytes.
        Codec::Zstd => (128 << 10) / 4,
    };
    section_bytes.saturating_mul(times)
}

/// Compresses the records of a batch as Kafka's own producer would. `level` is gzip's (-1 for its default) or zstd's; the other codecs have
/// none.
#[must_use]
pub fn compress(codec: Codec, level: i32, section: &[u8]) -> Bytes {
    match codec {
        Codec::None => Ok(Bytes::copy_from_slice(section)),
        Codec::Gzip => gzip(level, section),
        Codec::Snappy => Ok(snappy::compress(section).into()),
        Codec::Lz4 => lz4(section),
        Codec::Zstd => zstd::stream::encode_all(section, level).map(Bytes::from),
    }
    .expect("writing to memory does not fail")
}

fn gzip(level: i32, section: &[u8]) -> io::Result<Bytes> {
    let level = u32::try_from(level).map_or_else(|_| Compression::default(), Compression::new);
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(section)?;
    encoder.finish().map(Bytes::from)
}

fn lz4(section: &[u8]) -> io::Result<Bytes> {
    // Independent blocks of 64 KiB are the only ones that Kafka's Java clients read.
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(section)?;
    Ok(encoder.finish()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn text(length: usize) -> Vec<u8> {
        b"Everything in the hunter's life happened in order. ".iter().copied().cycle().take(length).collect()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for codec in CODECS {
            for length in [0, 1, 100, 32 << 10, (32 << 10) + 1, 300_000] {
                let text = text(length);
                let compressed = compress(codec, 3, &text);
                assert_eq!(decompress(codec, &compressed, length).unwrap(), text, "{codec:?} {length}");
            }
        }
    }

    #[test]
    fn nothing_comes_out_beyond_the_bound() {
        for codec in CODECS {
            let compressed = compress(codec, 3, &vec![0; 1 << 20]);
            assert!(matches!(decompress(codec, &compressed, (1 << 20) - 1), Err(DecompressError::TooLarge(_))), "{codec:?}");
        }
    }

    #[test]
    fn a_run_of_one_byte_is_within_the_densest_form() {
        for codec in CODECS {
            for level in [1, 9, 19] {
                let compressed = compress(codec, if codec == Codec::Gzip { level.min(9) } else { level }, &vec![0; 16 << 20]);
                assert!(decompressed_bytes_max(codec, compressed.len()) >= 16 << 20, "{codec:?} makes {}", compressed.len());
            }
        }
    }

    #[test]
    fn bytes_that_no_codec_made_are_refused() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            assert!(decompress(codec, b"\xff\xff\xff\xff\x0fno such thing", 1 << 20).is_err(), "{codec:?}");
            let compressed = compress(codec, 3, &text(10_000));
            assert!(decompress(codec, &compressed[..compressed.len() - 5], 1 << 20).is_err(), "{codec:?} cut off");
        }
    }
}
