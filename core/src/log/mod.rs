//! What the core knows of a log: where it starts and ends, its epochs, and where its batches lie. The batches themselves are the store's.

mod bookkeeping;
mod epochs;
mod positions;

pub use bookkeeping::{Dirt, Log, StaleCompletion};
pub use epochs::EpochCache;
pub use positions::Positions;
