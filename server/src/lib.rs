//! The node: connections, the turn loop and the store, generic over the [`platform::Platform`] that they run on.

pub mod cli;
pub mod config;
pub mod dev;
pub mod format;
pub mod http;
pub mod node;
pub mod platform;
pub mod recording;
pub mod serve;
pub mod store;
