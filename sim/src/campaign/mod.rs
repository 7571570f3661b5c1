//! Many runs: seeds spread over threads or processes, and what came of them added up.

mod compare;
mod junit;
mod kept;
mod long;
mod marks;
mod steering;
mod summary;
pub mod worker;

use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use self::compare::{Compared, compare};
pub use self::junit::junit;
pub use self::kept::{Kept, KeptError, Scope, Shard};
pub use self::long::{CampaignError, Order, Told, campaign, failures_by_kind, merge};
pub use self::marks::{MarkCount, mark_counts};
pub use self::summary::{ShrunkPlan, Summary, Verdict, describe};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::platform::lock;
use crate::trace::Trace;
use crate::world::{self, RunReport};

/// What to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Work {
    /// The plan that is drawn from a seed, for so many nodes; for as many as the seed says, if none is given.
    Seed(u64, Option<usize>),
    /// The plan of a seed that takes after another's, for so many nodes.
    Bred {
        /// The seed.
        seed: u64,
        /// The other one.
        parent: u64,
        /// How many nodes.
        nodes: usize,
    },
    /// A plan that was saved in a file.
    Saved(PathBuf, Box<Plan>),
}

impl Work {
    fn run(&self) -> RunReport {
        self.record(0).0
    }

    fn record(&self, kept_bytes_max: usize) -> (RunReport, Trace) {
        let (report, trace) = world::record(&self.plan(), kept_bytes_max, None);
        (RunReport { replay: self.replay(), parent: self.parent(), ..report }, trace)
    }

    fn parent(&self) -> Option<u64> {
        match self {
            Self::Bred { parent, .. } => Some(*parent),
            Self::Seed(..) | Self::Saved(..) => None,
        }
    }

    /// What to tell `gracchus-sim replay`.
    fn replay(&self) -> String {
        match self {
            Self::Seed(seed, None) => format!("--seed {seed}"),
            Self::Seed(seed, Some(nodes)) => format!("--seed {seed} --nodes {nodes}"),
            Self::Bred { seed, parent, nodes } => format!("--seed {seed} --nodes {nodes} --parent {parent}"),
            Self::Saved(file, _) => file.display().to_string(),
        }
    }

    fn plan(&self) -> Plan {
        match self {
            Self::Seed(seed, None) => Plan::draw(*seed),
            Self::Seed(seed, Some(nodes)) => Plan::draw_for(*seed, *nodes),
            Self::Bred { seed, parent, nodes } => Plan::bred(*seed, *parent, *nodes),
            Self::Saved(_, plan) => Plan::clone(plan),
        }
    }

    /// The report of a run of which nothing is known.
    fn unknown(&self) -> RunReport {
        let plan = self.plan();
        RunReport { replay: self.replay(), parent: self.parent(), ..RunReport::empty(plan.seed, plan.nodes.len()) }
    }
}

/// Runs it all on so many threads, and tells each run as it ends.
pub fn run(work: Vec<Work>, jobs: usize, mut tell: impl FnMut(&RunReport)) -> Summary {
    let started = Instant::now();
    let waiting = Arc::new(Mutex::new(work.into_iter()));
    let (send, reports) = mpsc::channel();
    for _ in 0..jobs {
        let (waiting, send) = (Arc::clone(&waiting), send.clone());
        std::thread::spawn(move || {
            loop {
                let next = lock(&waiting).next();
                let Some(work) = next else { return };
                if send.send(work.run()).is_err() {
                    return;
                }
            }
        });
    }
    drop(send);
    let mut summary = Summary::default();
    for report in reports {
        tell(&report);
        summary.add(report);
    }
    summary.failures.sort_by_key(|report| report.seed);
    summary.real = started.elapsed();
    summary
}
