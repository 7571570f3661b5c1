//! How often a disk does what, and how often it did.

use serde::{Deserialize, Serialize};

/// What a disk is up to. Rates are chances in a million for each operation that they concern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFaults {
    /// Room for file contents in bytes. Less than what is used makes the disk full.
    pub capacity_bytes: u64,
    /// A sync that fails for good what it covers.
    pub sync_failure: u32,
    /// A write that fails after any part of it.
    pub write_error: u32,
    /// A read that fails.
    pub read_error: u32,
    /// A read that returns one flipped bit; the next one of that file does not.
    pub read_flip: u32,
    /// A write that readers and crashes see half done.
    pub write_split: u32,
    /// An operation that takes up to `slow_ms_max`.
    pub slow: u32,
    /// The longest that a slow operation takes, in milliseconds.
    pub slow_ms_max: u64,
    /// The longest that any other sync takes, in milliseconds. With 0 a sync takes no more than other operations.
    pub sync_ms_max: u64,
}

/// Room on a disk that is never full.
pub(super) const CAPACITY_BYTES: u64 = 1 << 40;

impl Default for DiskFaults {
    fn default() -> Self {
        Self {
            capacity_bytes: CAPACITY_BYTES,
            sync_failure: 0,
            write_error: 0,
            read_error: 0,
            read_flip: 0,
            write_split: 100_000,
            slow: 0,
            slow_ms_max: 0,
            sync_ms_max: 0,
        }
    }
}

/// Faults that took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each counts the fault of its name")]
pub struct DiskFaultCounts {
    pub sync_failures: u64,
    pub write_errors: u64,
    pub read_errors: u64,
    pub read_flips: u64,
    pub full: u64,
    pub rotten: u64,
    pub short_space_told: u64,
    pub slow: u64,
}

impl DiskFaultCounts {
    /// Those of several disks.
    #[must_use]
    pub fn sum(counts: impl IntoIterator<Item = Self>) -> Self {
        counts.into_iter().fold(Self::default(), |sum, counts| Self {
            sync_failures: sum.sync_failures + counts.sync_failures,
            write_errors: sum.write_errors + counts.write_errors,
            read_errors: sum.read_errors + counts.read_errors,
            read_flips: sum.read_flips + counts.read_flips,
            full: sum.full + counts.full,
            rotten: sum.rotten + counts.rotten,
            short_space_told: sum.short_space_told + counts.short_space_told,
            slow: sum.slow + counts.slow,
        })
    }

    /// Operations whose outcome was wrong: a process that trusted its disk may fail by one.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.sync_failures + self.write_errors + self.read_errors + self.read_flips + self.full
    }
}
