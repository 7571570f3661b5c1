//! A Kafka client over any pair of byte streams: what the command line and simulated clients speak through.
//!
//! It has no sockets, clocks or timers: a caller that waits for an answer only so long drops the connection when the time is up. Always true:
//!
//! - answers are matched with requests in the order in which those were sent, and by correlation id; a mismatch is an error, after which the
//!   connection is of no use;
//! - every call that writes also flushes;
//! - [`Connection::send`] and [`Connection::receive`] lose nothing when their futures are dropped: what was not written or read is kept for
//!   the next call.

mod connection;
mod controllers;
mod error;
mod error_code;
mod fetch;
mod produce;
mod versions;

pub use connection::{Connection, CorrelationId};
pub use controllers::{CONTROLLERS_BYTES_MAX, controllers_of, controllers_request};
pub use error::ClientError;
pub use error_code::WireError;
pub use fetch::{Batches, FetchPosition, FetchedPartition, fetch_request, fetched_partitions};
pub use produce::{Acks, PartitionBatch, ProducedPartition, produce_request, produced_partitions};
pub use versions::ServedVersions;

use kafka_wire_core::{StrBytes, Uuid};

/// A topic as requests name it: by name in older versions, by id in newer ones (KIP-516). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicKey {
    /// The topic's name.
    pub name: StrBytes,
    /// The topic's id, as Metadata tells it; zero when unknown.
    pub id: Uuid,
}
