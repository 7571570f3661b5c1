//! `gracchus cluster reassign`: move partitions to other brokers (KIP-455).

mod alter;
mod begin;
mod cancel;
mod list;
mod plan;
mod wait;

use std::path::PathBuf;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::partitions;
use plan::Target;

/// Move partitions to other brokers, see what is being moved, or call it off.
///
/// The brokers to come copy what the partition holds; once all of them are in sync, those to go drop it. Until then the partition is served as
/// before. The first broker that is named is the preferred leader: `gracchus cluster elect` has it lead at once.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster reassign orders --replicas 2,3,4            all partitions, the preferred leaders in turn
  gracchus cluster reassign orders --partition 0 --replicas 3,4 --wait
  gracchus cluster reassign --file plan.json --wait
  gracchus cluster reassign --list
  gracchus cluster reassign --cancel orders --partition 0

A plan is what Kafka's kafka-reassign-partitions.sh reads and writes:
  {\"version\": 1, \"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"replicas\": [3, 4]}]}

Fewer or more brokers than before change how many copies there are.")]
#[group(id = "what", required = true, multiple = false, args = ["replicas", "file", "cancel", "list"])]
pub struct ReassignArgs {
    /// The topic to move, or with --cancel to leave where it is.
    #[arg(value_name = "TOPIC", conflicts_with_all = ["file", "list"])]
    topic: Option<String>,
    /// One of its partitions; all of them otherwise.
    #[arg(
        long,
        short,
        value_name = "PARTITION",
        requires = "topic",
        value_parser = clap::value_parser!(i32).range(0..),
        allow_negative_numbers = true
    )]
    partition: Option<i32>,
    /// Ids of the brokers that are to have a copy, separated by commas. Where all partitions are moved, each begins one further in this list.
    #[arg(
        long,
        value_name = "BROKERS",
        value_delimiter = ',',
        requires = "topic",
        value_parser = clap::value_parser!(i32).range(0..),
        allow_negative_numbers = true
    )]
    replicas: Vec<i32>,
    /// Move the partitions that this plan names.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Call off what is being moved: what was copied so far is dropped.
    #[arg(long, requires = "topic")]
    cancel: bool,
    /// Show what is being moved.
    #[arg(long)]
    list: bool,
    /// Wait until all is moved, however long that takes. Whoever stops waiting calls nothing off.
    #[arg(long, conflicts_with_all = ["cancel", "list"])]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

pub(super) async fn run(args: ReassignArgs) -> Result<(), CliError> {
    // What can be refused without a cluster is.
    let plan = args.file.as_deref().map(plan::read).transpose()?;
    plan::check_replicas(&args.replicas).map_err(|reason| CliError::usage(format!("--replicas {reason}")))?;
    let mut cluster = Cluster::connect(&args.connect).await?;
    if args.list {
        return list::run(&mut cluster, args.json).await;
    }
    if let Some(targets) = plan {
        return begin::run(&mut cluster, targets, args.wait, args.json).await;
    }
    let topic = args.topic.expect("whatever else can be asked for requires it");
    if args.cancel {
        return cancel::run(&mut cluster, &topic, args.partition, args.json).await;
    }
    let targets = targets(&mut cluster, &topic, args.partition, args.replicas).await?;
    begin::run(&mut cluster, targets, args.wait, args.json).await
}

async fn targets(cluster: &mut Cluster, topic: &str, partition: Option<i32>, replicas: Vec<i32>) -> Result<Vec<Target>, CliError> {
    let partitions = partitions::numbers(cluster, topic, partition).await?;
    Ok(match partition {
        Some(partition) => vec![Target { topic: topic.to_owned(), partition, replicas }],
        None => plan::spread(topic, &partitions, &replicas),
    })
}
