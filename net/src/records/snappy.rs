//! Snappy as Kafka's clients write it: either bare, or in the framing of xerial's Java library.
//!
//! ```text
//! 0x82 "SNAPPY" 0x00   version i32   lowest compatible version i32   { length i32   a bare piece } …
//! ```

use std::io;

use super::codec::DecompressError;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const LENGTH_BYTES: usize = 4;

/// What xerial's library compresses at once.
const PIECE_BYTES: usize = 32 << 10;

/// The format's densest element turns three bytes into 64: what claims to be denser is no snappy, and buys no memory.
pub(super) const EXPANSION_MAX: usize = 22;

pub(super) fn decompress(section: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecompressError> {
    let mut bytes = Vec::new();
    let Some(mut rest) = section.strip_prefix(&MAGIC) else {
        append(&mut bytes, section, bytes_max)?;
        return Ok(bytes);
    };
    rest = rest.get(VERSIONS.len()..).ok_or_else(malformed)?;
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or_else(malformed)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed())?;
        let (piece, behind) = behind.split_at_checked(length).ok_or_else(malformed)?;
        append(&mut bytes, piece, bytes_max)?;
        rest = behind;
    }
    Ok(bytes)
}

fn append(bytes: &mut Vec<u8>, piece: &[u8], bytes_max: usize) -> Result<(), DecompressError> {
    let length = snap::raw::decompress_len(piece).map_err(io::Error::from)?;
    if length > piece.len().saturating_mul(EXPANSION_MAX) {
        return Err(malformed());
    }
    let start = bytes.len();
    let end = start.checked_add(length).filter(|&end| end <= bytes_max).ok_or(DecompressError::TooLarge(bytes_max))?;
    bytes.resize(end, 0);
    let into = bytes.get_mut(start..).expect("it was made that long");
    snap::raw::Decoder::new().decompress(piece, into).map_err(io::Error::from)?;
    Ok(())
}

fn malformed() -> DecompressError {
    DecompressError::Malformed(io::ErrorKind::InvalidData.into())
}

pub(super) fn compress(section: &[u8]) -> Vec<u8> {
    let mut bytes = [MAGIC, VERSIONS].concat();
    for piece in section.chunks(PIECE_BYTES) {
        let compressed = snap::raw::Encoder::new().compress_vec(piece).expect("a piece is far below the format's limit");
        bytes.extend_from_slice(&i32::try_from(compressed.len()).expect("a piece is short").to_be_bytes());
        bytes.extend_from_slice(&compressed);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_snappy_is_read_as_well() {
        let bare = snap::raw::Encoder::new().compress_vec(b"ship ship ship").unwrap();
        assert_eq!(decompress(&bare, 100).unwrap(), b"ship ship ship");
    }

    #[test]
    fn several_framed_pieces_come_out_as_one() {
        let piece = |text: &[u8]| {
            let compressed = snap::raw::Encoder::new().compress_vec(text).unwrap();
            [&u32::try_from(compressed.len()).unwrap().to_be_bytes()[..], &compressed].concat()
        };
        let framed = [&MAGIC[..], &VERSIONS, &piece(b"one "), &piece(b"two")].concat();
        assert_eq!(decompress(&framed, 100).unwrap(), b"one two");
    }

    #[test]
    fn a_claim_alone_buys_no_memory() {
        // A length of 2^32-1, and nothing behind it.
        let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(matches!(decompress(&claim, usize::MAX), Err(DecompressError::Malformed(_))));
    }
}
