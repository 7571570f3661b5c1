//! `gracchus cluster add-voter` and `remove-voter`: who votes in the metadata quorum (KIP-853).

use gracchus_core::ids::{DirectoryId, NodeId, Uuid};
use kafka_wire::add_raft_voter_request::Listener;
use kafka_wire::{AddRaftVoterRequest, RemoveRaftVoterRequest};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, write_json};
use crate::format::{FormattedVoter, parse_voter};

/// Make a node a voter of the metadata quorum.
///
/// The node has to run already: it votes once it has caught up with the metadata. A node whose data folder was formatted anew is added again
/// by its new directory id, after the old one has been removed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster add-voter 4@10.0.0.4:9093:JEXY6aqzQY-32P5TStzaFg")]
pub struct AddVoterArgs {
    /// The node, where other nodes reach it, and the directory.id in its data folder's meta.properties.
    #[arg(value_name = "ID@HOST:PORT:DIRECTORY", value_parser = parse)]
    voter: (NodeId, FormattedVoter),
    /// The listener by which the others reach it.
    #[arg(long, value_name = "NAME", default_value = "CONTROLLER")]
    listener: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Make a voter of the metadata quorum none.
///
/// The leader removes itself too: another one leads then. The last voter stays.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus cluster remove-voter 3
  gracchus cluster remove-voter 3 JEXY6aqzQY-32P5TStzaFg")]
pub struct RemoveVoterArgs {
    /// The node.
    #[arg(value_name = "ID")]
    node: i32,
    /// The directory.id by which it votes, if it is to be removed only as that: a node that was formatted anew still has the old one here.
    #[arg(value_name = "DIRECTORY", allow_hyphen_values = true, value_parser = parse_directory)]
    directory: Option<DirectoryId>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

fn parse(text: &str) -> Result<(NodeId, FormattedVoter), String> {
    parse_voter(text).map_err(str::to_owned)
}

fn parse_directory(text: &str) -> Result<DirectoryId, String> {
    Uuid::parse(text).map(DirectoryId).ok_or_else(|| "a directory id is 22 characters of URL-safe base 64".to_owned())
}

#[derive(Debug, Serialize)]
struct Changed {
    voter: i32,
    directory: Option<String>,
    change: &'static str,
}

pub(super) async fn add(args: AddVoterArgs) -> Result<(), CliError> {
    let (node, FormattedVoter { directory, address }) = args.voter;
    let mut cluster = Cluster::connect(&args.connect).await?;
    let mut listener = Listener::default();
    listener.name = StrBytes::from(args.listener.as_str());
    listener.host = StrBytes::from(address.host.as_str());
    listener.port = address.port;
    let mut request = AddRaftVoterRequest::default();
    request.cluster_id = None;
    request.timeout_ms = cluster.timeout_ms();
    request.voter_id = node.0;
    request.voter_directory_id = kafka_wire_core::Uuid::from_bytes(directory.0.0);
    request.listeners = vec![listener];
    request.ack_when_committed = true;
    let asked = cluster.ask(&request, |answer| Refusal::check(answer.error_code, answer.error_message.as_ref())).await?;
    asked.map_err(|refusal| refusal.failed(&format!("node {node} can't be added to the voters")))?;
    report(args.json, &Changed { voter: node.0, directory: Some(directory.to_string()), change: "added" })
}

pub(super) async fn remove(args: RemoveVoterArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let mut request = RemoveRaftVoterRequest::default();
    request.cluster_id = None;
    request.voter_id = args.node;
    request.voter_directory_id = kafka_wire_core::Uuid::from_bytes(args.directory.unwrap_or_default().0.0);
    let asked = cluster.ask(&request, |answer| Refusal::check(answer.error_code, answer.error_message.as_ref())).await?;
    asked.map_err(|refusal| refusal.failed(&format!("node {} can't be removed from the voters", args.node)))?;
    let directory = args.directory.map(|directory| directory.to_string());
    report(args.json, &Changed { voter: args.node, directory, change: "removed" })
}

fn report(as_json: bool, changed: &Changed) -> Result<(), CliError> {
    if as_json {
        return write_json(changed);
    }
    let directory = changed.directory.as_ref().map(|directory| format!(" (directory {directory})")).unwrap_or_default();
    say(&format!("voter {}{directory} {}", changed.voter, changed.change))
}
