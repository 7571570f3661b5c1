//! The 61 bytes before a batch's records.
//!
//! ```text
//!  0 base offset i64        12 leader epoch i32   21 attributes i16          43 producer id i64      57 count i32
//!  8 length after this i32  16 magic i8           23 last offset delta i32   51 producer epoch i16
//!                           17 CRC-32C u32        27 base timestamp i64      53 base sequence i32
//!                                                 35 max timestamp i64
//! ```
//!
//! The CRC covers everything from the attributes on, so base offset and leader epoch can be patched without touching it.

use std::fmt;

use bytes::{Buf, BufMut};
use serde::{Deserialize, Serialize};

use crate::epoch::{LeaderEpoch, ProducerEpoch};
use crate::ids::ProducerId;
use crate::offset::Offset;
use crate::time::Timestamp;

/// Length of a batch's header in bytes.
pub const HEADER_BYTES: usize = 61;

/// Bytes of a batch that its length field does not count: base offset and the length itself.
const BEFORE_LENGTH_BYTES: u32 = 12;
/// Where the attributes are, and with them the part that the CRC covers.
pub(super) const ATTRIBUTES_AT: usize = 21;
const MAGIC: i8 = 2;
const CODEC_MASK: i16 = 0b111;
const APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// How a batch's records are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Codec {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy, in the framing of xerial's Java library or bare.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

/// Whose clock a batch's timestamps show (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The leader's when it appended: one for the whole batch, in its max timestamp.
    LogAppendTime,
}

/// A batch's header, parsed and found to be consistent in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Length of the whole batch in bytes, this header included.
    pub batch_bytes: u32,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of everything behind it.
    pub crc: u32,
    /// How the records are compressed.
    pub codec: Codec,
    /// Whose clock the timestamps show.
    pub timestamp_type: TimestampType,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// Whether it holds control records: markers and the like, never shown to applications.
    pub is_control: bool,
    /// Whether the base timestamp is a delete horizon (KIP-534).
    pub has_delete_horizon: bool,
    /// Offset of the last record, counted from the first; not negative. Compaction leaves it as it is.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas count from.
    pub base_timestamp: Timestamp,
    /// The largest timestamp of a record.
    pub max_timestamp: Timestamp,
    /// The idempotent producer, if there is one, with its epoch and the sequence of the first record.
    pub producer: Option<BatchProducer>,
    /// How many records there are; not negative.
    pub record_count: i32,
}

/// Who produced a batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchProducer {
    /// The producer.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Sequence of the first record; -1 in control batches.
    pub base_sequence: i32,
}

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorruptBatch {
    /// Fewer bytes than a header, or than its length says.
    Short {
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        found: u64,
    },
    /// A length that no batch can have.
    Length(i32),
    /// A format other than 2.
    Magic(i8),
    /// Attributes that name no codec.
    Attributes(i16),
    /// The checksum does not match.
    Crc {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// A count that does not fit the last offset delta, or is negative.
    Count {
        /// Records, by the header.
        count: i32,
        /// The last offset delta.
        last_offset_delta: i32,
    },
    /// A producer id without an epoch or a sequence.
    Producer,
    /// A record that does not parse, or whose place is not its own.
    Record,
    /// Records that do not decompress, or to more than is allowed.
    Compression,
}

impl fmt::Display for CorruptBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => write!(f, "the batch needs {needed} bytes, there are {found}"),
            Self::Length(length) => write!(f, "no batch has a length of {length}"),
            Self::Magic(magic) => write!(f, "the batch has format {magic}, not 2"),
            Self::Attributes(attributes) => write!(f, "the attributes {attributes:#x} name no codec"),
            Self::Crc { stored, computed } => write!(f, "the batch's CRC is {stored:#010x}, its bytes have {computed:#010x}"),
            Self::Count { count, last_offset_delta } => {
                write!(f, "the batch claims {count} records and a last offset delta of {last_offset_delta}, which is not what it holds")
            }
            Self::Producer => f.write_str("the batch has a producer id without an epoch or a sequence"),
            Self::Record => f.write_str("a record is malformed or not in its place"),
            Self::Compression => f.write_str("the records do not decompress within bounds"),
        }
    }
}

impl std::error::Error for CorruptBatch {}

