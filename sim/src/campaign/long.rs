//! A campaign that takes hours: seeds until they or its time are used up, in processes that may hang, kept in a folder so that it goes on where
//! it ended. In the end one failing plan of each kind is shrunk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::kept::{self, Kept, KeptError, Scope};
use super::steering::Steering;
use super::summary::ShrunkPlan;
use super::worker::run_in;
use super::{Summary, Work, junit};
use crate::plan::{self, PlanError};
use crate::platform::lock;
use crate::shrink::{self, Failure, Shrunk, Size};
use crate::world::RunReport;

/// How often what was done is put on disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// Whether those are all run in the end, and not as many as there is time for.
    pub is_bounded: bool,
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
    /// Whether it ends with the first failure.
    pub until_failure: bool,
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
    /// Campaigns do not belong together, or one is missing or not done.
    #[error("{0}: {1}")]
    Merge(PathBuf, String),
    /// No process can be started to run seeds.
    #[error("no process to run seeds: {0}")]
    Worker(io::Error),
}

/// Runs a campaign in a folder, or goes on with it.
///
/// # Errors
/// [`CampaignError`]. What was run until then is kept.
pub fn campaign(folder: &Path, scope: &Scope, order: &Order, tell: &mut dyn FnMut(&Told<'_>)) -> Result<Summary, CampaignError> {
    let began = Instant::now();
    let (mut kept, _alone) = Kept::open(folder, scope.clone())?;
    kept.ordered = order.is_bounded.then(|| order.seeds.clone());
    let corpus = match &order.corpus {
        Some(corpus) => plan::load_all(corpus).map_err(|error| CampaignError::Plan(corpus.clone(), error))?,
        None => Vec::new(),
    };
    let saved = corpus.into_iter().map(|(file, plan)| Work::Saved(file, Box::new(plan)));
    let steering = scope.steers.then(|| Arc::new(Mutex::new(Steering::default())));
    let (nodes, steers) = (scope.nodes, steering.clone());
    let seeds = kept.missing(order.seeds.clone()).map(move |seed| match &steers {
        Some(steering) => lock(steering).choose(seed, nodes),
        None => Work::Seed(seed, nodes),
    });
    let learn = |report: &RunReport| steering.iter().for_each(|steering| lock(steering).learn(report));
    let ran = run_all(folder, &mut kept, &Mutex::new(saved.chain(seeds)), order, began, &learn, tell);
    kept.summary.failures.sort_by_key(|report| report.seed);
    kept.save(folder)?;
    ran?;
    let shrunk = shrink_failures(folder, &kept.summary, order, tell)?;
    kept.summary.shrunk.extend(shrunk);
    kept.save(folder)?;
    write_results(folder, &kept.summary)?;
    Ok(kept.summary)
}

/// Folds the campaigns in the folders of a folder into one result, which is written there.
///
/// # Errors
/// [`CampaignError`]: they have to be all shards of one campaign, each once and done.
pub fn merge(folder: &Path) -> Result<Summary, CampaignError> {
    let failed = |error| CampaignError::Result(folder.to_owned(), error);
    let mut merged = Summary::default();
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        folders.push(entry.map_err(failed)?.path());
    }
    folders.sort();
    let mut all = Vec::new();
    for shard in folders.into_iter().filter(|shard| shard.is_dir()) {
        all.extend(Kept::load(&shard)?);
    }
    kept::check_whole(&all).map_err(|what| CampaignError::Merge(folder.to_owned(), what))?;
    all.into_iter().for_each(|kept| merged.merge(kept.summary));
    write_results(folder, &merged)?;
    Ok(merged)
}

fn run_all(
    folder: &Path,
    kept: &mut Kept,
    work: &Mutex<impl Iterator<Item = Work> + Send>,
    order: &Order,
    began: Instant,
    learn: &dyn Fn(&RunReport),
    tell: &mut dyn FnMut(&Told<'_>),
) -> Result<(), CampaignError> {
    let has_failed = AtomicBool::new(order.until_failure && !kept.summary.failures.is_empty());
    let is_over = || has_failed.load(Ordering::Relaxed) || order.budget.is_some_and(|budget| began.elapsed() >= budget);
    let real_before = kept.summary.real;
    let (send, reports) = mpsc::channel();
    let (has_failed, is_over) = (&has_failed, &is_over);
    let traces: &Path = &folder.join("traces");
    // What comes is heard in here alone: whoever runs seeds ends once nobody does.
    thread::scope(move |scope| {
        for _ in 0..order.jobs.max(1) {
            let send = send.clone();
            scope.spawn(move || {
                let mut worker = None;
                while !is_over() {
                    let Some(work) = lock(work).next() else { return };
                    let report = run_in(&mut worker, &work, order.seed_time_max, Some(traces));
                    let is_last = report.is_err();
                    if send.send((work, report)).is_err() || is_last {
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
                    has_failed.fetch_or(order.until_failure && Failure::of(&report).is_some(), Ordering::Relaxed);
                    now = (now.0 + 1, now.1 + report.events);
                    match work {
                        Work::Seed(..) | Work::Bred { .. } => {
                            learn(&report);
                            kept.take(report);
                        }
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

/// Where the plan of a failure is kept.
fn shrunk_file(folder: &Path, of: &str, report: &RunReport) -> PathBuf {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let of: String = of.chars().map(plain).take(60).collect();
    folder.join("failures").join(format!("{of}-seed-{}-of-{}-nodes.json", report.seed, report.nodes))
}

/// Shrinks the first failing plan of each kind, unless that was done before. One that hung would hang again.
fn shrink_failures(folder: &Path, summary: &Summary, order: &Order, tell: &mut dyn FnMut(&Told<'_>)) -> Result<Vec<ShrunkPlan>, CampaignError> {
    let mut all = Vec::new();
    for (of, reports) in failures_by_kind(summary) {
        let is_done = summary.shrunk.iter().any(|shrunk| shrunk.of == of);
        let is_known = |report: &&RunReport| (report.events > 0).then(|| report.plan()).flatten();
        let found = reports.iter().find_map(|report| Some((report, is_known(report)?)));
        let Some((report, plan)) = found.filter(|_| !is_done) else { continue };
        let file = shrunk_file(folder, &of, report);
        let failed = |error| CampaignError::Plan(file.clone(), error);
        fs::create_dir_all(folder.join("failures")).map_err(|error| CampaignError::Result(file.clone(), error))?;
        plan::save(&plan, &file).map_err(failed)?;
        let (began, mut before) = (Instant::now(), None);
        let mut saved = Ok(());
        let shrunk = shrink::shrink(&plan, order.jobs, order.seed_time_max, &mut |progress| {
            let size = Size::of(progress.best, progress.failure);
            if progress.is_smaller && saved.is_ok() {
                saved = plan::save(progress.best, &file);
            }
            before.get_or_insert_with(|| (Size::of(&plan, progress.failure), progress.failure.events));
            tell(&Told::Shrinking { of: &of, size });
            if began.elapsed() < order.shrink_time_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        // One that does not fail again is left as it is.
        let (Some(Shrunk { plan, failure, tries, is_minimal }), Some(before)) = (shrunk.map_err(CampaignError::Worker)?, before) else {
            continue;
        };
        saved.map_err(failed)?;
        let after = (Size::of(&plan, &failure), failure.events);
        all.push(ShrunkPlan { of, seed: report.seed, file, before, after, tries, real: began.elapsed(), is_minimal });
    }
    Ok(all)
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
