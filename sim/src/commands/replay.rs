//! `replay`: the events of one run, a line each.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use gracchus_core::boundary::Effects;
use gracchus_core::broker::Broker;
use gracchus_core::ids::NodeId;
use gracchus_core::time::Monotonic;
use gracchus_server::recording::{Recorded, Recording};
use gracchus_sim::campaign::{Verdict, describe};
use gracchus_sim::trace::{Event, Length, Standings, Step, Trace, Watch, What};
use gracchus_sim::world;

use super::{KEPT_BYTES_MAX, Outcome, Which};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
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
    /// Saves the run's trace: its last events and the hashes of all, for `compare`.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Has each process record what its core is told in a folder, as `gracchus serve --record` does.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

impl Args {
    fn length(&self) -> Length {
        if self.whole { Length::Whole } else { Length::Brief }
    }

    fn node(&self) -> Option<NodeId> {
        self.node.map(NodeId)
    }

    fn watch(&self, states: BTreeSet<u64>, see: impl FnMut(Event) + Send + 'static) -> Watch {
        Watch { from: self.from, until: self.until, node: self.node(), states, recordings: None, see: Box::new(see) }
    }
}

pub(crate) fn replay(args: &Args) -> Outcome {
    if let Some(trace) = args.which.trace()? {
        return traced(args, &trace);
    }
    if let Some(recording) = args.which.recording()? {
        return recorded(args, recording);
    }
    let plan = args.which.plan()?;
    say!("{plan}");
    let mut states = BTreeSet::new();
    if args.state {
        // Which step of a node is its last one shows only once the run is over.
        let steps = world::run(&plan, Some(args.watch(BTreeSet::new(), drop))).last_steps;
        states.extend(steps.into_iter().filter(|(stepped, _)| args.node().is_none_or(|wanted| wanted == *stepped)).map(|(_, event)| event));
    }
    let length = args.length();
    let kept_bytes_max = if args.trace.is_some() { KEPT_BYTES_MAX } else { 0 };
    let recordings = args.record.clone();
    recordings.iter().try_for_each(std::fs::create_dir_all)?;
    let watch = Watch { recordings, ..args.watch(states, move |event| say!("{}", event.line(length))) };
    let (report, trace) = world::record(&plan, kept_bytes_max, Some(watch));
    if let Some(file) = &args.trace {
        trace.save(file)?;
    }
    say!("{}", describe(&report.ending));
    // That of a run cut short says nothing of the seed.
    if !matches!(report.ending, world::Ending::Stopped(_)) {
        say!("hash {}", report.hash);
    }
    Ok(ExitCode::from(Verdict::of(&report.ending).exit_code()))
}

/// Prints what a trace has recorded.
fn traced(args: &Args, trace: &Trace) -> Outcome {
    if args.state || args.trace.is_some() || args.record.is_some() {
        return Err("a trace has events and no states: replay its plan, which `gracchus-sim plan TRACE --save PLANFILE` takes out of it".into());
    }
    say!("{}", trace.plan);
    if trace.first > 1 {
        say!("events 1 to {} are not kept", trace.first - 1);
    }
    for event in trace.events() {
        let event = event?;
        let stepped = if let What::Step(step) = &event.what { Some(step.node) } else { None };
        let is_of_another = stepped.is_some_and(|node| args.node().is_some_and(|wanted| wanted != node));
        if (args.from..=args.until).contains(&event.number) && !is_of_another {
            say!("{}", event.line(args.length()));
        }
    }
    say!("{}", describe(&trace.ending));
    say!("hash {}", trace.hash);
    Ok(ExitCode::from(Verdict::of(&trace.ending).exit_code()))
}

/// Takes the steps of a broker once more that was recorded while it ran.
fn recorded(args: &Args, recording: Recording) -> Outcome {
    if args.node.is_some() || args.trace.is_some() || args.record.is_some() {
        return Err("a recording is of one broker: --node, --trace and --record are for simulated runs".into());
    }
    let Recording { header, checkpoint, inputs } = &recording;
    say!("node {}, process {}, gracchus {}", header.node, header.process, header.version);
    say!("its state after {} steps, and {} steps that followed", checkpoint.steps, inputs.len());
    let last = (checkpoint.steps + inputs.len() as u64).min(args.until);
    let node = NodeId(header.node);
    let (mut began, mut standings, mut under_way) = (None, Standings::default(), None);
    let before_step = |number, recorded: &Recorded| under_way = Some((number, recorded.clone()));
    let show = |number, recorded: &Recorded, effects: &Effects, broker: &Broker| {
        let Monotonic(nanos) = recorded.now.monotonic;
        let at = Duration::from_nanos(nanos.saturating_sub(*began.get_or_insert(nanos)));
        let changed = standings.look(broker);
        if (args.from..=args.until).contains(&number) {
            let (input, effects) = (recorded.input.clone(), effects.clone());
            let step = Step { node, now: recorded.now, input, effects, changed };
            say!("{}", Event { number, at, what: What::Step(Box::new(step)) }.line(args.length()));
        }
        if args.state && number == last {
            say!("{broker:#?}");
        }
    };
    let replayed = catch_unwind(AssertUnwindSafe(|| recording.replay(before_step, show)));
    let Ok(replayed) = replayed else {
        if let Some((number, recorded)) = under_way {
            say!("{number:>8}  node {node}  {}  ->  a panic, as above", args.length().describe(&recorded.input));
        }
        return Ok(ExitCode::from(Verdict::Panic.exit_code()));
    };
    say!("hash {} after {} steps", replayed.hash, replayed.steps);
    match replayed.differs_behind {
        None => {
            say!("the same as was recorded");
            Ok(ExitCode::SUCCESS)
        }
        Some(step) => {
            say!("another than was recorded: step {step} had other effects in the process that was recorded");
            Ok(ExitCode::FAILURE)
        }
    }
}
