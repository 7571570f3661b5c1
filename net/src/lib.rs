//! Kafka on the wire: frames, versions and codecs. Wire types stop here; the core sees its own requests and responses.
//!
//! Nothing in here owns a socket or reads a clock. Every byte that comes in is untrusted: decoding allocates in proportion to the bytes that
//! are there, never to a length that they claim, and within the bounds of [`limits`].

pub mod client;
pub mod frame;
pub mod kafka;
pub mod limits;
pub mod peer;
pub mod records;
