//! A broker's settings: what the operator gave, what was altered for all brokers, and what was altered for this one.
//!
//! The strongest source wins: altered for this broker, altered for all, given by the operator, default (KIP-226). A value that does not
//! parse counts as not there, so that a reader always gets something that the setting takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definitions::{Definition, broker_definition};
use super::{ConfigSource, Value};

/// A broker's settings by name, a map a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerConfigs {
    /// From the operator's file, environment and flags.
    pub given: BTreeMap<String, String>,
    /// Altered for all brokers.
    pub cluster_wide: BTreeMap<String, String>,
    /// Altered for this broker.
    pub per_broker: BTreeMap<String, String>,
}

impl BrokerConfigs {
    /// A broker of which nothing was altered.
    #[must_use]
    pub fn new(given: BTreeMap<String, String>) -> Self {
        Self { given, ..Self::default() }
    }

    /// The value in force and where it comes from; none if it is unset or nobody knows the setting.
    #[must_use]
    pub fn effective(&self, name: &str) -> Option<(Value, ConfigSource)> {
        let definition = broker_definition(name)?;
        let found = self.sources().into_iter().find_map(|(values, source)| Some((definition.parse(values.get(name)?).ok()?, source)));
        found.or_else(|| Some((default_of(definition)?, ConfigSource::Default)))
    }

    /// The value in force of a setting that is true or false.
    ///
    /// # Panics
    ///
    /// When it is not such a setting, or has no default and was not given.
    #[must_use]
    pub fn boolean(&self, name: &str) -> bool {
        self.value(name).boolean().expect("the setting is true or false")
    }

    /// The value in force of a setting that is a whole number.
    ///
    /// # Panics
    ///
    /// When it is not such a setting, or has no default and was not given.
    #[must_use]
    pub fn whole(&self, name: &str) -> i64 {
        self.value(name).whole().expect("the setting is a whole number")
    }

    /// The value in force as text; none if it is unset.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.effective(name).map(|(value, _)| value.to_string())
    }

    fn value(&self, name: &str) -> Value {
        self.effective(name).expect("the setting is defined and has a value").0
    }

    /// The maps with their sources, strongest first.
    pub(super) fn sources(&self) -> [(&BTreeMap<String, String>, ConfigSource); 3] {
        [
            (&self.per_broker, ConfigSource::DynamicBroker),
            (&self.cluster_wide, ConfigSource::DynamicDefaultBroker),
            (&self.given, ConfigSource::StaticBroker),
        ]
    }
}

pub(super) fn default_of(definition: &Definition) -> Option<Value> {
    definition.parse(definition.default?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn the_strongest_source_wins() {
        let mut configs = BrokerConfigs::default();
        assert_eq!(configs.effective("num.partitions"), Some((Value::Whole(1), ConfigSource::Default)));
        configs.given = one("num.partitions", "2");
        assert_eq!(configs.effective("num.partitions"), Some((Value::Whole(2), ConfigSource::StaticBroker)));
        configs.cluster_wide = one("num.partitions", "3");
        assert_eq!(configs.effective("num.partitions"), Some((Value::Whole(3), ConfigSource::DynamicDefaultBroker)));
        configs.per_broker = one("num.partitions", "4");
        assert_eq!(configs.effective("num.partitions"), Some((Value::Whole(4), ConfigSource::DynamicBroker)));
    }

    #[test]
    fn a_value_that_does_not_parse_counts_as_not_there() {
        let configs = BrokerConfigs { cluster_wide: one("num.partitions", "many"), ..BrokerConfigs::new(one("num.partitions", "2")) };
        assert_eq!(configs.whole("num.partitions"), 2);
    }

    #[test]
    fn a_setting_without_default_is_unset() {
        assert_eq!(BrokerConfigs::default().effective("log.retention.ms"), None);
        assert_eq!(BrokerConfigs::default().effective("no.such.setting"), None);
    }
}
