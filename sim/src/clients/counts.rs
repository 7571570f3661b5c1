//! What clients did.

use std::collections::BTreeMap;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, and done.
    Done,
    /// It was answered with an error.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Operations by kind, and turns by client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// By kind: done, refused, unknown.
    pub by_kind: BTreeMap<&'static str, [u64; 3]>,
    /// How many turns each client took, by its id.
    pub turns: BTreeMap<u8, u64>,
}

impl OperationCounts {
    pub(super) fn add(&mut self, operation: &'static str, outcome: Outcome) {
        let [done, refused, unknown] = self.by_kind.entry(operation).or_default();
        match outcome {
            Outcome::Done => *done += 1,
            Outcome::Refused => *refused += 1,
            Outcome::Unknown => *unknown += 1,
        }
    }

    /// Operations that were done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.by_kind.values().map(|[done, ..]| done).sum()
    }
}
