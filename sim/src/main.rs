//! The binary `gracchus-sim`: runs seeds, replays one, shows its plan, makes one that fails smaller, and runs campaigns.

mod commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::commands::{bugs, campaign, compare, explain, marks, plans, replay, run};

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
    /// Run one seed or saved plan and print its events, one a line; print those of a trace, or take the steps of a
    /// recorded broker once more.
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
    /// Say why a run failed: the property, what turned on the way to it, and the last steps that led there, of all that happened.
    Explain(explain::ExplainArgs),
    /// Write a run as one page that needs nothing else: lanes, messages, who led what, and what led to the failure.
    Report(explain::ReportArgs),
    /// Find where runs part that should be equal: two traces, or seeds run in this process and in a fresh one, of another build if one is named.
    ///
    /// Ends with 1 if any differ, and says which event is the first that does.
    Compare(compare::Args),
    /// List rare events: how often a thousand seeds reach each, whether a campaign has to, and the lines that set it.
    Marks(marks::Args),
    /// Plant bugs, one at a time, in a copy of what is committed, and say after how many seeds each is found, and how small its plan becomes.
    ///
    /// Ends with 1 if one of them was not found or could not be planted. For each bug four crates are built: a minute or two.
    Bugs(bugs::Args),
    #[command(name = gracchus_sim::campaign::worker::SUBCOMMAND, hide = true)]
    Worker {
        /// Where the traces of runs that fail are saved.
        traces: Option<PathBuf>,
    },
}

/// A run allocates for each of its events, many times: this takes an eighth less of its time than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Plan(args) => plans::show(&args),
        Command::Shrink(args) => plans::shrink(&args),
        Command::Campaign(args) => campaign::campaign(&args),
        Command::Marks(args) => marks::marks(&args),
        Command::Bugs(args) => bugs::bugs(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Report(args) => explain::report(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Worker { traces } => gracchus_sim::campaign::worker::serve(traces.as_deref()).map(|()| ExitCode::SUCCESS).map_err(Into::into),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gracchus-sim: {error}");
        ExitCode::FAILURE
    })
}
