//! A producer's batches, looked at before the core sees them, and their codecs.

mod codec;
mod demands;
mod effort;
mod snappy;
mod validate;

pub use codec::{DecompressError, compress, decompress};
pub use effort::Effort;
pub use validate::{Validated, validate_batch};
