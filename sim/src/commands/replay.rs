//! `replay`: the events of one run, a line each.

use std::collections::BTreeSet;
use std::process::ExitCode;

use gracchus_core::ids::NodeId;
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
    /// Of the nodes' steps only those of this one, counted from 1.
    #[arg(long, value_name = "NUMBER")]
    node: Option<i32>,
    /// Prints the whole state that the node, or each node, has after the last event.
    #[arg(long)]
    state: bool,
}

pub(crate) fn replay(args: &Args) -> Outcome {
    let plan = args.which.plan(args.nodes)?;
    say!("{plan}");
    let node = args.node.map(NodeId);
    let listing = |states, line| Listing {
        from: args.from,
        until: args.until,
        node,
        states,
        length: if args.whole { Length::Whole } else { Length::Brief },
        line,
    };
    let mut states = BTreeSet::new();
    if args.state {
        // Which step of a node is its last one shows only once the run is over.
        let steps = world::run(&plan, Some(listing(BTreeSet::new(), Box::new(|_| {})))).last_steps;
        states.extend(steps.into_iter().filter(|(stepped, _)| node.is_none_or(|wanted| wanted == *stepped)).map(|(_, event)| event));
    }
    let report = world::run(&plan, Some(listing(states, Box::new(|line| say!("{line}")))));
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
