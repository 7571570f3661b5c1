//! Models and generators that the property tests under `tests/` share.

pub mod batches;
pub mod producers;
pub mod wire;
