//! The features that a cluster can finalise (KIP-584), with the levels that this release keeps. The names and numbers are Kafka 4.3's.

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The lowest level.
    pub level_min: i16,
    /// The highest level.
    pub level_max: i16,
}

/// KIP-966. At level 0 nobody is eligible that is not in sync: who led last is then the only one to lead again.
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// KIP-848. At level 0 all groups are of the classic protocol.
pub const GROUP_VERSION: &str = "group.version";

/// KIP-853. At level 0 the settings name the voters, as nodes; at 1 formatting does, or what was asked for since, each with its folder.
pub const KRAFT_VERSION: &str = "kraft.version";

/// All features, by name. One that nothing here does yet stays at level 0, which says that it is off.
pub const FEATURES: &[Feature] = &[
    Feature { name: ELIGIBLE_LEADER_REPLICAS, level_min: 0, level_max: 1 },
    Feature { name: GROUP_VERSION, level_min: 0, level_max: 1 },
    Feature { name: KRAFT_VERSION, level_min: 0, level_max: 1 },
    // 7 is 3.3-IV3, 30 is 4.3-IV0.
    Feature { name: "metadata.version", level_min: 7, level_max: 30 },
    Feature { name: "share.version", level_min: 0, level_max: 0 },
    Feature { name: "streams.version", level_min: 0, level_max: 0 },
    Feature { name: "transaction.version", level_min: 0, level_max: 0 },
];
