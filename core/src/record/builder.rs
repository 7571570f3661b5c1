//! Making batches: for control records, for topics that are recompressed, for clients and for tests.

use bytes::Bytes;

use super::crc::batch_crc;
use super::header::{BatchHeader, BatchProducer, Codec, HEADER_BYTES, TimestampType};
use super::patch::CRC_BYTES;
use super::varint::{length_i32, length_i64, write_i32, write_i64};
use crate::epoch::LeaderEpoch;
use crate::offset::Offset;
use crate::time::Timestamp;

/// A batch in the making: records are appended one by one, then [`build`](Self::build) gives its bytes, or [`finish`](Self::finish) header
/// and records apart for somebody who compresses them.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    append_time: Option<Timestamp>,
    section: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch. A client knows neither: it says [`Offset::ZERO`] and [`LeaderEpoch::NONE`].
    #[must_use]
    pub fn new(base_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        let header = BatchHeader {
            base_offset,
            batch_bytes: 0,
            leader_epoch,
            crc: 0,
            codec: Codec::None,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: false,
            is_control: false,
            has_delete_horizon: false,
            last_offset_delta: 0,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            producer: None,
            record_count: 0,
        };
        Self { header, append_time: None, section: Vec::new() }
    }

    /// Says who produces it.
    #[must_use]
    pub fn producer(mut self, producer: BatchProducer) -> Self {
        self.header.producer = Some(producer);
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.header.is_transactional = true;
        self
    }

    /// Makes it a control batch.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.header.is_control = true;
        self
    }

    /// Gives all its records the broker's time.
    #[must_use]
    pub fn append_time(mut self, append_time: Timestamp) -> Self {
        self.append_time = Some(append_time);
        self
    }

    /// Appends a record. Headers are keys with their values.
    ///
    /// # Panics
    /// When the record or the batch comes to 2 GiB, or timestamps lie 2^63 milliseconds apart.
    pub fn append(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)]) {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp = timestamp;
            header.max_timestamp = timestamp;
        }
        header.max_timestamp = header.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.0.checked_sub(header.base_timestamp.0).expect("timestamps are less than 2^63 apart");
        let offset_delta = header.record_count;
        header.last_offset_delta = offset_delta;
        header.record_count = offset_delta.checked_add(1).expect("a batch holds fewer than 2^31 records");

        write_record(&mut self.section, offset_delta, timestamp_delta, key, value, headers);
    }

    /// How many records it has.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// How many bytes [`build`](Self::build) gives at this point.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        HEADER_BYTES + self.section.len()
    }

    /// The whole batch, uncompressed.
    ///
    /// # Panics
    /// Without records, and from 2 GiB on.
    #[must_use]
    pub fn build(self) -> Bytes {
        let (header, section) = self.finish();
        assemble(&header, &section)
    }

    /// The header and the uncompressed records, for [`assemble`] to join once they are compressed. Length and CRC are not set yet.
    ///
    /// # Panics
    /// Without records.
    #[must_use]
    pub fn finish(self) -> (BatchHeader, Vec<u8>) {
        let Self { mut header, append_time, section } = self;
        assert!(header.record_count > 0, "a batch has records");
        if let Some(append_time) = append_time {
            header.timestamp_type = TimestampType::LogAppendTime;
            header.max_timestamp = append_time;
        }
        (header, section)
    }
}

/// Builds the batch that `header` describes around `section`: its records, compressed with the header's codec. Length and CRC are those
/// that result; what the header says of them does not count.
///
/// # Panics
/// When the batch comes to 2 GiB.
#[must_use]
pub fn assemble(header: &BatchHeader, section: &[u8]) -> Bytes {
    let whole = HEADER_BYTES + section.len();
    let batch_bytes = u32::try_from(length_of(whole)).expect("a length is not negative");
    let mut batch = Vec::with_capacity(whole);
    batch.extend_from_slice(&BatchHeader { batch_bytes, crc: 0, ..*header }.encode());
    batch.extend_from_slice(section);
    let crc = batch_crc(&batch);
    batch.get_mut(CRC_BYTES).expect("a batch has a header").copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

/// The batch that stands for offsets whose records are gone, all of one epoch: it has no records, and nobody is said to have written it.
///
/// # Panics
/// When there are no offsets between, or 2^31 and more.
#[must_use]
pub fn empty_batch(base_offset: Offset, next_offset: Offset, leader_epoch: LeaderEpoch) -> (BatchHeader, Bytes) {
    let last_offset_delta = i32::try_from(next_offset.since(base_offset) - 1).ok().filter(|delta| *delta >= 0);
    let header = BatchHeader {
        last_offset_delta: last_offset_delta.expect("a batch covers at least one offset and fewer than 2^31"),
        ..BatchBuilder::new(base_offset, leader_epoch).header
    };
    let batch = assemble(&header, &[]);
    (BatchHeader::parse(&batch).expect("it was just made"), batch)
}

/// Appends a record to a section.
pub(super) fn write_record(
    section: &mut Vec<u8>,
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(&[u8], Option<&[u8]>)],
) {
    let length = body_length(offset_delta, timestamp_delta, key, value, headers);
    write_i32(section, length_of(length));
    section.push(0);
    write_i64(section, timestamp_delta);
    write_i32(section, offset_delta);
    write_nullable(section, key);
    write_nullable(section, value);
    write_i32(section, length_of(headers.len()));
    for &(key, value) in headers {
        write_nullable(section, Some(key));
        write_nullable(section, value);
    }
}

