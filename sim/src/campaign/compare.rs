//! Whether a run is the same wherever it runs: in this process beside and behind others, and alone in a fresh one, of another build perhaps.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Work;
use super::worker::Worker;
use crate::platform::lock;
use crate::trace::{Parted, RunHash, Trace};
use crate::{plan, world};

/// How long a run may take in the other process.
const RUN_MAX: Duration = Duration::from_secs(600);
/// How much is kept of runs that differ.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// A run, compared.
#[derive(Debug)]
pub struct Compared {
    /// What to tell `gracchus-sim replay`.
    pub replay: String,
    /// Its hash here.
    pub here: RunHash,
    /// Its hash in the other process.
    pub there: RunHash,
    /// Where the two part. None if they don't, or did not when they were run again.
    pub parted: Option<Parted>,
}

impl Compared {
    /// Whether it was the same.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.here == self.there
    }
}

/// Runs everything twice, on so many threads: here, and by `program` in a process that runs nothing else. Tells each as it is done.
///
/// # Errors
/// The program can't be started, or does not do what it is told.
pub fn compare(work: Vec<Work>, jobs: usize, program: &Path, mut tell: impl FnMut(&Compared)) -> io::Result<()> {
    let waiting = Mutex::new(work.into_iter());
    let (send, done) = mpsc::channel();
    let waiting = &waiting;
    thread::scope(move |scope| {
        for _ in 0..jobs.max(1) {
            let send = send.clone();
            scope.spawn(move || {
                loop {
                    let Some(work) = lock(waiting).next() else { return };
                    let compared = compare_one(&work, program);
                    let is_last = compared.is_err();
                    if send.send(compared).is_err() || is_last {
                        return;
                    }
                }
            });
        }
        drop(send);
        for compared in done {
            tell(&compared?);
        }
        Ok(())
    })
}

fn compare_one(work: &Work, program: &Path) -> io::Result<Compared> {
    let here = work.run().hash;
    let report = Worker::start(program, None)?.run(work, RUN_MAX);
    let there = report.ok_or_else(|| io::Error::other(format!("{} does not run {}", program.display(), work.replay())))?.hash;
    let parted = if here == there { None } else { part(work, program)? };
    Ok(Compared { replay: work.replay(), here, there, parted })
}

/// Where the two part, if they do once more.
fn part(work: &Work, program: &Path) -> io::Result<Option<Parted>> {
    let folder = std::env::temp_dir().join(format!("gracchus-compare-{}-{}", std::process::id(), work.plan().seed));
    std::fs::create_dir_all(&folder)?;
    let (of_plan, of_trace) = (folder.join("plan.json"), folder.join("trace"));
    plan::save(&work.plan(), &of_plan).map_err(io::Error::other)?;
    let replay = Command::new(program).arg("replay").arg(&of_plan).arg("--trace").arg(&of_trace).stdout(Stdio::null()).status();
    let there = replay.and_then(|_| std::fs::read(&of_trace)).and_then(|content| Trace::parse(&content).map_err(io::Error::other));
    std::fs::remove_dir_all(&folder)?;
    let (_, here) = world::record(&work.plan(), KEPT_BYTES_MAX, None);
    Ok(here.parts_from(&there?))
}
