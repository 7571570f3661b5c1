//! Buffers of large requests, used again.
//!
//! Memory that was read into a moment ago is in the processor's caches, and the operating system need not find and clear pages for it.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// Bytes that all idle buffers have together at most: what a few requests of the usual size take.
const IDLE_BYTES_MAX: usize = 8 << 20;

/// Buffers that nobody uses, the one that was used last at the end.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    idle: Mutex<Vec<BytesMut>>,
}

impl Buffers {
    /// The buffer that was used last of those with room for so many bytes, and for no more than twice as many: whoever counts the bytes that
    /// it asks for knows of half the memory at least.
    pub(super) fn take(&self, bytes: usize) -> Option<BytesMut> {
        let fitting = bytes..=bytes.saturating_mul(2);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().rposition(|buffer| fitting.contains(&buffer.capacity()))?;
        Some(idle.remove(at))
    }

    /// Keeps the buffer of these bytes for the next, if nobody else holds a part of it, in place of those that were not used for longest.
    pub(super) fn give_back(&self, bytes: Bytes) {
        let Ok(mut buffer) = bytes.try_into_mut() else { return };
        buffer.clear();
        // What was cut off at its front is room again.
        let _ = buffer.try_reclaim(buffer.capacity() + 1);
        let room = IDLE_BYTES_MAX.saturating_sub(buffer.capacity());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: usize = idle.iter().map(BytesMut::capacity).sum();
        let outdated = idle.iter().take_while(|old| {
            let is_over = kept > room;
            kept -= if is_over { old.capacity() } else { 0 };
            is_over
        });
        let outdated = outdated.count();
        idle.drain(..outdated);
        if buffer.capacity() <= IDLE_BYTES_MAX {
            idle.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![7; length])
    }

    fn idle_bytes(buffers: &Buffers) -> usize {
        buffers.idle.lock().unwrap().iter().map(BytesMut::capacity).sum()
    }

    #[test]
    fn a_buffer_comes_back_empty_and_whole_to_whoever_needs_about_as_much() {
        let buffers = Buffers::default();
        let mut given = bytes(1_000);
        let at = given.as_ptr();
        let _ = given.split_to(4);
        buffers.give_back(given);
        assert!(buffers.take(1_001).is_none(), "it is too short");
        assert!(buffers.take(499).is_none(), "it is much too long");
        let taken = buffers.take(1_000).unwrap();
        assert_eq!((taken.len(), taken.capacity(), taken.as_ptr()), (0, 1_000, at));
        assert!(buffers.take(1_000).is_none(), "it was taken");
    }

    #[test]
    fn a_buffer_that_somebody_holds_a_part_of_does_not_come_back() {
        let buffers = Buffers::default();
        let given = bytes(1_000);
        let part = given.slice(..10);
        buffers.give_back(given);
        assert!(buffers.take(1_000).is_none());
        assert_eq!(part, [7; 10][..]);
    }

    #[test]
    fn idle_buffers_are_bounded_and_the_oldest_make_room() {
        let buffers = Buffers::default();
        let third = IDLE_BYTES_MAX / 3;
        for length in [third, third + 1, third - 1, third + 2] {
            buffers.give_back(bytes(length));
            assert!(idle_bytes(&buffers) <= IDLE_BYTES_MAX);
        }
        assert_eq!(buffers.take(third).map(|buffer| buffer.capacity()), Some(third + 2), "the one that was used last");
        buffers.give_back(bytes(IDLE_BYTES_MAX + 1));
        assert!(buffers.take(IDLE_BYTES_MAX + 1).is_none(), "it is too long to be kept");
    }
}
