//! `campaign`: seeds for hours.

use std::io::IsTerminal;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gracchus_sim::campaign::{self, Order, Scope, Shard, Summary, Told, failures_by_kind};
use gracchus_sim::trace::RollingHash;
use gracchus_sim::world;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Outcome, jobs, parse_nodes, parse_seeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seeds from 0 up to N, or from A up to B, which is left out. All there are, if only a budget is given.
    #[arg(long, value_name = "N|A..B", value_parser = parse_seeds, required_unless_present_any = ["budget", "merge"])]
    seeds: Option<Range<u64>>,
    /// How long it may take, such as 10m or 2h. Until all seeds are run, if not given.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    budget: Option<Duration>,
    /// How many nodes there are. As many as each seed says, if not given.
    #[arg(long, value_parser = parse_nodes)]
    nodes: Option<usize>,
    /// Where it is kept.
    #[arg(long, value_name = "FOLDER", default_value = "gracchus-campaign")]
    folder: PathBuf,
    /// Runs the plans that were saved in a folder first.
    #[arg(long, value_name = "FOLDER")]
    corpus: Option<PathBuf>,
    /// The I-th, counted from 0, of N campaigns that share the seeds; N alone where JOB_COMPLETION_INDEX says which one it is.
    #[arg(long, value_name = "I/N|N", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Processes that run seeds. As many as there are processors, if not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// How long a seed may take before it counts as one that hangs.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    seed_time_max: Duration,
    /// How long the shrinking of a plan that fails may take.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    shrink_time_max: Duration,
    /// Ends with the first failure.
    #[arg(long)]
    until_failure: bool,
    /// Has every other plan take after that of a seed that reached a rare mark. Which ones depends on how fast runs are; each can be replayed.
    #[arg(long)]
    steer: bool,
    /// Runs nothing, and folds the campaigns in the folders of this one into one result.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seeds", "budget", "shard", "corpus"])]
    merge: Option<PathBuf>,
}

/// The variable by which an indexed job of Kubernetes tells its workers apart.
const INDEX: &str = "JOB_COMPLETION_INDEX";

fn parse_shard(text: &str) -> Result<Shard, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|error| format!("{number:?}: {error}"));
    let (index, count) = match text.split_once('/') {
        Some((index, count)) => (parse(index)?, parse(count)?),
        None => {
            let index = std::env::var(INDEX).map_err(|_| format!("{text:?}: without {INDEX} it has to be said which one of them"))?;
            (parse(&index)?, parse(text)?)
        }
    };
    if index < count { Ok(Shard { index, count }) } else { Err(format!("{index} is not below {count}")) }
}

pub(crate) fn campaign(args: &Args) -> Outcome {
    let summary = match &args.merge {
        Some(folder) => campaign::merge(folder)?,
        None => run(args)?,
    };
    say!("{summary}");
    for (of, reports) in failures_by_kind(&summary) {
        say!("{of}: {} failed", reports.len());
        for shrunk in summary.shrunk.iter().filter(|shrunk| shrunk.of == of) {
            let (before, events_before) = shrunk.before;
            let (after, events) = shrunk.after;
            say!("  seed {}: {before}, {events_before} events", shrunk.seed);
            let minimal = if shrunk.is_minimal { "" } else { ", and its time was up" };
            say!("  shrunk: {after}, {events} events{minimal}");
            say!("  to see them: gracchus-sim replay {}", shrunk.file.display());
        }
    }
    Ok(ExitCode::from(summary.verdict().exit_code()))
}

/// Tells this program from any other build.
fn build() -> std::io::Result<String> {
    let mut hash = RollingHash::default();
    hash.bytes(&std::fs::read(std::env::current_exe()?)?);
    Ok(hash.value().to_string())
}

fn run(args: &Args) -> Result<Summary, Box<dyn std::error::Error>> {
    world::note_panics();
    let order = Order {
        seeds: args.seeds.clone().unwrap_or(0..u64::MAX),
        is_bounded: args.seeds.is_some() && args.budget.is_none(),
        budget: args.budget,
        jobs: jobs(args.jobs),
        corpus: args.corpus.clone(),
        seed_time_max: args.seed_time_max,
        shrink_time_max: args.shrink_time_max,
        until_failure: args.until_failure,
    };
    let scope = Scope { build: build()?, nodes: args.nodes, steers: args.steer, shard: args.shard.unwrap_or(Shard::WHOLE) };
    let spinner = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {elapsed}  {msg}").expect("the template is sound"));
    let (began, mut printed) = (Instant::now(), Instant::now());
    let summary = campaign::campaign(&args.folder, &scope, &order, &mut |told| {
        let line = describe(told, began.elapsed());
        spinner.set_message(line.clone());
        spinner.tick();
        // Whoever reads a file wants to see that it goes on, and not each step.
        if spinner.is_hidden() && printed.elapsed() >= Duration::from_secs(60) {
            printed = Instant::now();
            eprintln!("{line}");
        }
    });
    spinner.finish_and_clear();
    Ok(summary?)
}

fn describe(told: &Told<'_>, elapsed: Duration) -> String {
    match told {
        Told::Standing { summary, now: (seeds, events) } => {
            let per_second = |count: u64| count as f64 / elapsed.as_secs_f64().max(0.001);
            let (seeds_rate, events_rate) = (per_second(*seeds), per_second(*events));
            let speed = summary.simulated.as_secs_f64() / summary.real.as_secs_f64().max(0.001);
            let (missing, failed) = (summary.missing_marks().len(), summary.failures.len());
            let all = summary.seeds;
            format!(
                "{all} seeds, {seeds_rate:.1}/s  {events_rate:.0} events/s  {speed:.0} simulated s/s  {} marks, {missing} missing  {failed} failed",
                summary.marks.len()
            )
        }
        Told::Shrinking { of, size } => format!("shrinking one that breaks {of}: {size}"),
    }
}
