//! Fetch (versions 4 to 18).
//!
//! Request: replica i32 (up to 14), longest wait i32, least bytes i32, most bytes i32, isolation i8, session i32 and its epoch i32 (7),
//! topics \[name or id, partitions \[index i32, leader epoch i32 (9), offset i64, last fetched epoch i32 (12), log start i64 (5), most bytes
//! i32]], forgotten topics \[name or id, partitions \[i32]] (7), rack (11). Tagged fields are for followers.
//!
//! Answer: throttle time i32, error i16 and session i32 (7), topics \[name or id, partitions \[index i32, error i16, high watermark i64, last
//! stable offset i64, log start i64 (5), aborted transactions \[producer i64, first offset i64], preferred replica i32 (11), records, tag 0:
//! divergence (12), tag 1: leader (12)]], tag 0: endpoints (16).

use bytes::{BufMut, BytesMut};
use gracchus_core::boundary::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchedPartition, Request};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::PartitionIndex;
use gracchus_core::offset::Offset;
use kafka_wire_core::Decoder;

use super::super::errors::{Newcomer, number_of, number_or_none};
use super::super::{DecodeError, EncodeError, Piece, RequestHeader, wire};
use super::read::Reader;
use super::write::Writer;

const READ_COMMITTED: i8 = 1;
/// The session epoch that asks for no session (KIP-227).
const NO_SESSION: i32 = -1;

const LOG_START_FROM: i16 = 5;
const SESSION_FROM: i16 = 7;
const STORAGE_ERROR: Newcomer = Newcomer { code: ErrorCode::KafkaStorageError, since: 6, before: ErrorCode::NotLeaderOrFollower };
const LEADER_EPOCH_FROM: i16 = 9;
const RACK_FROM: i16 = 11;
const LAST_FETCHED_EPOCH_FROM: i16 = 12;
const TOPIC_ID_FROM: i16 = 13;
/// The first version in which followers are a tagged field.
const REPLICA_STATE_FROM: i16 = 15;
const ENDPOINTS_FROM: i16 = 16;

pub(in super::super) fn decode_fetch(decoder: Decoder, header: &RequestHeader) -> Result<Request, DecodeError> {
    wire::check_length(&decoder)?;
    let version = header.version;
    let by_id = version >= TOPIC_ID_FROM;
    let mut reader = Reader::new(decoder, header.is_flexible());
    if version < REPLICA_STATE_FROM {
        // Nodes fetch from each other in a protocol of their own: whoever comes here is a consumer.
        reader.decoder.read_i32()?;
    }
    let wait_ms_max = reader.decoder.read_i32()?;
    let bytes_min = reader.decoder.read_i32()?;
    let bytes_max = reader.decoder.read_i32()?;
    let read_committed = reader.decoder.read_i8()? == READ_COMMITTED;
    let (session_id, session_epoch) =
        if version >= SESSION_FROM { (reader.decoder.read_i32()?, reader.decoder.read_i32()?) } else { (0, NO_SESSION) };
    let topics = reader.array(|reader| {
        let topic = reader.topic(by_id)?;
        let partitions = reader.array(|reader| read_partition(reader, version))?;
        reader.end()?;
        Ok(FetchTopic { topic, partitions })
    })?;
    let forgotten = if version >= SESSION_FROM {
        reader.array(|reader| {
            let topic = reader.topic(by_id)?;
            let partitions = reader.array(|reader| Ok(PartitionIndex(reader.decoder.read_i32()?)))?;
            reader.end()?;
            Ok((topic, partitions))
        })?
    } else {
        Vec::new()
    };
    let rack = if version >= RACK_FROM { Some(wire::string(&reader.string()?)) } else { None };
    reader.end()?;
    Ok(Request::Fetch(FetchRequest { wait_ms_max, bytes_min, bytes_max, read_committed, session_id, session_epoch, topics, forgotten, rack }))
}

fn read_partition(reader: &mut Reader, version: i16) -> Result<FetchPartition, DecodeError> {
    let partition = PartitionIndex(reader.decoder.read_i32()?);
    let current_leader_epoch = if version >= LEADER_EPOCH_FROM { leader_epoch(reader.decoder.read_i32()?) } else { None };
    let fetch_offset = Offset(reader.decoder.read_i64()?);
    let last_fetched_epoch = if version >= LAST_FETCHED_EPOCH_FROM { leader_epoch(reader.decoder.read_i32()?) } else { None };
    if version >= LOG_START_FROM {
        reader.decoder.read_i64()?;
    }
    let partition_bytes_max = reader.decoder.read_i32()?;
    reader.end()?;
    Ok(FetchPartition { partition, current_leader_epoch, fetch_offset, last_fetched_epoch, partition_bytes_max })
}

