//! `gracchus group list`.

use std::collections::BTreeMap;
use std::io;

use gracchus_net::client::WireError;
use kafka_wire::{ListGroupsRequest, ListGroupsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal, Retry};
use super::super::error::CliError;
use super::super::link::{Link, LinkError};
use super::super::output::{settle, write_json};
use super::super::table::{Align, Table};

/// Name the groups there are, with what they do and the brokers that coordinate them.
///
/// The type says which protocol the members speak: classic (they assign partitions among themselves) or consumer (KIP-848, the coordinator
/// assigns). A group that only commits offsets has no protocol.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "States:
  Empty                 no members; what was committed is kept
  PreparingRebalance    classic: members are to join
  CompletingRebalance   classic: the leader assigns
  Assigning             consumer: partitions are to be assigned anew
  Reconciling           consumer: members give up and take over
  Stable                everyone has what it is to read

Examples:
  gracchus group list
  gracchus group list --state Stable,Empty --type consumer
  gracchus group list --json | jq -r '.[].group'")]
pub struct ListArgs {
    /// Only groups in one of these states.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<String>,
    /// Only groups of these types: classic, consumer.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Listed {
    pub(super) group: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) protocol: String,
    pub(super) state: String,
    pub(super) coordinator: i32,
}

pub(super) async fn run(args: ListArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let (groups, failures) = groups(&mut cluster, &args.states, &args.types).await?;
    if args.json {
        write_json(&groups.into_values().collect::<Vec<_>>())?;
        return settle(failures);
    }
    let mut table = Table::new(&[
        ("GROUP", Align::Left),
        ("TYPE", Align::Left),
        ("PROTOCOL", Align::Left),
        ("STATE", Align::Left),
        ("COORDINATOR", Align::Right),
    ]);
    for Listed { group, kind, protocol, state, coordinator } in groups.into_values() {
        table.row([group, kind, dash(protocol), state, coordinator.to_string()]);
    }
    table.write(&mut io::stdout().lock()).map_err(CliError::output)?;
    settle(failures)
}

/// All groups, in these states and of these types if any are named, and why some brokers did not tell theirs.
pub(super) async fn groups(
    cluster: &mut Cluster,
    states: &[String],
    types: &[String],
) -> Result<(BTreeMap<String, Listed>, Vec<CliError>), CliError> {
    cluster.metadata(Some(&[]), false).await?;
    let nodes: Vec<(i32, String)> = cluster.nodes().map(|(node, address)| (node, address.to_owned())).collect();
    let words = |words: &[String]| words.iter().map(|word| StrBytes::from(word.as_str())).collect();
    let mut request = ListGroupsRequest::default();
    (request.states_filter, request.types_filter) = (words(states), words(types));
    let (mut groups, mut failures) = (BTreeMap::new(), Vec::new());
    for (node, address) in nodes {
        match of_node(cluster, node, &address, &request).await {
            Ok(listed) => groups.extend(listed.into_iter().map(|listed| (listed.group.clone(), listed))),
            Err(failure) => failures.push(failure),
        }
    }
    Ok((groups, failures))
}

/// The groups that a broker coordinates, once it has loaded them.
async fn of_node(cluster: &Cluster, node: i32, address: &str, request: &ListGroupsRequest) -> Result<Vec<Listed>, CliError> {
    let mut retry = Retry::within(cluster.timeout());
    loop {
        let response = match ask(cluster, address, request).await {
            Ok(response) => response,
            Err(error) => return Err(CliError::failure(format!("the groups of broker {node} are not listed: {error}"))),
        };
        let refusal = match Refusal::check(response.error_code, None) {
            Ok(()) => return Ok(read(node, response)),
            Err(refusal) => refusal,
        };
        if !refusal.passes() || refusal.error == WireError::NOT_CONTROLLER || !retry.pause().await {
            return Err(refusal.failed(&format!("the groups of broker {node} are not listed")));
        }
    }
}

async fn ask(cluster: &Cluster, address: &str, request: &ListGroupsRequest) -> Result<ListGroupsResponse, LinkError> {
    Link::open(address, cluster.timeout()).await?.call(request).await
}

fn read(node: i32, response: ListGroupsResponse) -> Vec<Listed> {
    let listed = response.groups.into_iter().map(|group| Listed {
        group: group.group_id.into_string(),
        kind: group.group_type.as_str().to_ascii_lowercase(),
        protocol: group.protocol_type.into_string(),
        state: state(&group.group_state),
        coordinator: node,
    });
    listed.collect()
}

/// A state as Kafka's tools write it: some brokers say `stable`.
pub(super) fn state(told: &StrBytes) -> String {
    let mut letters = told.as_str().chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A dash where there is nothing.
pub(super) fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}
