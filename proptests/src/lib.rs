//! Models and generators that the property tests under `tests/` share.

pub mod batches;
pub mod lone_disk;
pub mod producers;
pub mod stored_log;
pub mod wire;
