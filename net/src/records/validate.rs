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

use super::codec::decompressed_bytes_max;
use super::demands;
use super::effort::Effort;
use crate::limits::DECOMPRESSED_BYTES_MAX;

/// Where the format's number stands in a batch of any format.
const MAGIC_AT: usize = 16;

/// The shortest record: a byte each for its length, its attributes, the differences of timestamp and offset, the absence of a key and of a
/// value, and the number of headers.
const RECORD_BYTES_MIN: usize = 7;

/// What became of a batch.
#[derive(Debug)]
pub enum Validated {
    /// The batch, as its topic wants it.
    Done(Batch),
    /// To say, takes more than the effort that was allowed.
    Laborious,
}

/// Checks that `bytes` are one batch that a producer may send, and makes of it what the topic's settings ask for. Of a topic that is not
/// known here the core will say so: its batch is checked in itself only.
///
/// # Errors
/// What the producer is told.
pub fn validate_batch(bytes: Bytes, settings: Option<&TopicSettings>, now: Timestamp, effort: &mut Effort) -> Result<Validated, RejectedBatch> {
    let header = check_batch(&bytes, settings)?;
    let wanted = match settings {
        Some(settings) => demands::apply(header, bytes, settings, now, effort)?,
        None => Some((header, bytes)),
    };
    Ok(match wanted {
        Some((header, bytes)) => Validated::Done(Batch { header, payload: Payload::new(bytes) }),
        None => Validated::Laborious,
    })
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
    check_count(&header, bytes.len() - HEADER_BYTES)?;
    Ok(header)
}

