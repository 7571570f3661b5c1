//! Where the logs of many partitions begin and end, asked of their leaders, and again while leaders change.

use std::collections::{BTreeMap, BTreeSet};

use super::super::cluster::{Cluster, Retry};
use super::super::error::CliError;
use super::super::offsets::{Bound, ask_leader};
use super::super::partitions;
use super::TopicPartition;
use super::committed::Offsets;

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    /// The offsets. Where no record is as late as asked, there is none.
    pub(super) found: Offsets,
    /// Partitions that there are not.
    pub(super) absent: BTreeSet<TopicPartition>,
    /// Why others can't be told.
    pub(super) failed: BTreeMap<TopicPartition, String>,
}

impl LookedUp {
    /// The offsets of all, or why not.
    pub(super) fn complete(self) -> Result<Offsets, CliError> {
        if let Some((topic, partition)) = self.absent.first() {
            return Err(CliError::failure(format!("there is no partition {topic}-{partition}")));
        }
        match self.failed.first_key_value() {
            Some((id, why)) => Err(unreadable(id, why)),
            None => Ok(self.found),
        }
    }

    /// A failure for each that can't be told.
    pub(super) fn failures(&self) -> impl Iterator<Item = CliError> {
        self.failed.iter().map(|(id, why)| unreadable(id, why))
    }
}

fn unreadable((topic, partition): &TopicPartition, why: &str) -> CliError {
    CliError::failure(format!("the offsets of {topic}-{partition} can't be read: {why}"))
}

/// Looks up a place in each of these partitions. One without a leader is not waited for.
pub(super) async fn look_up(cluster: &mut Cluster, wanted: &BTreeSet<TopicPartition>, bound: Bound) -> Result<LookedUp, CliError> {
    let mut looked_up = LookedUp::default();
    let mut left = wanted.clone();
    let mut retry = Retry::within(cluster.timeout());
    while !left.is_empty() {
        let by_leader = by_leader(cluster, &left, &mut looked_up).await?;
        let mut passing: BTreeMap<TopicPartition, String> = BTreeMap::new();
        for (leader, topics) in &by_leader {
            let told = match ask_leader(cluster, *leader, topics, bound).await {
                Ok(told) => told,
                Err(error) if error.is_passing() => {
                    let all =
                        topics.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| ((*topic).to_owned(), *partition)));
                    passing.extend(all.map(|id| (id, error.to_string())));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for (id, offset) in told {
                match offset {
                    Ok(offset) => looked_up.found.extend(offset.map(|offset| (id, offset))),
                    Err(refusal) if refusal.passes() => {
                        passing.insert(id, refusal.error.to_string());
                    }
                    Err(refusal) => {
                        looked_up.failed.insert(id, refusal.error.to_string());
                    }
                }
            }
        }
        if !passing.is_empty() && !retry.pause().await {
            looked_up.failed.append(&mut passing);
        }
        left = passing.into_keys().collect();
    }
    Ok(looked_up)
}

/// Who leads which of these partitions. Of the others it says why nobody does.
async fn by_leader<'a>(
    cluster: &mut Cluster,
    wanted: &'a BTreeSet<TopicPartition>,
    looked_up: &mut LookedUp,
) -> Result<BTreeMap<i32, BTreeMap<&'a str, Vec<i32>>>, CliError> {
    let held = partitions::of_topics(cluster, wanted.iter().map(|(topic, _)| topic.as_str())).await?;
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
    for id in wanted {
        match held.get(id) {
            None => {
                looked_up.absent.insert(id.clone());
            }
            Some(partition) if partition.leader_id < 0 => {
                looked_up.failed.insert(id.clone(), "it has no leader".to_owned());
            }
            Some(partition) => by_leader.entry(partition.leader_id).or_default().entry(&id.0).or_default().push(id.1),
        }
    }
    Ok(by_leader)
}
