//! The features that a cluster can finalise (KIP-584), with the levels that this release knows.

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

/// All features, by name.
pub const FEATURES: &[Feature] = &[
    Feature { name: "group.version", level_min: 0, level_max: 0 },
    Feature { name: "kraft.version", level_min: 0, level_max: 1 },
    Feature { name: "metadata.version", level_min: 7, level_max: 29 },
    Feature { name: "transaction.version", level_min: 0, level_max: 0 },
];