/// Checks a batch's length against `max.message.bytes` and `segment.bytes`.
pub(super) fn check_length(batch_bytes: u32, settings: &TopicSettings) -> Result<(), RejectedBatch> {
    let bytes_max = settings.message_bytes_max;
    if batch_bytes > bytes_max {
        let message = format!("the record batch has {batch_bytes} bytes, which exceeds the maximum configured value of {bytes_max}");
        return Err(rejected(ErrorCode::MessageTooLarge, message));
    }
    let bytes_max = settings.segment_bytes;
    if batch_bytes > bytes_max {
        let message = format!("the record batch has {batch_bytes} bytes, which exceeds the maximum configured segment size of {bytes_max}");
        return Err(rejected(ErrorCode::RecordListTooLarge, message));
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

/// Checks that the bytes can hold the records that the batch counts. Nobody looks into compressed ones, and offsets are given by the count.
fn check_count(header: &BatchHeader, section_bytes: usize) -> Result<(), RejectedBatch> {
    let records_max = decompressed_bytes_max(header.codec, section_bytes).min(DECOMPRESSED_BYTES_MAX) / RECORD_BYTES_MIN;
    if usize::try_from(header.record_count).is_ok_and(|count| count <= records_max) {
        return Ok(());
    }
    Err(invalid(format!("the batch counts {} records, and {section_bytes} bytes hold {records_max} at most", header.record_count)))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gracchus_core::config::BrokerConfigs;
    use gracchus_core::epoch::LeaderEpoch;
    use gracchus_core::record::{BatchBuilder, Codec, Records, assemble, check_crc};

    use super::super::{compress, decompress};
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn settings(names_and_values: &[(&str, &str)]) -> TopicSettings {
        let own: BTreeMap<_, _> = names_and_values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicSettings::resolve(&own, &BrokerConfigs::default())
    }

    fn builder() -> BatchBuilder {
        BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE)
    }

    /// Three records, of which the second has no key.
    fn batch() -> Bytes {
        let mut builder = builder();
        builder.append(Timestamp(NOW.0 - 5), Some(b"a"), Some(b"1"), &[]);
        builder.append(Timestamp(NOW.0 - 3), None, Some(b"2"), &[]);
        builder.append(Timestamp(NOW.0 - 4), Some(b"c"), Some(b"3"), &[]);
        builder.build()
    }

    fn compressed(codec: Codec) -> Bytes {
        let batch = batch();
        let header = BatchHeader { codec, ..BatchHeader::parse(&batch).unwrap() };
        assemble(&header, &compress(codec, 3, &batch[HEADER_BYTES..]))
    }

    /// The batch with its header changed and its checksum right again.
    fn changed(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
        let batch = batch();
        let mut header = BatchHeader::parse(&batch).unwrap();
        change(&mut header);
        assemble(&header, &batch[HEADER_BYTES..])
    }

    fn validate_batch(bytes: Bytes, settings: Option<&TopicSettings>, now: Timestamp) -> Result<Batch, RejectedBatch> {
        match super::validate_batch(bytes, settings, now, &mut Effort::FULL.clone())? {
            Validated::Done(batch) => Ok(batch),
            Validated::Laborious => panic!("every effort was allowed"),
        }
    }

    fn refusal(bytes: Bytes, names_and_values: &[(&str, &str)]) -> ErrorCode {
        validate_batch(bytes, Some(&settings(names_and_values)), NOW).unwrap_err().error
    }

    #[test]
    fn a_sound_batch_passes_as_it_came() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let sent = compressed(codec);
            for settings in [None, Some(&settings(&[]))] {
                let passed = validate_batch(sent.clone(), settings, NOW).unwrap();
                assert_eq!(passed.payload.bytes().as_ptr(), sent.as_ptr(), "{codec:?} is not copied");
                assert_eq!(passed.header.record_count, 3);
            }
        }
    }

    #[test]
    fn what_is_not_exactly_one_batch_of_format_2_is_an_invalid_record() {
        let batch = batch();
        let mut old = batch.to_vec();
        old[MAGIC_AT] = 1;
        for bytes in [Bytes::new(), batch.slice(..10), batch.slice(..batch.len() - 1), [&batch[..], &batch].concat().into(), old.into()] {
            assert_eq!(refusal(bytes, &[]), ErrorCode::InvalidRecord);
        }
    }

    #[test]
    fn a_damaged_batch_is_corrupt_wherever_the_damage_is() {
        // From the checksum on: what lies before it makes another batch, or none.
        for at in MAGIC_AT + 1..batch().len() {
            let mut bytes = batch().to_vec();
            bytes[at] ^= 0x40;
            assert_eq!(refusal(bytes.into(), &[]), ErrorCode::CorruptMessage, "byte {at}");
        }
    }

    #[test]
    fn a_header_that_no_producer_writes_is_an_invalid_record() {
        for bytes in [
            changed(|header| header.base_offset = Offset(1)),
            changed(|header| header.is_control = true),
            changed(|header| header.record_count = 2),
            changed(|header| header.record_count = 0),
            changed(|header| header.last_offset_delta = 1),
            changed(|header| header.last_offset_delta = -1),
        ] {
            assert_eq!(refusal(bytes, &[]), ErrorCode::InvalidRecord);
        }
        assert_eq!(refusal(changed(|header| header.timestamp_type = TimestampType::LogAppendTime), &[]), ErrorCode::InvalidTimestamp);
    }

    #[test]
    fn records_that_are_not_those_of_the_header_are_invalid() {
        let batch = batch();
        let header = BatchHeader::parse(&batch).unwrap();
        let mut records = batch[HEADER_BYTES..].to_vec();
        records[0] += 2;
        assert_eq!(refusal(assemble(&header, &records), &[]), ErrorCode::InvalidRecord);
        assert_eq!(refusal(assemble(&header, &batch[HEADER_BYTES..HEADER_BYTES + 9]), &[]), ErrorCode::InvalidRecord);
    }

    #[test]
    fn compressed_bytes_hold_only_so_many_records() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let header = BatchHeader::parse(&compressed(codec)).unwrap();
            let counting = |record_count| BatchHeader { record_count, last_offset_delta: record_count - 1, ..header };
            assert_eq!(refusal(assemble(&counting(i32::MAX), b"anything"), &[]), ErrorCode::InvalidRecord, "{codec:?}");
            // What decompression would stop at is too much, however much there is to decompress.
            let counts_too_many = assemble(&counting(9_586_981), &[0; 1 << 19]);
            assert_eq!(refusal(counts_too_many, &[]), ErrorCode::InvalidRecord, "{codec:?}");
        }
    }

    #[test]
    fn the_smallest_records_pass_however_well_they_compress() {
        let mut builder = builder();
        for _ in 0..100_000 {
            builder.append(NOW, None, None, &[]);
        }
        let batch = builder.build();
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let header = BatchHeader { codec, ..BatchHeader::parse(&batch).unwrap() };
            let sent = assemble(&header, &compress(codec, 9, &batch[HEADER_BYTES..]));
            assert_eq!(validate_batch(sent, Some(&settings(&[])), NOW).unwrap().header.record_count, 100_000, "{codec:?}");
        }
    }

    #[test]
    fn a_batch_longer_than_max_message_bytes_is_too_large() {
        let length = batch().len();
        assert_eq!(refusal(batch(), &[("max.message.bytes", &(length - 1).to_string())]), ErrorCode::MessageTooLarge);
        validate_batch(batch(), Some(&settings(&[("max.message.bytes", &length.to_string())])), NOW).unwrap();
    }

    #[test]
    fn a_batch_longer_than_a_segment_is_a_list_too_large() {
        let length = batch().len();
        assert_eq!(refusal(batch(), &[("internal.segment.bytes", &(length - 1).to_string())]), ErrorCode::RecordListTooLarge);
        validate_batch(batch(), Some(&settings(&[("internal.segment.bytes", &length.to_string())])), NOW).unwrap();
    }

    #[test]
    fn a_compacted_topic_names_the_records_without_a_key() {
        let compacted = settings(&[("cleanup.policy", "compact")]);
        for codec in [Codec::None, Codec::Zstd] {
            let refused = validate_batch(compressed(codec), Some(&compacted), NOW).unwrap_err();
            assert_eq!(refused.error, ErrorCode::InvalidRecord);
            assert_eq!(refused.records.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
        }
    }

    #[test]
    fn timestamps_out_of_bounds_are_refused_with_their_records() {
        for codec in [Codec::None, Codec::Lz4] {
            for (name, value, places) in [
                ("message.timestamp.after.max.ms", "-4", &[1][..]),
                ("message.timestamp.before.max.ms", "4", &[0]),
                ("message.timestamp.before.max.ms", "3", &[0, 2]),
            ] {
                let mut bounded = settings(&[]);
                let limit: i64 = value.parse().unwrap();
                if name.contains("after") {
                    bounded.timestamp_after_max_ms = limit
                } else {
                    bounded.timestamp_before_max_ms = limit
                }
                let refused = validate_batch(compressed(codec), Some(&bounded), NOW).unwrap_err();
                assert_eq!(refused.error, ErrorCode::InvalidTimestamp);
                assert_eq!(refused.records.iter().map(|(place, _)| *place).collect::<Vec<_>>(), places, "{name} {value}");
            }
        }
        validate_batch(batch(), Some(&settings(&[("message.timestamp.before.max.ms", "5")])), NOW).unwrap();
    }

    #[test]
    fn append_time_stands_in_the_header_and_the_records_stay_compressed() {
        let append_time = settings(&[("message.timestamp.type", "LogAppendTime")]);
        let sent = compressed(Codec::Gzip);
        let stamped = validate_batch(sent.clone(), Some(&append_time), Timestamp(99)).unwrap();
        assert_eq!((stamped.header.timestamp_type, stamped.header.max_timestamp), (TimestampType::LogAppendTime, Timestamp(99)));
        assert_eq!(check_crc(stamped.payload.bytes()), Ok(()));
        assert_eq!(stamped.payload.bytes()[HEADER_BYTES..], sent[HEADER_BYTES..]);
        assert_eq!(BatchHeader::parse(stamped.payload.bytes()), Ok(stamped.header));
    }

    #[test]
    fn another_codec_is_what_the_topic_asks_for() {
        for (from, to, name) in
            [(Codec::None, Codec::Zstd, "zstd"), (Codec::Snappy, Codec::Gzip, "gzip"), (Codec::Lz4, Codec::None, "uncompressed")]
        {
            let wanted = settings(&[("compression.type", name)]);
            let kept = validate_batch(compressed(from), Some(&wanted), NOW).unwrap();
            let bytes = kept.payload.bytes();
            assert_eq!((kept.header.codec, BatchHeader::parse(bytes)), (to, Ok(kept.header)));
            assert_eq!(check_crc(bytes), Ok(()));
            let section = decompress(to, &bytes[HEADER_BYTES..], 1_000).unwrap();
            assert_eq!(section, batch()[HEADER_BYTES..]);
            assert_eq!(Records::new(&section).count(), 3);
        }
        let same = compressed(Codec::Zstd);
        let kept = validate_batch(same.clone(), Some(&settings(&[("compression.type", "zstd")])), NOW).unwrap();
        assert_eq!(kept.payload.bytes(), &same);
    }

    #[test]
    fn what_has_to_be_decompressed_or_compressed_is_too_much_for_light_effort() {
        let light = |bytes: Bytes, names_and_values: &[(&str, &str)]| {
            super::validate_batch(bytes, Some(&settings(names_and_values)), NOW, &mut Effort::Light).unwrap()
        };
        assert!(matches!(light(compressed(Codec::Gzip), &[]), Validated::Done(_)));
        assert!(matches!(light(batch(), &[]), Validated::Done(_)));
        assert!(matches!(light(compressed(Codec::Gzip), &[("compression.type", "zstd")]), Validated::Laborious));
        assert!(matches!(light(batch(), &[("compression.type", "zstd")]), Validated::Laborious));
        assert!(matches!(light(compressed(Codec::Zstd), &[("cleanup.policy", "compact")]), Validated::Laborious));
    }

    #[test]
    fn a_largest_timestamp_that_is_not_is_set_right() {
        let kept = validate_batch(changed(|header| header.max_timestamp = NOW), Some(&settings(&[])), NOW).unwrap();
        assert_eq!(kept.header.max_timestamp, Timestamp(NOW.0 - 3));
        assert_eq!(check_crc(kept.payload.bytes()), Ok(()));
    }
}
