//! Record batches, format v2 (KIP-98): the header that the core decides on, and the records behind it.

mod header;

pub use header::{BatchHeader, BatchProducer, Codec, CorruptBatch, HEADER_BYTES, TimestampType};
