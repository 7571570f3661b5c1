//! Moves partitions, and waits for them if that is asked for.

use std::io;

use serde::Serialize;

use super::super::super::cluster::Cluster;
use super::super::super::error::CliError;
use super::super::super::output::{say, settle, write_json};
use super::super::super::partitions::{self, Partitions};
use super::super::super::table::{Align, Table};
use super::super::super::text::show_nodes;
use super::alter::{Change, alter, outcome};
use super::plan::Target;
use super::wait;

/// A move that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Move {
    /// The partition's topic.
    pub(super) topic: String,
    /// Its number.
    pub(super) partition: i32,
    /// Who had a copy.
    pub(super) from: Vec<i32>,
    /// Who is to have one.
    pub(super) to: Vec<i32>,
    /// Whether it was waited for, and is there.
    pub(super) complete: bool,
}

pub(super) async fn run(cluster: &mut Cluster, targets: Vec<Target>, waits: bool, as_json: bool) -> Result<(), CliError> {
    let before = partitions::of_topics(cluster, targets.iter().map(|target| target.topic.as_str())).await?;
    let (mut moves, mut failures) = begin(cluster, targets, &before).await?;
    if !as_json && !moves.is_empty() {
        table(&moves).write(&mut io::stdout().lock()).map_err(CliError::output)?;
    }
    if waits && !moves.is_empty() {
        match wait::until_complete(cluster, &mut moves).await {
            Ok(()) => failures.extend(moves.iter().filter(|moved| !moved.complete).map(elsewhere)),
            Err(error) => failures.push(error),
        }
    }
    if as_json {
        write_json(&moves)?;
    } else if !moves.is_empty() {
        say(&in_words(&moves, waits))?;
    }
    settle(failures)
}

/// Begins what can be begun; the rest are failures.
async fn begin(cluster: &mut Cluster, targets: Vec<Target>, before: &Partitions) -> Result<(Vec<Move>, Vec<CliError>), CliError> {
    let change = |target| {
        let Target { topic, partition, replicas }: &Target = target;
        Change { topic, partition: *partition, replicas: Some(replicas) }
    };
    let changes: Vec<_> = targets.iter().map(change).collect();
    let mut outcomes = alter(cluster, &changes, "no partition is moved").await?;
    let (mut moves, mut failures) = (Vec::new(), Vec::new());
    for Target { topic, partition, replicas: to } in targets {
        match outcome(&mut outcomes, &topic, partition) {
            Ok(()) => {
                let from = before.get(&(topic.clone(), partition)).map(|partition| partition.replica_nodes.clone()).unwrap_or_default();
                moves.push(Move { topic, partition, from, to, complete: false });
            }
            Err(refusal) => failures.push(refusal.failed(&format!("{topic}-{partition} is not moved"))),
        }
    }
    Ok((moves, failures))
}

fn elsewhere(moved: &Move) -> CliError {
    let Move { topic, partition, to, .. } = moved;
    CliError::failure(format!("{topic}-{partition} is not on {}: its move was called off, or another followed it", show_nodes(to)))
}

fn in_words(moves: &[Move], waits: bool) -> String {
    let count = if waits { moves.iter().filter(|moved| moved.complete).count() } else { moves.len() };
    let partitions = format!("{count} partition{}", if count == 1 { "" } else { "s" });
    if waits {
        format!("moved {partitions}")
    } else {
        format!("moving {partitions}; `gracchus cluster reassign --list` shows which are not there yet")
    }
}

fn table(moves: &[Move]) -> Table {
    let mut table = Table::new(&[("TOPIC", Align::Left), ("PARTITION", Align::Right), ("FROM", Align::Left), ("TO", Align::Left)]);
    for Move { topic, partition, from, to, complete: _ } in moves {
        table.row([topic.clone(), partition.to_string(), show_nodes(from), show_nodes(to)]);
    }
    table
}
