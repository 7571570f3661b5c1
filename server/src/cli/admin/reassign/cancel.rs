//! Calls off moves.

use serde::Serialize;

use super::super::super::cluster::Cluster;
use super::super::super::error::CliError;
use super::super::super::output::{say, settle, write_json};
use super::super::super::partitions;
use super::super::under_way::{self, Partitions};
use super::alter::{Change, alter, outcome};

#[derive(Debug, Serialize)]
struct Cancelled {
    topic: String,
    partition: i32,
    cancelled: bool,
}

/// Calls off the move of one partition of a topic, or of all that are being moved.
pub(super) async fn run(cluster: &mut Cluster, topic: &str, only: Option<i32>, as_json: bool) -> Result<(), CliError> {
    let mut partitions = partitions::numbers(cluster, topic, only).await?;
    if only.is_none() {
        let among = Partitions::from([(topic.to_owned(), partitions)]);
        partitions = under_way::list(cluster, Some(&among)).await?.into_iter().map(|moved| moved.partition).collect();
    }
    if partitions.is_empty() {
        return Err(CliError::failure(format!("no partition of topic {topic} is being moved")));
    }
    let changes: Vec<_> = partitions.iter().map(|partition| Change { topic, partition: *partition, replicas: None }).collect();
    let mut outcomes = alter(cluster, &changes, "no move is called off").await?;
    let (mut cancelled, mut failures) = (Vec::new(), Vec::new());
    for partition in partitions {
        match outcome(&mut outcomes, topic, partition) {
            Ok(()) => cancelled.push(Cancelled { topic: topic.to_owned(), partition, cancelled: true }),
            Err(refusal) => failures.push(refusal.failed(&format!("the move of {topic}-{partition} is not called off"))),
        }
    }
    if as_json {
        write_json(&cancelled)?;
    } else {
        for Cancelled { topic, partition, .. } in &cancelled {
            say(&format!("called off the move of {topic}-{partition}"))?;
        }
    }
    settle(failures)
}
