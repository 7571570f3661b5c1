//! What is told of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use gracchus_core::ids::NodeId;
use serde::{Deserialize, Serialize};

use super::Server;
use crate::checkers::{Violation, ViolationKind};
use crate::nemesis::Nemesis;
use crate::plan::Plan;
use crate::platform::disk::DiskFaultCounts;
use crate::platform::net::SimNet;
use crate::trace::{Recorder, RunHash};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// As it should.
    Clean,
    /// It was to go on no longer than this event: nothing is said about the rest.
    Stopped(u64),
    /// More went wrong than the promises cover: what they do not cover was not held against it, and everything else was.
    Excused(String),
    /// A property did not hold.
    Violation {
        /// At which event.
        event: u64,
        /// Which, and how.
        violation: Violation,
    },
    /// Something panicked.
    Panic {
        /// What it said.
        what: String,
        /// In which file, line and column, where that was [noted](super::note_panics).
        place: Option<String>,
    },
    /// It did not come to an end, or its process came to one before it did.
    Hung {
        /// How long it was waited for, in seconds of real time.
        seconds: u64,
    },
}

/// A run, told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// The seed whose plan its own takes after, if it does.
    #[serde(default)]
    pub parent: Option<u64>,
    /// How many nodes it had.
    pub nodes: usize,
    /// What to tell `gracchus-sim replay` to see its events.
    pub replay: String,
    /// How it ended.
    pub ending: Ending,
    /// Its hash: equal for runs that were equal in every event, draw and disk operation.
    pub hash: RunHash,
    /// How many events it had.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Real time.
    pub real: Duration,
    /// Planned faults that took effect, by kind, each once.
    pub faults: BTreeMap<String, u64>,
    /// What came of them, by kind: each failed operation of the disk, each connection.
    pub mishaps: BTreeMap<String, u64>,
    /// Clients' operations by kind: done, refused, unknown.
    pub operations: BTreeMap<String, [u64; 3]>,
    /// How many turns each client took, by its id.
    pub turns: BTreeMap<u8, u64>,
    /// Rare events that were reached.
    pub marks: BTreeMap<String, u64>,
    /// Each node's last step, which is an event.
    pub last_steps: BTreeMap<NodeId, u64>,
}

/// What a seed needs to count.
const COUNTS_SIMULATED: Duration = Duration::from_secs(60);
const COUNTS_OPERATIONS: u64 = 1_000;
const COUNTS_PRODUCED: u64 = 200;
const COUNTS_FAULTS: u64 = 10;

impl RunReport {
    pub(super) fn new(plan: &Plan) -> Self {
        Self::empty(plan.seed, plan.nodes.len())
    }

    /// That of a run of which nothing is known.
    #[must_use]
    pub fn empty(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            parent: None,
            nodes,
            replay: format!("--seed {seed}"),
            ending: Ending::Clean,
            hash: RunHash(0),
            events: 0,
            simulated: Duration::ZERO,
            real: Duration::ZERO,
            faults: BTreeMap::new(),
            mishaps: BTreeMap::new(),
            operations: BTreeMap::new(),
            turns: BTreeMap::new(),
            marks: BTreeMap::new(),
            last_steps: BTreeMap::new(),
        }
    }

    pub(super) fn take_record(&mut self, recorder: &Recorder) {
        self.events = recorder.events();
        self.last_steps = recorder.last_steps();
        self.marks = recorder.marks().into_iter().map(|(mark, count)| (format!("{mark:?}"), count)).collect();
        if let (Ending::Clean, Some((event, violation))) = (&self.ending, recorder.violation()) {
            self.ending = Ending::Violation { event, violation };
        }
        if let (Ending::Clean, Some(event)) = (&self.ending, recorder.stopped_at()) {
            self.ending = Ending::Stopped(event);
        }
        if let (Ending::Clean, Some(why)) = (&self.ending, recorder.excused()) {
            self.ending = Ending::Excused(why);
        }
    }

    pub(super) fn add_faults(&mut self, nemesis: &Nemesis, servers: &[Server], net: &SimNet) {
        self.faults = nemesis.took_effect().into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        let (disk, net) = (DiskFaultCounts::sum(servers.iter().map(|server| server.disk().fault_counts())), net.fault_counts());
        let counts = [
            ("node ended by itself", servers.iter().map(Server::self_ends).sum()),
            ("sync failure", disk.sync_failures),
            ("write error", disk.write_errors),
            ("read error", disk.read_errors),
            ("bit flip on read", disk.read_flips),
            ("write without room", disk.full),
            ("short space told", disk.short_space_told),
            ("slow operation", disk.slow),
            ("connection reset", net.resets),
            ("connection stall", net.stalls),
            ("half-open connection", net.half_open),
            ("connect held", net.connects_held),
        ];
        self.mishaps = counts.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_owned(), count)).collect();
    }

    /// Whether its plan was drawn: it is not one of a file.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.replay.starts_with("--seed")
    }

    /// The plan that it ran, unless that was one of a file.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        self.is_drawn().then(|| match self.parent {
            Some(parent) => Plan::bred(self.seed, parent, self.nodes),
            None => Plan::draw_for(self.seed, self.nodes),
        })
    }

    /// Operations that were done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.operations.values().map(|[done, ..]| done).sum()
    }

    /// Batches that were acknowledged.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.operations.get("produce").map_or(0, |[done, ..]| *done)
    }

    /// Whether it was clean, and long and rough enough to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.ending == Ending::Clean && self.lacks().is_empty()
    }

    /// What it would have to have had more of to count.
    #[must_use]
    pub fn lacks(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        let mut need = |what: &str, had: u64, wanted: u64| {
            if had < wanted {
                lacks.push(format!("{had} {what} of {wanted}"));
            }
        };
        need("simulated seconds", self.simulated.as_secs(), COUNTS_SIMULATED.as_secs());
        need("operations", self.done(), COUNTS_OPERATIONS);
        need("acknowledged batches", self.produced(), COUNTS_PRODUCED);
        need("faults", self.faults.values().sum(), COUNTS_FAULTS);
        lacks
    }

    /// Whether it ended in a violation of such a property.
    #[must_use]
    pub fn violates(&self, kind: ViolationKind) -> bool {
        matches!(&self.ending, Ending::Violation { violation, .. } if violation.kind == kind)
    }
}
