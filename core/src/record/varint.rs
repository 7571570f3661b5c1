//! Variable-length integers as records have them: seven bits a byte, lowest first, signed ones in zigzag.
//!
//! A reader moves its slice behind what it read. It gives nothing for an integer that is cut off or does not fit, and then the slice is of
//! no more use.

/// Reads a signed integer of 32 bits.
#[inline]
pub(super) fn read_i32(bytes: &mut &[u8]) -> Option<i32> {
    let zigzag = read_u32(bytes)?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

/// Reads a signed integer of 64 bits.
#[inline]
pub(super) fn read_i64(bytes: &mut &[u8]) -> Option<i64> {
    let zigzag = read_bits(bytes, u64::BITS)?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

/// Reads an unsigned integer of 32 bits, which flexible messages use for lengths.
#[inline]
pub(super) fn read_u32(bytes: &mut &[u8]) -> Option<u32> {
    read_bits(bytes, u32::BITS).and_then(|value| u32::try_from(value).ok())
}

#[inline]
fn read_bits(bytes: &mut &[u8], bits: u32) -> Option<u64> {
    // Most integers of a record take one byte.
    if let Some((&byte, rest)) = bytes.split_first()
        && byte < 0x80
    {
        *bytes = rest;
        return Some(u64::from(byte));
    }
    read_long(bytes, bits)
}

fn read_long(bytes: &mut &[u8], bits: u32) -> Option<u64> {
    let mut value = 0;
    let mut shift = 0;
    while shift < bits {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if bits - shift < 7 && low >> (bits - shift) != 0 {
            return None;
        }
        value |= low << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
    None
}

/// Writes a signed integer of 32 bits.
pub(super) fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_u64(out, u64::from(zigzag_i32(value)));
}

/// Writes a signed integer of 64 bits.
pub(super) fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, zigzag_i64(value));
}

/// Writes an unsigned integer.
pub(super) fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// How many bytes a signed integer of 32 bits takes.
pub(super) fn length_i32(value: i32) -> usize {
    length_u64(u64::from(zigzag_i32(value)))
}

/// How many bytes a signed integer of 64 bits takes.
pub(super) fn length_i64(value: i64) -> usize {
    length_u64(zigzag_i64(value))
}

fn length_u64(value: u64) -> usize {
    (1..10).find(|bytes| value >> (7 * bytes) == 0).unwrap_or(10)
}

fn zigzag_i32(value: i32) -> u32 {
    (value << 1 ^ value >> 31).cast_unsigned()
}

fn zigzag_i64(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES_I32: [i32; 12] = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8193, i32::MAX, i32::MIN];

    #[test]
    fn an_integer_survives_a_round_trip_in_as_many_bytes_as_foretold() {
        for value in EDGES_I32 {
            let mut out = Vec::new();
            write_i32(&mut out, value);
            assert_eq!(out.len(), length_i32(value), "{value}");
            let mut rest = out.as_slice();
            assert_eq!(read_i32(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
        for value in EDGES_I32.map(i64::from).into_iter().chain([i64::MAX, i64::MIN]) {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(out.len(), length_i64(value), "{value}");
            let mut rest = out.as_slice();
            assert_eq!(read_i64(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn zigzag_is_that_of_protocol_buffers() {
        for (value, bytes) in [(0, &[0x00][..]), (-1, &[0x01]), (1, &[0x02]), (-64, &[0x7f]), (64, &[0x80, 0x01]), (150, &[0xac, 0x02])] {
            let mut out = Vec::new();
            write_i32(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn an_integer_that_is_cut_off_is_refused() {
        for bytes in [&[][..], &[0x80], &[0xff, 0xff, 0xff]] {
            assert_eq!(read_i32(&mut &*bytes), None, "{bytes:?}");
            assert_eq!(read_i64(&mut &*bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn an_integer_of_too_many_bits_is_refused() {
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]), Some(i32::MIN));
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(read_i32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]), None);
        assert_eq!(read_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..]), Some(i64::MIN));
        assert_eq!(read_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03][..]), None);
        assert_eq!(read_i64(&mut &[0x80; 11][..]), None);
    }
}
