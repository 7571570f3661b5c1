//! Random draws, each from a stream of its own.
//!
//! Two subjects never share a stream, so that a change in how one draws leaves the others as they were.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stream {
    Topology,
    Settings,
    Workload,
    Network,
    Disk,
    Clocks,
    Crashes,
    Effects,
    Entropy,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// The stream that `seed` has for a subject.
    #[must_use]
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        Self { rng }
    }

    /// A stream of its own for the holder of `number`, split off this subject.
    #[must_use]
    pub fn split(seed: u64, stream: Stream, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64 | (number + 1) << 8);
        Self { rng }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing lies below 0");
        // The high half of a 128-bit product is uniform enough: the bias is bound / 2^64.
        u64::try_from((u128::from(self.bits()) * u128::from(bound)) >> 64).expect("the high half has 64 bits")
    }

    /// A number in a range that is not empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// An index below `bound`, which is not 0.
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a usize")
    }

    /// True so many times in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < u64::from(per_million)
    }

    /// One of several, of which there is at least one.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.get(self.index(choices.len())).expect("the index lies below the length").clone()
    }

    /// Puts the items into any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for upper in (1..items.len()).rev() {
            items.swap(upper, self.index(upper + 1));
        }
    }

    /// How far the stream has been read, and what comes next: equal for two runs that drew the same.
    #[must_use]
    pub fn fingerprint(&self) -> (u128, u64) {
        (self.rng.get_word_pos(), self.rng.clone().next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let first = |stream| Draw::new(7, stream).bits();
        assert_eq!(first(Stream::Disk), first(Stream::Disk));
        assert_ne!(first(Stream::Disk), first(Stream::Network));
        assert_ne!(Draw::split(7, Stream::Disk, 0).bits(), Draw::split(7, Stream::Disk, 1).bits());
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Draw::new(1, Stream::Effects).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
