//! What is told of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Server;
use crate::checkers::{Violation, ViolationKind};
use crate::platform::net::SimNet;
use crate::trace::{Recorder, RunHash};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Ending {
    /// As it should.
    Clean,
    /// More went wrong than the promises cover: nothing is said about the rest.
    Excused(String),
    /// A property did not hold.
    Violation {
        /// At which event.
        event: u64,
        /// Which, and how.
        violation: Violation,
    },
    /// Something panicked.
    Panic(String),
}

/// A run, told.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
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
    /// Faults that took effect, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Clients' operations by kind: done, refused, unknown.
    pub operations: BTreeMap<String, [u64; 3]>,
    /// Rare events that were reached.
    pub marks: BTreeMap<String, u64>,
}

/// What a seed needs to count.
const COUNTS_SIMULATED: Duration = Duration::from_secs(60);
const COUNTS_OPERATIONS: u64 = 1_000;
const COUNTS_FAULTS: u64 = 10;

impl RunReport {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ending: Ending::Clean,
            hash: RunHash(0),
            events: 0,
            simulated: Duration::ZERO,
            real: Duration::ZERO,
            faults: BTreeMap::new(),
            operations: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    pub(super) fn take_record(&mut self, recorder: &Recorder) {
        self.events = recorder.events();
        self.marks = recorder.marks().into_iter().map(|(mark, count)| (format!("{mark:?}"), count)).collect();
        if let (Ending::Clean, Some((event, violation))) = (&self.ending, recorder.violation()) {
            self.ending = Ending::Violation { event, violation };
        }
    }

    pub(super) fn add_faults(&mut self, server: &Server, net: &SimNet) {
        let (disk, process, net) = (server.disk().fault_counts(), server.faults(), net.fault_counts());
        let counts = [
            ("crash", disk.crashes),
            ("power loss", disk.power_losses),
            ("clean stop", process.stops),
            ("pause", process.pauses),
            ("wall clock step", process.wall_steps),
            ("sync failure", disk.sync_failures),
            ("write error", disk.write_errors),
            ("read error", disk.read_errors),
            ("bit flip on read", disk.read_flips),
            ("full disk", disk.full),
            ("slow disk", disk.slow),
            ("connection reset", net.resets),
            ("connection stall", net.stalls),
            ("partition", net.partitions),
            ("half-open connection", net.half_open),
            ("connect held", net.connects_held),
        ];
        self.faults = counts.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_owned(), count)).collect();
    }

    /// Operations that were done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.operations.values().map(|[done, ..]| done).sum()
    }

    /// Whether it was long and rough enough to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        // One slow disk counts once for each slow operation, which would be no measure.
        let faults: u64 = self.faults.iter().map(|(kind, count)| if kind == "slow disk" { 1 } else { *count }).sum();
        self.ending == Ending::Clean && self.simulated >= COUNTS_SIMULATED && self.done() >= COUNTS_OPERATIONS && faults >= COUNTS_FAULTS
    }

    /// Whether it ended in a violation of such a property.
    #[must_use]
    pub fn violates(&self, kind: ViolationKind) -> bool {
        matches!(&self.ending, Ending::Violation { violation, .. } if violation.kind == kind)
    }
}
