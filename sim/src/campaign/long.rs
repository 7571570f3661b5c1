//! A campaign that takes hours: seeds until they or its time are used up, in processes that may hang, kept in a folder so that it goes on where
//! it ended. In the end one failing plan of each kind is shrunk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::kept::{Kept, KeptError, Scope};
use super::worker::run_in;
use super::{Summary, Work, junit};
use crate::plan::{self, Plan, PlanError};
use crate::platform::lock;
use crate::shrink::{self, Failure, Size};
use crate::world::RunReport;

/// How often what was done is put on disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// How long it may take; until all seeds are run, if not given.
    pub budget: Option<Duration>,
    /// Processes that run seeds.
    pub jobs: usize,
    /// A folder with plans that are run first, each time.
    pub corpus: Option<PathBuf>,
    /// How long a seed may take.
    pub seed_time_max: Duration,
    /// How long the shrinking of a plan may take.
    pub shrink_time_max: Duration,
}

/// How a campaign goes.
#[derive(Debug)]
pub enum Told<'a> {
    /// A seed was run, or a second has passed.
    Standing {
        /// What came of all seeds so far.
        summary: &'a Summary,
        /// Seeds that were run by this invocation, and their events.
        now: (u64, u64),
    },
    /// A plan is being shrunk.
    Shrinking {
        /// What it breaks.
        of: &'a str,
        /// How large it is by now.
        size: Size,
    },
}

/// Why a campaign can't go on.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// Its folder can't be used.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A plan can't be read or written.
    #[error("{0}: {1}")]
    Plan(PathBuf, PlanError),
    /// A result can't be written.
    #[error("{0}: {1}")]
    Result(PathBuf, io::Error),
    /// No process can be started to run seeds.
    #[error("no process to run seeds: {0}")]
    Worker(io::Error),
}

/// Runs a campaign in a folder, or goes on with it.
///
/// # Errors
/// [`CampaignError`]. What was run until then is kept.
pub fn campaign(folder: &Path, scope: Scope, order: &Order, tell: &mut dyn FnMut(&Told<'_>)) -> Result<Summary, CampaignError> {
    let began = Instant::now();
    let mut kept = Kept::open(folder, scope)?;
    let corpus = match &order.corpus {
        Some(corpus) => plan::load_all(corpus).map_err(|error| CampaignError::Plan(corpus.clone(), error))?,
        None => Vec::new(),
    };
    let saved = corpus.into_iter().map(|(file, plan)| Work::Saved(file, Box::new(plan)));
    let seeds = kept.missing(order.seeds.clone()).map(|seed| Work::Seed(seed, scope.nodes));
    run_all(folder, &mut kept, Mutex::new(saved.chain(seeds)), order, began, tell)?;
    kept.summary.failures.sort_by_key(|report| report.seed);
    kept.save(folder)?;
    shrink_failures(folder, &kept.summary, order, tell)?;
    write_results(folder, &kept.summary)?;
    Ok(kept.summary)
}

/// Folds the campaigns in the folders of a folder into one result, which is written there.
///
/// # Errors
/// [`CampaignError`].
pub fn merge(folder: &Path) -> Result<Summary, CampaignError> {
    let failed = |error| CampaignError::Result(folder.to_owned(), error);
    let mut merged = Summary::default();
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        folders.push(entry.map_err(failed)?.path());
    }
    folders.sort();
    for shard in folders.into_iter().filter(|shard| shard.is_dir()) {
        if let Some(kept) = Kept::load(&shard)? {
            merged.merge(kept.summary);
        }
    }
    write_results(folder, &merged)?;
    Ok(merged)
}

