//! The binary `gracchus-sim`: runs seeds, replays one, shows its plan, and makes one that fails smaller.
//!
//! Exit codes of runs: 0 all is well, 10 a safety property did not hold, 11 a liveness property did not hold, 12 a panic, 13 a lone run was excused
//! or more than one in a hundred were, 14 a campaign of a hundred seeds or more never reached a required mark or counts too few, 2 the command line makes no sense, 1 a file can't be read or written.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gracchus_sim::campaign::{self, Summary, Verdict, Work, describe};
use gracchus_sim::plan::{self, Plan};
use gracchus_sim::shrink::{self, Size};
use gracchus_sim::trace::{Length, Listing};
use gracchus_sim::world;
use indicatif::{ProgressBar, ProgressStyle};

/// Runs the node of Gracchus in a simulated world, with faults drawn from a seed.
#[derive(Parser)]
#[command(name = "gracchus-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run seeds and say what came of them.
    ///
    /// Exit codes: 0 all is well, 10 a safety property did not hold, 11 a liveness property did not hold, 12 a panic, 13 a lone run was
    /// excused or more than one in a hundred were, 14 a campaign of a hundred seeds or more never reached a required mark or counts too few.
    Run(RunArgs),
    /// Run one seed or saved plan and print its events, one a line.
    Replay(ReplayArgs),
    /// Print the plan of a seed, or save it in a file that can be edited and replayed.
    Plan(PlanArgs),
    /// Make a plan that fails smaller: fewer faults, clients, nodes, topics and settings, and a shorter time.
    ///
    /// What is left is needed: without any one of its faults, clients, nodes or settings the plan goes well, or breaks another property.
    /// The smallest plan so far is in the file at any time, so that this can be stopped.
    Shrink(ShrinkArgs),
}

#[derive(Args)]
struct RunArgs {
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// So many seeds from 0 on, or those from A up to B, which is left out.
    #[arg(long, value_name = "N|A..B", value_parser = parse_seeds)]
    seeds: Option<std::ops::Range<u64>>,
    /// How many nodes there are. As many as each seed says, if not given.
    #[arg(long, value_parser = parse_nodes)]
    nodes: Option<usize>,
    /// Runs the plans that were saved in a folder first.
    #[arg(long, value_name = "FOLDER", conflicts_with = "seed")]
    corpus: Option<PathBuf>,
    /// Threads. As many as there are processors, if not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Writes the summary to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Saves the plan of the first seed that fails.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The seed.
    #[arg(long)]
    seed: Option<u64>,
    /// A saved plan.
    #[arg(value_name = "PLANFILE")]
    file: Option<PathBuf>,
}

impl Which {
    fn plan(&self, nodes: Option<usize>) -> Result<Plan, plan::PlanError> {
        match (&self.file, self.seed) {
            (Some(file), _) => plan::load(file),
            (None, seed) => Ok(draw(seed.expect("clap asks for one of the two"), nodes)),
        }
    }
}

#[derive(Args)]
struct ReplayArgs {
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

#[derive(Args)]
struct PlanArgs {
    #[command(flatten)]
    which: Which,
    /// How many nodes the seed is run with. As many as it says, if not given.
    #[arg(long, value_parser = parse_nodes, conflicts_with = "file")]
    nodes: Option<usize>,
    /// Saves the plan, and prints nothing.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Args)]
struct ShrinkArgs {
    #[command(flatten)]
    which: Which,
    /// How many nodes the seed is run with. As many as it says, if not given.
    #[arg(long, value_parser = parse_nodes, conflicts_with = "file")]
    nodes: Option<usize>,
    /// Where the smallest plan is kept.
    #[arg(long, value_name = "FILE")]
    save: PathBuf,
    /// Runs at one time. As many as there are processors, if not given; what comes out is the same.
    #[arg(long)]
    jobs: Option<usize>,
}

/// Seeds of a run that is told nothing else.
const SEEDS: u64 = 100;

fn parse_seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|error| format!("{number:?}: {error}"));
    let range = match text.split_once("..") {
        Some((from, upto)) => parse(from)?..parse(upto)?,
        None => 0..parse(text)?,
    };
    if range.is_empty() { Err(format!("{text} is no seed at all")) } else { Ok(range) }
}

