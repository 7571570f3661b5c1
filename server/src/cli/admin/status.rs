//! `gracchus cluster status`: what a cluster looks like from outside.

use std::io::{self, Write};

use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs};
use super::super::error::CliError;
use super::super::table::{Align, Table};

/// Show the cluster's brokers.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster status
  gracchus cluster status --bootstrap 127.0.0.1:9093 --json | jq '.brokers | length'")]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Status {
    cluster_id: Option<String>,
    brokers: Vec<Broker>,
}

#[derive(Debug, Serialize)]
struct Broker {
    id: i32,
    address: String,
    rack: Option<String>,
}

pub(super) async fn run(args: StatusArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let metadata = cluster.metadata(Some(&[]), false).await?;
    let mut brokers: Vec<Broker> = metadata
        .brokers
        .into_iter()
        .map(|broker| Broker {
            id: broker.node_id,
            address: format!("{}:{}", broker.host, broker.port),
            rack: broker.rack.map(|rack| rack.as_str().to_owned()),
        })
        .collect();
    brokers.sort_by_key(|broker| broker.id);
    let status = Status { cluster_id: metadata.cluster_id.map(|id| id.as_str().to_owned()), brokers };
    let mut out = io::stdout().lock();
    if args.json {
        let text = serde_json::to_string_pretty(&status).expect("plain values serialise");
        return writeln!(out, "{text}").map_err(CliError::output);
    }
    writeln!(out, "cluster {}", status.cluster_id.as_deref().unwrap_or("without an id")).map_err(CliError::output)?;
    let mut table = Table::new(&[("BROKER", Align::Right), ("ADDRESS", Align::Left), ("RACK", Align::Left)]);
    for Broker { id, address, rack } in status.brokers {
        table.row([id.to_string(), address, rack.unwrap_or_default()]);
    }
    table.write(&mut out).map_err(CliError::output)
}
