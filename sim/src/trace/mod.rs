//! What is kept of a run: its hash, its counts and, for a replay, its events.

mod hash;
mod recorder;

pub use hash::{RollingHash, RunHash};
pub use recorder::{Length, Listing, Recorder};
