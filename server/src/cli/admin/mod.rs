//! `gracchus cluster`: look at a cluster, steer it, and change who votes in it.

mod counts;
mod elect;
mod members;
mod quorum;
mod reassign;
mod recover;
mod status;
mod under_way;
mod voters;

use super::error::CliError;

/// What can be done with a cluster.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum ClusterCommand {
    Status(status::StatusArgs),
    Members(members::MembersArgs),
    Reassign(reassign::ReassignArgs),
    Elect(elect::ElectArgs),
    AddVoter(voters::AddVoterArgs),
    RemoveVoter(voters::RemoveVoterArgs),
    Recover(recover::RecoverArgs),
}

pub(crate) async fn run(command: ClusterCommand) -> Result<(), CliError> {
    match command {
        ClusterCommand::Status(args) => status::run(args).await,
        ClusterCommand::Members(args) => members::run(args).await,
        ClusterCommand::Reassign(args) => reassign::run(args).await,
        ClusterCommand::Elect(args) => elect::run(args).await,
        ClusterCommand::AddVoter(args) => voters::add(args).await,
        ClusterCommand::RemoveVoter(args) => voters::remove(args).await,
        ClusterCommand::Recover(args) => recover::run(args).await,
    }
}
