//! Which record is the latest of its key, in bounded memory.
//!
//! A table of hashes by open addressing, 24 bytes an entry. Two keys of one hash of 128 bits would be taken for one: the hash has a secret of its
//! own at each compaction, so that nobody can make such keys, and by chance there are none.

use std::hash::Hasher;

use gracchus_core::offset::Offset;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Bytes of an entry.
const ENTRY_BYTES: u64 = 24;
/// How full the table gets, in tenths: searches stay short.
const FULL_TENTHS: usize = 9;
const SLOTS_MIN: usize = 16;

/// The latest record of each key.
#[derive(Debug)]
pub(super) struct Keys {
    slots: Vec<Slot>,
    used: usize,
    hasher: SipHasher13,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: [u64; 2],
    /// Negative where there is no entry.
    latest: i64,
}

const EMPTY: Slot = Slot { hash: [0; 2], latest: -1 };

impl Keys {
    /// A table for `records` records at most, as far as `bytes_max` allow.
    pub(super) fn new(records: u64, bytes_max: u64, secret: &[u8; 16]) -> Self {
        let wanted = records.saturating_mul(10) / FULL_TENTHS as u64 + 1;
        let slots = usize::try_from(wanted.min(bytes_max / ENTRY_BYTES)).unwrap_or(usize::MAX).max(SLOTS_MIN);
        Self { slots: vec![EMPTY; slots], used: 0, hasher: SipHasher13::new_with_key(secret) }
    }

    /// Whether so many more keys find room. A table without any makes it: a batch has to fit whatever the bounds are.
    pub(super) fn has_room_for(&mut self, keys: usize) -> bool {
        if self.used == 0 && keys > self.used_max() {
            self.slots = vec![EMPTY; keys.saturating_mul(10) / FULL_TENTHS + 1];
        }
        self.used + keys <= self.used_max()
    }

    fn used_max(&self) -> usize {
        self.slots.len().saturating_mul(FULL_TENTHS) / 10
    }

    /// Bytes of the table, and those of them that are taken.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let bytes = |slots: usize| u64::try_from(slots).unwrap_or(u64::MAX).saturating_mul(ENTRY_BYTES);
        (bytes(self.slots.len()), bytes(self.used))
    }

    /// Takes note of a record. They come in the order of the log.
    ///
    /// # Panics
    /// Where there is no room.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) {
        let hash = self.hash(key);
        let place = self.place(hash);
        let slot = self.slots.get_mut(place).expect("a place is in the table");
        if slot.latest < 0 {
            self.used += 1;
        }
        *slot = Slot { hash, latest: offset.0 };
        assert!(self.used < self.slots.len(), "room was looked for");
    }

    /// The latest record of a key, of those that were noted.
    pub(super) fn latest(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots.get(self.place(self.hash(key)))?;
        (slot.latest >= 0).then_some(Offset(slot.latest))
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write(key);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// Where a hash stands, or would.
    fn place(&self, hash: [u64; 2]) -> usize {
        let [first, _] = hash;
        let length = self.slots.len();
        let mut place = usize::try_from(first % length as u64).expect("less than the table's length");
        while self.slots.get(place).is_some_and(|slot| slot.latest >= 0 && slot.hash != hash) {
            place = if place + 1 == length { 0 } else { place + 1 };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_each_key_is_known() {
        let mut keys = Keys::new(1_000, 1 << 20, &[7; 16]);
        for offset in 0..1_000_i64 {
            assert!(keys.has_room_for(1));
            keys.put(&(offset % 300).to_be_bytes(), Offset(offset));
        }
        for key in 0..300_i64 {
            let latest = if key < 100 { 900 + key } else { 600 + key };
            assert_eq!(keys.latest(&key.to_be_bytes()), Some(Offset(latest)));
        }
        assert_eq!(keys.latest(b"nobody"), None);
        assert_eq!(keys.used, 300);
    }

    #[test]
    fn memory_is_bounded_and_a_batch_fits_all_the_same() {
        let mut keys = Keys::new(1_000_000, 100 * ENTRY_BYTES, &[7; 16]);
        assert!(keys.has_room_for(90) && !Keys::new(1_000_000, 100 * ENTRY_BYTES, &[7; 16]).has_room_for_more(91));
        for key in 0..90_u32 {
            keys.put(&key.to_be_bytes(), Offset(key.into()));
        }
        assert!(!keys.has_room_for(1));
        let mut keys = Keys::new(1_000_000, 0, &[7; 16]);
        assert!(keys.has_room_for(5_000));
        (0..5_000_u32).for_each(|key| keys.put(&key.to_be_bytes(), Offset(key.into())));
        assert!((0..5_000_u32).all(|key| keys.latest(&key.to_be_bytes()) == Some(Offset(key.into()))));
    }

    impl Keys {
        fn has_room_for_more(&self, keys: usize) -> bool {
            self.used + keys <= self.used_max()
        }
    }
}
