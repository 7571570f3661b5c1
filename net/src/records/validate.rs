//! What Kafka demands of every batch that a producer sends: one batch of format 2 with a sound header and checksum, neither compacted nor of
//! the brokers' own kind. Where the topic's settings ask more of it, [`demands`] looks at its records.
//!
//! Compressed records pass as they came: to unpack each batch would cost more than all the rest. Records that are not compressed are read
//! through, which costs little.

use bytes::Bytes;
use gracchus_core::boundary::{Batch, Payload, RejectedBatch};
use gracchus_core::config::TopicSettings;
use gracchus_core::error::ErrorCode;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, CorruptBatch, HEADER_BYTES, TimestampType, batch_crc};
use gracchus_core::time::Timestamp;

use super::demands;

/// Where the format's number stands in a batch of any format.
const MAGIC_AT: usize = 16;

/// Checks that `bytes` are one batch that a producer may send, and makes of it what the topic's settings ask for. Of a topic that is not
/// known here the core will say so: its batch is checked in itself only.
///
/// # Errors
/// What the producer is told.
pub fn validate_batch(bytes: Bytes, settings: Option<&TopicSettings>, now: Timestamp) -> Result<Batch, RejectedBatch> {
    let header = check_batch(&bytes, settings)?;
    let (header, bytes) = match settings {
        Some(settings) => demands::apply(header, bytes, settings, now)?,
        None => (header, bytes),
    };
    Ok(Batch { header, payload: Payload::new(bytes) })
}

fn check_batch(bytes: &[u8], settings: Option<&TopicSettings>) -> Result<BatchHeader, RejectedBatch> {
    let Some(&magic) = bytes.get(MAGIC_AT) else {
        return Err(invalid("a Produce must have a record batch for each partition"));
    };
    if magic < 2 {
        return Err(invalid("a Produce may contain record batches of magic version 2 only"));
    }
    let header = BatchHeader::parse(bytes).map_err(|error| malformed(error, bytes))?;
    if bytes.len() as u64 > u64::from(header.batch_bytes) {
        return Err(invalid("a Produce may contain exactly one record batch for each partition"));
    }
    if header.base_offset != Offset::ZERO {
        return Err(invalid(format!("the base offset of a producer's batch should be 0, but it is {}", header.base_offset)));
    }
    if let Some(settings) = settings {
        check_length(header.batch_bytes, settings)?;
    }
    let crc = batch_crc(bytes);
    if crc != header.crc {
        return Err(rejected(ErrorCode::CorruptMessage, format!("the batch's checksum is {crc:#010x}, and it says {:#010x}", header.crc)));
    }
    check_header(&header)?;
    Ok(header)
}

/// Checks a batch's length against `max.message.bytes`.
pub(super) fn check_length(batch_bytes: u32, settings: &TopicSettings) -> Result<(), RejectedBatch> {
    let bytes_max = settings.message_bytes_max;
    if batch_bytes > bytes_max {
        let message = format!("the record batch has {batch_bytes} bytes, which exceeds the maximum configured value of {bytes_max}");
        return Err(rejected(ErrorCode::MessageTooLarge, message));
    }
    Ok(())
}

/// Checks what only a producer's header must be: compaction leaves gaps, and brokers write control records.
fn check_header(header: &BatchHeader) -> Result<(), RejectedBatch> {
    if header.record_count == 0 || i64::from(header.record_count) != i64::from(header.last_offset_delta) + 1 {
        return Err(invalid(format!("the batch counts {} records for offsets 0 to {}", header.record_count, header.last_offset_delta)));
    }
    if header.is_control {
        return Err(invalid("clients are not allowed to write control records"));
    }
    if header.timestamp_type == TimestampType::LogAppendTime {
        return Err(rejected(ErrorCode::InvalidTimestamp, "a producer should not set the timestamp type to LogAppendTime"));
    }
    Ok(())
}

fn malformed(error: CorruptBatch, bytes: &[u8]) -> RejectedBatch {
    match error {
        CorruptBatch::Short { needed, .. } if needed > HEADER_BYTES as u64 => invalid("the record batch is cut off"),
        CorruptBatch::Short { .. } => rejected(ErrorCode::CorruptMessage, "the record batch is shorter than its header"),
        CorruptBatch::Length(length) => rejected(ErrorCode::CorruptMessage, format!("a record batch can't have the length {length}")),
        CorruptBatch::Magic(magic) => rejected(ErrorCode::CorruptMessage, format!("there is no magic version {magic}")),
        CorruptBatch::Crc { .. } => rejected(ErrorCode::CorruptMessage, "the batch's checksum does not match"),
        // A header that makes no sense is damaged, if its checksum says so.
        _ if !is_undamaged(bytes) => rejected(ErrorCode::CorruptMessage, "the batch's checksum does not match"),
        CorruptBatch::Attributes(_) => rejected(ErrorCode::UnsupportedCompressionType, "the batch names a codec that there is not"),
        CorruptBatch::Count { count, last_offset_delta } => {
            invalid(format!("the batch counts {count} records for offsets 0 to {last_offset_delta}"))
        }
        CorruptBatch::Producer => invalid("the batch has a producer id without an epoch or a sequence"),
        CorruptBatch::Record | CorruptBatch::Compression => invalid("a record of the batch is malformed"),
    }
}

/// Whether the checksum is right, in a batch whose header is there but can't be parsed.
fn is_undamaged(bytes: &[u8]) -> bool {
    let stored = bytes.get(MAGIC_AT + 1..).and_then(|behind| behind.first_chunk()).map(|crc| u32::from_be_bytes(*crc));
    stored == Some(batch_crc(bytes))
}

pub(super) fn invalid(message: impl Into<String>) -> RejectedBatch {
    rejected(ErrorCode::InvalidRecord, message)
}

pub(super) fn rejected(error: ErrorCode, message: impl Into<String>) -> RejectedBatch {
    RejectedBatch { error, message: message.into(), records: Vec::new() }
}
