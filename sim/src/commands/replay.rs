//! `replay`: the events of one run, a line each.

use std::process::ExitCode;

use gracchus_sim::campaign::{Verdict, describe};
use gracchus_sim::checkers::ViolationKind;
use gracchus_sim::trace::{Length, Listing};
use gracchus_sim::world;

use super::{Outcome, Which, parse_nodes};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How many nodes the seed is run with. As many as it says, if not given.
    #[arg(long, value_parser = parse_nodes, conflicts_with = "file")]
    nodes: Option<usize>,
    /// The first event to print.
    #[arg(long, value_name = "EVENT", default_value_t = 0)]
    from: u64,
    /// The last event to print.
    #[arg(long, value_name = "EVENT", default_value_t = u64::MAX)]
    until: u64,
    /// Cuts nothing off: without it inputs, effects and answers are printed to 600 characters each.
    #[arg(long)]
    whole: bool,
}

pub(crate) fn replay(args: &Args) -> Outcome {
    let plan = args.which.plan(args.nodes)?;
    say!("{plan}");
    let line = Box::new(|line: &str| say!("{line}"));
    let length = if args.whole { Length::Whole } else { Length::Brief };
    let report = world::run(&plan, Some(Listing { from: args.from, until: args.until, length, line }));
    say!("{}", describe(&report.ending));
    // That of a run cut short says nothing of the seed.
    if !matches!(report.ending, world::Ending::Stopped(_)) {
        say!("hash {}", report.hash);
    }
    let verdict = match &report.ending {
        world::Ending::Clean | world::Ending::Stopped(_) => Verdict::Clean,
        world::Ending::Excused(_) => Verdict::Excused,
        world::Ending::Panic { .. } | world::Ending::Hung { .. } => Verdict::Panic,
        world::Ending::Violation { .. } if report.violates(ViolationKind::Liveness) => Verdict::Liveness,
        world::Ending::Violation { .. } => Verdict::Safety,
    };
    Ok(ExitCode::from(verdict.exit_code()))
}
