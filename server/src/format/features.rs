//! Feature levels that a cluster starts with (KIP-584, KIP-1022): those of Kafka 4.3, by the names and levels that Kafka gives them.

use std::collections::BTreeMap;

use thiserror::Error;

/// Feature levels by name; a level of 0 is left out.
pub type Features = BTreeMap<String, i16>;

const METADATA_VERSION: &str = "metadata.version";
const KRAFT_VERSION: &str = "kraft.version";

/// Kafka's releases of the metadata's format, the first of which has level 7.
const RELEASES: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3",
    "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];
const FIRST_RELEASE_LEVEL: i16 = 7;
const LATEST_RELEASE: &str = "4.3-IV0";

/// A feature beside `metadata.version`: for each level above 0, the release whose clusters have it by default.
struct Known {
    name: &'static str,
    default_since: &'static [&'static str],
    /// The release that a level above 0 needs, if it needs one.
    needs: Option<&'static str>,
}

const KNOWN: [Known; 6] = [
    Known { name: KRAFT_VERSION, default_since: &["3.9-IV0"], needs: None },
    Known { name: "transaction.version", default_since: &["4.0-IV2", "4.0-IV2"], needs: None },
    Known { name: "group.version", default_since: &["4.0-IV0"], needs: None },
    Known { name: "eligible.leader.replicas.version", default_since: &["4.1-IV0"], needs: Some("4.0-IV1") },
    Known { name: "share.version", default_since: &["4.2-IV0"], needs: None },
    Known { name: "streams.version", default_since: &["4.2-IV1"], needs: None },
];

impl Known {
    fn level_max(&self) -> i16 {
        i16::try_from(self.default_since.len()).expect("a feature has few levels")
    }

    fn default_level(&self, metadata_version: i16) -> i16 {
        let has = |release: &&&str| release_level(release).is_some_and(|level| level <= metadata_version);
        i16::try_from(self.default_since.iter().filter(has).count()).expect("a feature has few levels")
    }
}

/// Why feature levels are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnsupportedFeature {
    /// Nobody knows it.
    #[error("unsupported feature {name}; supported are metadata.version, {}", KNOWN.map(|known| known.name).join(", "))]
    Name {
        /// The name.
        name: String,
    },
    /// It has no such level.
    #[error("{name} has no level {level}; supported are {allowed}")]
    Level {
        /// The feature.
        name: String,
        /// The level asked for.
        level: String,
        /// The levels that there are.
        allowed: String,
    },
    /// Not NAME=LEVEL.
    #[error("--feature takes NAME=LEVEL, not {0}")]
    NotAnAssignment(String),
    /// It needs a later release of the metadata.
    #[error("{name} {level} needs metadata.version {needed} or later")]
    NeedsMetadataVersion {
        /// The feature.
        name: String,
        /// The level asked for.
        level: i16,
        /// The first release that will do.
        needed: &'static str,
    },
    /// `kraft.version` 0 has voters in the settings, 1 has them in the metadata.
    #[error("kraft.version {0}")]
    KraftVersion(&'static str),
}

/// Every feature with its lowest and highest level.
pub fn supported() -> impl Iterator<Item = (&'static str, i16, i16)> {
    let metadata = (METADATA_VERSION, FIRST_RELEASE_LEVEL, release_level(LATEST_RELEASE).expect("the latest release is listed"));
    std::iter::once(metadata).chain(KNOWN.iter().map(|known| (known.name, 0, known.level_max())))
}

/// The levels that a new cluster starts with: those asked for, each `NAME=LEVEL`, and the defaults of the release for the rest.
/// `has_formatted_voters` says that the quorum's voters are in the metadata (KIP-853) rather than in the settings.
pub(super) fn starting_levels(asked: &[String], release: Option<&str>, has_formatted_voters: bool) -> Result<Features, UnsupportedFeature> {
    let mut asked = asked.iter().map(|text| parse(text)).collect::<Result<Features, _>>()?;
    let by_release = metadata_version(release.unwrap_or(LATEST_RELEASE))?;
    let metadata = asked.remove(METADATA_VERSION).unwrap_or(by_release);
    let mut levels = Features::from([(METADATA_VERSION.to_owned(), metadata)]);
    for known in &KNOWN {
        let default = if known.name == KRAFT_VERSION { i16::from(has_formatted_voters) } else { known.default_level(metadata) };
        let level = asked.get(known.name).copied().unwrap_or(default);
        check(known, level, metadata, has_formatted_voters)?;
        if level > 0 {
            levels.insert(known.name.to_owned(), level);
        }
    }
    Ok(levels)
}

/// A release by its level or name: 30 and 4.3-IV0, and 4.3 for the last of that release.
fn metadata_version(text: &str) -> Result<i16, UnsupportedFeature> {
    let by_number = text.parse::<i16>().ok().filter(|&level| release_name(level).is_some());
    let latest_of = || RELEASES.iter().rev().find(|name| name.split_once("-IV").is_some_and(|(release, _)| release == text));
    by_number.or_else(|| release_level(text)).or_else(|| release_level(latest_of()?)).ok_or_else(|| UnsupportedFeature::Level {
        name: METADATA_VERSION.to_owned(),
        level: text.to_owned(),
        allowed: format!("3.3-IV3 ({FIRST_RELEASE_LEVEL}) to {LATEST_RELEASE}"),
    })
}

