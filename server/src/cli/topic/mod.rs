//! `gracchus topic`: make, show, change and delete topics.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use std::io::{self, Write};

use kafka_wire_core::{StrBytes, Uuid};
use serde::Serialize;

use super::error::CliError;

/// What to do with topics.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum TopicCommand {
    /// Make topics.
    Create(create::CreateArgs),
    /// Name the topics there are.
    List(list::ListArgs),
    /// Show topics: leaders, replicas, offsets and settings.
    Describe(describe::DescribeArgs),
    /// Change settings, or add partitions.
    Alter(alter::AlterArgs),
    /// Delete topics with all their records.
    Delete(delete::DeleteArgs),
}

pub(crate) async fn run(command: TopicCommand) -> Result<(), CliError> {
    match command {
        TopicCommand::Create(args) => create::run(args).await,
        TopicCommand::List(args) => list::run(args).await,
        TopicCommand::Describe(args) => describe::run(args).await,
        TopicCommand::Alter(args) => alter::run(args).await,
        TopicCommand::Delete(args) => delete::run(args).await,
    }
}

/// A setting on the command line: `name=value`.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    name: StrBytes,
    value: StrBytes,
}

fn parse_setting(text: &str) -> Result<Setting, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(Setting { name: StrBytes::from(name.trim()), value: StrBytes::from(value.trim()) })
        }
        _ => Err("a setting is NAME=VALUE, as in retention.ms=86400000".to_owned()),
    }
}

/// One JSON document on a line of its own.
fn write_json(document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(document).expect("what a command reports has a JSON form");
    writeln!(io::stdout().lock(), "{text}").map_err(CliError::output)
}

fn say(line: &str) -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "{line}").map_err(CliError::output)
}

fn show_id(id: Uuid) -> String {
    gracchus_core::ids::Uuid(id.to_bytes()).to_string()
}

/// Reports what went well, then fails with the first of what did not; further failures are told before.
fn settle(failures: Vec<CliError>) -> Result<(), CliError> {
    let mut failures = failures.into_iter().rev();
    let Some(last) = failures.next() else { return Ok(()) };
    for failure in failures.rev() {
        failure.report();
    }
    Err(last)
}
