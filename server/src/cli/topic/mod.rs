//! `gracchus topic`: make, show, change and delete topics.

mod alter;
mod create;
mod delete;
mod describe;
mod list;

use kafka_wire_core::StrBytes;

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
