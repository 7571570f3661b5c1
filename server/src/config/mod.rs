//! What the operator says: a file, the environment and flags, read into one [`NodeSettings`] value before a node starts.

mod settings;

pub use settings::{ConnectionLimits, ListenerSettings, NodeSettings};