/// The name of a level of `metadata.version`.
pub(super) fn release_name(level: i16) -> Option<&'static str> {
    RELEASES.get(usize::try_from(level.checked_sub(FIRST_RELEASE_LEVEL)?).ok()?).copied()
}

fn release_level(name: &str) -> Option<i16> {
    let at = RELEASES.iter().position(|known| *known == name)?;
    Some(FIRST_RELEASE_LEVEL + i16::try_from(at).ok()?)
}

fn parse(text: &str) -> Result<(String, i16), UnsupportedFeature> {
    let (name, level) = text.split_once('=').ok_or_else(|| UnsupportedFeature::NotAnAssignment(text.to_owned()))?;
    if name == METADATA_VERSION {
        return Ok((name.to_owned(), metadata_version(level)?));
    }
    let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| UnsupportedFeature::Name { name: name.to_owned() })?;
    let out_of_range =
        || UnsupportedFeature::Level { name: name.to_owned(), level: level.to_owned(), allowed: format!("0 to {}", known.level_max()) };
    let level = level.parse::<i16>().ok().filter(|number| (0..=known.level_max()).contains(number)).ok_or_else(out_of_range)?;
    Ok((name.to_owned(), level))
}

fn check(known: &Known, level: i16, metadata_version: i16, has_formatted_voters: bool) -> Result<(), UnsupportedFeature> {
    if known.name == KRAFT_VERSION && level != i16::from(has_formatted_voters) {
        return Err(UnsupportedFeature::KraftVersion(if has_formatted_voters {
            "0 has its voters in controller.quorum.voters, not from --standalone or --initial-controllers"
        } else {
            "1 has its voters from --standalone or --initial-controllers, not in controller.quorum.voters"
        }));
    }
    match known.needs {
        Some(needed) if level > 0 && release_level(needed).is_some_and(|least| metadata_version < least) => {
            Err(UnsupportedFeature::NeedsMetadataVersion { name: known.name.to_owned(), level, needed })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(asked: &[&str], release: Option<&str>) -> Result<Features, UnsupportedFeature> {
        starting_levels(&asked.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), release, false)
    }

    fn map(entries: &[(&str, i16)]) -> Features {
        entries.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
    }

    // What `kafka-storage version-mapping` of Apache Kafka 4.3.1 prints for these releases.
    #[test]
    fn defaults_follow_the_release() {
        let latest = [
            ("metadata.version", 30),
            ("transaction.version", 2),
            ("group.version", 1),
            ("eligible.leader.replicas.version", 1),
            ("share.version", 1),
            ("streams.version", 1),
        ];
        assert_eq!(levels(&[], None), Ok(map(&latest)));
        assert_eq!(levels(&[], Some("4.0")), Ok(map(&[("metadata.version", 25), ("transaction.version", 2), ("group.version", 1)])));
        assert_eq!(levels(&[], Some("3.3-IV3")), Ok(map(&[("metadata.version", 7)])));
    }

    #[test]
    fn what_is_asked_for_replaces_a_default() {
        let asked = levels(&["transaction.version=1", "group.version=0", "metadata.version=4.2-IV0"], None).unwrap();
        assert_eq!((asked["metadata.version"], asked["transaction.version"], asked.get("group.version")), (28, 1, None));
        assert_eq!(levels(&["metadata.version=30"], None), levels(&["metadata.version=4.3-IV0"], None));
    }

    #[test]
    fn levels_that_do_not_exist_are_refused() {
        for (asked, expected) in [
            ("foo=1", "unsupported feature foo"),
            ("transaction.version=3", "transaction.version has no level 3; supported are 0 to 2"),
            ("group.version=-1", "group.version has no level -1"),
            ("metadata.version=31", "metadata.version has no level 31; supported are 3.3-IV3 (7) to 4.3-IV0"),
            ("metadata.version", "--feature takes NAME=LEVEL"),
        ] {
            let refusal = levels(&[asked], None).unwrap_err().to_string();
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }

    #[test]
    fn a_level_may_need_a_release() {
        let refusal = levels(&["eligible.leader.replicas.version=1"], Some("3.9-IV0")).unwrap_err();
        assert_eq!(refusal.to_string(), "eligible.leader.replicas.version 1 needs metadata.version 4.0-IV1 or later");
    }

    #[test]
    fn voters_in_the_settings_go_with_kraft_version_0() {
        assert!(levels(&["kraft.version=1"], None).is_err());
        assert!(levels(&["kraft.version=0"], None).is_ok());
        assert_eq!(starting_levels(&[], None, true).unwrap()["kraft.version"], 1);
        assert!(starting_levels(&["kraft.version=0".to_owned()], None, true).is_err());
    }
}
