//! The flight recorder: the inputs of a running broker's core, in a file of a fixed size, so that what happened in production can be replayed
//! through the same core step by step.
//!
//! The file is a ring of two halves. Each begins with a *checkpoint*, the core's whole state, and goes on with the inputs that followed, each
//! written before its step is taken: a panic, or a `kill -9`, finds the input that led to it there. When a half is full the other one begins.
//! So there is always a checkpoint with at least the inputs of one half behind it, once there were so many.
//!
//! Users' payloads are not in it, for they are not in what the core is told: a payload crosses as its length. Names of topics and clients, and
//! settings, are.
//!
//! # Format
//!
//! The first 4,096 bytes are a header: a line that says what it is, and one of JSON ([`Header`]). Each half begins with its number, eight bytes
//! that count halves from the beginning of the recording. What follows are frames: four bytes of length and four of CRC-32C, all
//! little-endian, and the content, in postcard. The CRC covers the half's number and the content: where it fails the half's frames end, and
//! those of an earlier turn of the ring follow. The first frame of a half is a [`Checkpoint`], each of the others a [`Recorded`] input.

mod hash;
mod reader;
mod writer;

use std::path::PathBuf;

use gracchus_core::boundary::Input;
use gracchus_core::broker::Broker;
use gracchus_core::time::Now;
use serde::{Deserialize, Serialize};

pub use self::hash::{RollingHash, RunHash};
pub use self::reader::{Recording, RecordingError};
pub use self::writer::{FlightRecorder, RECORD_BYTES_MIN};

/// What a recording begins with.
const MAGIC: &[u8] = b"gracchus recording 1\n";
/// Bytes of the header.
const HEADER_BYTES: u64 = 4_096;
/// Bytes of a half's number.
const HALF_HEAD_BYTES: usize = 8;
/// Bytes before a frame's content.
const FRAME_HEAD_BYTES: usize = 8;

/// Where a recording goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTo {
    /// The file.
    pub file: PathBuf,
    /// How large it becomes, in bytes.
    pub bytes_max: u64,
}

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the program that wrote it. Another one may not be able to read its states.
    pub version: String,
    /// The node's id.
    pub node: i32,
    /// The process.
    pub process: u32,
    /// Bytes of a half.
    pub half_bytes: u64,
}

/// A core's state before a step.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many steps were taken before.
    pub steps: u64,
    /// The hash of those.
    pub hash: RunHash,
    /// What the hash goes on from.
    rolling: RollingHash,
    /// The state.
    pub broker: Box<Broker>,
}

/// What a step was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The hash of all steps before this one.
    pub hash: RunHash,
    /// The clocks.
    pub now: Now,
    /// The input.
    pub input: Input,
}

/// What a frame's content is checked by.
fn crc(half: u64, content: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&half.to_le_bytes());
    digest.update(content);
    u32::try_from(digest.finalize()).expect("it has 32 bits")
}

/// Where a half begins in the file: they take turns.
fn start_of(half: u64, half_bytes: u64) -> u64 {
    HEADER_BYTES + (half % 2) * half_bytes
}

#[cfg(test)]
mod tests;
