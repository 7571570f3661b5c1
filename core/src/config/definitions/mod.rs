//! What settings there are: one table a family, by Kafka's dotted names, with the defaults and bounds of Kafka 4.3 and ours beside them.
//!
//! Ours are `durability` of topics with its broker default `log.durability`, and the family `own`. Where a default differs from Kafka's, the
//! table says why.

mod build;
mod group;
mod groups;
mod log;
mod network;
mod node;
mod own;
mod remote;
mod replication;
mod security;
mod share;
mod topic;
mod transactions;
mod validator;

use super::ConfigKind;
use super::value::{BadValue, Value};
pub(crate) use replication::RACK_AWARE_SELECTOR;
use validator::Validator;

/// A setting: what it is called, what it may be, and what it is when nobody says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    /// Kafka's dotted name, or ours.
    pub name: &'static str,
    /// What values it takes.
    pub kind: ConfigKind,
    /// Its value when nobody gives one; none leaves it unset.
    pub default: Option<&'static str>,
    /// Settings of a broker that stand in for a topic's or a group's, the first that has a value.
    pub synonyms: &'static [Synonym],
    /// Who may alter it while the broker runs.
    pub update: Update,
    /// What comes of setting it.
    pub effect: Effect,
    /// Whether it is left out of listings unless it was set: what Kafka keeps for its tests.
    pub is_internal: bool,
    /// Whether a file can't set it: it exists only once altered.
    pub is_only_dynamic: bool,
    documentation: &'static str,
    validator: Validator,
}

/// A broker's setting that stands in for a topic's or a group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The broker's setting.
    pub name: &'static str,
    /// What one of the broker's units is in the other's: milliseconds of an hour, say.
    pub unit: i64,
}

/// Who may alter a setting while the broker runs (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Nobody.
    ReadOnly,
    /// Each broker for itself.
    PerBroker,
    /// Each broker, or all at once.
    ClusterWide,
}

/// What comes of setting something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is kept.
    Kept,
    /// Nothing yet: an operator is warned.
    Inert,
    /// It would protect and nothing keeps it yet, so that it is refused.
    Protects,
}

impl Definition {
    /// Reads a value and checks it against what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value, BadValue> {
        let value = Value::parse(self.kind, text)?;
        self.validator.check(self.name, &value)?;
        Ok(value)
    }

    /// Whether its value is a secret.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.kind == ConfigKind::Password
    }

    /// What it means, in a sentence, and whether it does anything.
    #[must_use]
    pub fn documentation(&self) -> String {
        match self.effect {
            Effect::Kept => self.documentation.to_owned(),
            Effect::Inert => format!("{} Has no effect here yet.", self.documentation),
            Effect::Protects => format!("{} Refused until it is kept.", self.documentation),
        }
    }

    /// The values that it takes, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        self.validator.allowed(self.kind)
    }
}

/// Every setting of topics, sorted by name.
#[must_use]
pub fn topic_definitions() -> &'static [Definition] {
    topic::TOPIC
}

/// Every setting of groups, sorted by name.
#[must_use]
pub fn group_definitions() -> &'static [Definition] {
    group::GROUP
}

/// Every setting of brokers.
pub fn broker_definitions() -> impl Iterator<Item = &'static Definition> {
    BROKER_FAMILIES.iter().copied().flatten()
}

const BROKER_FAMILIES: &[&[Definition]] = &[
    node::NODE,
    network::NETWORK,
    log::LOG,
    replication::REPLICATION,
    groups::GROUPS,
    share::SHARE,
    transactions::TRANSACTIONS,
    remote::REMOTE,
    security::SECURITY,
    own::OWN,
];

/// A topic's setting by name.
#[must_use]
pub fn topic_definition(name: &str) -> Option<&'static Definition> {
    among(topic::TOPIC, name)
}

/// A group's setting by name.
#[must_use]
pub fn group_definition(name: &str) -> Option<&'static Definition> {
    among(group::GROUP, name)
}

fn among(sorted: &'static [Definition], name: &str) -> Option<&'static Definition> {
    let at = sorted.binary_search_by(|definition| definition.name.cmp(name)).ok()?;
    sorted.get(at)
}

/// A broker's setting by name; `listener.name.NAME.SETTING` is the setting for one listener.
#[must_use]
pub fn broker_definition(name: &str) -> Option<&'static Definition> {
    let name = without_listener(name).unwrap_or(name);
    broker_definitions().find(|definition| definition.name == name)
}

/// The setting behind the prefix `listener.name.NAME.`, if there is that prefix.
#[must_use]
pub fn without_listener(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, setting)| setting)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn settings_of_topics_and_groups_are_sorted_by_name() {
        for sorted in [topic_definitions(), group_definitions()] {
            assert!(sorted.is_sorted_by_key(|definition| definition.name));
        }
    }

    #[test]
    fn every_name_is_defined_once() {
        let names: BTreeSet<_> = broker_definitions().map(|definition| definition.name).collect();
        assert_eq!(names.len(), broker_definitions().count());
    }

    #[test]
    fn every_default_is_a_value_that_its_setting_takes() {
        for definition in topic_definitions().iter().chain(group_definitions()).chain(broker_definitions()) {
            if let Some(default) = definition.default {
                let value = definition.parse(default).unwrap_or_else(|bad| panic!("{}: {}", definition.name, bad.reason));
                assert_eq!(value.to_string(), default, "{}", definition.name);
            }
        }
    }

    #[test]
    fn every_synonym_is_a_broker_setting() {
        for synonym in topic_definitions().iter().chain(group_definitions()).flat_map(|definition| definition.synonyms) {
            assert!(broker_definition(synonym.name).is_some(), "{}", synonym.name);
        }
    }

    #[test]
    fn a_synonym_in_the_same_unit_has_the_same_default() {
        for definition in topic_definitions().iter().chain(group_definitions()) {
            if let [only] = definition.synonyms {
                assert_eq!(broker_definition(only.name).unwrap().default, definition.default, "{}", definition.name);
            }
        }
    }

    #[test]
    fn a_setting_for_one_listener_is_found_by_its_own_name() {
        assert_eq!(broker_definition("listener.name.external.max.connections").unwrap().name, "max.connections");
    }
}
