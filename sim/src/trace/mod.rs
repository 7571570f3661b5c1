//! What is kept of a run: its hash, its counts and, for a replay, its events.

mod hash;
mod recorder;

pub use hash::{RollingHash, RunHash};
pub(crate) use recorder::brief;
pub use recorder::{Listing, Recorder};
