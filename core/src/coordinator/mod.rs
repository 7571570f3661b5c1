//! What event-sourced coordinators share.
//!
//! A coordinator *decides* a command against its state: into records, and an outcome for whoever asked. The records are appended to its log
//! and replayed into the state at once, so that the next decision sees them; the outcome is held in [`Uncommitted`] until they are committed.
//! A decision without records waits too: what it saw may not be committed yet.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::offset::Offset;

/// Outcomes that wait for their log's high watermark, in the order they were decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncommitted<T>(VecDeque<(Offset, T)>);

impl<T> Default for Uncommitted<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Uncommitted<T> {
    /// Holds `outcome` until everything below `log_end` is committed.
    ///
    /// # Panics
    /// When the log's end has gone back since the last decision.
    pub fn hold(&mut self, log_end: Offset, outcome: T) {
        assert!(self.0.back().is_none_or(|(end, _)| *end <= log_end), "a coordinator's log only grows");
        self.0.push_back((log_end, outcome));
    }

    /// Takes the first outcome that is committed, given the high watermark.
    pub fn pop_committed(&mut self, high_watermark: Offset) -> Option<T> {
        let (log_end, _) = self.0.front()?;
        if *log_end > high_watermark {
            return None;
        }
        self.0.pop_front().map(|(_, outcome)| outcome)
    }

    /// Outcomes that wait.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, outcome)| outcome)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all that waits: leadership is gone, and nobody will ever know.
    pub fn abandon(&mut self) -> impl Iterator<Item = T> + '_ {
        self.0.drain(..).map(|(_, outcome)| outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_leave_once_their_records_are_committed() {
        let mut uncommitted = Uncommitted::default();
        uncommitted.hold(Offset(3), "first");
        uncommitted.hold(Offset(3), "a read of what the first wrote");
        uncommitted.hold(Offset(5), "second");
        assert_eq!(uncommitted.pop_committed(Offset(2)), None);
        assert_eq!(uncommitted.pop_committed(Offset(4)), Some("first"));
        assert_eq!(uncommitted.pop_committed(Offset(4)), Some("a read of what the first wrote"));
        assert_eq!(uncommitted.pop_committed(Offset(4)), None);
        assert_eq!(uncommitted.abandon().collect::<Vec<_>>(), ["second"]);
    }
}
