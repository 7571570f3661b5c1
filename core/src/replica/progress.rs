//! What a leader knows of a follower.

use serde::{Deserialize, Serialize};

use crate::offset::Offset;
use crate::time::Monotonic;

/// A follower as its leader sees it, in one epoch and one incarnation of the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it wants next: it holds all below.
    pub fetch_offset: Offset,
    /// What it holds on disk. Never more than it holds.
    pub durable_offset: Offset,
    /// When it last asked.
    pub heard: Monotonic,
    /// When it last held all that the leader had; none while it never did.
    pub caught_up: Option<Monotonic>,
    /// When it asked before, and where the leader's log ended then: what it holds by the next time, it had caught up with at that one.
    before: Option<(Monotonic, Offset)>,
}

impl Progress {
    /// A follower that has not asked yet, and is not expected to hold anything.
    #[must_use]
    pub fn unheard(now: Monotonic) -> Self {
        Self { fetch_offset: Offset::ZERO, durable_offset: Offset::ZERO, heard: now, caught_up: None, before: None }
    }

    /// A follower that has not asked yet, and was in sync: it gets a limit's worth of time from `now` on to show that it is.
    #[must_use]
    pub fn expected(now: Monotonic) -> Self {
        Self { caught_up: Some(now), ..Self::unheard(now) }
    }

    /// Takes that it has asked, for what follows `fetch_offset`, when the leader's log ended at `log_end`. `kept` is how far it counts as
    /// caught up: by what it holds, or by what it has on disk.
    pub fn fetched(&mut self, fetch_offset: Offset, durable_offset: Offset, kept: Offset, log_end: Offset, now: Monotonic) {
        if kept >= log_end {
            self.caught_up = Some(now);
        } else if let Some((then, end)) = self.before
            && kept >= end
        {
            // It keeps up with a leader that never rests (Kafka's rule of the last caught-up time).
            self.caught_up = self.caught_up.max(Some(then));
        }
        self.before = Some((now, log_end));
        self.fetch_offset = fetch_offset;
        self.durable_offset = durable_offset.min(fetch_offset);
        self.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_holds_everything_is_caught_up() {
        let mut follower = Progress::unheard(Monotonic(0));
        follower.fetched(Offset(10), Offset(8), Offset(10), Offset(10), Monotonic(5));
        assert_eq!((follower.caught_up, follower.durable_offset), (Some(Monotonic(5)), Offset(8)));
    }

    #[test]
    fn one_that_keeps_up_with_a_busy_leader_is_caught_up_as_of_its_last_question() {
        let mut follower = Progress::unheard(Monotonic(0));
        follower.fetched(Offset(0), Offset(0), Offset(0), Offset(10), Monotonic(5));
        assert_eq!(follower.caught_up, None, "it never was");
        follower.fetched(Offset(10), Offset(0), Offset(10), Offset(20), Monotonic(9));
        assert_eq!(follower.caught_up, Some(Monotonic(5)));
        follower.fetched(Offset(15), Offset(0), Offset(15), Offset(30), Monotonic(12));
        assert_eq!(follower.caught_up, Some(Monotonic(5)), "it falls behind");
    }

    #[test]
    fn nobody_holds_on_disk_what_it_does_not_hold() {
        let mut follower = Progress::unheard(Monotonic(0));
        follower.fetched(Offset(3), Offset(9), Offset(3), Offset(10), Monotonic(1));
        assert_eq!(follower.durable_offset, Offset(3));
    }
}
