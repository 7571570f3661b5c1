//! Partitions as metadata shows them, led or not.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::metadata_response::MetadataResponsePartition;

use super::cluster::{Cluster, Refusal, no_layout};
use super::error::CliError;
use super::link::LinkError;

/// Partitions by topic and number.
pub(crate) type Partitions = BTreeMap<(String, i32), MetadataResponsePartition>;

/// All partitions of these topics; a topic that does not exist has none.
pub(crate) async fn of_topics(cluster: &mut Cluster, topics: impl IntoIterator<Item = &str>) -> Result<Partitions, LinkError> {
    let names: BTreeSet<&str> = topics.into_iter().collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let mut found = Partitions::new();
    for topic in cluster.metadata(Some(&names), false).await?.topics {
        let name = topic.name.unwrap_or_default().into_string();
        found.extend(topic.partitions.into_iter().map(|partition| ((name.clone(), partition.partition_index), partition)));
    }
    Ok(found)
}

/// The numbers of a topic's partitions, or of the one that was asked for. Fails where there is no such topic, or no such partition.
pub(crate) async fn numbers(cluster: &mut Cluster, topic: &str, only: Option<i32>) -> Result<Vec<i32>, CliError> {
    let metadata = cluster.metadata(Some(&[topic.to_owned()]), false).await?;
    let found = metadata.topics.into_iter().next().unwrap_or_default();
    Refusal::check(found.error_code, None).map_err(|refusal| no_layout(topic, refusal))?;
    let mut numbers: Vec<_> = found.partitions.iter().map(|partition| partition.partition_index).collect();
    numbers.sort_unstable();
    match only {
        None => Ok(numbers),
        Some(partition) if numbers.contains(&partition) => Ok(vec![partition]),
        Some(partition) => {
            Err(CliError::failure(format!("topic {topic} has no partition {partition}, only 0 to {}", numbers.len().saturating_sub(1))))
        }
    }
}
