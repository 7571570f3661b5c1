//! How much may be done to look into the batches of one request.

use bytes::Bytes;
use gracchus_core::record::Codec;

use super::codec::{DecompressError, decompress};
use crate::limits::{DECOMPRESSED_BYTES_MAX, DECOMPRESSED_REQUEST_BYTES_MAX};

/// What may be done for one request. Decompressing takes long, so where others wait for the thread it is put off to one that has the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// No batch may be decompressed or compressed.
    Light,
    /// Batches may be decompressed, up to so many bytes in all.
    Full {
        /// What is left of them.
        bytes_left: usize,
    },
}

impl Effort {
    /// All that is ever done for a request.
    pub const FULL: Self = Self::Full { bytes_left: DECOMPRESSED_REQUEST_BYTES_MAX };

    /// Decompresses the records of a batch; `None` if that is too much to do here.
    pub(super) fn decompress(&mut self, codec: Codec, section: &[u8]) -> Option<Result<Bytes, DecompressError>> {
        let Self::Full { bytes_left } = self else { return None };
        let bytes_max = DECOMPRESSED_BYTES_MAX.min(*bytes_left);
        let decompressed = decompress(codec, section, bytes_max);
        // What was too large has been decompressed all the same, up to the bound.
        *bytes_left -= decompressed.as_ref().map_or(bytes_max, Bytes::len);
        Some(decompressed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::compress;
    use super::*;

    #[test]
    fn a_request_of_many_bombs_is_unpacked_only_so_far() {
        let bomb = compress(Codec::Zstd, 3, &vec![0; 1 << 20]);
        let mut effort = Effort::Full { bytes_left: (2 << 20) + 10 };
        for _ in 0..2 {
            assert!(effort.decompress(Codec::Zstd, &bomb).unwrap().is_ok());
        }
        assert!(matches!(effort.decompress(Codec::Zstd, &bomb), Some(Err(DecompressError::TooLarge(10)))));
        assert_eq!(effort, Effort::Full { bytes_left: 0 });
        assert_eq!(Effort::Light.decompress(Codec::Zstd, &bomb).map(|_| ()), None);
    }
}
