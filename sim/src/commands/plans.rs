//! `plan` and `shrink`: the plan of a seed, shown or made smaller.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use gracchus_sim::plan;
use gracchus_sim::shrink::{self, Size};
use gracchus_sim::world;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Outcome, Which, jobs};

#[derive(clap::Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// Saves the plan, and prints nothing.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct ShrinkArgs {
    #[command(flatten)]
    which: Which,
    /// Where the smallest plan is kept.
    #[arg(long, value_name = "FILE")]
    save: PathBuf,
    /// How long a run may take before it counts as one that hangs.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    seed_time_max: Duration,
    /// Runs at one time. As many as there are processors, if not given; what comes out is the same.
    #[arg(long)]
    jobs: Option<usize>,
}

pub(crate) fn show(args: &ShowArgs) -> Outcome {
    let plan = args.which.plan()?;
    match &args.save {
        Some(file) => plan::save(&plan, file)?,
        None => say!("{plan}"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn shrink(args: &ShrinkArgs) -> Outcome {
    let plan = args.which.plan()?;
    let spinner = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is sound"));
    world::note_panics();
    let mut saved = Ok(());
    let mut first = None;
    let shrunk = shrink::shrink(&plan, jobs(args.jobs), args.seed_time_max, &mut |progress| {
        let size = Size::of(progress.best, progress.failure);
        first.get_or_insert_with(|| progress.failure.clone());
        spinner.set_message(format!("{} tries: {size}", progress.tries));
        spinner.tick();
        if progress.is_smaller && saved.is_ok() {
            saved = plan::save(progress.best, &args.save);
            spinner.is_hidden().then(|| eprintln!("{:>5} tries: {size}", progress.tries));
        }
        if saved.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    spinner.finish_and_clear();
    saved?;
    let shrunk = shrunk?;
    let (Some(shrunk), Some(first)) = (shrunk, first) else { return Err("the plan does not fail: there is nothing to shrink".into()) };
    say!("violates {}, after {} tries", shrunk.failure.of, shrunk.tries);
    say!("before: {}, {} events", Size::of(&plan, &first), first.events);
    say!("after:  {}, {} events", Size::of(&shrunk.plan, &shrunk.failure), shrunk.failure.events);
    if !shrunk.is_minimal {
        say!("it was stopped before nothing more could be cut");
    }
    say!("to see its events: gracchus-sim replay {}", args.save.display());
    Ok(ExitCode::SUCCESS)
}
