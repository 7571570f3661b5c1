//! The subcommands, and what they share.

use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use gracchus_server::recording::Recording;
use gracchus_sim::plan::{self, Plan};
use gracchus_sim::trace::Trace;

/// Prints a line. A reader that has seen enough, such as `head`, is no error.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($what)*);
    }};
}

pub(super) mod bugs;
pub(super) mod campaign;
pub(super) mod compare;
pub(super) mod explain;
pub(super) mod marks;
pub(super) mod plans;
pub(super) mod replay;
pub(super) mod run;

/// How a subcommand ends.
pub(super) type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// What to run, or to look at.
#[derive(clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    source: Source,
    /// How many nodes the seed is run with. As many as it says, if not given.
    #[arg(long, value_parser = parse_nodes, conflicts_with = "file")]
    nodes: Option<usize>,
    /// The seed that a campaign with --steer had it take after.
    #[arg(long, value_name = "SEED", requires = "nodes", conflicts_with = "file")]
    parent: Option<u64>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The seed.
    #[arg(long)]
    seed: Option<u64>,
    /// A saved plan, the trace of a run, or the recording of a broker: its header tells which.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Which {
    pub(super) fn plan(&self) -> Result<Plan, Box<dyn std::error::Error>> {
        if self.recording()?.is_some() {
            return Err("a recording of a broker has no plan: `gracchus-sim replay` shows it".into());
        }
        if let Some(trace) = self.trace()? {
            return Ok(trace.plan);
        }
        let seed = match (&self.source.file, self.source.seed) {
            (Some(file), _) => return Ok(plan::load(file).map_err(|error| format!("{}: {error}", file.display()))?),
            (None, seed) => seed.expect("clap asks for one of the two"),
        };
        Ok(match (self.parent, self.nodes) {
            (Some(parent), Some(nodes)) => Plan::bred(seed, parent, nodes),
            (_, nodes) => draw(seed, nodes),
        })
    }

    /// The trace, if it is one.
    pub(super) fn trace(&self) -> Result<Option<Trace>, String> {
        self.file_of(Trace::is_one, Trace::parse)
    }

    /// The recording, if it is one.
    pub(super) fn recording(&self) -> Result<Option<Recording>, String> {
        self.file_of(Recording::is_one, Recording::parse)
    }

    fn file_of<T, E: Display>(&self, is_one: impl Fn(&[u8]) -> bool, parse: impl Fn(&[u8]) -> Result<T, E>) -> Result<Option<T>, String> {
        let Some(file) = &self.source.file else { return Ok(None) };
        let content = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        if !is_one(&content) {
            return Ok(None);
        }
        parse(&content).map(Some).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// How much of a run is kept in a trace.
pub(super) const KEPT_BYTES_MAX: usize = 256 << 20;

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
