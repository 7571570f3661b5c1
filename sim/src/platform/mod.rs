//! The simulated world that a node runs in.

pub mod disk;
