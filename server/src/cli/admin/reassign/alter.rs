//! AlterPartitionReassignments: begins moves, or calls them off.

use std::collections::BTreeMap;

use gracchus_net::client::WireError;
use kafka_wire::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_wire::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use kafka_wire_core::StrBytes;

use super::super::super::cluster::{Cluster, Refusal};
use super::super::super::error::CliError;

/// What is wanted of a partition.
#[derive(Clone, Debug)]
pub(super) struct Change<'a> {
    /// Its topic.
    pub(super) topic: &'a str,
    /// Its number.
    pub(super) partition: i32,
    /// Where it is to be; none calls off the move that is under way.
    pub(super) replicas: Option<&'a [i32]>,
}

/// What became of each partition.
pub(super) type Outcomes = BTreeMap<(String, i32), Result<(), Refusal>>;

/// Asks for the changes. `what` says it for the case that none is made.
pub(super) async fn alter(cluster: &mut Cluster, changes: &[Change<'_>], what: &str) -> Result<Outcomes, CliError> {
    let answer = cluster.ask(&request(changes, cluster.timeout_ms()), read).await?;
    answer.map_err(|refusal| refusal.failed(what))
}

/// What became of one; an answer may leave it out.
pub(super) fn outcome(outcomes: &mut Outcomes, topic: &str, partition: i32) -> Result<(), Refusal> {
    let left_out = || Refusal { error: WireError::UNKNOWN_TOPIC_OR_PARTITION, message: Some("the answer leaves it out".to_owned()) };
    outcomes.remove(&(topic.to_owned(), partition)).unwrap_or_else(|| Err(left_out()))
}

fn request(changes: &[Change<'_>], timeout_ms: i32) -> AlterPartitionReassignmentsRequest {
    let mut by_topic: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for change in changes {
        let mut partition = ReassignablePartition::default();
        partition.partition_index = change.partition;
        partition.replicas = change.replicas.map(<[i32]>::to_vec);
        by_topic.entry(change.topic).or_default().push(partition);
    }
    let mut request = AlterPartitionReassignmentsRequest::default();
    request.timeout_ms = timeout_ms;
    request.allow_replication_factor_change = true;
    for (name, partitions) in by_topic {
        let mut topic = ReassignableTopic::default();
        topic.name = StrBytes::from(name);
        topic.partitions = partitions;
        request.topics.push(topic);
    }
    request
}

fn read(response: AlterPartitionReassignmentsResponse) -> Result<Outcomes, Refusal> {
    Refusal::check(response.error_code, response.error_message.as_ref())?;
    let mut outcomes = Outcomes::new();
    for topic in response.responses {
        for partition in topic.partitions {
            let outcome = Refusal::check(partition.error_code, partition.error_message.as_ref());
            outcomes.insert((topic.name.as_str().to_owned(), partition.partition_index), outcome);
        }
    }
    Ok(outcomes)
}