impl BatchHeader {
    /// Parses the header at the start of `bytes` and checks that the batch is whole and its header sound. Does not check the CRC.
    ///
    /// # Errors
    /// [`CorruptBatch`] says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, CorruptBatch> {
        let header = Self::parse_prefix(bytes)?;
        let (needed, found) = (u64::from(header.batch_bytes), bytes.len() as u64);
        if found < needed {
            return Err(CorruptBatch::Short { needed, found });
        }
        Ok(header)
    }

    /// As [`parse`](Self::parse), from the header's bytes alone.
    ///
    /// # Errors
    /// [`CorruptBatch`] says what is wrong.
    pub fn parse_prefix(mut bytes: &[u8]) -> Result<Self, CorruptBatch> {
        if bytes.len() < HEADER_BYTES {
            return Err(CorruptBatch::Short { needed: HEADER_BYTES as u64, found: bytes.len() as u64 });
        }
        let base_offset = Offset(bytes.get_i64());
        let length = bytes.get_i32();
        let batch_bytes = u32::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(BEFORE_LENGTH_BYTES))
            .filter(|&whole| whole as usize >= HEADER_BYTES)
            .ok_or(CorruptBatch::Length(length))?;
        let leader_epoch = LeaderEpoch(bytes.get_i32());
        let magic = bytes.get_i8();
        if magic != MAGIC {
            return Err(CorruptBatch::Magic(magic));
        }
        let crc = bytes.get_u32();
        let attributes = bytes.get_i16();
        let codec = match attributes & CODEC_MASK {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return Err(CorruptBatch::Attributes(attributes)),
        };
        let last_offset_delta = bytes.get_i32();
        let base_timestamp = Timestamp(bytes.get_i64());
        let max_timestamp = Timestamp(bytes.get_i64());
        let producer_id = bytes.get_i64();
        let producer_epoch = bytes.get_i16();
        let base_sequence = bytes.get_i32();
        let record_count = bytes.get_i32();
        let is_control = attributes & CONTROL != 0;
        // A compacted batch has fewer records than offsets, never more.
        if last_offset_delta < 0 || record_count < 0 || i64::from(record_count) > i64::from(last_offset_delta) + 1 {
            return Err(CorruptBatch::Count { count: record_count, last_offset_delta });
        }
        let producer = if producer_id < 0 {
            None
        } else if producer_epoch < 0 || (base_sequence < 0 && !is_control) {
            return Err(CorruptBatch::Producer);
        } else {
            Some(BatchProducer { id: ProducerId(producer_id), epoch: ProducerEpoch(producer_epoch), base_sequence })
        };
        Ok(Self {
            base_offset,
            batch_bytes,
            leader_epoch,
            crc,
            codec,
            timestamp_type: if attributes & APPEND_TIME != 0 { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            is_transactional: attributes & TRANSACTIONAL != 0,
            is_control,
            has_delete_horizon: attributes & DELETE_HORIZON != 0,
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer,
            record_count,
        })
    }

    /// The header's bytes.
    ///
    /// # Panics
    /// When the length is shorter than a header or longer than 2^31+11, which no parsed header's is.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let length = self.batch_bytes.checked_sub(BEFORE_LENGTH_BYTES).and_then(|length| i32::try_from(length).ok());
        let producer = self.producer.unwrap_or(BatchProducer { id: ProducerId(-1), epoch: ProducerEpoch(-1), base_sequence: -1 });
        let mut bytes = [0; HEADER_BYTES];
        let mut out = &mut bytes[..];
        out.put_i64(self.base_offset.0);
        out.put_i32(length.expect("a batch has at least its header and at most 2 GiB"));
        out.put_i32(self.leader_epoch.0);
        out.put_i8(MAGIC);
        out.put_u32(self.crc);
        out.put_i16(self.attributes());
        out.put_i32(self.last_offset_delta);
        out.put_i64(self.base_timestamp.0);
        out.put_i64(self.max_timestamp.0);
        out.put_i64(producer.id.0);
        out.put_i16(producer.epoch.0);
        out.put_i32(producer.base_sequence);
        out.put_i32(self.record_count);
        assert!(out.is_empty(), "a header is full");
        bytes
    }

    /// The attributes as they stand in the batch.
    #[must_use]
    pub fn attributes(&self) -> i16 {
        let codec = match self.codec {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        };
        let flag = |on: bool, bit: i16| if on { bit } else { 0 };
        codec
            | flag(self.timestamp_type == TimestampType::LogAppendTime, APPEND_TIME)
            | flag(self.is_transactional, TRANSACTIONAL)
            | flag(self.is_control, CONTROL)
            | flag(self.has_delete_horizon, DELETE_HORIZON)
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Whether it only stands for offsets whose records are gone, as [`empty_batch`](super::empty_batch) makes it.
    #[must_use]
    pub fn is_filler(&self) -> bool {
        self.record_count == 0 && self.producer.is_none() && !self.is_control
    }

    /// Offset behind the last record: where the next batch starts.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::BatchBuilder;
    use super::*;

    fn header() -> BatchHeader {
        let producer = BatchProducer { id: ProducerId(77), epoch: ProducerEpoch(3), base_sequence: 12 };
        let mut builder = BatchBuilder::new(Offset(1_000), LeaderEpoch(4)).producer(producer);
        builder.append(Timestamp(50), None, None, &[]);
        builder.append(Timestamp(60), None, None, &[]);
        BatchHeader::parse(&builder.build()).unwrap()
    }

    fn parse(header: &BatchHeader) -> Result<BatchHeader, CorruptBatch> {
        BatchHeader::parse_prefix(&header.encode())
    }

    #[test]
    fn a_header_survives_a_round_trip_with_every_codec_and_flag() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            for flags in 0..16u8 {
                let flag = |bit: u8| flags & bit != 0;
                let header = BatchHeader {
                    codec,
                    timestamp_type: if flag(1) { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
                    is_transactional: flag(2),
                    is_control: flag(4),
                    has_delete_horizon: flag(8),
                    ..header()
                };
                assert_eq!(parse(&header), Ok(header));
            }
        }
        let anonymous = BatchHeader { producer: None, ..header() };
        assert_eq!(parse(&anonymous), Ok(anonymous));
    }

    #[test]
    fn a_batch_of_another_format_is_refused() {
        let mut bytes = header().encode();
        bytes[16] = 1;
        assert_eq!(BatchHeader::parse_prefix(&bytes), Err(CorruptBatch::Magic(1)));
    }

    #[test]
    fn a_length_that_no_batch_can_have_is_refused() {
        let good = header().encode();
        for length in [-1, 0, 48, i32::MIN] {
            let mut bytes = good;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(BatchHeader::parse_prefix(&bytes), Err(CorruptBatch::Length(length)));
        }
        let mut bytes = good;
        bytes[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
        assert!(matches!(BatchHeader::parse(&bytes), Err(CorruptBatch::Short { needed: 2_147_483_659, found: 61 })));
    }

    #[test]
    fn a_codec_that_does_not_exist_is_refused() {
        for codec in 5..8u8 {
            let mut bytes = header().encode();
            bytes[22] = codec;
            assert_eq!(BatchHeader::parse_prefix(&bytes), Err(CorruptBatch::Attributes(codec.into())));
        }
    }

    #[test]
    fn more_records_than_offsets_are_refused_and_fewer_are_not() {
        for (count, last_offset_delta, is_sound) in [(0, 0, true), (2, 5, true), (6, 5, true), (7, 5, false), (-1, 5, false), (0, -1, false)] {
            let header = BatchHeader { record_count: count, last_offset_delta, ..header() };
            assert_eq!(parse(&header).is_ok(), is_sound, "{count} records to {last_offset_delta}");
        }
    }

    #[test]
    fn a_producer_needs_an_epoch_and_outside_control_batches_a_sequence() {
        let with = |epoch, base_sequence, is_control| {
            let producer = Some(BatchProducer { id: ProducerId(1), epoch: ProducerEpoch(epoch), base_sequence });
            parse(&BatchHeader { producer, is_control, ..header() })
        };
        assert!(with(0, 0, false).is_ok());
        assert!(with(0, -1, true).is_ok());
        assert_eq!(with(0, -1, false), Err(CorruptBatch::Producer));
        assert_eq!(with(-1, 0, false), Err(CorruptBatch::Producer));
    }

    #[test]
    fn a_prefix_is_enough_for_the_header_alone() {
        let bytes = header().encode();
        assert!(BatchHeader::parse_prefix(&bytes).is_ok());
        assert!(matches!(BatchHeader::parse_prefix(&bytes[..60]), Err(CorruptBatch::Short { needed: 61, found: 60 })));
    }
}
