//! Bytes that the core passes on and never reads.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A user's bytes. Serialised as their length alone: what is read back has the length and no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Bytes,
    length: u32,
}

impl Payload {
    /// Wraps `bytes`.
    ///
    /// # Panics
    /// When they are 4 GiB or more, which no frame can carry.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let length = u32::try_from(bytes.len()).expect("a frame is shorter than 4 GiB");
        Self { bytes, length }
    }

    /// The content; empty if this payload was read back from a recording.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The length of the content in bytes, known even where the content is not.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.length)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.length.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { bytes: Bytes::new(), length: u32::deserialize(deserializer)? })
    }
}
