//! The broker as librdkafka sees it: what goes in comes out, from wherever a reader starts, and administration does what Kafka's does.
//!
//! Each test starts a broker of its own, or uses the one that `TEST_BOOTSTRAP` names (`host:port`; Apache Kafka too), which it leaves
//! with some topics more. The files that go through measure 8 MB, or as many as `TEST_MB` says. The whole show is
//!
//! ```text
//! TEST_MB=512 cargo test --release -p gracchus-server --test librdkafka -- --test-threads=1
//! ```

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod acks;
mod broker;
mod configs;
mod input;
mod limits;
mod reader;
mod records;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;
mod topics;
mod writer;
