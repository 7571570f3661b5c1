//! How much room the disk has, as far as this store can know between two looks at it.

use std::sync::atomic::{AtomicU64, Ordering};

use gracchus_core::limits::FREE_BYTES_RESERVE;

/// The room on the disk when it was last looked at, and what has gone of it since.
#[derive(Debug)]
pub(super) struct Room {
    free_bytes: AtomicU64,
    used_since: AtomicU64,
}

impl Room {
    /// Room that nobody has looked at.
    pub(super) fn new() -> Self {
        Self { free_bytes: AtomicU64::new(u64::MAX), used_since: AtomicU64::new(0) }
    }

    /// Bytes were appended.
    pub(super) fn note_used(&self, bytes: u64) {
        self.used_since.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes note of bytes that are to be set aside, and says whether there is room for them above the reserve, which is for batches that were
    /// admitted. Bytes that are written where some were set aside count twice until the disk is looked at: that only errs on the safe side.
    pub(super) fn try_use(&self, bytes: u64) -> bool {
        let used = self.used_since.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let has_room = self.free_bytes.load(Ordering::Relaxed).saturating_sub(used) >= FREE_BYTES_RESERVE;
        if !has_room {
            self.used_since.fetch_sub(bytes, Ordering::Relaxed);
        }
        has_room
    }

    /// Bytes that have gone since the disk was looked at.
    pub(super) fn used_since(&self) -> u64 {
        self.used_since.load(Ordering::Relaxed)
    }

    /// The disk was looked at when `used` bytes had gone since it was before.
    pub(super) fn looked_at(&self, free_bytes: u64, used: u64) {
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        // Another task may have looked at the same time.
        let _ = self.used_since.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |since| Some(since.saturating_sub(used)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_leaves_the_reserve_alone() {
        let room = Room::new();
        room.looked_at(FREE_BYTES_RESERVE + 100, 0);
        assert!(room.try_use(60));
        assert!(!room.try_use(60));
        room.note_used(30);
        assert!(!room.try_use(11));
        assert!(room.try_use(10));
        assert_eq!(room.used_since(), 100);
        room.looked_at(FREE_BYTES_RESERVE + 50, 100);
        assert!(room.try_use(50));
    }
}
