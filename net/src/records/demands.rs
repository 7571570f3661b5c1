//! What a topic's settings ask of single records: keys where the topic is compacted, timestamps within bounds, the broker's own time, or
//! another codec. Only then are compressed records decompressed, and only then is a batch rewritten.

use bytes::{Bytes, BytesMut};
use gracchus_core::boundary::RejectedBatch;
use gracchus_core::config::TopicSettings;
use gracchus_core::error::ErrorCode;
use gracchus_core::record::{
    BatchHeader, Codec, CorruptBatch, HEADER_BYTES, Record, Records, RecordsSummary, TimestampType, assemble, rewrite_append_time,
    rewrite_max_timestamp, validate_records,
};
use gracchus_core::time::Timestamp;

use super::codec::compress;
use super::effort::Effort;
use super::validate::{check_length, invalid, rejected};
use crate::limits::RECORD_ERRORS_MAX;

/// The batch as the topic wants it, or what is wrong with its records; `None` if finding out is too much effort here.
pub(super) fn apply(
    header: BatchHeader,
    bytes: Bytes,
    settings: &TopicSettings,
    now: Timestamp,
    effort: &mut Effort,
) -> Result<Option<(BatchHeader, Bytes)>, RejectedBatch> {
    let bounds = Bounds::of(settings, now);
    let codec = settings.compression.unwrap_or(header.codec);
    let must_look = header.codec == Codec::None || settings.cleanup_compact || codec != header.codec || bounds.must_look(&header);
    if codec != header.codec && *effort == Effort::Light {
        return Ok(None);
    }
    let looked_at = if must_look {
        let Some(records) = look(&header, &bytes, settings, &bounds, effort)? else { return Ok(None) };
        Some(records)
    } else {
        None
    };
    let wanted = match looked_at {
        Some(records) if codec != header.codec => {
            let section = compress(codec, settings.compression_level, &records.section);
            let header = BatchHeader { codec, ..stamped(header, records.max_timestamp, settings, now) };
            let batch = assemble(&header, &section);
            let header = parse_own(&batch);
            check_length(header.batch_bytes, settings)?;
            (header, batch)
        }
        _ if settings.timestamp_type == TimestampType::LogAppendTime => rewritten(bytes, |batch| rewrite_append_time(batch, now)),
        Some(records) if records.max_timestamp != header.max_timestamp => {
            rewritten(bytes, |batch| rewrite_max_timestamp(batch, records.max_timestamp))
        }
        Some(_) | None => (header, bytes),
    };
    Ok(Some(wanted))
}

/// Timestamps that records may have (KIP-937).
struct Bounds {
    is_create_time: bool,
    earliest: i64,
    latest: i64,
}

impl Bounds {
    fn of(settings: &TopicSettings, now: Timestamp) -> Self {
        Self {
            is_create_time: settings.timestamp_type == TimestampType::CreateTime,
            earliest: now.0.saturating_sub(settings.timestamp_before_max_ms),
            latest: now.0.saturating_add(settings.timestamp_after_max_ms),
        }
    }

    /// Whether the header leaves it open that a record lies outside. It has the largest timestamp, but not the smallest.
    fn must_look(&self, header: &BatchHeader) -> bool {
        self.is_create_time && (header.max_timestamp.0 > self.latest || self.earliest >= 0)
    }

    /// Whether one of the records may lie outside. Those without a timestamp, which are allowed, look like the smallest.
    fn may_forbid(&self, summary: &RecordsSummary) -> bool {
        self.is_create_time && (summary.min_timestamp.0 < self.earliest || summary.max_timestamp.0 > self.latest)
    }

    fn allow(&self, timestamp: Timestamp) -> bool {
        !self.is_create_time || timestamp == Timestamp::NONE || (self.earliest..=self.latest).contains(&timestamp.0)
    }
}

/// What a look at the records has shown.
struct LookedAt {
    section: Bytes,
    max_timestamp: Timestamp,
}

