//! Makes a plan that fails smaller, for as long as it breaks the same property: delta debugging (Zeller and Hildebrandt, 2002) over its faults,
//! clients and their turns, nodes, topics and settings, and over how long it takes.
//!
//! In the end the plan is 1-minimal, if it was not stopped before: without any one of these it would go well, or fail otherwise. What makes a
//! store, a client or the network plainer is one cut each. The result is the same whatever the number of jobs.

mod cuts;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::cuts::{Group, cut, turns};
use crate::campaign::worker::Workers;
use crate::plan::Plan;
use crate::platform::lock;
use crate::world::{Ending, RunReport};

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The property that did not hold, or what it panicked with.
    pub of: String,
    /// How much time had been simulated by then.
    pub simulated: Duration,
    /// How many events there had been.
    pub events: u64,
    /// How many turns each client had taken, by its id.
    pub turns: BTreeMap<u8, u64>,
}

impl Failure {
    /// How a run failed, if it did.
    #[must_use]
    pub fn of(report: &RunReport) -> Option<Self> {
        let of = match &report.ending {
            Ending::Clean | Ending::Stopped(_) | Ending::Excused(_) => return None,
            Ending::Violation { violation, .. } => violation.property.clone(),
            Ending::Panic { place: Some(place), .. } => format!("panic at {place}"),
            // Offsets and ids differ from run to run.
            Ending::Panic { what, place: None } => format!("panic: {}", what.replace(|character: char| character.is_ascii_digit(), "")),
            Ending::Hung { .. } => "ends".to_owned(),
        };
        Some(Self { of, simulated: report.simulated, events: report.events, turns: report.turns.clone() })
    }
}

/// How large a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its faults.
    pub faults: usize,
    /// Its clients.
    pub clients: usize,
    /// Its nodes.
    pub nodes: usize,
    /// The topics that exist all along.
    pub topics: usize,
    /// Turns of clients that are not left out, where it is known how many they take.
    pub turns: u64,
    /// Settings of nodes and topics.
    pub settings: usize,
    /// How long clients work, in simulated milliseconds.
    pub duration_ms: u64,
}

impl Size {
    /// The size of a plan that fails so.
    #[must_use]
    pub fn of(plan: &Plan, failure: &Failure) -> Self {
        let of_nodes: usize = plan.nodes.iter().map(|node| node.configs.len()).sum();
        let of_topics: usize = plan.topics.iter().map(|topic| topic.configs.len()).sum();
        Self {
            faults: plan.faults.len(),
            clients: plan.clients.len(),
            nodes: plan.nodes.len(),
            topics: plan.topics.len(),
            turns: turns(plan, &failure.turns).count() as u64,
            settings: of_nodes + of_topics,
            duration_ms: plan.duration_ms,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, clients, nodes, topics, turns, settings, duration_ms } = self;
        let (seconds, millis) = (duration_ms / 1_000, duration_ms % 1_000);
        write!(
            f,
            "{faults} faults, {clients} clients with {turns} turns, {nodes} nodes, {topics} topics, {settings} settings, {seconds}.{millis:03} s"
        )
    }
}

/// Where a shrinking is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// The smallest plan so far that fails the same way.
    pub best: &'a Plan,
    /// How it fails.
    pub failure: &'a Failure,
    /// How many plans were run.
    pub tries: u64,
    /// Whether the plan is new since this was told last.
    pub is_smaller: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan.
    pub plan: Plan,
    /// How it fails.
    pub failure: Failure,
    /// How many plans were run.
    pub tries: u64,
    /// Whether nothing more can be cut: it was not stopped before.
    pub is_minimal: bool,
}

/// Is told how it goes, and says whether it is to go on.
pub type Tell<'a> = dyn FnMut(&Progress<'_>) -> ControlFlow<()> + 'a;

/// Shrinks a plan, with so many runs at a time, each in a process of its own that may hang: it is waited for so long at most. None if the plan
/// does not fail.
///
/// # Errors
/// No process can be started to run a plan: the smallest so far was told.
pub fn shrink<'a>(plan: &Plan, jobs: usize, run_time_max: Duration, tell: &'a mut Tell<'a>) -> io::Result<Option<Shrunk>> {
    let workers = Workers::new(run_time_max);
    let failed = Mutex::new(None);
    let run = |plan: &Plan| match workers.run(plan) {
        Ok(report) => Failure::of(&report),
        Err(error) => {
            lock(&failed).get_or_insert(error);
            None
        }
    };
    let shrunk = shrink_by(&run, plan, jobs, tell);
    // A plan that was not run did not pass.
    lock(&failed).take().map_or(Ok(shrunk), Err)
}

