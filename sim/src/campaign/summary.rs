//! What came of many runs, added up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gracchus_core::boundary::Mark;
use serde::{Deserialize, Serialize};

use super::marks::{REQUIRED_CLUSTER_MARKS, REQUIRED_MARKS};
use crate::checkers::ViolationKind;
use crate::shrink::Size;
use crate::world::{Ending, RunReport};

/// Of a hundred runs so many may be excused.
const EXCUSED_PERCENT_MAX: u64 = 1;
/// A campaign of so many seeds has to reach what one of a few may miss.
const CAMPAIGN_SEEDS: u64 = 100;
/// Of a hundred runs of a campaign so many may be excused or too short or gentle to count.
const UNCOUNTED_PERCENT_MAX: u64 = 1;

/// What came of many runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Runs of several nodes.
    pub clusters: u64,
    /// Runs of plans that were drawn. Those of a corpus are as small as shrinking left them.
    #[serde(default)]
    pub drawn: u64,
    /// Runs that were clean, and long and rough enough to count.
    pub counted: u64,
    /// Runs that nothing is said about.
    pub excused: u64,
    /// Events.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Real time from the first run's start to the last one's end.
    pub real: Duration,
    /// What the runs took one by one, each on a thread of its own: about the processors' time.
    pub spent: Duration,
    /// Planned faults that took effect, by kind, each once.
    pub faults: BTreeMap<String, u64>,
    /// What came of them, by kind.
    pub mishaps: BTreeMap<String, u64>,
    /// Clients' operations by kind: done, refused, unknown.
    pub operations: BTreeMap<String, [u64; 3]>,
    /// Rare events that were reached.
    pub marks: BTreeMap<String, u64>,
    /// Runs of drawn plans that ended clean and do not count, by seed, and what they lack.
    pub uncounted: BTreeMap<u64, Vec<String>>,
    /// Runs that did not end well, by seed.
    pub failures: Vec<RunReport>,
    /// Failing plans that were shrunk.
    pub shrunk: Vec<ShrunkPlan>,
}

/// A failing plan that was shrunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShrunkPlan {
    /// The property that it breaks, or where it panics.
    pub of: String,
    /// Its seed.
    pub seed: u64,
    /// Where it is.
    pub file: PathBuf,
    /// How large it was, and how many events it had until it failed.
    pub before: (Size, u64),
    /// The same once it was shrunk.
    pub after: (Size, u64),
    /// How many plans were run for that.
    pub tries: u64,
    /// How long that took.
    pub real: Duration,
    /// Whether nothing more can be cut: its time was not up before.
    pub is_minimal: bool,
}

/// How a campaign ended. Each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Clean,
    /// A safety property did not hold.
    Safety,
    /// A liveness property did not hold.
    Liveness,
    /// Something panicked, or did not come to an end.
    Panic,
    /// The only run was excused, or too many were.
    Excused,
    /// It was clean, and did not show enough: a mark was never reached, or too few runs count.
    Lacking,
}

impl Verdict {
    /// That of one run.
    #[must_use]
    pub fn of(ending: &Ending) -> Self {
        match ending {
            Ending::Clean | Ending::Stopped(_) => Self::Clean,
            Ending::Excused(_) => Self::Excused,
            Ending::Panic { .. } | Ending::Hung { .. } => Self::Panic,
            Ending::Violation { violation, .. } => match violation.kind {
                ViolationKind::Liveness => Self::Liveness,
                ViolationKind::Safety => Self::Safety,
            },
        }
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Safety => 10,
            Self::Liveness => 11,
            Self::Panic => 12,
            Self::Excused => 13,
            Self::Lacking => 14,
        }
    }
}

