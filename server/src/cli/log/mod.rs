//! `gracchus log`: what a broker left on disk.

mod dump;
mod index;
mod report;
mod segment;
mod snapshot;

use super::error::CliError;

/// What to do with files of a log.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum LogCommand {
    /// Show batches, and say where they are corrupt.
    Dump(dump::DumpArgs),
}

pub(crate) fn run(command: &LogCommand) -> Result<(), CliError> {
    match command {
        LogCommand::Dump(args) => dump::run(args),
    }
}
