//! The binary `gracchus-sim`: runs seeds, replays one, shows its plan, makes one that fails smaller, and runs campaigns.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::commands::{bugs, campaign, marks, plans, replay, run};

/// Runs the node of Gracchus in a simulated world, with faults drawn from a seed.
///
/// Exit codes of runs and campaigns: 0 all is well, 10 a safety property did not hold, 11 a liveness property did not hold, 12 a panic or a run
/// that does not end, 13 a lone run was excused or more than one in a hundred were, 14 a campaign of a hundred seeds or more never reached a
/// required mark or counts too few, 2 the command line makes no sense, 1 a file can't be read or written.
#[derive(Parser)]
#[command(name = "gracchus-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run seeds and say what came of them.
    Run(run::Args),
    /// Run one seed or saved plan and print its events, one a line.
    Replay(replay::Args),
    /// Print the plan of a seed, or save it in a file that can be edited and replayed.
    Plan(plans::ShowArgs),
    /// Make a plan that fails smaller: fewer faults, clients, nodes, topics and settings, and a shorter time.
    ///
    /// What is left is needed: without any one of its faults, clients, nodes or settings the plan goes well, or breaks another property.
    /// The smallest plan so far is in the file at any time, so that this can be stopped.
    Shrink(plans::ShrinkArgs),
    /// Run seeds for hours, in a folder from which the same command goes on where it ended.
    ///
    /// Each run is in a process that may hang or die: then it has failed, and the others go on. The first plan of each kind that fails is
    /// shrunk. The folder has the result as summary.json and junit.xml, and plans that fail in failures/.
    Campaign(campaign::Args),
    /// List rare events: how often a thousand seeds reach each, whether a campaign has to, and the lines that set it.
    Marks(marks::Args),
    /// Plant bugs, one at a time, in a copy of what is committed, and say after how many seeds each is found, and how small its plan becomes.
    ///
    /// Ends with 1 if one of them was not found or could not be planted. For each bug four crates are built: a minute or two.
    Bugs(bugs::Args),
    #[command(name = gracchus_sim::campaign::worker::SUBCOMMAND, hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Plan(args) => plans::show(&args),
        Command::Shrink(args) => plans::shrink(&args),
        Command::Campaign(args) => campaign::campaign(&args),
        Command::Marks(args) => marks::marks(&args),
        Command::Bugs(args) => bugs::bugs(&args),
        Command::Worker => gracchus_sim::campaign::worker::serve().map(|()| ExitCode::SUCCESS).map_err(Into::into),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gracchus-sim: {error}");
        ExitCode::FAILURE
    })
}
