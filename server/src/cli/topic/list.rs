//! `gracchus topic list`.

use std::io;

use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::output::write_json;
use super::super::table::{Align, Table};
use super::super::text::show_id;

/// Name the topics there are.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus topic list
  gracchus topic list --json | jq -r '.[].topic'")]
pub struct ListArgs {
    /// The cluster's own topics too.
    #[arg(long)]
    internal: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Listed {
    topic: String,
    id: String,
    partitions: usize,
    replication_factor: usize,
    internal: bool,
}

pub(super) async fn run(args: ListArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let metadata = cluster.metadata(None, false).await?;
    let mut topics: Vec<_> = metadata
        .topics
        .into_iter()
        .filter(|topic| args.internal || !topic.is_internal)
        .map(|topic| Listed {
            topic: topic.name.unwrap_or_default().into_string(),
            id: show_id(topic.topic_id),
            partitions: topic.partitions.len(),
            replication_factor: topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len()),
            internal: topic.is_internal,
        })
        .collect();
    topics.sort_by(|one, other| one.topic.cmp(&other.topic));
    if args.json {
        return write_json(&topics);
    }
    let mut table = Table::new(&[("TOPIC", Align::Left), ("PARTITIONS", Align::Right), ("REPLICAS", Align::Right), ("ID", Align::Left)]);
    for topic in topics {
        table.row([topic.topic, topic.partitions.to_string(), topic.replication_factor.to_string(), topic.id]);
    }
    table.write(&mut io::stdout().lock()).map_err(CliError::output)
}
