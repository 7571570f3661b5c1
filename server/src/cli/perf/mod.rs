//! `gracchus perf`: how fast a broker is.

mod consume;
mod produce;
mod progress;
mod raw_fetch;
mod report;
mod template;

use super::error::CliError;

/// What to measure.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum PerfCommand {
    /// Write records as fast as the broker takes them, or at a rate.
    Produce(produce::PerfProduceArgs),
    /// Read a topic as fast as the broker gives it.
    Consume(consume::PerfConsumeArgs),
}

pub(crate) fn run(command: PerfCommand) -> Result<(), CliError> {
    let connections = match &command {
        PerfCommand::Produce(args) => args.connections,
        PerfCommand::Consume(args) => args.connections,
    };
    let runtime = runtime(connections).map_err(|error| CliError::failure(format!("the runtime can't start: {error}")))?;
    match command {
        PerfCommand::Produce(args) => runtime.block_on(produce::run(args)),
        PerfCommand::Consume(args) => runtime.block_on(consume::run(args)),
    }
}

/// A thread for each connection, within what the machine has: one connection runs on this thread, without handing anything over.
fn runtime(connections: u32) -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match usize::try_from(connections).unwrap_or(usize::MAX).min(cores) {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}
