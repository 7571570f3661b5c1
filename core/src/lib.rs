//! The core of Gracchus: a state machine without input, output, clocks or threads.
//!
//! A driver hands [`broker::Broker::step`] one [`boundary::Input`] at a time, with the time of day, and carries out the
//! [`boundary::Effects`] that come back. Nothing in here blocks, sleeps, reads a clock or draws entropy of its own.

pub mod boundary;
pub mod broker;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod deadlines;
pub mod epoch;
pub mod error;
pub mod group;
pub mod ids;
pub mod limits;
pub mod log;
pub mod metadata;
pub mod offset;
pub mod partition;
pub mod producer;
pub mod quorum;
pub mod record;
pub mod replica;
pub mod rng;
pub mod time;
