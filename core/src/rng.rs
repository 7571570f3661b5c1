//! Randomness: one ChaCha stream a node, seeded when it is made.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::ids::Uuid;

/// The node's random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random(ChaCha12Rng);

impl Random {
    /// A stream that follows from `seed` alone.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number below `bound`, which is not zero. Uneven by less than one part in 2^32.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a range must not be empty");
        u32::try_from((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32).expect("the product's upper half is below the bound")
    }

    /// A random id of version 4. Like Kafka's, it does not begin with a dash, so that a command line takes it.
    pub fn uuid(&mut self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.0.fill_bytes(&mut bytes);
            let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
            *version = *version & 0x0f | 0x40;
            *variant = *variant & 0x3f | 0x80;
            let id = Uuid(bytes);
            if !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_of_version_4() {
        let mut random = Random::new([7; 32]);
        for _ in 0..100 {
            let Uuid(bytes) = random.uuid();
            assert_eq!(bytes[6] >> 4, 4);
            assert_eq!(bytes[8] >> 6, 0b10);
        }
    }

    #[test]
    fn one_seed_gives_one_stream() {
        let (mut left, mut right) = (Random::new([1; 32]), Random::new([1; 32]));
        assert_eq!((left.uuid(), left.below(10)), (right.uuid(), right.below(10)));
    }
}
