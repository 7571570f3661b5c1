//! What is kept of a run: its hash, its counts and its last events.

mod hash;

pub use hash::{RollingHash, RunHash};
