//! Batches of producers and of other nodes, looked at before the core sees them, and their codecs.

mod codec;
mod demands;
mod effort;
mod replicated;
mod snappy;
mod validate;

pub use codec::{DecompressError, compress, decompress};
pub use effort::Effort;
pub use replicated::split_batches;
pub use validate::{Validated, validate_batch};
