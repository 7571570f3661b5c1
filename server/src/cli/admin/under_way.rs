//! Reassignments that are under way (KIP-455).

use std::collections::BTreeMap;

use kafka_wire::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_wire::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, Refusal};
use super::super::error::CliError;

/// Partitions by topic.
pub(super) type Partitions = BTreeMap<String, Vec<i32>>;

/// A partition that is being reassigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnderWay {
    /// Its topic.
    pub(super) topic: String,
    /// Its number.
    pub(super) partition: i32,
    /// Who has a copy, those to come and those to go included.
    pub(super) replicas: Vec<i32>,
    /// Who is to have one.
    pub(super) adding: Vec<i32>,
    /// Who is to have none.
    pub(super) removing: Vec<i32>,
}

/// Those of `among`, or of all partitions, that are being reassigned.
pub(super) async fn list(cluster: &mut Cluster, among: Option<&Partitions>) -> Result<Vec<UnderWay>, CliError> {
    let answer = cluster.ask(&request(among, cluster.timeout_ms()), read).await?;
    answer.map_err(|refusal| refusal.failed("the reassignments can't be listed"))
}

fn request(among: Option<&Partitions>, timeout_ms: i32) -> ListPartitionReassignmentsRequest {
    let of_topic = |(name, partitions): (&String, &Vec<i32>)| {
        let mut topic = ListPartitionReassignmentsTopics::default();
        topic.name = StrBytes::from(name.as_str());
        topic.partition_indexes = partitions.clone();
        topic
    };
    let mut request = ListPartitionReassignmentsRequest::default();
    request.timeout_ms = timeout_ms;
    request.topics = among.map(|partitions| partitions.iter().map(of_topic).collect());
    request
}

fn read(response: ListPartitionReassignmentsResponse) -> Result<Vec<UnderWay>, Refusal> {
    Refusal::check(response.error_code, response.error_message.as_ref())?;
    let mut found = Vec::new();
    for topic in response.topics {
        found.extend(topic.partitions.into_iter().map(|partition| UnderWay {
            topic: topic.name.as_str().to_owned(),
            partition: partition.partition_index,
            replicas: partition.replicas,
            adding: partition.adding_replicas,
            removing: partition.removing_replicas,
        }));
    }
    found.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    Ok(found)
}
