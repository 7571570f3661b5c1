//! What a group sets for itself: whether it may, and what becomes of it.
//!
//! A group's values lie within what the broker allows when they are set. A broker that allows less later takes the nearest that it does.

use std::collections::BTreeMap;

use super::BrokerConfigs;
use super::check::invalid_config;
use super::definitions::{group_definition, group_definitions};
use super::layers::Layers;
use crate::error::ApiError;

const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";

/// A number of groups with what a broker allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bounded {
    /// What is in force.
    pub usual: i64,
    least: i64,
    most: i64,
}

impl Bounded {
    /// A setting of all groups by the name that they give it, such as `consumer.session.timeout.ms`, as a broker has it.
    ///
    /// # Panics
    /// When a broker has no such setting.
    #[must_use]
    pub fn of(configs: &BrokerConfigs, name: &str) -> Self {
        let [least, most] = ["min", "max"].map(|bound| configs.whole(&broker_name(name, Some(bound))));
        let bounded = Self { usual: configs.whole(&broker_name(name, None)), least, most };
        Self { usual: bounded.nearest(bounded.usual), ..bounded }
    }

    /// The same in a group that sets `own`: what is in force is the nearest that is allowed.
    #[must_use]
    pub fn with_own(self, own: Option<&String>) -> Self {
        let own = own.and_then(|text| text.trim().parse().ok());
        Self { usual: own.map_or(self.usual, |own| self.nearest(own)), ..self }
    }

    fn nearest(self, value: i64) -> i64 {
        value.max(self.least).min(self.most)
    }
}

/// The broker's name for a setting that groups have too, or for a bound of it.
fn broker_name(name: &str, bound: Option<&str>) -> String {
    let (protocol, rest) = name.split_once('.').unwrap_or((name, ""));
    match bound {
        Some(bound) => format!("group.{protocol}.{bound}.{rest}"),
        None => format!("group.{protocol}.{rest}"),
    }
}

/// Checks all that a group sets for itself, alone and together.
///
/// # Errors
///
/// INVALID_CONFIG in Kafka's words.
pub fn check_group(overrides: &BTreeMap<String, String>, broker: &BrokerConfigs) -> Result<(), ApiError> {
    // Kafka looks at all names before it looks at a value.
    if let Some(unknown) = overrides.keys().find(|name| group_definition(name).is_none()) {
        return Err(invalid_config(format!("Unknown group config name: {unknown}")));
    }
    let mut values = BTreeMap::new();
    for definition in group_definitions() {
        let name = definition.name;
        if let Some(text) = overrides.get(name) {
            definition.parse(text).map_err(|bad| invalid_config(bad.of(name)))?;
        }
        let value = Layers { overrides, defaults: broker }.effective(definition).and_then(|value| value.whole());
        values.insert(name, value.expect("all settings of groups are whole numbers with defaults"));
    }
    for (name, value) in values.iter().filter(|(name, _)| overrides.contains_key(**name)) {
        let bound = |bound| broker_name(name, Some(bound));
        if *value < broker.whole(&bound("min")) {
            return Err(invalid_config(format!("{name} must be greater than or equal to {}", bound("min"))));
        }
        if *value > broker.whole(&bound("max")) {
            return Err(invalid_config(format!("{name} must be less than or equal to {}", bound("max"))));
        }
    }
    if values.get(SESSION) <= values.get(HEARTBEAT) {
        return Err(invalid_config(format!("{SESSION} must be greater than {HEARTBEAT}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn check(broker: &BrokerConfigs, entries: &[(&str, &str)]) -> Result<(), String> {
        let overrides = entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check_group(&overrides, broker).map_err(|error| {
            assert_eq!(error.code, ErrorCode::InvalidConfig);
            error.message.unwrap()
        })
    }

    // The words are those of Kafka 4.3.1's GroupConfig.
    #[test]
    fn what_a_broker_does_not_allow_is_refused_in_kafkas_words() {
        let broker = BrokerConfigs::default();
        for (name, value, refusal) in [
            ("nope", "1", "Unknown group config name: nope"),
            (SESSION, "soon", "Invalid value soon for configuration consumer.session.timeout.ms: Not a number of type INT"),
            (SESSION, "0", "Invalid value 0 for configuration consumer.session.timeout.ms: Value must be at least 1"),
            (SESSION, "44999", "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"),
            (SESSION, "60001", "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"),
            (HEARTBEAT, "4999", "consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"),
            (
                "consumer.assignment.interval.ms",
                "15001",
                "consumer.assignment.interval.ms must be less than or equal to group.consumer.max.assignment.interval.ms",
            ),
        ] {
            assert_eq!(check(&broker, &[(name, value)]), Err(refusal.to_owned()), "{name}={value}");
        }
        assert_eq!(check(&broker, &[(SESSION, "60000"), (HEARTBEAT, "15000"), ("consumer.assignment.interval.ms", "0")]), Ok(()));
    }

    #[test]
    fn a_session_is_longer_than_the_time_between_heartbeats() {
        let given = [("group.consumer.max.heartbeat.interval.ms", "60000")];
        let broker = BrokerConfigs::new(given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        let refusal = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
        assert_eq!(check(&broker, &[(HEARTBEAT, "45000")]), Err(refusal.to_owned()), "the broker's session is as long");
        assert_eq!(check(&broker, &[(HEARTBEAT, "45000"), (SESSION, "45001")]), Ok(()));
    }

    #[test]
    fn what_is_allowed_no_longer_becomes_the_nearest_that_is() {
        let given = [("group.consumer.min.session.timeout.ms", "50000"), ("group.consumer.session.timeout.ms", "45000")];
        let broker = BrokerConfigs::new(given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        let session = Bounded::of(&broker, SESSION);
        assert_eq!(session.usual, 50_000);
        assert_eq!(session.with_own(None).usual, 50_000);
        for (own, in_force) in [("48000", 50_000), ("55000", 55_000), ("99000", 60_000)] {
            assert_eq!(session.with_own(Some(&own.to_owned())).usual, in_force);
        }
    }
}
