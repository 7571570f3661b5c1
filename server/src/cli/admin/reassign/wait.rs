//! Waits until partitions are where they are to be.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::super::super::cluster::{Cluster, Retry};
use super::super::super::error::CliError;
use super::super::super::partitions;
use super::super::under_way::{self, Partitions, UnderWay};
use super::begin::Move;

/// How often the controller is asked.
const POLL: Duration = Duration::from_millis(500);

/// How long metadata may be behind the controller.
const METADATA_WAIT: Duration = Duration::from_secs(5);

/// Partitions that the progress line names.
const NAMED_MAX: usize = 3;

/// Waits until none of these is under way, however long that takes, and marks those that are where they are to be.
pub(super) async fn until_complete(cluster: &mut Cluster, moves: &mut [Move]) -> Result<(), CliError> {
    let line = Line::new(moves.len());
    let watched = watch(cluster, moves, &line).await;
    watched.map_err(|error| CliError::failure(format!("the moves go on, but can't be watched: {error}")))
}

async fn watch(cluster: &mut Cluster, moves: &mut [Move], line: &Line) -> Result<(), CliError> {
    let mut watched = Partitions::new();
    for Move { topic, partition, .. } in &*moves {
        watched.entry(topic.clone()).or_default().push(*partition);
    }
    loop {
        let under_way = under_way::list(cluster, Some(&watched)).await?;
        line.show(&under_way);
        if under_way.is_empty() {
            break;
        }
        sleep(POLL).await;
    }
    let mut retry = Retry::within(METADATA_WAIT);
    loop {
        let placed = partitions::of_topics(cluster, moves.iter().map(|moved| moved.topic.as_str())).await?;
        for moved in &mut *moves {
            let now = placed.get(&(moved.topic.clone(), moved.partition));
            moved.complete = now.is_some_and(|now| now.replica_nodes == moved.to);
        }
        if moves.iter().all(|moved| moved.complete) || !retry.pause().await {
            return Ok(());
        }
    }
}

/// The line that shows how many are there, on standard error where that is a terminal.
struct Line {
    bar: ProgressBar,
    total: usize,
}

impl Line {
    fn new(total: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} partitions moved, {elapsed} so far{msg}");
        let bar = ProgressBar::new(count(total)).with_style(style.expect("the template is sound"));
        Self { bar, total }
    }

    fn show(&self, under_way: &[UnderWay]) {
        let mut left: Vec<_> = under_way.iter().take(NAMED_MAX).map(|moved| format!("{}-{}", moved.topic, moved.partition)).collect();
        if under_way.len() > NAMED_MAX {
            left.push("…".to_owned());
        }
        self.bar.set_message(if left.is_empty() { String::new() } else { format!("; left: {}", left.join(", ")) });
        self.bar.set_position(count(self.total.saturating_sub(under_way.len())));
        // It shows the time also where nothing else has changed.
        self.bar.tick();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
