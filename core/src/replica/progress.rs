//! What a leader knows of a follower.

use serde::{Deserialize, Serialize};

use crate::boundary::Durability;
use crate::offset::Offset;
use crate::time::Monotonic;

/// How far a follower is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    /// What it wants next: it has all below in memory.
    pub fetch_offset: Offset,
    /// All below is written: it outlives the process.
    pub written_offset: Offset,
    /// All below is on disk: it outlives the power.
    pub durable_offset: Offset,
}

impl Positions {
    /// The same, with nothing written that it does not have, and nothing on disk that is not written.
    #[must_use]
    pub fn bounded(self) -> Self {
        let written_offset = self.written_offset.min(self.fetch_offset);
        Self { written_offset, durable_offset: self.durable_offset.min(written_offset), ..self }
    }

    /// How far it counts, by what a topic promises.
    #[must_use]
    pub fn kept(&self, durability: Durability) -> Offset {
        match durability {
            Durability::Flushed => self.durable_offset,
            Durability::Replicated => self.written_offset,
        }
    }
}

/// A follower as its leader sees it, in one epoch and one incarnation of the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How far it is. Always [bounded](Positions::bounded).
    pub at: Positions,
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
        Self { at: Positions::default(), heard: now, caught_up: None, before: None }
    }

    /// A follower that has not asked yet, and was in sync: it gets a limit's worth of time from `now` on to show that it is.
    #[must_use]
    pub fn expected(now: Monotonic) -> Self {
        Self { caught_up: Some(now), ..Self::unheard(now) }
    }

    /// Takes that it has asked, when the leader's log ended at `log_end`. By `durability` it counts as caught up.
    pub fn fetched(&mut self, at: Positions, durability: Durability, log_end: Offset, now: Monotonic) {
        self.at = at.bounded();
        let kept = self.at.kept(durability);
        if kept >= log_end {
            self.caught_up = Some(now);
        } else if let Some((then, end)) = self.before
            && kept >= end
        {
            // It keeps up with a leader that never rests (Kafka's rule of the last caught-up time).
            self.caught_up = self.caught_up.max(Some(then));
        }
        self.before = Some((now, log_end));
        self.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(fetch: i64, written: i64, durable: i64) -> Positions {
        Positions { fetch_offset: Offset(fetch), written_offset: Offset(written), durable_offset: Offset(durable) }
    }

    #[test]
    fn one_that_has_written_everything_is_caught_up_where_that_is_enough() {
        let mut follower = Progress::unheard(Monotonic(0));
        follower.fetched(at(10, 9, 8), Durability::Replicated, Offset(10), Monotonic(5));
        assert_eq!(follower.caught_up, None, "the last record would not outlive the process");
        follower.fetched(at(10, 10, 8), Durability::Flushed, Offset(10), Monotonic(6));
        assert_eq!(follower.caught_up, None);
        follower.fetched(at(10, 10, 8), Durability::Replicated, Offset(10), Monotonic(7));
        assert_eq!(follower.caught_up, Some(Monotonic(7)));
    }

    #[test]
    fn one_that_keeps_up_with_a_busy_leader_is_caught_up_as_of_its_last_question() {
        let mut follower = Progress::unheard(Monotonic(0));
        let mut fetched = |offset, log_end, now| {
            follower.fetched(at(offset, offset, 0), Durability::Replicated, Offset(log_end), Monotonic(now));
            follower.caught_up
        };
        assert_eq!(fetched(0, 10, 5), None, "it never was");
        assert_eq!(fetched(10, 20, 9), Some(Monotonic(5)));
        assert_eq!(fetched(15, 30, 12), Some(Monotonic(5)), "it falls behind");
    }

    #[test]
    fn nobody_keeps_what_it_does_not_have() {
        assert_eq!(at(3, 9, 10).bounded(), at(3, 3, 3));
        assert_eq!(at(9, 3, 5).bounded(), at(9, 3, 3));
    }
}
