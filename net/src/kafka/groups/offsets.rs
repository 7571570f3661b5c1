//! OffsetCommit, OffsetFetch and OffsetDelete.

use gracchus_core::boundary::{
    FetchedOffset, GroupRequest, Membership, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, OffsetsWanted, PartitionCommit, PartitionOutcome, TopicRef,
};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::PartitionIndex;
use gracchus_core::offset::Offset;
use kafka_wire::{offset_commit_response, offset_delete_response, offset_fetch_response};
use kafka_wire_core::{Decoder, StrBytes, Uuid};

use super::{NO_GENERATION, optional};
use crate::kafka::errors::{Newcomer, number_of, number_or_none};
use crate::kafka::{DecodeError, wire};

/// The first version of OffsetCommit and OffsetFetch that knows the epochs of members (KIP-848).
const MEMBER_EPOCHS_FROM: i16 = 9;
/// The first version of OffsetCommit and OffsetFetch whose topics go by their ids (KIP-516).
const IDS_FROM: i16 = 10;
/// The first version of OffsetFetch with an error of its own, not only one a partition.
const FETCH_ERROR_FROM: i16 = 2;
/// The first version of OffsetFetch that asks for many groups at once (KIP-709).
const FETCH_MANY_FROM: i16 = 8;

/// The offset of nothing.
const NO_OFFSET: i64 = -1;

/// KIP-848.
const GROUP_ID_NOT_FOUND: Newcomer = Newcomer { code: ErrorCode::GroupIdNotFound, since: 9, before: ErrorCode::IllegalGeneration };

pub(in crate::kafka) fn decode_commit(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::OffsetCommitRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.iter().map(|topic| {
        let commit = |part: &kafka_wire::offset_commit_request::OffsetCommitRequestPartition| PartitionCommit {
            partition: PartitionIndex(part.partition_index),
            offset: Offset(part.committed_offset),
            leader_epoch: (part.committed_leader_epoch >= 0).then_some(LeaderEpoch(part.committed_leader_epoch)),
            metadata: optional(part.committed_metadata.as_ref()).unwrap_or_default(),
        };
        (topic_ref(&topic.name, topic.topic_id, version), topic.partitions.iter().map(commit).collect())
    });
    Ok(GroupRequest::OffsetCommit(OffsetCommitRequest {
        topics: topics.collect(),
        knows_member_epochs: version >= MEMBER_EPOCHS_FROM,
        retention_ms: (asked.retention_time_ms >= 0).then_some(asked.retention_time_ms),
        member: Membership {
            group: wire::string(&asked.group_id),
            generation: asked.generation_id_or_member_epoch,
            member_id: wire::string(&asked.member_id),
            instance_id: optional(asked.group_instance_id.as_ref()),
        },
    }))
}

pub(super) fn encode_commit(response: &OffsetCommitResponse, version: i16, throttle_ms: i32) -> kafka_wire::OffsetCommitResponse {
    let topics = response.topics.iter().map(|(topic, partitions)| {
        let mut told = offset_commit_response::OffsetCommitResponseTopic::default();
        (told.name, told.topic_id) = named(topic);
        let outcome = |(partition, error): &PartitionOutcome| {
            let mut told = offset_commit_response::OffsetCommitResponsePartition::default();
            told.partition_index = partition.0;
            told.error_code = number_or_none(error.map(|code| GROUP_ID_NOT_FOUND.known_to(version, code)));
            told
        };
        told.partitions = partitions.iter().map(outcome).collect();
        told
    });
    let mut answer = kafka_wire::OffsetCommitResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.topics = topics.collect();
    answer
}

pub(in crate::kafka) fn decode_fetch(decoder: Decoder, version: i16) -> Result<OffsetFetchRequest, DecodeError> {
    let asked: kafka_wire::OffsetFetchRequest = wire::decode(decoder, version)?;
    let groups = if version >= FETCH_MANY_FROM {
        let wanted = |group: &kafka_wire::offset_fetch_request::OffsetFetchRequestGroup| {
            let topics = group.topics.as_ref().map(|topics| {
                let topics = topics.iter();
                topics.map(|topic| (topic_ref(&topic.name, topic.topic_id, version), wire::partitions(&topic.partition_indexes))).collect()
            });
            OffsetsWanted {
                group: wire::string(&group.group_id),
                topics,
                member_id: optional(group.member_id.as_ref()),
                member_epoch: group.member_epoch,
            }
        };
        asked.groups.iter().map(wanted).collect()
    } else {
        let topics = asked.topics.as_ref().map(|topics| {
            let topics = topics.iter();
            topics.map(|topic| (TopicRef::Name(wire::topic_name(&topic.name)), wire::partitions(&topic.partition_indexes))).collect()
        });
        // Before there was a word for all of them, none meant none.
        let topics = topics.or((version < FETCH_ERROR_FROM).then(Vec::new));
        vec![OffsetsWanted { group: wire::string(&asked.group_id), topics, member_id: None, member_epoch: NO_GENERATION }]
    };
    Ok(OffsetFetchRequest { groups, by_id: version >= IDS_FROM, tells_each: version < FETCH_ERROR_FROM })
}

