//! How much room the disk has, as far as this store can know between two looks at it.
//!
//! Bytes that are set aside use room when they are, and none when they are written. Nobody else can have them meanwhile, but the log that has
//! them can, and gives them back before the disk is too full for anybody: they are told as free. Where two looks or a look and a change
//! overlap, less is taken to be free than there is.

use std::sync::{Arc, Mutex, MutexGuard};

use gracchus_core::limits::FREE_BYTES_RESERVE;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// With less than this free nothing is set aside, and what is set aside is given back: in time for nothing to be refused for its sake when the
/// reserve is reached, which is for batches that were admitted.
const TIGHT_BYTES: u64 = 2 * FREE_BYTES_RESERVE;

/// The room on the disk when it was last looked at, and what has gone of it since.
#[derive(Debug)]
pub(super) struct Room {
    counts: Mutex<Counts>,
    has_tightened: Notify,
}

#[derive(Debug)]
struct Counts {
    /// As it was looked at.
    free_bytes: u64,
    used_since: u64,
    /// Of those that are not free: bytes that wait for what they are set aside for.
    set_aside: u64,
    is_tight: bool,
    /// How often room has grown tight.
    tightenings: u64,
}

/// What was known before the disk was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    used: u64,
    set_aside: u64,
}

/// Bytes of a file that have room on disk and are not written. They are not set aside any more when this is dropped.
#[derive(Debug)]
pub(super) struct SetAside {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    /// Room that nobody has looked at.
    pub(super) fn new() -> Arc<Self> {
        let counts = Counts { free_bytes: u64::MAX, used_since: 0, set_aside: 0, is_tight: false, tightenings: 0 };
        Arc::new(Self { counts: Mutex::new(counts), has_tightened: Notify::new() })
    }

    /// Bytes were written where none were set aside.
    pub(super) fn note_used(&self, bytes: u64) {
        if bytes > 0 {
            self.change(|counts| counts.used_since += bytes);
        }
    }

    /// Takes note of bytes that are to be set aside, and says whether there is room for them.
    pub(super) fn try_use(&self, bytes: u64) -> bool {
        let mut counts = self.lock();
        let has_room = !counts.is_tight && counts.left().saturating_sub(bytes) >= TIGHT_BYTES;
        if has_room {
            counts.used_since += bytes;
        }
        has_room
    }

    /// Bytes for which there was room are set aside.
    pub(super) fn set_aside(self: &Arc<Self>, bytes: u64) -> SetAside {
        self.lock().set_aside += bytes;
        SetAside { room: Arc::clone(self), bytes }
    }

    /// Bytes that have gone since the disk was looked at.
    pub(super) fn used_since(&self) -> u64 {
        self.lock().used_since
    }

    /// The disk is about to be looked at.
    pub(super) fn before_look(&self) -> Before {
        let counts = self.lock();
        Before { used: counts.used_since, set_aside: counts.set_aside }
    }

    /// The disk was looked at. Says how much is free with what is set aside.
    pub(super) fn looked_at(&self, free_bytes: u64, before: Before) -> u64 {
        self.change(|counts| {
            counts.free_bytes = free_bytes;
            // Another task may have looked at the same time.
            counts.used_since = counts.used_since.saturating_sub(before.used);
            // What was set aside meanwhile may have been free still, and what was written or given back meanwhile free already.
            free_bytes.saturating_add(counts.set_aside.min(before.set_aside))
        })
    }

    /// Bytes that wait for what they are set aside for.
    #[cfg(test)]
    pub(super) fn set_aside_bytes(&self) -> u64 {
        self.lock().set_aside
    }

    /// How often room has grown tight: whoever has bytes set aside gives them back each time.
    pub(super) fn tightenings(&self) -> u64 {
        self.lock().tightenings
    }

    /// Waits until room grows tight.
    pub(super) fn tightened(&self) -> Notified<'_> {
        self.has_tightened.notified()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        let mut counts = self.lock();
        let changed = change(&mut counts);
        let was_tight = counts.is_tight;
        // Once it was tight there has to be a good deal more: what is given back is not to be set aside again at once.
        let enough = if was_tight { 2 * TIGHT_BYTES } else { TIGHT_BYTES };
        counts.is_tight = counts.left() < enough;
        if counts.is_tight && !was_tight {
            counts.tightenings += 1;
            self.has_tightened.notify_waiters();
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no panic happens under this lock")
    }
}

impl Counts {
    fn left(&self) -> u64 {
        self.free_bytes.saturating_sub(self.used_since)
    }
}

impl SetAside {
    /// How many there are.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All but so many are written.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let written = self.bytes.checked_sub(bytes).expect("what is set aside only shrinks");
        self.bytes = bytes;
        self.room.lock().set_aside -= written;
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(free_bytes: u64) -> Arc<Room> {
        let room = Room::new();
        room.looked_at(free_bytes, room.before_look());
        room
    }

    #[test]
    fn what_is_set_aside_leaves_room_for_all_others() {
        let room = looked_at(TIGHT_BYTES + 100);
        assert!(room.try_use(60));
        assert!(!room.try_use(60));
        room.note_used(30);
        assert!(!room.try_use(11));
        assert!(room.try_use(10));
        assert_eq!(room.used_since(), 100);
        room.looked_at(TIGHT_BYTES + 50, room.before_look());
        assert!(room.try_use(50));
    }

    #[test]
    fn what_is_set_aside_is_free_until_it_is_written_or_given_back() {
        let room = looked_at(1 << 40);
        assert!(room.try_use(100));
        let mut set_aside = room.set_aside(100);
        assert_eq!(room.looked_at((1 << 40) - 100, room.before_look()), 1 << 40);
        set_aside.shrink_to(40);
        assert_eq!(room.used_since(), 0, "it was used when it was set aside");
        assert_eq!(room.looked_at((1 << 40) - 100, room.before_look()), (1 << 40) - 60);
        drop(set_aside);
        assert_eq!(room.looked_at((1 << 40) - 60, room.before_look()), (1 << 40) - 60);
    }

    #[test]
    fn what_changes_while_the_disk_is_looked_at_does_not_count_as_free_twice() {
        let room = looked_at(1 << 40);
        let before = room.before_look();
        assert!(room.try_use(100));
        let set_aside = room.set_aside(100);
        assert_eq!(room.looked_at(1 << 40, before), 1 << 40, "the look came first");
        let before = room.before_look();
        drop(set_aside);
        assert_eq!(room.looked_at(1 << 40, before), 1 << 40, "the look came last");
    }

    #[tokio::test]
    async fn it_is_told_when_room_grows_tight_and_not_while_it_is() {
        let room = looked_at(TIGHT_BYTES + 100);
        let tightened = room.tightened();
        room.note_used(100);
        assert_eq!(room.tightenings(), 0);
        room.note_used(1);
        tightened.await;
        room.note_used(1);
        assert_eq!(room.tightenings(), 1);
        room.looked_at(2 * TIGHT_BYTES - 1, room.before_look());
        assert!(!room.try_use(1), "what was given back is not set aside again at once");
        room.looked_at(2 * TIGHT_BYTES, room.before_look());
        assert!(room.try_use(1));
        room.looked_at(TIGHT_BYTES - 1, room.before_look());
        assert_eq!(room.tightenings(), 2);
    }
}
