//! What the operator says: a file, the environment and flags, read into one [`NodeSettings`] value before a node starts.
//!
//! [`load()`] reads and checks; [`OperatorSettings::on`] joins what was read with what the data folder knows of itself:
//!
//! ```no_run
//! # use gracchus_core::ids::{IncarnationId, Uuid};
//! # use gracchus_server::config::{load, NodeSettings, ServeArgs};
//! # use gracchus_server::format::open_or_format;
//! # fn prepare(args: &ServeArgs, incarnation: Uuid, seed: [u8; 32]) -> Result<NodeSettings, Box<dyn std::error::Error>> {
//! let (settings, warnings) = load(args.config.as_deref(), &args.overrides()?, std::env::vars())?;
//! let (folder, formatted) = open_or_format(&settings)?;
//! let node_settings = settings.on(folder, IncarnationId(incarnation), seed);
//! # Ok(node_settings)
//! # }
//! ```

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
pub use quorum::{HostPort, Roles, Voters};
pub use settings::{ConnectionLimits, ListenerSettings, NodeSettings, OperatorSettings, PeerSettings};
