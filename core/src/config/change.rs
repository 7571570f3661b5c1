//! What AlterConfigs and IncrementalAlterConfigs (KIP-339) make of settings. The result is still to be checked as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::ConfigKind;
use super::check::{invalid_config, invalid_request};
use super::definitions::{Definition, broker_definition, group_definition, topic_definition};
use crate::boundary::{ConfigChange, ConfigOperation};
use crate::error::ApiError;
use crate::limits::CONFIG_VALUE_BYTES_MAX;

/// Whose settings are altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsOf {
    /// A topic's.
    Topic,
    /// A group's.
    Group,
    /// A broker's, or those of all brokers.
    Broker,
}

impl SettingsOf {
    fn definition(self, name: &str) -> Option<&'static Definition> {
        match self {
            Self::Topic => topic_definition(name),
            Self::Group => group_definition(name),
            Self::Broker => broker_definition(name),
        }
    }

    /// Kafka's brokers and its controller each have their own words.
    fn not_a_list(self, operation: &str, name: &str) -> ApiError {
        invalid_config(match self {
            Self::Topic | Self::Group => format!("Can't {} to key {name} because its type is not LIST.", operation.to_ascii_uppercase()),
            Self::Broker => format!("Config value {operation} is not allowed for config key: {name}"),
        })
    }
}

/// What a resource sets for itself after some changes.
///
/// # Errors
///
/// INVALID_REQUEST for a name given twice, a missing value or an operation that nobody knows; INVALID_CONFIG for a list's operation on what
/// is none, and for a value that gets too long.
pub fn alter(
    settings_of: SettingsOf,
    current: &BTreeMap<String, String>,
    changes: &[ConfigChange],
) -> Result<BTreeMap<String, String>, ApiError> {
    refuse_duplicates(changes.iter().map(|change| change.name.as_str()))?;
    refuse_nulls(changes.iter().filter(|change| change.operation != ConfigOperation::Delete).map(|change| (&change.name, &change.value)))?;
    let mut altered = current.clone();
    for change in changes {
        match apply_change(settings_of, current.get(&change.name).map(String::as_str), change)? {
            Some(value) => altered.insert(change.name.clone(), value),
            None => altered.remove(&change.name),
        };
    }
    Ok(altered)
}

/// What a resource sets for itself when exactly this is asked: all else falls back to its default.
///
/// # Errors
///
/// INVALID_REQUEST for a name given twice or a missing value.
pub fn replace(given: &[(String, Option<String>)]) -> Result<BTreeMap<String, String>, ApiError> {
    refuse_duplicates(given.iter().map(|(name, _)| name.as_str()))?;
    refuse_nulls(given.iter().map(|(name, value)| (name, value)))?;
    Ok(given.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect())
}

/// What a setting is after a change; none if it is back at its default.
///
/// # Errors
///
/// As [`alter`].
pub fn apply_change(settings_of: SettingsOf, current: Option<&str>, change: &ConfigChange) -> Result<Option<String>, ApiError> {
    let definition = settings_of.definition(&change.name);
    let value = change.value.as_deref().unwrap_or_default();
    match change.operation {
        ConfigOperation::Set => bounded(value.to_owned()).map(Some),
        ConfigOperation::Delete => Ok(None),
        ConfigOperation::Append => {
            let mut words = list(definition, current).ok_or_else(|| settings_of.not_a_list("append", &change.name))?;
            let mut known: BTreeSet<&str> = words.iter().copied().collect();
            words.extend(value.split(',').filter(|word| known.insert(word)));
            bounded(words.join(",")).map(Some)
        }
        ConfigOperation::Subtract => {
            let mut words = list(definition, current).ok_or_else(|| settings_of.not_a_list("subtract", &change.name))?;
            let taken: BTreeSet<&str> = value.split(',').collect();
            words.retain(|word| !taken.contains(word));
            Ok(Some(words.join(",")))
        }
        ConfigOperation::Unknown(number) => Err(invalid_request(format!("Unknown operation type {number} for : {}", change.name))),
    }
}

/// A value that is not too long to be kept.
fn bounded(value: String) -> Result<String, ApiError> {
    if value.len() <= CONFIG_VALUE_BYTES_MAX {
        return Ok(value);
    }
    let message =
        format!("The configuration value cannot be added because it exceeds the maximum value size of {CONFIG_VALUE_BYTES_MAX} bytes.");
    Err(invalid_config(message))
}

