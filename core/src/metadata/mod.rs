//! The cluster's metadata: records of the metadata log, the image that they add up to, and snapshots of that.

mod difference;
mod features;
mod image;
mod kept;
mod log;
mod record;
mod snapshot;

pub use features::{ELIGIBLE_LEADER_REPLICAS, FEATURES, Feature, GROUP_VERSION, KRAFT_VERSION};
pub use image::{BrokerRegistration, Image, PartitionRegistration, Topic};
pub use kept::{FoundSnapshots, KeptSnapshots};
pub use log::{MetadataLog, Unjoined};
pub use record::{BrokerEndpoints, ConfigTarget, MetadataRecord, VoterRegistration, decode, encode};
pub use snapshot::{MetadataSnapshot, SnapshotId, UnsoundSnapshot};
