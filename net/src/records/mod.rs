//! A producer's batches, looked at before the core sees them.

mod validate;

pub use validate::validate_batch;
