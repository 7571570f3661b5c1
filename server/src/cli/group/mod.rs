//! `gracchus group`: look at groups of consumers, set where they read on, and delete them.

mod committed;
mod coordinator;
mod delete;
mod delete_offsets;
mod describe;
mod described;
mod list;
mod log_offsets;
mod named;
mod reset;

use super::error::CliError;

/// What to do with groups.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum GroupCommand {
    List(list::ListArgs),
    Describe(describe::DescribeArgs),
    ResetOffsets(reset::ResetArgs),
    DeleteOffsets(delete_offsets::DeleteOffsetsArgs),
    Delete(delete::DeleteArgs),
}

pub(crate) async fn run(command: GroupCommand) -> Result<(), CliError> {
    match command {
        GroupCommand::List(args) => list::run(args).await,
        GroupCommand::Describe(args) => describe::run(args).await,
        GroupCommand::ResetOffsets(args) => reset::run(args).await,
        GroupCommand::DeleteOffsets(args) => delete_offsets::run(args).await,
        GroupCommand::Delete(args) => delete::run(args).await,
    }
}

/// A partition as people name it.
type TopicPartition = (String, i32);
