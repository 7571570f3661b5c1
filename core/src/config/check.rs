//! Whether settings may be what someone wants them to be, with refusals in Kafka's words.

use std::collections::BTreeMap;

use super::definitions::{Effect, Update, broker_definition, topic_definition, without_listener};
use super::{BrokerConfigs, TopicSettings, Value};
use crate::error::{ApiError, ErrorCode};

/// Checks a value of a topic's setting alone.
///
/// # Errors
///
/// The refusal in Kafka's words.
pub fn validate_topic(name: &str, value: &str) -> Result<(), String> {
    let definition = topic_definition(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
    let value = definition.parse(value).map_err(|bad| bad.of(name))?;
    if name == "remote.storage.enable" && value == Value::Boolean(true) {
        return Err("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.".to_owned());
    }
    Ok(())
}

/// Checks the settings of a topic that is to be created, and hands them back as a map.
///
/// # Errors
///
/// INVALID_CONFIG, as the controller of Kafka answers.
pub fn check_new_topic(given: &[(String, Option<String>)], defaults: &BrokerConfigs) -> Result<BTreeMap<String, String>, ApiError> {
    let nulls: Vec<&str> = given.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        return Err(invalid_config(format!("Null value not supported for topic configs: {}", nulls.join(","))));
    }
    let overrides = given.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    check_topic(&overrides, defaults)?;
    Ok(overrides)
}

/// Checks all that a topic sets for itself, alone and together.
///
/// # Errors
///
/// INVALID_CONFIG.
pub fn check_topic(overrides: &BTreeMap<String, String>, defaults: &BrokerConfigs) -> Result<(), ApiError> {
    // Kafka looks at all names before it looks at a value.
    if let Some(unknown) = overrides.keys().find(|name| topic_definition(name).is_none()) {
        return Err(invalid_config(format!("Unknown topic config name: {unknown}")));
    }
    for (name, value) in overrides {
        validate_topic(name, value).map_err(invalid_config)?;
    }
    let settings = TopicSettings::resolve(overrides, defaults);
    let (least, most) = (settings.min_compaction_lag_ms, settings.max_compaction_lag_ms);
    if least > most {
        let conflict = format!("conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})");
        return Err(invalid_config(conflict));
    }
    Ok(())
}

/// Whom an altered setting of brokers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerScope {
    /// One broker.
    One,
    /// All of them.
    All,
}

/// Checks all that is altered for a broker, or for all of them.
///
/// # Errors
///
/// INVALID_REQUEST, as a broker of Kafka answers.
pub fn check_broker(altered: &BTreeMap<String, String>, scope: BrokerScope) -> Result<(), ApiError> {
    refuse_any(altered, "These security configs can be dynamically updated only per-listener using the listener prefix", |name| {
        SECURITY_PER_LISTENER.contains(&name)
    })?;
    refuse_any(altered, "Cannot update these configs dynamically", |name| {
        broker_definition(name).is_some_and(|known| known.update == Update::ReadOnly)
    })?;
    if scope == BrokerScope::All {
        let what = "Cannot update these configs at default cluster level, broker id must be specified";
        refuse_any(altered, what, is_of_one_broker)?;
    }
    for (name, value) in altered {
        validate_broker(name, value).map_err(invalid_request)?;
    }
    Ok(())
}

/// Checks a value of a broker's setting alone. A name that nobody knows is fine, as it is for Kafka: it may be a plugin's.
///
/// # Errors
///
/// The refusal in Kafka's words.
pub fn validate_broker(name: &str, value: &str) -> Result<(), String> {
    let Some(definition) = broker_definition(name) else { return Ok(()) };
    let value = definition.parse(value).map_err(|bad| bad.of(name))?;
    let is_default = definition.default.is_some_and(|default| value.to_string() == default);
    if definition.effect == Effect::Protects && !is_default {
        return Err(format!("{name} would protect and is not kept yet, so that it can't be set"));
    }
    if TIMES_WITHOUT_ZERO.contains(&name) && value == Value::Whole(0) {
        return Err(format!("requirement failed: {name} must be unlimited (-1) or, greater than or equal to 1"));
    }
    Ok(())
}

/// Secrets that one listener has and a broker as a whole has not (KIP-226).
const SECURITY_PER_LISTENER: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

const TIMES_WITHOUT_ZERO: &[&str] = &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];

fn is_of_one_broker(name: &str) -> bool {
    match broker_definition(name).map(|definition| definition.update) {
        Some(Update::PerBroker) => true,
        Some(Update::ReadOnly | Update::ClusterWide) => false,
        None => without_listener(name).is_some(),
    }
}

fn refuse_any(altered: &BTreeMap<String, String>, why: &str, is_refused: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    let refused: Vec<&str> = altered.keys().map(String::as_str).filter(|name| is_refused(name)).collect();
    if refused.is_empty() { Ok(()) } else { Err(invalid_request(format!("{why}: [{}]", refused.join(", ")))) }
}

pub(super) fn invalid_config(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidConfig, message)
}

