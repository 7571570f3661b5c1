//! ListOffsets, OffsetForLeaderEpoch and DeleteRecords.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use kafka_protocol::messages as wire;

use super::{Draw, encode, epoch, index, name, number, topic_text};

pub(super) fn list_offsets(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = ListOffsetsRequest {
        read_committed: version >= 2 && draw.flag(),
        topics: draw.list(|draw| {
            let partition = |draw: &mut Draw<'_>| ListOffsetsPartition {
                partition: index(draw),
                current_leader_epoch: epoch(version >= 4, draw),
                spec: offset_spec(version, draw),
            };
            (name(draw), draw.list(partition))
        }),
        timeout_ms: if version >= 10 { draw.i32() } else { 0 },
    };
    let mut message = wire::ListOffsetsRequest::default();
    message.replica_id = wire::BrokerId(-1);
    message.isolation_level = i8::from(request.read_committed);
    message.timeout_ms = request.timeout_ms;
    for (name, partitions) in &request.topics {
        let mut topic = wire::list_offsets_request::ListOffsetsTopic::default();
        topic.name = topic_text(name);
        for asked in partitions {
            let mut partition = wire::list_offsets_request::ListOffsetsPartition::default();
            partition.partition_index = asked.partition.0;
            partition.current_leader_epoch = number(asked.current_leader_epoch);
            partition.timestamp = match asked.spec {
                OffsetSpec::Timestamp(timestamp) => timestamp.0,
                OffsetSpec::Latest => -1,
                OffsetSpec::Earliest => -2,
                OffsetSpec::MaxTimestamp => -3,
                OffsetSpec::EarliestLocal => -4,
                OffsetSpec::LatestTiered => -5,
                OffsetSpec::EarliestPendingUpload => -6,
                OffsetSpec::Unknown(timestamp) => timestamp,
            };
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::ListOffsets(request))
}

fn offset_spec(version: i16, draw: &mut Draw<'_>) -> OffsetSpec {
    let since = |first: i16, spec, number| if version >= first { spec } else { OffsetSpec::Unknown(number) };
    match draw.below(8) {
        0 => OffsetSpec::Timestamp(Timestamp(draw.i64() & i64::MAX)),
        1 => OffsetSpec::Latest,
        2 => OffsetSpec::Earliest,
        3 => since(7, OffsetSpec::MaxTimestamp, -3),
        4 => since(8, OffsetSpec::EarliestLocal, -4),
        5 => since(9, OffsetSpec::LatestTiered, -5),
        6 => since(11, OffsetSpec::EarliestPendingUpload, -6),
        _ => OffsetSpec::Unknown(-7),
    }
}

pub(super) fn offset_for_leader_epoch(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let question = |draw: &mut Draw<'_>| EpochQuestion {
        partition: index(draw),
        current_leader_epoch: epoch(true, draw),
        leader_epoch: LeaderEpoch(draw.i32()),
    };
    let request = OffsetForLeaderEpochRequest { topics: draw.list(|draw| (name(draw), draw.list(question))) };
    let mut message = wire::OffsetForLeaderEpochRequest::default();
    for (name, questions) in &request.topics {
        let mut topic = wire::offset_for_leader_epoch_request::OffsetForLeaderTopic::default().with_topic(topic_text(name));
        for question in questions {
            let mut partition = wire::offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            partition.partition = question.partition.0;
            partition.current_leader_epoch = number(question.current_leader_epoch);
            partition.leader_epoch = question.leader_epoch.0;
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::OffsetForLeaderEpoch(request))
}

pub(super) fn delete_records(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DeleteRecordsRequest {
        topics: draw.list(|draw| (name(draw), draw.list(|draw| (index(draw), Offset(draw.i64()))))),
        timeout_ms: draw.i32(),
    };
    let mut message = wire::DeleteRecordsRequest::default();
    message.timeout_ms = request.timeout_ms;
    for (name, partitions) in &request.topics {
        let mut topic = wire::delete_records_request::DeleteRecordsTopic::default().with_name(topic_text(name));
        for (index, offset) in partitions {
            let partition = wire::delete_records_request::DeleteRecordsPartition::default();
            topic.partitions.push(partition.with_partition_index(index.0).with_offset(offset.0));
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::DeleteRecords(request))
}