impl Summary {
    /// Takes in a run.
    pub fn add(&mut self, report: RunReport) {
        self.seeds += 1;
        self.clusters += u64::from(report.nodes > 1);
        self.drawn += u64::from(report.is_drawn());
        self.counted += u64::from(report.counts());
        self.events += report.events;
        self.simulated += report.simulated;
        self.spent += report.real;
        add_all(&mut self.faults, &report.faults);
        add_all(&mut self.mishaps, &report.mishaps);
        add_all(&mut self.marks, &report.marks);
        let lacks = report.lacks();
        if report.is_drawn() && report.ending == Ending::Clean && !lacks.is_empty() {
            self.uncounted.insert(report.seed, lacks);
        }
        for (kind, counts) in &report.operations {
            self.add_operations(kind, counts);
        }
        match report.ending {
            Ending::Clean | Ending::Stopped(_) => {}
            Ending::Excused(_) => self.excused += 1,
            Ending::Violation { .. } | Ending::Panic { .. } | Ending::Hung { .. } => self.failures.push(report),
        }
    }

    /// Takes in what came of other runs, which were run at the same time.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.clusters += other.clusters;
        self.drawn += other.drawn;
        self.counted += other.counted;
        self.excused += other.excused;
        self.events += other.events;
        self.simulated += other.simulated;
        self.real = self.real.max(other.real);
        self.spent += other.spent;
        add_all(&mut self.faults, &other.faults);
        add_all(&mut self.mishaps, &other.mishaps);
        add_all(&mut self.marks, &other.marks);
        for (kind, counts) in &other.operations {
            self.add_operations(kind, counts);
        }
        self.uncounted.extend(other.uncounted);
        // Each shard has run the corpus.
        let is_new = |report: &RunReport, known: &[RunReport]| known.iter().all(|known| known.replay != report.replay);
        for report in other.failures {
            if is_new(&report, &self.failures) {
                self.failures.push(report);
            }
        }
        self.shrunk.extend(other.shrunk);
        self.failures.sort_by_key(|report| report.seed);
    }

    fn add_operations(&mut self, kind: &str, counts: &[u64; 3]) {
        let sums = self.operations.entry(kind.to_owned()).or_default();
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    /// How it ended: the worst of all runs.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.failures.iter().any(|report| report.violates(ViolationKind::Safety)) {
            Verdict::Safety
        } else if self.failures.iter().any(|report| matches!(report.ending, Ending::Panic { .. } | Ending::Hung { .. })) {
            Verdict::Panic
        } else if !self.failures.is_empty() {
            Verdict::Liveness
        } else if self.excuses_too_many() {
            Verdict::Excused
        } else if !self.missing_marks().is_empty() || self.counts_too_few() {
            Verdict::Lacking
        } else {
            Verdict::Clean
        }
    }

    /// Required marks that were never reached, if there were enough seeds to ask for them.
    #[must_use]
    pub fn missing_marks(&self) -> Vec<String> {
        let of = |marks: &'static [Mark], runs: u64| marks.iter().filter(move |_| runs >= CAMPAIGN_SEEDS);
        let required = of(&REQUIRED_MARKS, self.seeds - self.clusters).chain(of(&REQUIRED_CLUSTER_MARKS, self.clusters));
        let required = required.map(|mark| format!("{mark:?}"));
        required.filter(|mark| !self.marks.contains_key(mark)).collect()
    }

    /// Whether too many runs are excused.
    #[must_use]
    pub fn excuses_too_many(&self) -> bool {
        self.excused * 100 > self.seeds * EXCUSED_PERCENT_MAX
    }

    /// Whether too many drawn plans that nothing is wrong with do not count.
    #[must_use]
    pub fn counts_too_few(&self) -> bool {
        let uncounted = self.uncounted.len() as u64;
        self.drawn >= CAMPAIGN_SEEDS && uncounted * 100 > self.drawn * UNCOUNTED_PERCENT_MAX
    }
}

