//! What Kafka demands of a batch that a producer sends.

use bytes::Bytes;
use gracchus_core::boundary::{Batch, Payload, RejectedBatch};
use gracchus_core::config::TopicSettings;
use gracchus_core::error::ErrorCode;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, CorruptBatch, check_crc};
use gracchus_core::time::Timestamp;

/// Where the format's number stands in a batch of any format.
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// Checks that `bytes` are one batch that a producer may send to a topic with these `settings`.
///
/// # Errors
/// What the producer is told.
pub fn validate_batch(bytes: Bytes, settings: Option<&TopicSettings>, now: Timestamp) -> Result<Batch, RejectedBatch> {
    let _ = now;
    if bytes.is_empty() {
        return Err(rejected(ErrorCode::InvalidRecord, "a Produce must have at least one record batch per partition"));
    }
    match bytes.get(MAGIC_AT) {
        Some(&MAGIC) => {}
        Some(_) => return Err(rejected(ErrorCode::InvalidRecord, "a Produce may contain record batches with magic version 2 only")),
        None => return Err(rejected(ErrorCode::CorruptMessage, "a record batch is cut off")),
    }
    let header = BatchHeader::parse(&bytes).map_err(malformed)?;
    if bytes.len() as u64 > u64::from(header.batch_bytes) {
        return Err(rejected(ErrorCode::InvalidRecord, "a Produce may contain exactly one record batch per partition"));
    }
    if header.base_offset != Offset::ZERO {
        return Err(rejected(ErrorCode::InvalidRecord, format!("the base offset of a batch should be 0, but it is {}", header.base_offset)));
    }
    if let Some(settings) = settings
        && header.batch_bytes > settings.message_bytes_max
    {
        let message = format!("a batch of {} bytes, which exceeds the maximum of {}", header.batch_bytes, settings.message_bytes_max);
        return Err(rejected(ErrorCode::MessageTooLarge, message));
    }
    check_crc(&bytes).map_err(malformed)?;
    if header.record_count == 0 || i64::from(header.record_count) != i64::from(header.last_offset_delta) + 1 {
        let message = format!("{} records for offsets 0 to {}", header.record_count, header.last_offset_delta);
        return Err(rejected(ErrorCode::InvalidRecord, message));
    }
    if header.is_control {
        return Err(rejected(ErrorCode::InvalidRecord, "clients are not allowed to write control records"));
    }
    Ok(Batch { header, payload: Payload::new(bytes) })
}

fn malformed(error: CorruptBatch) -> RejectedBatch {
    let code = match error {
        CorruptBatch::Short { .. } | CorruptBatch::Length(_) | CorruptBatch::Crc { .. } => ErrorCode::CorruptMessage,
        CorruptBatch::Attributes(_) => ErrorCode::UnsupportedCompressionType,
        CorruptBatch::Magic(_) | CorruptBatch::Count { .. } | CorruptBatch::Producer | CorruptBatch::Record | CorruptBatch::Compression => {
            ErrorCode::InvalidRecord
        }
    };
    rejected(code, format!("{error:?}"))
}

fn rejected(error: ErrorCode, message: impl Into<String>) -> RejectedBatch {
    RejectedBatch { error, message: message.into(), records: Vec::new() }
}
