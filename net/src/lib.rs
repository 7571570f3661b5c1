//! Kafka on the wire: frames, versions and codecs. Wire types stop here; the core sees its own requests and responses.

pub mod client;