fn add_all(sums: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (kind, count) in counts {
        *sums.entry(kind.clone()).or_default() += count;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<24}{value}");
        row(f, "seeds", &format!("{}, {} of several nodes", self.seeds, self.clusters))?;
        row(
            f,
            "counted",
            &format!("{} (clean, with 60 simulated seconds, 1,000 operations, 200 acknowledged batches and 10 faults at least)", self.counted),
        )?;
        row(f, "excused", &self.excused)?;
        row(f, "failed", &self.failures.len())?;
        row(f, "events", &self.events)?;
        row(f, "simulated time", &format!("{:.1} s", self.simulated.as_secs_f64()))?;
        row(f, "real time", &format!("{:.1} s", self.real.as_secs_f64()))?;
        writeln!(f, "\noperations                    done   refused   unknown")?;
        for (kind, [done, refused, unknown]) in &self.operations {
            writeln!(f, "  {kind:<22}{done:>10}{refused:>10}{unknown:>10}")?;
        }
        for (title, counts) in [("faults that took effect", &self.faults), ("what came of them", &self.mishaps), ("marks", &self.marks)] {
            writeln!(f, "\n{title}")?;
            for (kind, count) in counts {
                writeln!(f, "  {kind:<32}{count:>10}")?;
            }
        }
        for (seed, lacks) in &self.uncounted {
            writeln!(f, "\nseed {seed} does not count: {}", lacks.join(", "))?;
        }
        for mark in self.missing_marks() {
            writeln!(f, "\n{mark} was never reached, and a campaign has to")?;
        }
        for report in &self.failures {
            writeln!(f, "\nseed {} failed: {}", report.seed, describe(&report.ending))?;
            writeln!(f, "  to see its events: gracchus-sim replay {}", report.replay)?;
        }
        Ok(())
    }
}

/// An ending in words.
#[must_use]
pub fn describe(ending: &Ending) -> String {
    match ending {
        Ending::Clean => "clean".to_owned(),
        Ending::Stopped(event) => format!("stopped at event {event}, as asked: nothing is said about the rest"),
        Ending::Excused(why) => format!("excused: {why}"),
        Ending::Violation { event, violation } => format!("event {event} violates {}: {}", violation.property, violation.what),
        Ending::Panic { what, place: Some(place) } => format!("panic at {place}: {what}"),
        Ending::Panic { what, place: None } => format!("panic: {what}"),
        Ending::Hung { seconds } => format!("it did not come to an end in {seconds} s, or its process came to one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many runs of one node and of several, which reached every mark.
    fn campaign(singles: u64, clusters: u64) -> Summary {
        let marks = REQUIRED_MARKS.iter().chain(&REQUIRED_CLUSTER_MARKS).map(|mark| (format!("{mark:?}"), 1)).collect();
        Summary { seeds: singles + clusters, clusters, drawn: singles + clusters, counted: singles + clusters, marks, ..Summary::default() }
    }

    fn verdict_without(mark: Mark, singles: u64, clusters: u64) -> Verdict {
        let mut summary = campaign(singles, clusters);
        summary.marks.remove(&format!("{mark:?}"));
        summary.verdict()
    }

    #[test]
    fn a_campaign_has_to_reach_every_required_mark_and_a_few_seeds_need_not() {
        assert_eq!(campaign(100, 100).verdict(), Verdict::Clean);
        for mark in REQUIRED_MARKS {
            assert_eq!(verdict_without(mark, 100, 0), Verdict::Lacking);
            assert_eq!(verdict_without(mark, 99, 0), Verdict::Clean);
        }
        for mark in REQUIRED_CLUSTER_MARKS {
            assert_eq!(verdict_without(mark, 0, 100), Verdict::Lacking);
            assert_eq!(verdict_without(mark, 0, 99), Verdict::Clean);
        }
    }

    #[test]
    fn of_a_hundred_seeds_all_but_one_have_to_count() {
        let uncounted = |count| Summary { uncounted: (0..count).map(|seed| (seed, Vec::new())).collect(), ..campaign(100, 0) };
        assert_eq!(uncounted(1).verdict(), Verdict::Clean);
        assert_eq!(uncounted(2).verdict(), Verdict::Lacking);
    }
}
