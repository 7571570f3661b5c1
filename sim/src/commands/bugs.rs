//! `bugs`: plants bugs and says how soon they are found.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use gracchus_sim::bugs::{Bug, Plot, Search};
use gracchus_sim::campaign::{Summary, describe, failures_by_kind};

use super::Outcome;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of planted bugs, which are patches in sim/bugs. All that seeds can find, if none is named.
    names: Vec<String>,
    /// A patch of anybody's.
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    patch: Option<PathBuf>,
    /// How long seeds may run for a bug.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    budget: Duration,
    /// How long a plan that fails may be shrunk.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    shrink_time_max: Duration,
    /// What the simulator is built with, a profile of cargo's.
    #[arg(long, default_value = "dev")]
    profile: String,
}

pub(crate) fn bugs(args: &Args) -> Outcome {
    let plot = Plot::of(&std::env::current_dir()?)?;
    let bugs = match &args.patch {
        Some(patch) => vec![Bug::read(patch)?],
        None if args.names.is_empty() => Bug::read_all(&plot.bugs())?.into_iter().filter(|bug| !bug.is_found_otherwise).collect(),
        None => args.names.iter().map(|name| Bug::read(&plot.bugs().join(format!("{name}.patch")))).collect::<Result<_, _>>()?,
    };
    if plot.is_ahead()? {
        eprintln!("what is not committed is left out");
    }
    let search = Search { budget: args.budget, shrink_time_max: args.shrink_time_max };
    say!("{:<36}{:>7}{:>8}{:>9}{:>9}{:>9}  found by", "bug", "seeds", "CPU s", "events", "shrunk", "in s");
    let mut missed = 0;
    for bug in &bugs {
        let found = plot.plant(bug, &args.profile).and_then(|program| plot.find(bug, &program, &search));
        match found {
            Ok(summary) => {
                missed += usize::from(summary.failures.is_empty());
                say!("{}", row(bug, &summary));
            }
            Err(error) => {
                missed += 1;
                say!("{:<36}NOT PLANTED: {error}", bug.name);
            }
        }
    }
    say!("{} of {} bugs found", bugs.len() - missed, bugs.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(bug: &Bug, summary: &Summary) -> String {
    let (name, seeds, spent) = (&bug.name, summary.seeds, summary.spent.as_secs_f64());
    let Some((of, reports)) = failures_by_kind(summary).into_iter().next() else {
        return format!("{name:<36}{seeds:>7}{spent:>8.1}{:>9}{:>9}{:>9}  NOT FOUND", "", "", "");
    };
    let Some(shrunk) = summary.shrunk.first() else {
        let ending = reports.first().map(|report| describe(&report.ending)).unwrap_or_default();
        return format!("{name:<36}{seeds:>7}{spent:>8.1}{:>9}{:>9}{:>9}  {of}: {ending}", "", "", "");
    };
    let ((_, before), (after_size, after), seconds) = (shrunk.before, shrunk.after, shrunk.real.as_secs());
    let minimal = if shrunk.is_minimal { "" } else { ", and not minimal yet" };
    format!("{name:<36}{seeds:>7}{spent:>8.1}{before:>9}{after:>9}{seconds:>9}  {of}, with {after_size}{minimal}")
}
