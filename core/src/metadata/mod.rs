//! The cluster's metadata: records of the metadata log, and the image that they add up to.

mod features;
mod image;
mod log;
mod record;

pub use features::{ELIGIBLE_LEADER_REPLICAS, FEATURES, Feature};
pub use image::{BrokerRegistration, Image, PartitionRegistration, Topic};
pub use log::MetadataLog;
pub use record::{BrokerEndpoints, ConfigTarget, MetadataRecord, VoterRegistration, decode, encode};