fn body_length(offset_delta: i32, timestamp_delta: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)]) -> usize {
    let attributes = 1;
    let headers_length: usize = headers.iter().map(|&(key, value)| nullable_length(Some(key)) + nullable_length(value)).sum();
    attributes
        + length_i64(timestamp_delta)
        + length_i32(offset_delta)
        + nullable_length(key)
        + nullable_length(value)
        + length_i32(length_of(headers.len()))
        + headers_length
}

fn nullable_length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| length_i32(length_of(bytes.len())) + bytes.len())
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => write_i32(out, -1),
        Some(bytes) => {
            write_i32(out, length_of(bytes.len()));
            out.extend_from_slice(bytes);
        }
    }
}

fn length_of(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a batch and all within it are shorter than 2 GiB")
}

#[cfg(test)]
mod tests {
    use super::super::{check_crc, validate_records};
    use super::*;
    use crate::epoch::ProducerEpoch;
    use crate::ids::ProducerId;

    #[test]
    fn the_bytes_are_those_that_kafka_documents() {
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::FIRST);
        builder.append(Timestamp(1_000), Some(b"hello"), Some(b"world"), &[]);
        let batch = builder.build();
        let expected = [
            &0i64.to_be_bytes()[..],
            &66i32.to_be_bytes(),
            &0i32.to_be_bytes(),
            &[2],
            &batch[17..21],
            &0i16.to_be_bytes(),
            &0i32.to_be_bytes(),
            &1_000i64.to_be_bytes(),
            &1_000i64.to_be_bytes(),
            &(-1i64).to_be_bytes(),
            &(-1i16).to_be_bytes(),
            &(-1i32).to_be_bytes(),
            &1i32.to_be_bytes(),
            &[32, 0, 0, 0, 10],
            b"hello",
            &[10],
            b"world",
            &[0],
        ]
        .concat();
        assert_eq!(batch, expected);
        assert_eq!(check_crc(&batch), Ok(()));
    }

    #[test]
    fn what_is_built_parses_to_what_was_asked_for() {
        let producer = BatchProducer { id: ProducerId(9), epoch: ProducerEpoch(2), base_sequence: 40 };
        let mut builder = BatchBuilder::new(Offset(100), LeaderEpoch(5)).producer(producer).transactional().append_time(Timestamp(555));
        builder.append(Timestamp(10), None, Some(b"x"), &[(b"k", None)]);
        builder.append(Timestamp(4), Some(b"k"), None, &[]);
        assert_eq!(builder.record_count(), 2);
        let foretold = builder.batch_bytes();
        let batch = builder.build();
        assert_eq!(batch.len(), foretold);
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(header.base_offset, Offset(100));
        assert_eq!(header.next_offset(), Offset(102));
        assert_eq!(header.leader_epoch, LeaderEpoch(5));
        assert_eq!(header.producer, Some(producer));
        assert!(header.is_transactional && !header.is_control);
        assert_eq!((header.timestamp_type, header.max_timestamp), (TimestampType::LogAppendTime, Timestamp(555)));
        assert_eq!(header.base_timestamp, Timestamp(10));
        assert!(validate_records(&batch[HEADER_BYTES..], &header).is_ok());
    }

    #[test]
    fn a_batch_is_assembled_around_records_that_somebody_else_compressed() {
        let mut builder = BatchBuilder::new(Offset(3), LeaderEpoch(1));
        builder.append(Timestamp(10), None, Some(b"x"), &[]);
        let (header, _) = builder.finish();
        let batch = assemble(&BatchHeader { codec: Codec::Zstd, ..header }, b"not really zstd");
        let parsed = BatchHeader::parse(&batch).unwrap();
        assert_eq!((parsed.codec, parsed.record_count, parsed.base_offset), (Codec::Zstd, 1, Offset(3)));
        assert_eq!(check_crc(&batch), Ok(()));
        assert_eq!(&batch[HEADER_BYTES..], b"not really zstd");
    }

    #[test]
    #[should_panic(expected = "a batch has records")]
    fn an_empty_batch_is_not_built() {
        let _ = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE).build();
    }
}
