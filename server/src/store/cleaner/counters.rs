//! What compactions come to, for whoever watches.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of compactions since the store started, and what the last one was like.
#[derive(Debug, Default)]
pub struct CompactionCounters {
    runs: AtomicU64,
    failures: AtomicU64,
    read_bytes: AtomicU64,
    removed_bytes: AtomicU64,
    last_ns: AtomicU64,
    buffer_bytes: AtomicU64,
    buffer_used_bytes: AtomicU64,
}

impl CompactionCounters {
    /// One has ended, well or not.
    pub(super) fn ended(&self, took_ns: u64, has_failed: bool) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(has_failed), Ordering::Relaxed);
        self.last_ns.store(took_ns, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn removed(&self, bytes: u64) {
        self.removed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The keys of one are noted.
    pub(super) fn noted(&self, buffer_bytes: u64, used_bytes: u64) {
        self.buffer_bytes.store(buffer_bytes, Ordering::Relaxed);
        self.buffer_used_bytes.store(used_bytes, Ordering::Relaxed);
    }

    /// Compactions that have ended.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Those of them that the disk, or what is on it, has ended.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Bytes that were read: of what is not compacted twice, for its keys and for what stays.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// Bytes by which segments became smaller.
    #[must_use]
    pub fn removed_bytes(&self) -> u64 {
        self.removed_bytes.load(Ordering::Relaxed)
    }

    /// How long the last one took, in nanoseconds.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.last_ns.load(Ordering::Relaxed)
    }

    /// Bytes of memory that the last one had for its keys (at most `log.cleaner.dedupe.buffer.size`, unless one batch needs more).
    #[must_use]
    pub fn buffer_bytes(&self) -> u64 {
        self.buffer_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of that that its keys took.
    #[must_use]
    pub fn buffer_used_bytes(&self) -> u64 {
        self.buffer_used_bytes.load(Ordering::Relaxed)
    }
}
