//! What nodes say to each other on the wire.
//!
//! ```text
//! connection  magic, hello ─▶            ◀─ answer            message or beat ─▶ …            ◀─ beat …
//! frame       length u32, then as many bytes; a frame without any is a beat: a sign of life
//! message     head: postcard, within an enum of versions; then the sections of raw batches whose lengths the head names
//! ```
//!
//! What is always true: a connection carries the messages of one lane, in one direction; the other direction has an answer and beats alone.
//! The magic is no length that a Kafka frame can have, so that both can come in by one listener. Bytes that make no sense are an error that
//! ends the connection. Memory is taken for what is there, not for what is claimed, and every batch that is handed on has a sound header and
//! checksum.

mod handshake;
mod message;

use gracchus_core::record::CorruptBatch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use handshake::{Answer, Hello, MAGIC, Refusal};
pub use message::{BEAT, Frame, decode_frame, encode_message, take_slices};

/// Why bytes from another node are no use.
#[derive(Debug, Error)]
pub enum PeerError {
    /// They are no value of a version that this release knows.
    #[error("it does not decode, or is of a later version: {0}")]
    Malformed(postcard::Error),
    /// There are more of them than the value takes.
    #[error("{0} bytes too many follow")]
    Trailing(usize),
    /// The sections are not those that the head has records for.
    #[error("the head names {named_bytes} bytes in {sections} sections for {records} sets of records, and {found_bytes} bytes follow")]
    Sections {
        /// Sections that the head names.
        sections: usize,
        /// Sets of records in the message.
        records: usize,
        /// Their lengths together.
        named_bytes: u64,
        /// Bytes behind the head.
        found_bytes: u64,
    },
    /// Records stand in the head, where none belong.
    #[error("records stand in the head")]
    RecordsInHead,
    /// A batch is not sound.
    #[error(transparent)]
    Batch(#[from] CorruptBatch),
}

/// A message that no frame can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a message between nodes would take {bytes} bytes")]
pub struct MessageTooLarge {
    /// What it would take.
    pub bytes: u64,
}

/// The bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Appends the value behind room for a length, which is then filled in.
fn append_frame(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; LENGTH_BYTES]);
    let mut whole = postcard::to_extend(value, std::mem::take(bytes)).expect("what nodes say serialises");
    let length = u32::try_from(whole.len() - start - LENGTH_BYTES).expect("a handshake is short");
    set_length(&mut whole, start, length);
    *bytes = whole;
}

fn set_length(bytes: &mut [u8], at: usize, length: u32) {
    let place = bytes.get_mut(at..at + LENGTH_BYTES).expect("room was left for it");
    place.copy_from_slice(&length.to_be_bytes());
}

/// Reads a value that is all of the bytes.
fn read_whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PeerError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(PeerError::Malformed)?;
    if rest.is_empty() { Ok(value) } else { Err(PeerError::Trailing(rest.len())) }
}
