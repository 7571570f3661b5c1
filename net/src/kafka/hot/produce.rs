//! Produce (versions 3 to 13).
//!
//! Request: transactional id, acks i16, timeout i32, topics \[name or id, partitions \[index i32, records]].
//! Answer: topics \[name or id, partitions \[index i32, error i16, base offset i64, append time i64, log start i64 (5), errors of records
//! \[place i32, message] (8), message (8), tag 0: leader (10)]], throttle time i32, tag 0: endpoints (10).

use bytes::{BufMut, Bytes, BytesMut};
use gracchus_core::boundary::Request;
use gracchus_core::boundary::{Acks, ProducePartition, ProduceRequest, ProduceResponse, ProduceTopic, ProducedPartition, RejectedBatch};
use gracchus_core::broker::TopicDirectory;
use gracchus_core::config::TopicSettings;
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::PartitionIndex;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, Codec};
use gracchus_core::time::Timestamp;
use kafka_wire_core::Decoder;

use super::super::errors::number_of;
use super::super::{DecodeError, EncodeError, RequestHeader, wire};
use super::read::Reader;
use super::write::Writer;
use crate::limits::PRODUCE_PARTITIONS_MAX;
use crate::records::{Effort, Validated, validate_batch};

/// The first version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;
/// The first version whose answer has the log's start.
const LOG_START_FROM: i16 = 5;
/// The first version whose answer says which records are at fault (KIP-467).
const RECORD_ERRORS_FROM: i16 = 8;
/// The first version whose answer says who leads (KIP-951).
const LEADER_FROM: i16 = 10;
/// The first version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

pub(in super::super) fn decode_produce(
    decoder: Decoder,
    header: &RequestHeader,
    topics: &TopicDirectory,
    now: Timestamp,
    mut effort: Effort,
) -> Result<Request, DecodeError> {
    let version = header.version;
    let mut reader = Reader::new(decoder, header.is_flexible());
    let transactional_id = reader.nullable_string()?.map(|id| wire::string(&id));
    let acks = acks(reader.decoder.read_i16()?);
    let timeout_ms = reader.decoder.read_i32()?;
    let mut places_left = PRODUCE_PARTITIONS_MAX;
    let topics = reader.array(|reader| {
        let topic = reader.topic(version >= TOPIC_ID_FROM)?;
        let settings = topics.settings_of(&topic).map(AsRef::as_ref);
        let partitions = reader.array(|reader| {
            places_left = places_left.checked_sub(1).ok_or(DecodeError::TooManyPartitions(PRODUCE_PARTITIONS_MAX))?;
            let partition = PartitionIndex(reader.decoder.read_i32()?);
            let records = reader.nullable_bytes()?;
            reader.end()?;
            let batch = match batch(records, version, settings, now, &mut effort) {
                Ok(Validated::Done(batch)) => Ok(batch),
                Ok(Validated::Laborious) => return Err(DecodeError::Laborious),
                Err(rejected) => Err(rejected),
            };
            Ok(ProducePartition { partition, batch })
        })?;
        reader.end()?;
        Ok(ProduceTopic { topic, partitions })
    })?;
    Ok(Request::Produce(ProduceRequest { transactional_id, acks, timeout_ms, topics }))
}

fn acks(number: i16) -> Result<Acks, i16> {
    match number {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        unknown => Err(unknown),
    }
}

fn batch(
    records: Option<Bytes>,
    version: i16,
    settings: Option<&TopicSettings>,
    now: Timestamp,
    effort: &mut Effort,
) -> Result<Validated, RejectedBatch> {
    let records = records.unwrap_or_default();
    if version < ZSTD_FROM && BatchHeader::parse_prefix(&records).is_ok_and(|header| header.codec == Codec::Zstd) {
        let message = format!("a Produce of version {version} is not allowed to use ZStandard compression");
        return Err(RejectedBatch { error: ErrorCode::UnsupportedCompressionType, message, records: Vec::new() });
    }
    validate_batch(records, settings, now, effort)
}

pub(in super::super) fn encode_produce(header: &RequestHeader, response: &ProduceResponse, throttle_ms: i32) -> Result<Bytes, EncodeError> {
    let mut start = BytesMut::with_capacity(128);
    wire::start_frame(&mut start, header);
    let mut writer = Writer::new(start, header.is_flexible());
    writer.length(response.topics.len());
    for (topic, partitions) in &response.topics {
        writer.topic(topic);
        writer.length(partitions.len());
        for partition in partitions {
            write_partition(&mut writer, partition, header.version);
        }
        writer.end();
    }
    writer.bytes.put_i32(throttle_ms);
    writer.end_with_endpoints(if header.version >= LEADER_FROM { &response.endpoints } else { &[] });
    let mut frame = writer.bytes;
    let whole = frame.len() as u64;
    wire::finish_frame(&mut frame, whole)?;
    Ok(frame.freeze())
}

fn write_partition(writer: &mut Writer, partition: &ProducedPartition, version: i16) {
    let failure = partition.result.as_ref().err();
    let produced = partition.result.as_ref().ok();
    let log_start = produced.map(|produced| produced.log_start).or_else(|| failure.and_then(|failure| failure.log_start));
    writer.bytes.put_i32(partition.partition.0);
    writer.bytes.put_i16(failure.map_or(0, |failure| number_of(failure.error.code)));
    writer.bytes.put_i64(produced.map_or(-1, |produced| produced.base_offset.0));
    writer.bytes.put_i64(produced.and_then(|produced| produced.log_append_time).unwrap_or(Timestamp::NONE).0);
    if version >= LOG_START_FROM {
        writer.bytes.put_i64(log_start.unwrap_or(Offset(-1)).0);
    }
    if version >= RECORD_ERRORS_FROM {
        let records = failure.map_or(&[][..], |failure| &failure.records);
        writer.length(records.len());
        for (place, message) in records {
            writer.bytes.put_i32(*place);
            writer.nullable_string(Some(message));
            writer.end();
        }
        writer.nullable_string(failure.and_then(|failure| failure.error.message.as_deref()));
    }
    match failure.and_then(|failure| failure.current_leader) {
        Some(leader) if version >= LEADER_FROM => {
            writer.varint(1);
            writer.leader_tag(0, leader);
        }
        Some(_) | None => writer.end(),
    }
}
