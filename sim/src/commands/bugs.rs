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
    /// Looks for none, and prints what was found before.
    #[arg(long, conflicts_with = "patch")]
    kept: bool,
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
    if !args.kept && plot.is_ahead()? {
        eprintln!("what is not committed is left out");
    }
    let search = Search { budget: args.budget, shrink_time_max: args.shrink_time_max };
    say!("{:<36}{:>7}{:>8}{:>9}{:>9}{:>9}  found by", "bug", "seeds", "CPU s", "events", "shrunk", "in s");
    let mut table = Table::default();
    for bug in &bugs {
        let found = match args.kept {
            true => plot.kept(bug),
            false => plot.plant(bug, &args.profile).and_then(|program| plot.find(bug, &program, &search)).map(Some),
        };
        match found {
            Ok(Some(summary)) => {
                say!("{}", row(bug, &summary));
                table.take(&summary);
            }
            Ok(None) => say!("{:<36}not looked for yet", bug.name),
            Err(error) => say!("{:<36}NOT PLANTED: {error}", bug.name),
        }
    }
    say!("{}", table.sum(bugs.len()));
    Ok(if table.found == bugs.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all bugs come to.
#[derive(Default)]
struct Table {
    found: usize,
    minimal: usize,
    /// Seconds of a processor until each was found, and seconds until its plan was shrunk.
    spent: Vec<f64>,
    shrunk: Vec<f64>,
}

impl Table {
    fn take(&mut self, summary: &Summary) {
        if summary.failures.is_empty() {
            return;
        }
        self.found += 1;
        self.spent.push(summary.spent.as_secs_f64());
        if let Some(shrunk) = summary.shrunk.first() {
            self.minimal += usize::from(shrunk.is_minimal);
            self.shrunk.push(shrunk.real.as_secs_f64());
        }
    }

    fn sum(&mut self, all: usize) -> String {
        let [spent, shrunk] = [&mut self.spent, &mut self.shrunk].map(|seconds| {
            seconds.sort_by(f64::total_cmp);
            let (median, worst) = (seconds.get(seconds.len() / 2), seconds.last());
            format!("median {:.1}, worst {:.1}", median.unwrap_or(&0.0), worst.unwrap_or(&0.0))
        });
        let Self { found, minimal, .. } = self;
        format!("{found} of {all} bugs found; seconds of a processor until then: {spent}; seconds to shrink: {shrunk}; {minimal} are minimal")
    }
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
