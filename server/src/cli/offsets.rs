//! Offsets of partitions, asked of their leaders.

use std::collections::BTreeMap;

use kafka_wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_wire::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_wire::{ListOffsetsRequest, ListOffsetsResponse};
use kafka_wire_core::StrBytes;

use super::cluster::{Cluster, Refusal};
use super::error::CliError;

/// A place in a partition to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The first offset.
    Earliest,
    /// The offset behind the last record that consumers see.
    Latest,
    /// The first record at this time, in milliseconds since 1970, or later.
    Timestamp(i64),
}

impl Bound {
    fn on_wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::Timestamp(ms) => ms,
        }
    }
}

/// Offsets by partition number. `leaders` pairs the leader's node with the partition. Where no record is as late as asked, there is none.
pub(crate) async fn list_offsets(cluster: &Cluster, topic: &str, leaders: &[(i32, i32)], bound: Bound) -> Result<BTreeMap<i32, i64>, CliError> {
    let mut by_node: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for &(node, partition) in leaders {
        by_node.entry(node).or_default().push(partition);
    }
    let mut offsets = BTreeMap::new();
    for (node, partitions) in by_node {
        let response = cluster.open(node).await?.call(&request(topic, &partitions, bound)).await?;
        for partition in answered(response) {
            Refusal::check(partition.error_code, None)
                .map_err(|refusal| refusal.failed(&format!("the offsets of {topic}-{} can't be read", partition.partition_index)))?;
            if partition.offset >= 0 {
                offsets.insert(partition.partition_index, partition.offset);
            }
        }
    }
    Ok(offsets)
}

fn request(topic: &str, partitions: &[i32], bound: Bound) -> ListOffsetsRequest {
    let mut wanted = ListOffsetsTopic::default();
    wanted.name = StrBytes::from(topic);
    for &partition in partitions {
        let mut entry = ListOffsetsPartition::default();
        entry.partition_index = partition;
        entry.current_leader_epoch = -1;
        entry.timestamp = bound.on_wire();
        wanted.partitions.push(entry);
    }
    let mut request = ListOffsetsRequest::default();
    request.replica_id = -1;
    request.topics.push(wanted);
    request
}

fn answered(response: ListOffsetsResponse) -> impl Iterator<Item = ListOffsetsPartitionResponse> {
    response.topics.into_iter().flat_map(|topic| topic.partitions)
}