/// The words of a list as it is, or as it is by default; none if the setting is no list.
fn list<'a>(definition: Option<&Definition>, current: Option<&'a str>) -> Option<Vec<&'a str>> {
    let definition = definition.filter(|known| known.kind == ConfigKind::List)?;
    let text = current.or(definition.default).unwrap_or_default();
    Some(text.split(',').filter(|word| !word.is_empty()).collect())
}

fn refuse_duplicates<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(invalid_request("Error due to duplicate config keys".to_owned()));
        }
    }
    Ok(())
}

fn refuse_nulls<'a>(given: impl Iterator<Item = (&'a String, &'a Option<String>)>) -> Result<(), ApiError> {
    let nulls: Vec<&str> = given.filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if nulls.is_empty() { Ok(()) } else { Err(invalid_request(format!("Null value not supported for : {}", nulls.join(",")))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn change(name: &str, operation: ConfigOperation, value: &str) -> ConfigChange {
        ConfigChange { name: name.to_owned(), operation, value: Some(value.to_owned()) }
    }

    fn after(current: Option<&str>, operation: ConfigOperation, value: &str) -> Option<String> {
        apply_change(SettingsOf::Topic, current, &change("cleanup.policy", operation, value)).unwrap()
    }

    #[test]
    fn appending_begins_from_the_default() {
        assert_eq!(after(None, ConfigOperation::Append, "compact").unwrap(), "delete,compact");
        assert_eq!(after(Some("compact"), ConfigOperation::Append, "delete").unwrap(), "compact,delete");
    }

    #[test]
    fn appending_what_is_there_changes_nothing() {
        assert_eq!(after(Some("compact,delete"), ConfigOperation::Append, "delete").unwrap(), "compact,delete");
    }

    #[test]
    fn subtracting_takes_what_is_there() {
        assert_eq!(after(Some("compact,delete"), ConfigOperation::Subtract, "delete").unwrap(), "compact");
        assert_eq!(after(Some("compact"), ConfigOperation::Subtract, "nope").unwrap(), "compact");
        assert_eq!(after(Some("compact"), ConfigOperation::Subtract, "compact").unwrap(), "");
    }

    #[test]
    fn a_list_grows_only_as_long_as_a_value_may_be() {
        let held: Vec<String> = (0..5_000).map(|word| word.to_string()).collect();
        let more: Vec<String> = (5_000..7_000).map(|word| word.to_string()).collect();
        let refusal =
            apply_change(SettingsOf::Topic, Some(&held.join(",")), &change("cleanup.policy", ConfigOperation::Append, &more.join(",")))
                .unwrap_err();
        assert_eq!(refusal.code, ErrorCode::InvalidConfig);
        let expected = "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";
        assert_eq!(refusal.message.unwrap(), expected);
    }

    #[test]
    fn only_lists_are_appended_to() {
        let refusal = |settings_of, name| apply_change(settings_of, None, &change(name, ConfigOperation::Append, "1")).unwrap_err();
        let of_topic = refusal(SettingsOf::Topic, "retention.ms");
        assert_eq!(of_topic.code, ErrorCode::InvalidConfig);
        assert_eq!(of_topic.message.unwrap(), "Can't APPEND to key retention.ms because its type is not LIST.");
        assert_eq!(refusal(SettingsOf::Topic, "nope").message.unwrap(), "Can't APPEND to key nope because its type is not LIST.");
        let of_broker = refusal(SettingsOf::Broker, "log.retention.ms").message.unwrap();
        assert_eq!(of_broker, "Config value append is not allowed for config key: log.retention.ms");
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let changes = [change("retention.ms", ConfigOperation::Set, "1"), change("retention.ms", ConfigOperation::Delete, "")];
        let refusal = alter(SettingsOf::Topic, &BTreeMap::new(), &changes).unwrap_err();
        assert_eq!(refusal, ApiError::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
    }

    #[test]
    fn only_a_deletion_needs_no_value() {
        let null = |operation| ConfigChange { name: "retention.ms".to_owned(), operation, value: None };
        let current = BTreeMap::from([("retention.ms".to_owned(), "1".to_owned())]);
        assert_eq!(alter(SettingsOf::Topic, &current, &[null(ConfigOperation::Delete)]), Ok(BTreeMap::new()));
        let refusal = alter(SettingsOf::Topic, &current, &[null(ConfigOperation::Set)]).unwrap_err();
        assert_eq!(refusal, ApiError::new(ErrorCode::InvalidRequest, "Null value not supported for : retention.ms"));
    }

    #[test]
    fn replacing_leaves_only_what_is_given() {
        let given = [("retention.ms".to_owned(), Some("5".to_owned()))];
        assert_eq!(replace(&given).unwrap(), BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]));
    }
}