fn leader_epoch(epoch: i32) -> Option<LeaderEpoch> {
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

pub(in super::super) fn encode_fetch(
    header: &RequestHeader,
    response: &FetchResponse,
    slices: &[u64],
    throttle_ms: i32,
) -> Result<Vec<Piece>, EncodeError> {
    let version = header.version;
    let mut start = BytesMut::with_capacity(256);
    wire::start_frame(&mut start, header);
    let mut answer = Answer { writer: Writer::new(start, header.is_flexible()), sent: Vec::new(), slices, slice: 0 };
    answer.writer.bytes.put_i32(throttle_ms);
    if version >= SESSION_FROM {
        answer.writer.bytes.put_i16(number_or_none(response.error));
        answer.writer.bytes.put_i32(response.session_id);
    }
    answer.writer.length(response.topics.len());
    for (topic, partitions) in &response.topics {
        answer.writer.topic(topic);
        answer.writer.length(partitions.len());
        for partition in partitions {
            answer.write_partition(partition, version)?;
        }
        answer.writer.end();
    }
    answer.writer.end_with_endpoints(if version >= ENDPOINTS_FROM { &response.endpoints } else { &[] });
    answer.finish()
}

/// An answer in the making: what stands before the last slice, and what has been written behind it.
struct Answer<'a> {
    writer: Writer,
    sent: Vec<(BytesMut, usize, u64)>,
    slices: &'a [u64],
    slice: usize,
}

impl Answer<'_> {
    fn write_partition(&mut self, partition: &FetchedPartition, version: i16) -> Result<(), EncodeError> {
        let slice = self.next_slice(partition);
        let bytes = &mut self.writer.bytes;
        bytes.put_i32(partition.partition.0);
        bytes.put_i16(partition.error.map_or(0, |error| number_of(STORAGE_ERROR.known_to(version, error))));
        bytes.put_i64(partition.high_watermark.0);
        bytes.put_i64(partition.last_stable_offset.0);
        if version >= LOG_START_FROM {
            bytes.put_i64(partition.log_start.0);
        }
        self.write_aborted(partition);
        if version >= RACK_FROM {
            self.writer.bytes.put_i32(wire::node_or_none(partition.preferred_read_replica));
        }
        self.write_records(slice)?;
        self.write_tags(partition, version);
        Ok(())
    }

    /// The number and length of the partition's slice.
    fn next_slice(&mut self, partition: &FetchedPartition) -> Option<(usize, u64)> {
        partition.slice?;
        let number = self.slice;
        self.slice += 1;
        Some((number, *self.slices.get(number).expect("each slice has its length")))
    }

    fn write_aborted(&mut self, partition: &FetchedPartition) {
        let Some(aborted) = &partition.aborted else { return self.writer.null_array() };
        self.writer.length(aborted.len());
        for (producer, first_offset) in aborted {
            self.writer.bytes.put_i64(producer.0);
            self.writer.bytes.put_i64(first_offset.0);
            self.writer.end();
        }
    }

    /// Writes the records' length; their bytes come between what is written so far and what follows. Without records that is 0, not null,
    /// which clients don't expect.
    fn write_records(&mut self, slice: Option<(usize, u64)>) -> Result<(), EncodeError> {
        let (number, length) = slice.unwrap_or((0, 0));
        let fits = i32::try_from(length).ok().and_then(|length| usize::try_from(length).ok());
        self.writer.length(fits.ok_or(EncodeError::TooLarge(length))?);
        if length > 0 {
            let head = self.writer.bytes.split();
            self.sent.push((head, number, length));
        }
        Ok(())
    }

    fn write_tags(&mut self, partition: &FetchedPartition, version: i16) {
        if version < LAST_FETCHED_EPOCH_FROM {
            return;
        }
        let tags = [partition.diverging.is_some(), partition.current_leader.is_some()].into_iter().filter(|&has| has).count();
        self.writer.varint(u32::try_from(tags).expect("at most two"));
        if let Some((epoch, end)) = partition.diverging {
            self.writer.varint(0);
            self.writer.varint(4 + 8 + 1);
            self.writer.bytes.put_i32(epoch.0);
            self.writer.bytes.put_i64(end.0);
            self.writer.bytes.put_u8(0);
        }
        if let Some(leader) = partition.current_leader {
            self.writer.leader_tag(1, leader);
        }
    }

    fn finish(self) -> Result<Vec<Piece>, EncodeError> {
        let Self { writer, mut sent, .. } = self;
        let mut tail = writer.bytes;
        let whole = sent.iter().map(|(head, _, length)| head.len() as u64 + length).sum::<u64>() + tail.len() as u64;
        wire::finish_frame(sent.first_mut().map_or(&mut tail, |(head, ..)| head), whole)?;
        let mut pieces = Vec::with_capacity(2 * sent.len() + 1);
        for (head, number, _) in sent {
            pieces.push(Piece::Bytes(head.freeze()));
            pieces.push(Piece::Slice(number));
        }
        if !tail.is_empty() {
            pieces.push(Piece::Bytes(tail.freeze()));
        }
        Ok(pieces)
    }
}
