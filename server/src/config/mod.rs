//! What the operator says: a file, the environment and flags, read into one [`NodeSettings`] value before a node starts.
//!
//! [`load`] reads and checks; [`OperatorSettings::on`] joins what was read with what the data folder knows of itself.

mod args;
mod error;
mod file;
mod layers;
mod listeners;
mod load;
mod quorum;
mod settings;

pub use args::{Overrides, ServeArgs};
pub use error::{ConfigError, Warning};
pub(crate) use file::parse_properties;
pub use load::load;
pub use quorum::Voters;
pub use settings::{ConnectionLimits, ListenerSettings, NodeSettings, OperatorSettings};
