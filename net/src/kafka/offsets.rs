//! ListOffsets and OffsetForLeaderEpoch: where in a log something is.

use gracchus_core::boundary::{
    EpochEnd, EpochQuestion, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListedOffset, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse, OffsetFound, OffsetSpec, Request,
};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::PartitionIndex;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use kafka_wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_wire::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_wire_core::Decoder;

use super::errors::Newcomer;
use super::{DecodeError, wire};

/// The isolation level that hides what is not committed.
const READ_COMMITTED: i8 = 1;

/// KIP-207.
const OFFSET_NOT_AVAILABLE: Newcomer = Newcomer { code: ErrorCode::OffsetNotAvailable, since: 5, before: ErrorCode::LeaderNotAvailable };

/// What is answered where no record is meant.
const NOTHING: OffsetFound = OffsetFound { offset: Offset(-1), timestamp: Timestamp::NONE, leader_epoch: LeaderEpoch::NONE };

pub(super) fn decode_list(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::ListOffsetsRequest = wire::decode(decoder, version)?;
    let partition = |partition: &kafka_wire::list_offsets_request::ListOffsetsPartition| ListOffsetsPartition {
        partition: PartitionIndex(partition.partition_index),
        current_leader_epoch: leader_epoch(partition.current_leader_epoch),
        spec: spec(partition.timestamp, version),
    };
    let topics = asked.topics.iter().map(|topic| (wire::topic_name(&topic.name), topic.partitions.iter().map(partition).collect())).collect();
    Ok(Request::ListOffsets(ListOffsetsRequest {
        read_committed: asked.isolation_level == READ_COMMITTED,
        topics,
        timeout_ms: asked.timeout_ms,
    }))
}

/// What a timestamp asks for. A special one that is younger than the version is none.
fn spec(timestamp: i64, version: i16) -> OffsetSpec {
    match timestamp {
        0.. => OffsetSpec::Timestamp(Timestamp(timestamp)),
        -1 => OffsetSpec::Latest,
        -2 => OffsetSpec::Earliest,
        -3 if version >= 7 => OffsetSpec::MaxTimestamp,
        -4 if version >= 8 => OffsetSpec::EarliestLocal,
        -5 if version >= 9 => OffsetSpec::LatestTiered,
        -6 if version >= 11 => OffsetSpec::EarliestPendingUpload,
        unknown => OffsetSpec::Unknown(unknown),
    }
}

fn leader_epoch(epoch: i32) -> Option<LeaderEpoch> {
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

pub(super) fn encode_list(response: &ListOffsetsResponse, version: i16, throttle_ms: i32) -> kafka_wire::ListOffsetsResponse {
    let mut answer = kafka_wire::ListOffsetsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (name, partitions) in &response.topics {
        let mut topic = ListOffsetsTopicResponse::default();
        topic.name = wire::topic_text(name);
        topic.partitions = partitions.iter().map(|listed| listed_offset(listed, version)).collect();
        answer.topics.push(topic);
    }
    answer
}

fn listed_offset(listed: &ListedOffset, version: i16) -> ListOffsetsPartitionResponse {
    let result = listed.result.map_err(|error| OFFSET_NOT_AVAILABLE.known_to(version, error));
    let (found, error_code) = wire::value_or(&result, NOTHING);
    let mut partition = ListOffsetsPartitionResponse::default();
    partition.partition_index = listed.partition.0;
    partition.error_code = error_code;
    partition.timestamp = found.timestamp.0;
    partition.offset = found.offset.0;
    if version >= 4 {
        partition.leader_epoch = found.leader_epoch.0;
    }
    partition
}

pub(super) fn decode_epochs(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::OffsetForLeaderEpochRequest = wire::decode(decoder, version)?;
    let question = |partition: &kafka_wire::offset_for_leader_epoch_request::OffsetForLeaderPartition| EpochQuestion {
        partition: PartitionIndex(partition.partition),
        current_leader_epoch: leader_epoch(partition.current_leader_epoch),
        leader_epoch: LeaderEpoch(partition.leader_epoch),
    };
    let topics = asked.topics.iter().map(|topic| (wire::topic_name(&topic.topic), topic.partitions.iter().map(question).collect())).collect();
    Ok(Request::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest { topics }))
}

pub(super) fn encode_epochs(response: &OffsetForLeaderEpochResponse, throttle_ms: i32) -> kafka_wire::OffsetForLeaderEpochResponse {
    let mut answer = kafka_wire::OffsetForLeaderEpochResponse::default();
    answer.throttle_time_ms = throttle_ms;
    for (name, partitions) in &response.topics {
        let mut topic = OffsetForLeaderTopicResult::default();
        topic.topic = wire::topic_text(name);
        topic.partitions = partitions.iter().map(epoch_end).collect();
        answer.topics.push(topic);
    }
    answer
}

fn epoch_end(end: &EpochEnd) -> EpochEndOffset {
    let ((leader_epoch, end_offset), error_code) = wire::value_or(&end.result, (LeaderEpoch::NONE, Offset(-1)));
    let mut partition = EpochEndOffset::default();
    partition.partition = end.partition.0;
    partition.error_code = error_code;
    partition.leader_epoch = leader_epoch.0;
    partition.end_offset = end_offset.0;
    partition
}
