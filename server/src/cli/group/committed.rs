//! How far a group has come: read from its coordinator, and written to it.

use std::collections::BTreeMap;

use gracchus_net::client::WireError;
use kafka_wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_wire::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_wire::{OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse};
use kafka_wire_core::StrBytes;

use super::super::cluster::{Cluster, Refusal};
use super::super::error::CliError;
use super::{TopicPartition, coordinator};

/// The last versions whose topics go by their names: a topic that is gone has no id.
const BY_NAME_UP_TO: i16 = 9;

/// Who commits without being a member.
const NOBODY: i32 = -1;

/// Offsets by partition.
pub(super) type Offsets = BTreeMap<TopicPartition, i64>;

/// All that a group has committed; nothing, if there is no such group.
pub(super) async fn read(cluster: &mut Cluster, group: &str) -> Result<Offsets, CliError> {
    let mut wanted = OffsetFetchRequestGroup::default();
    wanted.group_id = StrBytes::from(group);
    wanted.member_epoch = NOBODY;
    wanted.topics = None;
    let mut request = OffsetFetchRequest::default();
    request.groups = vec![wanted];
    let (_, answer) = coordinator::ask(cluster, group, (&request, BY_NAME_UP_TO), fetched).await?;
    answer.map_err(|refusal| refusal.failed(&format!("the offsets of group {group} can't be read")))
}

fn fetched(response: OffsetFetchResponse) -> Result<Offsets, Refusal> {
    let group = response.groups.into_iter().next().unwrap_or_default();
    Refusal::check(group.error_code, None)?;
    let mut offsets = Offsets::new();
    for topic in group.topics {
        for partition in topic.partitions {
            Refusal::check(partition.error_code, None)?;
            if partition.committed_offset >= 0 {
                offsets.insert((topic.name.as_str().to_owned(), partition.partition_index), partition.committed_offset);
            }
        }
    }
    Ok(offsets)
}

/// Has a group without members read on from these offsets; what is refused is told of each partition.
pub(super) async fn write(cluster: &mut Cluster, group: &str, offsets: &Offsets) -> Result<BTreeMap<TopicPartition, Refusal>, CliError> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in offsets {
        let mut commit = OffsetCommitRequestPartition::default();
        commit.partition_index = *partition;
        commit.committed_offset = *offset;
        commit.committed_leader_epoch = -1;
        commit.committed_metadata = Some(StrBytes::default());
        topics.entry(topic).or_default().push(commit);
    }
    let mut request = OffsetCommitRequest::default();
    request.group_id = StrBytes::from(group);
    request.generation_id_or_member_epoch = NOBODY;
    request.retention_time_ms = -1;
    for (name, partitions) in topics {
        let mut topic = OffsetCommitRequestTopic::default();
        topic.name = StrBytes::from(name);
        topic.partitions = partitions;
        request.topics.push(topic);
    }
    let (_, answer) = coordinator::ask(cluster, group, (&request, BY_NAME_UP_TO), committed).await?;
    answer.map_err(|refusal| refusal.failed(&format!("the offsets of group {group} were not reset")))
}

/// What all partitions have in common passes for the whole; the rest is told of each.
fn committed(response: OffsetCommitResponse) -> Result<BTreeMap<TopicPartition, Refusal>, Refusal> {
    let mut refusals = BTreeMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let Err(refusal) = Refusal::check(partition.error_code, None) else { continue };
            if refusal.passes() {
                return Err(refusal);
            }
            let refusal = match refusal.error {
                WireError::UNKNOWN_MEMBER_ID => Refusal { message: Some("the group has members by now".to_owned()), ..refusal },
                _ => refusal,
            };
            refusals.insert((topic.name.as_str().to_owned(), partition.partition_index), refusal);
        }
    }
    Ok(refusals)
}
