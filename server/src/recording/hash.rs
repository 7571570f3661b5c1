//! The rolling hash that tells two runs apart.

use std::fmt;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

/// 128 bits, shown as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunHash(pub u128);

impl fmt::Display for RunHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Takes in events one behind the other. The key is fixed: this guards against accidents, not against people.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RollingHash {
    hasher: SipHasher13,
}

impl RollingHash {
    /// Takes in bytes. Their number is not taken in: what has no fixed length is framed by the caller.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
    }

    /// Takes in a number.
    pub fn number(&mut self, number: u64) {
        self.hasher.write(&number.to_le_bytes());
    }

    /// The hash of all that was taken in.
    #[must_use]
    pub fn value(&self) -> RunHash {
        RunHash(self.hasher.finish128().as_u128())
    }
}
