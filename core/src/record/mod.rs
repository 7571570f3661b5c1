//! Record batches, format v2 (KIP-98): the header that the core decides on, and the records behind it.
//!
//! Reading is bounded by the bytes that are there and never panics on them. What is compressed is opaque in here.

mod builder;
mod compact;
mod control;
mod crc;
mod header;
mod patch;
mod records;
mod varint;

pub use builder::{BatchBuilder, assemble, empty_batch};
pub use compact::{Fate, Remainder, retain_records};
pub use control::{ControlRecord, EndTransaction, LeaderChange, Voter};
pub use crc::{batch_crc, check_crc};
pub use header::{BatchHeader, BatchProducer, Codec, CorruptBatch, HEADER_BYTES, TimestampType};
pub use patch::{PATCHED_HEAD_BYTES, patched_head, rewrite_append_time, rewrite_max_timestamp};
pub use records::{Record, RecordHeaders, Records, RecordsSummary, validate_records};
