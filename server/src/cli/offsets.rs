//! Offsets of partitions, asked of their leaders.

use std::collections::BTreeMap;

use kafka_wire::ListOffsetsRequest;
use kafka_wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_wire_core::StrBytes;

use super::cluster::{Cluster, Refusal};
use super::error::CliError;
use super::link::LinkError;

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

/// What a leader says of partitions: the offset, none where no record is as late as asked, or why it can't be read.
pub(crate) type Told = BTreeMap<(String, i32), Result<Option<i64>, Refusal>>;

/// Offsets by partition number. `leaders` pairs the leader's node with the partition. Where no record is as late as asked, there is none.
pub(crate) async fn list_offsets(cluster: &Cluster, topic: &str, leaders: &[(i32, i32)], bound: Bound) -> Result<BTreeMap<i32, i64>, CliError> {
    let mut by_node: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for &(node, partition) in leaders {
        by_node.entry(node).or_default().push(partition);
    }
    let mut offsets = BTreeMap::new();
    for (node, partitions) in by_node {
        for ((_, partition), told) in ask_leader(cluster, node, &BTreeMap::from([(topic, partitions)]), bound).await? {
            let offset = told.map_err(|refusal| refusal.failed(&format!("the offsets of {topic}-{partition} can't be read")))?;
            offsets.extend(offset.map(|offset| (partition, offset)));
        }
    }
    Ok(offsets)
}

/// Asks a leader of partitions by topic.
pub(crate) async fn ask_leader(cluster: &Cluster, node: i32, topics: &BTreeMap<&str, Vec<i32>>, bound: Bound) -> Result<Told, LinkError> {
    let response = cluster.open(node).await?.call(&request(topics, bound)).await?;
    let mut offsets = Told::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let told = Refusal::check(partition.error_code, None).map(|()| Some(partition.offset).filter(|offset| *offset >= 0));
            offsets.insert((topic.name.as_str().to_owned(), partition.partition_index), told);
        }
    }
    Ok(offsets)
}

fn request(topics: &BTreeMap<&str, Vec<i32>>, bound: Bound) -> ListOffsetsRequest {
    let mut request = ListOffsetsRequest::default();
    request.replica_id = -1;
    for (&name, partitions) in topics {
        let mut wanted = ListOffsetsTopic::default();
        wanted.name = StrBytes::from(name);
        for &partition in partitions {
            let mut entry = ListOffsetsPartition::default();
            entry.partition_index = partition;
            entry.current_leader_epoch = -1;
            entry.timestamp = bound.on_wire();
            wanted.partitions.push(entry);
        }
        request.topics.push(wanted);
    }
    request
}