fn look(
    header: &BatchHeader,
    bytes: &Bytes,
    settings: &TopicSettings,
    bounds: &Bounds,
    effort: &mut Effort,
) -> Result<Option<LookedAt>, RejectedBatch> {
    let section = match header.codec {
        Codec::None => bytes.slice(HEADER_BYTES..),
        Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
            let compressed = bytes.get(HEADER_BYTES..).expect("a parsed batch has a header");
            let Some(decompressed) = effort.decompress(header.codec, compressed) else { return Ok(None) };
            decompressed.map_err(|error| invalid(error.to_string()))?
        }
    };
    let summary = validate_records(&section, header).map_err(|error| invalid(malformed(error)))?;
    let lacks_keys = settings.cleanup_compact && summary.has_keyless_record;
    if lacks_keys || bounds.may_forbid(&summary) {
        refuse(header, &section, settings, bounds)?;
    }
    Ok(Some(LookedAt { section, max_timestamp: summary.max_timestamp }))
}

fn malformed(error: CorruptBatch) -> &'static str {
    match error {
        CorruptBatch::Count { .. } => "the batch has more or fewer records than it counts",
        CorruptBatch::Short { .. }
        | CorruptBatch::Length(_)
        | CorruptBatch::Magic(_)
        | CorruptBatch::Attributes(_)
        | CorruptBatch::Crc { .. }
        | CorruptBatch::Producer
        | CorruptBatch::Record
        | CorruptBatch::Compression => "a record of the batch is malformed or out of its place",
    }
}

/// Says which records are at fault, if there are any (KIP-467).
fn refuse(header: &BatchHeader, section: &[u8], settings: &TopicSettings, bounds: &Bounds) -> Result<(), RejectedBatch> {
    let mut records = Vec::new();
    let mut error = ErrorCode::InvalidRecord;
    for record in Records::new(section).flatten() {
        if let Some((code, message)) = fault(header, &record, settings, bounds) {
            if code == ErrorCode::InvalidTimestamp {
                error = code;
            }
            records.push((record.offset_delta, message));
        }
        if records.len() == RECORD_ERRORS_MAX {
            break;
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    let message = if error == ErrorCode::InvalidTimestamp {
        "one or more records have been rejected due to invalid timestamp".to_owned()
    } else {
        format!("one or more records have been rejected due to {} record errors in total", records.len())
    };
    Err(RejectedBatch { records, ..rejected(error, message) })
}

fn fault(header: &BatchHeader, record: &Record<'_>, settings: &TopicSettings, bounds: &Bounds) -> Option<(ErrorCode, String)> {
    if settings.cleanup_compact && record.key.is_none() {
        return Some((ErrorCode::InvalidRecord, "a compacted topic cannot accept a message without key".to_owned()));
    }
    let timestamp = Timestamp(header.base_timestamp.0.saturating_add(record.timestamp_delta));
    if bounds.allow(timestamp) {
        return None;
    }
    let Bounds { earliest, latest, .. } = bounds;
    Some((ErrorCode::InvalidTimestamp, format!("timestamp {timestamp} is out of range: it should be within [{earliest}, {latest}]")))
}

/// The header with the timestamps that the topic wants.
fn stamped(header: BatchHeader, max_timestamp: Timestamp, settings: &TopicSettings, now: Timestamp) -> BatchHeader {
    let timestamp_type = settings.timestamp_type;
    let max_timestamp = if timestamp_type == TimestampType::LogAppendTime { now } else { max_timestamp };
    BatchHeader { timestamp_type, max_timestamp, ..header }
}

fn rewritten(bytes: Bytes, rewrite: impl FnOnce(&mut [u8]) -> Result<BatchHeader, CorruptBatch>) -> (BatchHeader, Bytes) {
    let mut batch = BytesMut::from(bytes);
    let header = rewrite(&mut batch).expect("the batch was checked");
    (header, batch.freeze())
}

fn parse_own(batch: &[u8]) -> BatchHeader {
    BatchHeader::parse(batch).expect("the batch was assembled here")
}
