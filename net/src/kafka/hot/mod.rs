//! Produce and Fetch, without copying records: those of a Produce are slices of its frame, those of a Fetch never come here.

mod fetch;
mod produce;
mod read;
mod write;

pub(super) use fetch::{decode_fetch, encode_fetch};
pub(super) use produce::{decode_produce, encode_produce};
