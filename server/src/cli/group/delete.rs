//! `gracchus group delete`.

use gracchus_net::client::WireError;
use kafka_wire::{DeleteGroupsRequest, DeleteGroupsResponse};
use kafka_wire_core::StrBytes;
use serde::Serialize;

use super::super::cluster::{Cluster, ConnectArgs, Refusal};
use super::super::error::CliError;
use super::super::output::{say, settle, write_json};
use super::coordinator;

/// Delete groups without members, with all that they have committed.
///
/// Whoever joins under the name later begins where auto.offset.reset says. Groups that nobody uses go by themselves once their offsets are
/// older than offsets.retention.minutes.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  gracchus group delete readers
  gracchus group delete readers writers --if-exists")]
pub struct DeleteArgs {
    /// Names of the groups.
    #[arg(required_unless_present = "also", value_name = "GROUP")]
    groups: Vec<String>,
    /// The groups, as kafka-consumer-groups.sh is told them.
    #[arg(long = "group", value_name = "GROUP", conflicts_with = "groups")]
    also: Vec<String>,
    /// A group that does not exist is no failure.
    #[arg(long)]
    if_exists: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Serialize)]
struct Deleted {
    group: String,
    deleted: bool,
}

pub(super) async fn run(args: DeleteArgs) -> Result<(), CliError> {
    let mut cluster = Cluster::connect(&args.connect).await?;
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for group in args.groups.into_iter().chain(args.also) {
        let mut request = DeleteGroupsRequest::default();
        request.groups_names = vec![StrBytes::from(group.as_str())];
        match coordinator::ask(&mut cluster, &group, (&request, i16::MAX), read).await?.1 {
            Ok(()) => results.push(Deleted { group, deleted: true }),
            Err(refusal) => match refusal.error {
                WireError::GROUP_ID_NOT_FOUND if args.if_exists => results.push(Deleted { group, deleted: false }),
                WireError::GROUP_ID_NOT_FOUND => failures.push(CliError::failure(format!("group {group} was not deleted: it does not exist"))),
                WireError::NON_EMPTY_GROUP => failures.push(CliError::failure(format!(
                    "group {group} was not deleted: it has members, which `gracchus group describe {group} --members` shows. Stop them first"
                ))),
                _ => failures.push(refusal.failed(&format!("group {group} was not deleted"))),
            },
        }
    }
    if args.json {
        write_json(&results)?;
    } else {
        for Deleted { group, deleted } in &results {
            say(&if *deleted { format!("deleted group {group}") } else { format!("group {group} does not exist") })?;
        }
    }
    settle(failures)
}

fn read(response: DeleteGroupsResponse) -> Result<(), Refusal> {
    let group = response.results.into_iter().next().unwrap_or_default();
    Refusal::check(group.error_code, group.error_message.as_ref())
}
