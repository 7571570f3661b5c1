//! Offsets of records in a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A record's place in a log, from 0; where it bounds a range, the range ends before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Offset(pub i64);

impl Offset {
    /// The first offset of a log.
    pub const ZERO: Self = Self(0);

    /// The offset `count` records further on.
    ///
    /// # Panics
    /// Past 2^63-1.
    #[must_use]
    pub fn plus(self, count: i64) -> Self {
        Self(self.0.checked_add(count).expect("offsets are exhausted"))
    }

    /// How many offsets lie from `earlier` to this one; negative when it lies behind.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
