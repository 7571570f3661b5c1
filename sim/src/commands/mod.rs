//! The subcommands, and what they share.

use std::path::PathBuf;
use std::process::ExitCode;

use gracchus_sim::plan::{self, Plan};

/// Prints a line. A reader that has seen enough, such as `head`, is no error.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($what)*);
    }};
}

pub(super) mod bugs;
pub(super) mod campaign;
pub(super) mod marks;
pub(super) mod plans;
pub(super) mod replay;
pub(super) mod run;

/// How a subcommand ends.
pub(super) type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The seed.
    #[arg(long)]
    seed: Option<u64>,
    /// A saved plan.
    #[arg(value_name = "PLANFILE")]
    file: Option<PathBuf>,
}

impl Which {
    pub(super) fn plan(&self, nodes: Option<usize>) -> Result<Plan, plan::PlanError> {
        match (&self.file, self.seed) {
            (Some(file), _) => plan::load(file),
            (None, seed) => Ok(draw(seed.expect("clap asks for one of the two"), nodes)),
        }
    }
}

pub(super) fn parse_seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|error| format!("{number:?}: {error}"));
    let range = match text.split_once("..") {
        Some((from, upto)) => parse(from)?..parse(upto)?,
        None => 0..parse(text)?,
    };
    if range.is_empty() { Err(format!("{text} is no seed at all")) } else { Ok(range) }
}

/// Two nodes have no majority without both, and with more than seven a run takes long.
pub(super) fn parse_nodes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(nodes @ (1 | 3..=7)) => Ok(nodes),
        Ok(_) | Err(_) => Err(format!("{text:?}: it can be 1, or 3 to 7")),
    }
}

pub(super) fn draw(seed: u64, nodes: Option<usize>) -> Plan {
    nodes.map_or_else(|| Plan::draw(seed), |nodes| Plan::draw_for(seed, nodes))
}

/// As many as there are processors, if nobody says otherwise.
pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}