fn run_all(
    folder: &Path,
    kept: &mut Kept,
    work: Mutex<impl Iterator<Item = Work> + Send>,
    order: &Order,
    began: Instant,
    tell: &mut dyn FnMut(&Told<'_>),
) -> Result<(), CampaignError> {
    let is_over = || order.budget.is_some_and(|budget| began.elapsed() >= budget);
    let real_before = kept.summary.real;
    let (send, reports) = mpsc::channel();
    thread::scope(|scope| {
        let work = &work;
        for _ in 0..order.jobs.max(1) {
            let send = send.clone();
            scope.spawn(move || {
                let mut worker = None;
                while !is_over() {
                    let Some(work) = lock(work).next() else { return };
                    let report = run_in(&mut worker, &work, order.seed_time_max);
                    let has_failed = report.is_err();
                    if send.send((work, report)).is_err() || has_failed {
                        return;
                    }
                }
            });
        }
        drop(send);
        let (mut now, mut saved) = ((0, 0), Instant::now());
        loop {
            match reports.recv_timeout(Duration::from_secs(1)) {
                Ok((work, report)) => {
                    let report = report.map_err(CampaignError::Worker)?;
                    now = (now.0 + 1, now.1 + report.events);
                    match work {
                        Work::Seed(..) => kept.take(report),
                        Work::Saved(..) => take_saved(&mut kept.summary, report),
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            kept.summary.real = real_before + began.elapsed();
            tell(&Told::Standing { summary: &kept.summary, now });
            if saved.elapsed() >= SAVE_INTERVAL {
                kept.save(folder)?;
                saved = Instant::now();
            }
        }
    })
}

/// A plan of the corpus is run each time: only its failure is noted, once.
fn take_saved(summary: &mut Summary, report: RunReport) {
    summary.failures.retain(|known| known.replay != report.replay);
    if Failure::of(&report).is_some() {
        summary.failures.push(report);
    }
}

/// The runs that failed, by what they broke.
#[must_use]
pub fn failures_by_kind(summary: &Summary) -> BTreeMap<String, Vec<&RunReport>> {
    let mut by_kind: BTreeMap<String, Vec<&RunReport>> = BTreeMap::new();
    for report in &summary.failures {
        if let Some(failure) = Failure::of(report) {
            by_kind.entry(failure.of).or_default().push(report);
        }
    }
    by_kind
}

/// Where the plan of a failure is kept once it is shrunk.
#[must_use]
pub fn shrunk_file(folder: &Path, of: &str, report: &RunReport) -> PathBuf {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let of: String = of.chars().map(plain).take(60).collect();
    folder.join("failures").join(format!("{of}-seed-{}-of-{}-nodes.json", report.seed, report.nodes))
}

/// Shrinks the first failing plan of each kind, unless that was done before. One that hung would hang again.
fn shrink_failures(folder: &Path, summary: &Summary, order: &Order, tell: &mut dyn FnMut(&Told<'_>)) -> Result<(), CampaignError> {
    for (of, reports) in failures_by_kind(summary) {
        let Some(report) = reports.iter().find(|report| report.replay.starts_with("--seed") && report.events > 0) else { continue };
        let file = shrunk_file(folder, &of, report);
        if file.exists() {
            continue;
        }
        let failed = |error| CampaignError::Plan(file.clone(), error);
        fs::create_dir_all(folder.join("failures")).map_err(|error| CampaignError::Result(file.clone(), error))?;
        let plan = Plan::draw_for(report.seed, report.nodes);
        plan::save(&plan, &file).map_err(failed)?;
        let began = Instant::now();
        let shrunk = shrink::shrink(&plan, order.jobs, &mut |progress| {
            tell(&Told::Shrinking { of: &of, size: Size::of(progress.best, progress.failure) });
            if began.elapsed() < order.shrink_time_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Some(shrunk) = shrunk {
            plan::save(&shrunk.plan, &file).map_err(failed)?;
        }
    }
    Ok(())
}

fn write_results(folder: &Path, summary: &Summary) -> Result<(), CampaignError> {
    let json = serde_json::to_vec_pretty(summary).map_err(io::Error::from);
    let xml = junit(summary).map_err(io::Error::other);
    for (name, content) in [("summary.json", json), ("junit.xml", xml.map(String::into_bytes))] {
        let file = folder.join(name);
        let written = content.and_then(|content| fs::write(&file, content));
        written.map_err(|error| CampaignError::Result(file, error))?;
    }
    Ok(())
}
