//! `marks`: rare events, and how often they are reached.

use std::path::PathBuf;
use std::process::ExitCode;

use gracchus_sim::campaign::{Kept, mark_counts};

use super::Outcome;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a campaign that has counted them.
    #[arg(long, value_name = "FOLDER", default_value = "gracchus-campaign")]
    folder: PathBuf,
}

pub(crate) fn marks(args: &Args) -> Outcome {
    let Some(kept) = Kept::load(&args.folder)? else {
        return Err(format!("{} has no campaign: gracchus-sim campaign --seeds 1000 --folder {0}", args.folder.display()).into());
    };
    let summary = kept.summary;
    say!("{} seeds, {} of several nodes", summary.seeds, summary.clusters);
    say!("{:<34}{:>10}{:>12}  {:<18}set at", "mark", "reached", "per 1,000", "required");
    for count in mark_counts(&summary) {
        say!("{count}");
    }
    Ok(ExitCode::SUCCESS)
}