pub(super) fn encode_fetch(response: &OffsetFetchResponse, version: i16, throttle_ms: i32) -> kafka_wire::OffsetFetchResponse {
    let mut answer = kafka_wire::OffsetFetchResponse::default();
    answer.throttle_time_ms = throttle_ms;
    if version >= FETCH_MANY_FROM {
        let groups = response.groups.iter().map(|(group, result)| {
            let mut told = offset_fetch_response::OffsetFetchResponseGroup::default();
            told.group_id = wire::text(group);
            match result {
                Ok(topics) => told.topics = topics.iter().map(|(topic, partitions)| fetched_topic(topic, partitions)).collect(),
                Err(code) => told.error_code = number_of(*code),
            }
            told
        });
        answer.groups = groups.collect();
        return answer;
    }
    match response.groups.first() {
        Some((_, Ok(topics))) => {
            let topics = topics.iter().map(|(topic, partitions)| {
                let mut told = offset_fetch_response::OffsetFetchResponseTopic::default();
                (told.name, _) = named(topic);
                told.partitions = partitions.iter().map(fetched_before_many).collect();
                told
            });
            answer.topics = topics.collect();
        }
        Some((_, Err(code))) => answer.error_code = number_of(*code),
        None => {}
    }
    answer
}

fn fetched_topic(topic: &TopicRef, partitions: &[FetchedOffset]) -> offset_fetch_response::OffsetFetchResponseTopics {
    let mut told = offset_fetch_response::OffsetFetchResponseTopics::default();
    (told.name, told.topic_id) = named(topic);
    let fetched = |part: &FetchedOffset| {
        let (offset, epoch, metadata, error) = parts(part);
        let mut told = offset_fetch_response::OffsetFetchResponsePartitions::default();
        told.partition_index = part.partition.0;
        (told.committed_offset, told.committed_leader_epoch, told.metadata, told.error_code) = (offset, epoch, metadata, error);
        told
    };
    told.partitions = partitions.iter().map(fetched).collect();
    told
}

fn fetched_before_many(part: &FetchedOffset) -> offset_fetch_response::OffsetFetchResponsePartition {
    let (offset, epoch, metadata, error) = parts(part);
    let mut told = offset_fetch_response::OffsetFetchResponsePartition::default();
    told.partition_index = part.partition.0;
    (told.committed_offset, told.committed_leader_epoch, told.metadata, told.error_code) = (offset, epoch, metadata, error);
    told
}

/// Offset, epoch, metadata and error of a partition.
fn parts(part: &FetchedOffset) -> (i64, i32, Option<StrBytes>, i16) {
    let error = number_or_none(part.result.as_ref().err().copied());
    match &part.result {
        Ok(Some((offset, epoch, metadata))) => (offset.0, epoch.map_or(-1, |epoch| epoch.0), Some(wire::text(metadata)), error),
        Ok(None) | Err(_) => (NO_OFFSET, -1, Some(StrBytes::default()), error),
    }
}

pub(in crate::kafka) fn decode_delete(decoder: Decoder, version: i16) -> Result<GroupRequest, DecodeError> {
    let asked: kafka_wire::OffsetDeleteRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| PartitionIndex(partition.partition_index)).collect();
        (TopicRef::Name(wire::topic_name(&topic.name)), partitions)
    });
    Ok(GroupRequest::OffsetDelete(OffsetDeleteRequest { group: wire::string(&asked.group_id), topics: topics.collect() }))
}

pub(super) fn encode_delete(response: &OffsetDeleteResponse, throttle_ms: i32) -> kafka_wire::OffsetDeleteResponse {
    let mut answer = kafka_wire::OffsetDeleteResponse::default();
    answer.throttle_time_ms = throttle_ms;
    match &response.result {
        Ok(topics) => {
            let topics = topics.iter().map(|(topic, partitions)| {
                let mut told = offset_delete_response::OffsetDeleteResponseTopic::default();
                (told.name, _) = named(topic);
                let outcome = |(partition, error): &PartitionOutcome| {
                    let mut told = offset_delete_response::OffsetDeleteResponsePartition::default();
                    told.partition_index = partition.0;
                    told.error_code = number_or_none(*error);
                    told
                };
                told.partitions = partitions.iter().map(outcome).collect();
                told
            });
            answer.topics = topics.collect();
        }
        Err(code) => answer.error_code = number_of(*code),
    }
    answer
}

fn topic_ref(name: &StrBytes, id: Uuid, version: i16) -> TopicRef {
    if version >= IDS_FROM { TopicRef::Id(wire::topic_id(id)) } else { TopicRef::Name(wire::topic_name(name)) }
}

/// A topic as it was asked for: the name or the id is empty.
fn named(topic: &TopicRef) -> (StrBytes, Uuid) {
    match topic {
        TopicRef::Name(name) => (wire::topic_text(name), Uuid::from_bytes([0; 16])),
        TopicRef::Id(id) => (StrBytes::default(), wire::uuid(*id)),
    }
}
