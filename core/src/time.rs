//! Time as the core knows it: handed in with every step, never read from a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the node started. Never goes back within one run of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The time `wait` later; the end of time when that overflows.
    #[must_use]
    pub fn after(self, wait: Wait) -> Self {
        Self(self.0.saturating_add(wait.0))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Wait {
        Wait(self.0.saturating_sub(earlier.0))
    }
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Wait(pub u64);

impl Wait {
    /// From milliseconds; a negative number is no wait at all.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000))
    }

    /// In whole milliseconds, rounded down.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// Milliseconds since 1970, as Kafka's timestamps are. May step in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// A record without a timestamp, or a log without records.
    pub const NONE: Self = Self(-1);
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time of a step, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For waits and deadlines.
    pub monotonic: Monotonic,
    /// For what records and people see.
    pub wall: Timestamp,
}

impl Now {
    /// What the wall clock would have shown at an earlier moment, if it had not stepped since.
    #[must_use]
    pub fn wall_at(&self, earlier: Monotonic) -> Timestamp {
        Timestamp(self.wall.0.saturating_sub(self.monotonic.since(earlier).as_ms()))
    }
}
