//! How Kafka lays out the keys and values of its internal topics: big-endian integers, strings and byte arrays behind their lengths, which
//! are of two or four bytes, or compact with tagged fields behind them (KIP-482).

use bytes::Bytes;

use crate::error::ErrorCode;
use crate::ids::{TopicId, Uuid};

/// A record that is none: it ends too early, or says what can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptRecord;

impl From<CorruptRecord> for ErrorCode {
    fn from(_: CorruptRecord) -> Self {
        Self::CorruptMessage
    }
}

/// Reads one key or value.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    is_compact: bool,
}

impl<'a> Reader<'a> {
    /// Reads the version that everything begins with, and goes on in the compact form from version `compact_from` on.
    pub(super) fn versioned(bytes: &'a [u8], compact_from: i16) -> Result<(i16, Self), CorruptRecord> {
        let mut reader = Self { rest: bytes, is_compact: false };
        let version = reader.int16()?;
        reader.is_compact = version >= compact_from;
        Ok((version, reader))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CorruptRecord> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CorruptRecord)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], CorruptRecord> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CorruptRecord)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn int8(&mut self) -> Result<i8, CorruptRecord> {
        Ok(i8::from_be_bytes(self.take()?))
    }

    pub(super) fn int16(&mut self) -> Result<i16, CorruptRecord> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    pub(super) fn int32(&mut self) -> Result<i32, CorruptRecord> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    pub(super) fn int64(&mut self) -> Result<i64, CorruptRecord> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    pub(super) fn topic_id(&mut self) -> Result<TopicId, CorruptRecord> {
        Ok(TopicId(Uuid(self.take()?)))
    }

    fn varint(&mut self) -> Result<u32, CorruptRecord> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CorruptRecord)
    }

    /// A length, none for null. `wide`: of four bytes where it is not compact.
    fn length(&mut self, wide: bool) -> Result<Option<usize>, CorruptRecord> {
        let length = if self.is_compact {
            i64::from(self.varint()?) - 1
        } else if wide {
            self.int32()?.into()
        } else {
            self.int16()?.into()
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| CorruptRecord),
        }
    }

    pub(super) fn nullable_string(&mut self) -> Result<Option<String>, CorruptRecord> {
        let Some(length) = self.length(false)? else { return Ok(None) };
        let text = std::str::from_utf8(self.slice(length)?).map_err(|_| CorruptRecord)?;
        Ok(Some(text.to_owned()))
    }

    pub(super) fn string(&mut self) -> Result<String, CorruptRecord> {
        self.nullable_string()?.ok_or(CorruptRecord)
    }

    pub(super) fn nullable_bytes(&mut self) -> Result<Option<Bytes>, CorruptRecord> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        Ok(Some(Bytes::copy_from_slice(self.slice(length)?)))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, CorruptRecord> {
        self.nullable_bytes()?.ok_or(CorruptRecord)
    }

    /// An array of what `read` reads. Nothing is set aside for what its length claims.
    pub(super) fn array<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, CorruptRecord>) -> Result<Vec<T>, CorruptRecord> {
        let count = self.length(true)?.unwrap_or_default();
        let mut items = Vec::new();
        for _ in 0..count {
            if self.rest.is_empty() {
                return Err(CorruptRecord);
            }
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// The tagged fields behind a compact struct: `known` sees each by its tag, and what it does not know is passed over (KIP-915).
    pub(super) fn tagged(&mut self, mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<(), CorruptRecord>) -> Result<(), CorruptRecord> {
        if !self.is_compact {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            let (tag, length) = (self.varint()?, self.varint()?);
            let content = self.slice(usize::try_from(length).map_err(|_| CorruptRecord)?)?;
            known(tag, &mut Reader { rest: content, is_compact: true })?;
        }
        Ok(())
    }
}

/// Writes one key or value.
#[derive(Debug)]
pub(super) struct Writer {
    written: Vec<u8>,
    is_compact: bool,
}

impl Writer {
    /// In the form that is not compact.
    pub(super) fn versioned(version: i16) -> Self {
        Self { written: version.to_be_bytes().to_vec(), is_compact: false }
    }

    /// In the compact form: whoever writes it ends each struct with its tagged fields.
    pub(super) fn compact(version: i16) -> Self {
        Self { written: version.to_be_bytes().to_vec(), is_compact: true }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.written
    }

    pub(super) fn int8(&mut self, value: i8) {
        self.written.extend(value.to_be_bytes());
    }

    pub(super) fn int32(&mut self, value: i32) {
        self.written.extend(value.to_be_bytes());
    }

    pub(super) fn int64(&mut self, value: i64) {
        self.written.extend(value.to_be_bytes());
    }

    pub(super) fn topic_id(&mut self, id: TopicId) {
        self.written.extend(id.0.0);
    }

    fn varint(&mut self, value: u32) {
        let mut rest = value;
        while rest >= 0x80 {
            self.written.push(u8::try_from(rest & 0x7f).expect("seven bits are a byte") | 0x80);
            rest >>= 7;
        }
        self.written.push(u8::try_from(rest).expect("seven bits are a byte"));
    }

    /// A length, none for null. `wide`: of four bytes where it is not compact.
    ///
    /// # Panics
    /// From 2 GiB on, and from 32 KiB on where it is not wide, which no request can bring.
    fn length(&mut self, length: Option<usize>, wide: bool) {
        if self.is_compact {
            let length = length.map_or(0, |length| u32::try_from(length + 1).expect("requests are shorter than 2 GiB"));
            self.varint(length);
        } else if wide {
            self.int32(length.map_or(-1, |length| i32::try_from(length).expect("requests are shorter than 2 GiB")));
        } else {
            let length = length.map_or(-1, |length| i16::try_from(length).expect("strings of requests are shorter than 32 KiB"));
            self.written.extend(length.to_be_bytes());
        }
    }

    /// # Panics
    /// From 32 KiB on, which no request can bring.
    pub(super) fn nullable_string(&mut self, value: Option<&str>) {
        self.length(value.map(str::len), false);
        self.written.extend(value.unwrap_or_default().as_bytes());
    }

    pub(super) fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.written.extend(value);
    }

    pub(super) fn null_bytes(&mut self) {
        self.length(None, true);
    }

    pub(super) fn count(&mut self, count: usize) {
        self.length(Some(count), true);
    }

    /// Ends a struct that has no tagged fields.
    pub(super) fn untagged(&mut self) {
        self.varint(0);
    }

    /// Ends a struct whose one tagged field is `tag`, which `write` writes.
    pub(super) fn tagged(&mut self, tag: u32, write: impl FnOnce(&mut Self)) {
        let mut field = Self { written: Vec::new(), is_compact: true };
        write(&mut field);
        self.varint(1);
        self.varint(tag);
        self.varint(u32::try_from(field.written.len()).expect("requests are shorter than 2 GiB"));
        self.written.extend(field.written);
    }
}
