//! `run`: seeds and plans, and what came of them.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gracchus_sim::campaign::{self, Summary, Work};
use gracchus_sim::plan;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Outcome, draw, jobs, parse_nodes, parse_seeds};

/// Seeds of a run that is told nothing else.
const SEEDS: u64 = 100;

#[derive(clap::Args)]
pub(crate) struct Args {
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

pub(crate) fn run(args: &Args) -> Outcome {
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
    let jobs = jobs(args.jobs).clamp(1, work.len());
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
