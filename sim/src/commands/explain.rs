//! `explain` and `report`: why a run failed, in words and as a page.

use std::path::PathBuf;
use std::process::ExitCode;

use gracchus_sim::explain;
use gracchus_sim::report;

use super::{Outcome, Which};

#[derive(clap::Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    which: Which,
    /// Turning points to print: the last ones.
    #[arg(long, value_name = "N", default_value_t = 40)]
    turns: usize,
    /// Steps before the failure to print.
    #[arg(long, value_name = "N", default_value_t = 25)]
    last: usize,
    /// Prints it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    which: Which,
    /// Where the page goes.
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

pub(crate) fn explain(args: &ExplainArgs) -> Outcome {
    let plan = args.which.plan()?;
    let watched = explain::watch(&plan);
    let told = explain::explain(&watched, args.turns, args.last).ok_or("the run does not fail: there is nothing to explain")?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        say!("{plan}\n{told}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn report(args: &ReportArgs) -> Outcome {
    let plan = args.which.plan()?;
    std::fs::write(&args.html, report::page(&explain::watch(&plan)))?;
    say!("{}", args.html.display());
    Ok(ExitCode::SUCCESS)
}
