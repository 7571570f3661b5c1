//! The commands that talk to a broker, or read what one left on disk.

mod admin;
mod batch;
mod cluster;
mod consume;
mod error;
mod group;
mod link;
mod log;
mod offsets;
mod output;
mod partitions;
mod perf;
mod produce;
mod settings;
mod table;
mod text;
mod topic;

use std::process::ExitCode;

use error::CliError;

/// A command other than those that run a node.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum ToolCommand {
    /// Make, show, change and delete topics.
    #[command(subcommand)]
    Topic(topic::TopicCommand),
    /// Look at a cluster, move its partitions, elect their leaders, and change who votes in it.
    #[command(subcommand)]
    Cluster(admin::ClusterCommand),
    /// Look at groups of consumers, set where they read on, and delete them.
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Write lines to a topic as records.
    Produce(produce::ProduceArgs),
    /// Read a topic's records as lines.
    Consume(consume::ConsumeArgs),
    /// Measure how fast a broker is.
    #[command(subcommand)]
    Perf(perf::PerfCommand),
    /// Look into a log's files.
    #[command(subcommand)]
    Log(log::LogCommand),
}

/// Runs a command to its end. The exit status is 0, 1 when it failed, 2 when it made no sense, or 3 when what it looked at is not well.
#[must_use]
pub fn run(command: ToolCommand) -> ExitCode {
    let ended = match command {
        ToolCommand::Topic(command) => block_on(topic::run(command)),
        ToolCommand::Cluster(command) => block_on(admin::run(command)),
        ToolCommand::Group(command) => block_on(group::run(command)),
        ToolCommand::Produce(args) => block_on(produce::run(args)),
        ToolCommand::Consume(args) => block_on(consume::run(args)),
        ToolCommand::Perf(command) => perf::run(command),
        ToolCommand::Log(command) => log::run(&command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

/// Runs on this thread: these commands wait far more than they compute.
fn block_on(task: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| CliError::failure(format!("the runtime can't start: {error}")))?.block_on(task)
}
