//! Many runs: seeds spread over threads, and what came of them added up.

mod marks;
mod summary;

use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use self::summary::{Summary, Verdict, describe};
use crate::plan::Plan;
use crate::platform::lock;
use crate::world::{self, RunReport};

/// What to run.
#[derive(Clone, Debug)]
pub enum Work {
    /// The plan that is drawn from a seed, for so many nodes; for as many as the seed says, if none is given.
    Seed(u64, Option<usize>),
    /// A plan that was saved in a file.
    Saved(PathBuf, Box<Plan>),
}

impl Work {
    fn run(self) -> RunReport {
        match self {
            Self::Seed(seed, None) => world::run(&Plan::draw(seed), None),
            Self::Seed(seed, Some(nodes)) => {
                RunReport { replay: format!("--seed {seed} --nodes {nodes}"), ..world::run(&Plan::draw_for(seed, nodes), None) }
            }
            Self::Saved(file, plan) => RunReport { replay: file.display().to_string(), ..world::run(&plan, None) },
        }
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