/// Two nodes have no majority without both, and with more than seven a run takes long.
fn parse_nodes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(nodes @ (1 | 3..=7)) => Ok(nodes),
        Ok(_) | Err(_) => Err(format!("{text:?}: it can be 1, or 3 to 7")),
    }
}

fn draw(seed: u64, nodes: Option<usize>) -> Plan {
    nodes.map_or_else(|| Plan::draw(seed), |nodes| Plan::draw_for(seed, nodes))
}

/// Prints a line. A reader that has seen enough, such as `head`, is no error.
macro_rules! say {
    ($($what:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($what)*);
    }};
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Replay(args) => replay(&args),
        Command::Plan(args) => show(&args),
        Command::Shrink(args) => shrink(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gracchus-sim: {error}");
        ExitCode::FAILURE
    })
}

fn run(args: &RunArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let seeds: Vec<u64> = match (args.seed, args.seeds.clone()) {
        (Some(seed), _) => vec![seed],
        (None, Some(range)) => range.collect(),
        (None, None) => (0..SEEDS).collect(),
    };
    let mut work = Vec::new();
    if let Some(folder) = &args.corpus {
        work.extend(plan::load_all(folder)?.into_iter().map(|(file, plan)| Work::Saved(file, Box::new(plan))));
    }
    work.extend(seeds.into_iter().map(|seed| Work::Seed(seed, args.nodes)));
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).clamp(1, work.len());
    let progress = progress(work.len());
    let mut lone_hash = None;
    let summary = campaign::run(work, jobs, |report| {
        lone_hash = Some(report.hash);
        progress.inc(1);
    });
    progress.finish_and_clear();
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_vec_pretty(&summary)?)?;
    }
    if let Some(file) = &args.save {
        save_failure(&summary, args.nodes, file)?;
    }
    let mut out = std::io::stdout().lock();
    write!(out, "{summary}")?;
    if let Some(hash) = lone_hash.filter(|_| args.seed.is_some()) {
        writeln!(out, "\nhash {hash}")?;
    }
    Ok(ExitCode::from(summary.verdict().exit_code()))
}

fn progress(seeds: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds  {elapsed} gone, {eta} to go").expect("the template is sound");
    ProgressBar::new(seeds as u64).with_style(style)
}

fn save_failure(summary: &Summary, nodes: Option<usize>, file: &Path) -> Result<(), plan::PlanError> {
    // One out of a file is saved already.
    match summary.failures.iter().find(|report| report.replay.starts_with("--seed")) {
        Some(report) => plan::save(&draw(report.seed, nodes), file),
        None => Ok(()),
    }
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
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
        world::Ending::Panic(_) => Verdict::Panic,
        world::Ending::Violation { .. } if report.violates(gracchus_sim::checkers::ViolationKind::Liveness) => Verdict::Liveness,
        world::Ending::Violation { .. } => Verdict::Safety,
    };
    Ok(ExitCode::from(verdict.exit_code()))
}

fn show(args: &PlanArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let plan = args.which.plan(args.nodes)?;
    match &args.save {
        Some(file) => plan::save(&plan, file)?,
        None => say!("{plan}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn shrink(args: &ShrinkArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let plan = args.which.plan(args.nodes)?;
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let spinner = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is sound"));
    // Each run that panics would print where.
    std::panic::set_hook(Box::new(|_| {}));
    let mut saved = Ok(());
    let mut first = None;
    let shrunk = shrink::shrink(&plan, jobs, &mut |progress| {
        let size = Size::of(progress.best);
        first.get_or_insert_with(|| progress.failure.clone());
        spinner.set_message(format!("{} tries: {size}", progress.tries));
        spinner.tick();
        if progress.is_smaller && saved.is_ok() {
            saved = plan::save(progress.best, &args.save);
            spinner.is_hidden().then(|| eprintln!("{:>5} tries: {size}", progress.tries));
        }
    });
    spinner.finish_and_clear();
    saved?;
    let (Some(shrunk), Some(first)) = (shrunk, first) else { return Err("the plan does not fail: there is nothing to shrink".into()) };
    say!("violates {}, after {} tries", shrunk.failure.of, shrunk.tries);
    say!("before: {}, {} events", Size::of(&plan), first.events);
    say!("after:  {}, {} events", Size::of(&shrunk.plan), shrunk.failure.events);
    say!("to see its events: gracchus-sim replay {}", args.save.display());
    Ok(ExitCode::SUCCESS)
}