pub(super) fn invalid_request(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(entries: &[(&str, &str)]) -> Result<(), String> {
        let given: Vec<_> = entries.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let checked = check_new_topic(&given, &BrokerConfigs::default());
        checked.map(|_| ()).map_err(|error| {
            assert_eq!(error.code, ErrorCode::InvalidConfig);
            error.message.unwrap()
        })
    }

    fn broker(scope: BrokerScope, name: &str, value: &str) -> Result<(), String> {
        check_broker(&BTreeMap::from([(name.to_owned(), value.to_owned())]), scope).map_err(|error| {
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            error.message.unwrap()
        })
    }

    // The expected words are what Apache Kafka 4.3.1 answered to the same requests.
    #[test]
    fn a_topics_bad_values_are_refused_in_kafkas_words() {
        let replicas = "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: \
            [partitionId]:[brokerId],[partitionId]:[brokerId],...";
        for (name, value, reason) in [
            ("retention.ms", "abc", "Not a number of type LONG"),
            ("retention.ms", "-2", "Value must be at least -1"),
            ("retention.ms", "", "Not a number of type LONG"),
            ("compression.type", "foo", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
            ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
            ("compression.zstd.level", "23", "Value must be no more than 22"),
            ("max.message.bytes", "99999999999", "Not a number of type INT"),
            ("min.cleanable.dirty.ratio", "1.5", "Value must be no more than 1"),
            ("min.cleanable.dirty.ratio", "x", "Not a number of type DOUBLE"),
            ("preallocate", "maybe", "Expected value to be either true or false"),
            ("segment.bytes", "14", "Value must be at least 1048576"),
            ("durability", "never", "String must be one of: flushed, replicated"),
        ] {
            assert_eq!(topic(&[(name, value)]), Err(format!("Invalid value {value} for configuration {name}: {reason}")));
        }
        let of_a_list = "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete";
        assert_eq!(topic(&[("cleanup.policy", "delete,foo")]), Err(of_a_list.to_owned()));
        let name = "leader.replication.throttled.replicas";
        assert_eq!(topic(&[(name, "foo")]), Err(format!("Invalid value [foo] for configuration {name}: {replicas}")));
    }

    #[test]
    fn what_kafka_takes_for_a_topic_is_taken() {
        for (name, value) in [
            ("retention.ms", " 77 "),
            ("cleanup.policy", ""),
            ("cleanup.policy", "delete,delete"),
            ("preallocate", "TRUE"),
            ("leader.replication.throttled.replicas", "*"),
            ("leader.replication.throttled.replicas", "0:1,1:2"),
            ("internal.segment.bytes", "100"),
            ("retention.bytes", "-5"),
            ("local.retention.ms", "2000"),
        ] {
            assert_eq!(topic(&[(name, value)]), Ok(()), "{name}={value}");
        }
    }

    #[test]
    fn unknown_names_come_before_bad_values() {
        assert_eq!(topic(&[("retention.ms", "abc"), ("zzz", "1")]), Err("Unknown topic config name: zzz".to_owned()));
    }

    #[test]
    fn a_topic_without_a_value_is_refused() {
        let refusal = check_new_topic(&[("retention.ms".to_owned(), None)], &BrokerConfigs::default()).unwrap_err();
        assert_eq!(refusal.message.unwrap(), "Null value not supported for topic configs: retention.ms");
    }

    #[test]
    fn compaction_lags_may_not_cross() {
        let conflict = "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)";
        assert_eq!(topic(&[("min.compaction.lag.ms", "100"), ("max.compaction.lag.ms", "50")]), Err(conflict.to_owned()));
    }

    #[test]
    fn tiered_storage_is_refused() {
        assert!(topic(&[("remote.storage.enable", "true")]).unwrap_err().starts_with("Tiered Storage functionality is disabled"));
        assert_eq!(topic(&[("remote.storage.enable", "false")]), Ok(()));
    }

    #[test]
    fn a_brokers_changes_are_refused_in_kafkas_words() {
        for (scope, name, value, expected) in [
            (BrokerScope::One, "log.retention.ms", "abc", "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"),
            (BrokerScope::One, "log.retention.hours", "5", "Cannot update these configs dynamically: [log.retention.hours]"),
            (
                BrokerScope::All,
                "listeners",
                "A://:1",
                "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
            ),
            (
                BrokerScope::All,
                "listener.name.foo.bar",
                "1",
                "Cannot update these configs at default cluster level, broker id must be specified: [listener.name.foo.bar]",
            ),
            (
                BrokerScope::One,
                "ssl.keystore.location",
                "/none",
                "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
            ),
            (
                BrokerScope::One,
                "log.retention.ms",
                "0",
                "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
            ),
        ] {
            assert_eq!(broker(scope, name, value), Err(expected.to_owned()));
        }
    }

    #[test]
    fn what_kafka_takes_for_a_broker_is_taken() {
        for scope in [BrokerScope::One, BrokerScope::All] {
            for (name, value) in [("log.retention.ms", "-2"), ("nope", "1"), ("log.cleanup.policy", ""), ("max.connections", "1")] {
                assert_eq!(broker(scope, name, value), Ok(()), "{name}={value}");
            }
        }
    }

    #[test]
    fn what_would_protect_is_refused() {
        assert!(broker(BrokerScope::One, "listener.name.external.ssl.keystore.password", "x").is_err());
        assert!(validate_broker("authorizer.class.name", "some.Authorizer").is_err());
        assert_eq!(validate_broker("authorizer.class.name", ""), Ok(()));
    }
}
