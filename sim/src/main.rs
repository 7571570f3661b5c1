//! The binary `gracchus-sim`: runs seeds, and replays one.
//!
//! Exit codes: 0 all is well, 10 a safety property did not hold, 11 a liveness property did not hold, 12 a panic, 13 a lone run was excused
//! or more than one in a hundred were, 14 a campaign of a hundred seeds or more never reached a required mark or counts too few, 2 the command line makes no sense, 1 a file can't be read or written.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gracchus_sim::campaign::{self, Summary, Verdict, Work, describe};
use gracchus_sim::plan::{self, Plan};
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
    /// Saves the plan and runs nothing.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
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

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Replay(args) => replay(&args),
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
    let plan = match (&args.which.file, args.which.seed) {
        (Some(file), _) => plan::load(file)?,
        (None, seed) => draw(seed.expect("clap asks for one of the two"), args.nodes),
    };
    if let Some(file) = &args.save {
        plan::save(&plan, file)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("{plan:#?}");
    let line = Box::new(|line: &str| {
        // A reader that has seen enough, such as head, is no error.
        let _ = writeln!(std::io::stdout(), "{line}");
    });
    let length = if args.whole { Length::Whole } else { Length::Brief };
    let report = world::run(&plan, Some(Listing { from: args.from, until: args.until, length, line }));
    println!("{}", describe(&report.ending));
    // That of a run cut short says nothing of the seed.
    if !matches!(report.ending, world::Ending::Stopped(_)) {
        println!("hash {}", report.hash);
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
