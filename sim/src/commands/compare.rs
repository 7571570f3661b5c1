//! `compare`: where runs part that should be equal.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gracchus_sim::campaign::{self, Work};
use gracchus_sim::trace::{Length, Parted, Trace};

use super::{Outcome, jobs, parse_nodes, parse_seeds};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Two traces.
    #[arg(value_name = "TRACE", num_args = 2, required_unless_present = "seeds")]
    traces: Vec<PathBuf>,
    /// So many seeds from 0 on, or those from A up to B, which is left out. Each is run in this process and in a fresh one.
    #[arg(long, value_name = "N|A..B", value_parser = parse_seeds, conflicts_with = "traces")]
    seeds: Option<Range<u64>>,
    /// How many nodes there are. As many as each seed says, if not given.
    #[arg(long, value_parser = parse_nodes, requires = "seeds")]
    nodes: Option<usize>,
    /// The program that runs the fresh processes: another build of this one. This very one, if not given.
    #[arg(long, value_name = "PROGRAM", requires = "seeds")]
    with: Option<PathBuf>,
    /// Seeds at one time. As many as there are processors, if not given.
    #[arg(long, requires = "seeds")]
    jobs: Option<usize>,
}

pub(crate) fn compare(args: &Args) -> Outcome {
    match (args.traces.as_slice(), &args.seeds) {
        ([one, other], _) => traces(one, other),
        (_, Some(seeds)) => all_seeds(args, seeds.clone()),
        _ => unreachable!("clap asks for one of the two"),
    }
}

fn traces(one: &Path, other: &Path) -> Outcome {
    let load = |file: &Path| {
        let content = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Trace::parse(&content).map_err(|error| format!("{}: {error}", file.display()))
    };
    let (one, other) = (load(one)?, load(other)?);
    if one.plan != other.plan {
        say!("their plans differ");
    }
    let Some(parted) = one.parts_from(&other) else {
        say!("equal in all {} events: hash {}", one.events, one.hash);
        return Ok(ExitCode::SUCCESS);
    };
    say!("{}", describe(parted));
    if let Parted::At(event) = parted {
        for (name, trace) in [("first", &one), ("second", &other)] {
            let found = trace.events().find(|known| known.as_ref().is_ok_and(|known| known.number == event));
            match found {
                Some(Ok(event)) => say!("{name}: {}", event.line(Length::Whole)),
                Some(Err(error)) => say!("{name}: {error}"),
                None => say!("{name}: it is over by then"),
            }
        }
    }
    Ok(ExitCode::FAILURE)
}

fn describe(parted: Parted) -> String {
    match parted {
        Parted::At(event) => format!("they part at event {event}"),
        Parted::Within(behind, until) => format!("they part behind event {behind}, by event {until}, which are not both kept"),
    }
}

fn all_seeds(args: &Args, seeds: Range<u64>) -> Outcome {
    let this = std::env::current_exe()?;
    let program = args.with.as_deref().unwrap_or(&this);
    let (mut count, mut differing) = (0u64, 0u64);
    let work = seeds.map(|seed| Work::Seed(seed, args.nodes)).collect();
    campaign::compare(work, jobs(args.jobs), program, |compared| {
        count += 1;
        if compared.is_equal() {
            return;
        }
        differing += 1;
        let where_ = compared.parted.map_or_else(|| "they did not when they were run again".to_owned(), describe);
        say!("{}: hash {} here and {} there: {where_}", compared.replay, compared.here, compared.there);
    })?;
    say!("{count} runs, each here among others and in a process of its own: {differing} differ");
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
