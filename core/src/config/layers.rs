//! What a topic or a group has: its own values over the brokers' over the defaults.

use std::collections::BTreeMap;

use super::broker::default_of;
use super::definitions::Definition;
use super::{BrokerConfigs, Value};

/// Where the values come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layers<'a> {
    pub(super) overrides: &'a BTreeMap<String, String>,
    pub(super) defaults: &'a BrokerConfigs,
}

impl Layers<'_> {
    /// The value in force; none if it is unset.
    pub(super) fn effective(self, definition: &Definition) -> Option<Value> {
        let own = self.overrides.get(definition.name).and_then(|text| definition.parse(text).ok());
        own.or_else(|| self.broker_value(definition)).or_else(|| default_of(definition))
    }

    /// The first of the broker's settings that stand in for this one and has a value, in this one's unit.
    fn broker_value(self, definition: &Definition) -> Option<Value> {
        definition.synonyms.iter().find_map(|synonym| match self.defaults.effective(synonym.name)?.0 {
            // Kafka takes any negative time for no limit, whatever the unit.
            Value::Whole(number) if definition.name == "retention.ms" && number < 0 => Some(Value::Whole(-1)),
            Value::Whole(number) => Some(Value::Whole(number.saturating_mul(synonym.unit))),
            value @ (Value::Boolean(_) | Value::Real(_) | Value::Text(_) | Value::List(_)) => Some(value),
        })
    }
}
