//! Data folders: who they belong to, and how they come to be.
//!
//! A formatted folder holds `meta.properties`, as Kafka writes it, and `bootstrap.features`, the feature levels that its cluster starts with; where
//! formatting names the voters, `bootstrap.voters` too.
//! `meta.properties` is written last: a folder without it is not formatted, whatever else a crash has left. What is on disk is never changed
//! by formatting again.

mod args;
mod features;
mod folder;
mod meta;
mod voters;

pub use args::FormatArgs;
pub use features::{Features, UnsupportedFeature, supported};
pub use folder::{DataFolder, FormatError, Formatted, Identity, format, identity, open_or_format};
pub(crate) use voters::parse_voter;
pub use voters::{FormattedVoter, FormattedVoters};