/// The same by anything that says how a plan fails.
fn shrink_by<'a>(run: &'a Run<'a>, plan: &Plan, jobs: usize, tell: &'a mut Tell<'a>) -> Option<Shrunk> {
    let failure = run(plan)?;
    let mut shrinker = Shrinker { run, jobs: jobs.max(1), best: plan.clone(), failure: failure.clone(), tries: 1, tell, is_stopped: false };
    shrinker.take(plan.clone(), failure);
    while shrinker.cut_all() {}
    let Shrinker { best, failure, tries, is_stopped, .. } = shrinker;
    assert_eq!(run(&best).map(|again| again.of), Some(failure.of.clone()), "a plan fails again as it did before");
    Some(Shrunk { plan: best, failure, tries, is_minimal: !is_stopped })
}

/// Says how a plan fails.
type Run<'a> = dyn Fn(&Plan) -> Option<Failure> + Sync + 'a;

struct Shrinker<'a> {
    run: &'a Run<'a>,
    jobs: usize,
    best: Plan,
    failure: Failure,
    tries: u64,
    tell: &'a mut Tell<'a>,
    is_stopped: bool,
}

impl Shrinker<'_> {
    /// Goes once through everything. Says whether anything could be cut.
    fn cut_all(&mut self) -> bool {
        // What takes less time is sooner tried.
        let mut has_cut = self.shorten();
        for group in Group::ALL {
            has_cut |= self.cut_group(group);
        }
        has_cut
    }

    /// Cuts what is of one kind: all at once, then halves, and in the end one by one.
    fn cut_group(&mut self, group: Group) -> bool {
        let mut has_cut = false;
        let mut size = group.cuts(&self.best, &self.failure.turns).len();
        while size > 0 {
            let mut from = 0;
            loop {
                let cuts = group.cuts(&self.best, &self.failure.turns);
                let chunks = cuts.get(from..).unwrap_or_default().chunks(size).take(self.jobs);
                let candidates: Vec<Option<Plan>> = chunks.map(|chunk| cut(&self.best, chunk)).collect();
                let tried = candidates.len();
                if tried == 0 {
                    break;
                }
                let fails = self.first_failing(candidates);
                has_cut |= fails.is_some();
                // What stood before it still does, and what stood behind has moved up.
                from += size * fails.unwrap_or(tried);
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        has_cut
    }

    /// Has clients work for a shorter time.
    fn shorten(&mut self) -> bool {
        let mut has_cut = false;
        let mut tenths = 5;
        while tenths < 10 {
            let duration_ms = self.best.duration_ms * tenths / 10;
            let candidate = (duration_ms < self.best.duration_ms).then(|| {
                let mut shorter = Plan { duration_ms, ..self.best.clone() };
                // The run goes on until the last of them.
                shorter.faults.retain(|fault| fault.at_us <= duration_ms * 1_000);
                shorter
            });
            match self.first_failing(vec![candidate]) {
                Some(_) => has_cut = true,
                None => tenths += 2,
            }
        }
        has_cut
    }

    /// Runs candidates side by side. The first one that fails as is wanted becomes the best, and its place is told.
    fn first_failing(&mut self, candidates: Vec<Option<Plan>>) -> Option<usize> {
        if self.is_stopped {
            return None;
        }
        let run = self.run;
        let failures: Vec<Option<Failure>> = thread::scope(|scope| {
            let runs: Vec<_> = candidates.iter().map(|plan| plan.as_ref().map(|plan| scope.spawn(move || run(plan)))).collect();
            runs.into_iter().map(|run| run?.join().expect("a run's panics are caught inside")).collect()
        });
        self.tries += candidates.iter().flatten().count() as u64;
        let found = candidates.into_iter().zip(failures).enumerate().find_map(|(at, (plan, failure))| {
            let failure = failure.filter(|failure| failure.of == self.failure.of)?;
            Some((at, plan?, failure))
        });
        let Some((at, plan, failure)) = found else {
            self.tell(false);
            return None;
        };
        self.take(plan, failure);
        Some(at)
    }

    /// A plan fails as is wanted. What was to come after that is none of its business: without it the run is the same up to there.
    fn take(&mut self, mut plan: Plan, failure: Failure) {
        let upto_ms = u64::try_from(failure.simulated.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        plan.duration_ms = plan.duration_ms.min(upto_ms);
        plan.faults.retain(|fault| fault.at_us <= upto_ms * 1_000);
        (self.best, self.failure) = (plan, failure);
        self.tell(true);
    }

    fn tell(&mut self, is_smaller: bool) {
        let progress = Progress { best: &self.best, failure: &self.failure, tries: self.tries, is_smaller };
        self.is_stopped |= (self.tell)(&progress).is_break();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ClientPlan;

    /// Fails with these faults and two turns of client 3, among at least three nodes, after nine seconds: as is wanted with this client, and
    /// otherwise without it.
    fn fails(plan: &Plan, faults: &[u32], client: u8) -> Option<Failure> {
        let has_faults = faults.iter().all(|id| plan.faults.iter().any(|fault| fault.id == *id));
        let has_client = plan.clients.iter().any(|known| known.id == client);
        let of = if has_client { "Wanted" } else { "Other" }.to_owned();
        let has_turns = |known: &ClientPlan| known.id != 3 || (!known.left_out.has(7) && !known.left_out.has(40));
        let has_faults = has_faults && plan.clients.iter().all(has_turns);
        let does = has_faults && plan.nodes.len() >= 3 && plan.duration_ms > 9_000;
        does.then_some(Failure { of, simulated: Duration::from_secs(50), events: 1, turns: [(3, 50), (4, 9)].into() })
    }

    fn shrunk(jobs: usize) -> (Shrunk, Plan) {
        let plan = Plan::draw_for(5, 5);
        let early: Vec<u32> = plan.faults.iter().filter(|fault| fault.at_us < 9_000_000).map(|fault| fault.id).collect();
        let needed = vec![early[1], *early.last().unwrap()];
        let run = move |plan: &Plan| fails(plan, &needed, 3);
        (shrink_by(&run, &plan, jobs, &mut |_| ControlFlow::Continue(())).unwrap(), plan)
    }

    #[test]
    fn what_is_needed_is_left_and_nothing_else() {
        let (Shrunk { plan, failure, .. }, whole) = shrunk(1);
        assert!(whole.faults.len() > 20, "there was something to do");
        assert_eq!((plan.faults.len(), plan.nodes.len(), plan.topics.len()), (2, 3, 1));
        assert_eq!(plan.clients.iter().map(|client| client.id).collect::<Vec<_>>(), [3]);
        let size = Size::of(&plan, &failure);
        assert_eq!((size.settings, size.turns), (0, 2));
        assert!(!plan.clients[0].left_out.has(7) && !plan.clients[0].left_out.has(40));
        assert!((9_001..18_000).contains(&plan.duration_ms), "{}", plan.duration_ms);
    }

    #[test]
    fn the_number_of_jobs_tells_on_nothing() {
        let alone = shrunk(1).0;
        for jobs in [2, 3, 7] {
            assert_eq!(shrunk(jobs).0.plan, alone.plan);
        }
    }

    #[test]
    fn a_plan_that_goes_well_is_left_alone() {
        assert!(shrink_by(&|_| None, &Plan::draw_for(1, 1), 1, &mut |_| ControlFlow::Continue(())).is_none());
    }

    #[test]
    fn a_late_fault_that_is_needed_stays() {
        let plan = Plan::draw_for(5, 3);
        let late = plan.faults.last().unwrap().clone();
        let (id, at_us) = (late.id, late.at_us);
        let run = move |plan: &Plan| {
            let does = plan.faults.iter().any(|fault| fault.id == id);
            does.then(|| Failure {
                of: "Wanted".to_owned(),
                simulated: Duration::from_micros(at_us + 5_000_000),
                events: 1,
                turns: BTreeMap::new(),
            })
        };
        let shrunk = shrink_by(&run, &plan, 2, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(shrunk.plan.faults, std::slice::from_ref(&late));
        assert!(shrunk.plan.duration_ms * 1_000 >= late.at_us);
    }

    #[test]
    fn one_that_is_stopped_has_the_smallest_so_far() {
        let plan = Plan::draw_for(5, 3);
        let run = |plan: &Plan| fails(plan, &[], 1);
        let mut tell = |progress: &Progress<'_>| if progress.tries < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let shrunk = shrink_by(&run, &plan, 1, &mut tell).unwrap();
        assert!(!shrunk.is_minimal && shrunk.tries == 3);
        assert!(shrunk.plan.faults.len() < plan.faults.len());
    }

    #[test]
    fn every_smaller_plan_is_told_as_it_is_found() {
        let mut sizes = Vec::new();
        let plan = Plan::draw_for(5, 3);
        let run = |plan: &Plan| fails(plan, &[], 1);
        let mut tell = |progress: &Progress<'_>| {
            sizes.extend(progress.is_smaller.then(|| Size::of(progress.best, progress.failure)));
            ControlFlow::Continue(())
        };
        assert!(shrink_by(&run, &plan, 2, &mut tell).unwrap().is_minimal);
        assert!(sizes.len() > 3 && sizes.is_sorted_by(|larger, smaller| larger.clients >= smaller.clients), "{sizes:?}");
    }
}
