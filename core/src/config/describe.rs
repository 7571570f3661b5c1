//! Settings as DescribeConfigs lists them: every default, where each value comes from, and where else it could.
//!
//! Kafka's own listing is followed to the letter, one oddity included: synonyms that stand before the setting's own name are left out,
//! so that a `log.retention.hours` of the file does not show as the source of `retention.ms` while `log.retention.ms` is nowhere set.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::{BrokerConfigs, default_of};
use super::definitions::{
    Definition, Synonym, Update, broker_definition, broker_definitions, group_definitions, topic_definitions, without_listener,
};
use super::layers::Layers;
use super::{ConfigEntry, ConfigKind, ConfigSource};

type Synonyms = Vec<(String, Option<String>, ConfigSource)>;

/// What of a listing is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing<'a> {
    /// The names wanted; all if there is no set, or an empty one.
    pub names: Option<&'a BTreeSet<String>>,
    /// Whether each entry says where its value could come from.
    pub include_synonyms: bool,
    /// Whether each entry says what it means.
    pub include_documentation: bool,
}

impl Listing<'_> {
    fn wants(self, name: &str) -> bool {
        self.names.is_none_or(|names| names.is_empty() || names.contains(name))
    }
}

/// The settings of a topic that has these of its own.
#[must_use]
pub fn describe_topic(overrides: &BTreeMap<String, String>, broker: &BrokerConfigs, listing: Listing<'_>) -> Vec<ConfigEntry> {
    let layers = Layers { overrides, defaults: broker };
    let listed = |definition: &&Definition| !definition.is_internal || overrides.contains_key(definition.name);
    let wanted = topic_definitions().iter().filter(listed).filter(|definition| listing.wants(definition.name));
    wanted.map(|definition| entry_of(definition, layers, ConfigSource::DynamicTopic, listing)).collect()
}

/// The settings of a group that has these of its own.
#[must_use]
pub fn describe_group(overrides: &BTreeMap<String, String>, broker: &BrokerConfigs, listing: Listing<'_>) -> Vec<ConfigEntry> {
    let layers = Layers { overrides, defaults: broker };
    let wanted = group_definitions().iter().filter(|definition| listing.wants(definition.name));
    wanted.map(|definition| entry_of(definition, layers, ConfigSource::DynamicGroup, listing)).collect()
}

/// The settings of a broker.
#[must_use]
pub fn describe_broker(broker: &BrokerConfigs, listing: Listing<'_>) -> Vec<ConfigEntry> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    names.extend(broker_definitions().filter(|known| !known.is_internal && !known.is_only_dynamic).map(|known| known.name));
    names.extend(broker.sources().into_iter().flat_map(|(values, _)| values.keys()).map(String::as_str));
    names.into_iter().filter(|name| listing.wants(name)).map(|name| broker_entry(name, broker, listing)).collect()
}

/// What was altered for all brokers.
#[must_use]
pub fn describe_broker_default(broker: &BrokerConfigs, listing: Listing<'_>) -> Vec<ConfigEntry> {
    let only_default = BrokerConfigs { cluster_wide: broker.cluster_wide.clone(), ..BrokerConfigs::default() };
    let names = broker.cluster_wide.keys().filter(|name| listing.wants(name));
    let entries = names.map(|name| broker_entry(name, &only_default, listing));
    let without_defaults = entries.map(|mut entry| {
        entry.synonyms.retain(|(_, _, source)| *source == ConfigSource::DynamicDefaultBroker);
        entry
    });
    without_defaults.collect()
}

/// A setting of what has its own values over the brokers', as `own` says.
fn entry_of(definition: &Definition, layers: Layers<'_>, own: ConfigSource, listing: Listing<'_>) -> ConfigEntry {
    let value = layers.effective(definition).map(|value| value.to_string());
    let mut synonyms = Synonyms::new();
    if layers.overrides.contains_key(definition.name) {
        synonyms.push((definition.name.to_owned(), value.clone(), own));
    }
    if let Some(first) = definition.synonyms.first() {
        synonyms.extend(broker_synonyms(first.name, layers.defaults));
    }
    ConfigEntry {
        name: definition.name.to_owned(),
        value,
        is_read_only: false,
        is_sensitive: definition.is_sensitive(),
        source: source_of(&synonyms),
        synonyms: if listing.include_synonyms { synonyms } else { Synonyms::new() },
        kind: definition.kind,
        documentation: listing.include_documentation.then(|| definition.documentation()),
    }
}

fn broker_entry(name: &str, broker: &BrokerConfigs, listing: Listing<'_>) -> ConfigEntry {
    let definition = broker_definition(name);
    let is_sensitive = definition.is_none_or(Definition::is_sensitive);
    let value = if is_sensitive { None } else { broker.text(name) };
    let synonyms = broker_synonyms(name, broker);
    // For one listener only, Kafka calls a setting read-only, though it can be altered.
    let can_be_altered = without_listener(name).is_none() && definition.is_some_and(|known| known.update != Update::ReadOnly);
    ConfigEntry {
        name: name.to_owned(),
        value,
        is_read_only: !can_be_altered,
        is_sensitive,
        source: source_of(&synonyms),
        synonyms: if listing.include_synonyms { synonyms } else { Synonyms::new() },
        kind: definition.map_or(ConfigKind::Unknown, |known| known.kind),
        documentation: listing.include_documentation.then(|| definition.map(Definition::documentation).unwrap_or_default()),
    }
}

fn source_of(synonyms: &Synonyms) -> ConfigSource {
    synonyms.first().map_or(ConfigSource::Default, |(_, _, source)| *source)
}

/// Where a broker's setting could come from, strongest source first, and within a source by the precedence of the names.
fn broker_synonyms(name: &str, broker: &BrokerConfigs) -> Synonyms {
    let names = names_with_precedence(name);
    let shown = |name: &str, value: &str| {
        let is_sensitive = broker_definition(name).is_none_or(Definition::is_sensitive);
        (name.to_owned(), (!is_sensitive).then(|| value.to_owned()))
    };
    let mut synonyms = Synonyms::new();
    for (values, source) in broker.sources() {
        let set = names.iter().filter_map(|name| Some(shown(name, values.get(*name)?)));
        synonyms.extend(set.map(|(name, value)| (name, value, source)));
    }
    for name in names.iter().filter(|name| without_listener(name).is_none()) {
        if let Some(default) = broker_definition(name).and_then(default_of) {
            let (name, value) = shown(name, &default.to_string());
            synonyms.push((name, value, ConfigSource::Default));
        }
    }
    synonyms.into_iter().skip_while(|(synonym, _, _)| synonym != name).collect()
}

/// The names that say the same thing as `name`, strongest first.
fn names_with_precedence(name: &str) -> Vec<&str> {
    if let Some(for_all_listeners) = without_listener(name) {
        return vec![name, for_all_listeners];
    }
    let says_it = |synonyms: &[Synonym]| synonyms.iter().any(|synonym| synonym.name == name);
    let families = topic_definitions().iter().map(|definition| definition.synonyms);
    match families.into_iter().find(|synonyms| says_it(synonyms)) {
        Some(synonyms) => synonyms.iter().map(|synonym| synonym.name).collect(),
        None => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const WITH_SYNONYMS: Listing<'static> = Listing { names: None, include_synonyms: true, include_documentation: false };

    fn find(entries: Vec<ConfigEntry>, name: &str) -> ConfigEntry {
        entries.into_iter().find(|entry| entry.name == name).unwrap()
    }

    fn synonyms(entry: &ConfigEntry) -> String {
        let shown = entry.synonyms.iter().map(|(name, value, source)| format!("{name}={} {source:?}", value.as_deref().unwrap_or("?")));
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_default_of_a_topic_is_listed() {
        let entries = describe_topic(&BTreeMap::new(), &BrokerConfigs::default(), Listing::default());
        assert_eq!(entries.len(), 34, "Kafka's 33 and durability");
        assert!(entries.iter().all(|entry| entry.source == ConfigSource::Default && entry.synonyms.is_empty() && entry.value.is_some()));
    }

    #[test]
    fn a_topics_own_value_stands_before_the_brokers() {
        let broker = BrokerConfigs::new(map(&[("log.segment.bytes", "3145728")]));
        let entry = find(describe_topic(&map(&[("segment.bytes", "2097152")]), &broker, WITH_SYNONYMS), "segment.bytes");
        assert_eq!((entry.value.as_deref(), entry.source), (Some("2097152"), ConfigSource::DynamicTopic));
        let expected = "segment.bytes=2097152 DynamicTopic; log.segment.bytes=3145728 StaticBroker; log.segment.bytes=1073741824 Default";
        assert_eq!(synonyms(&entry), expected);
    }

    #[test]
    fn hours_of_the_file_show_only_behind_milliseconds() {
        let mut broker = BrokerConfigs::new(map(&[("log.retention.hours", "24")]));
        let entry = find(describe_topic(&BTreeMap::new(), &broker, WITH_SYNONYMS), "retention.ms");
        assert_eq!((entry.value.as_deref(), entry.source, synonyms(&entry).as_str()), (Some("86400000"), ConfigSource::Default, ""));
        broker.per_broker = map(&[("log.retention.ms", "5000")]);
        broker.cluster_wide = map(&[("log.retention.ms", "6000")]);
        let entry = find(describe_topic(&BTreeMap::new(), &broker, WITH_SYNONYMS), "retention.ms");
        let expected = "log.retention.ms=5000 DynamicBroker; log.retention.ms=6000 DynamicDefaultBroker; \
            log.retention.hours=24 StaticBroker; log.retention.hours=168 Default";
        assert_eq!((entry.value.as_deref(), synonyms(&entry).as_str()), (Some("5000"), expected));
    }

    #[test]
    fn a_groups_own_value_stands_before_the_brokers() {
        let broker = BrokerConfigs::new(map(&[("group.consumer.session.timeout.ms", "50000")]));
        let entries = describe_group(&map(&[("consumer.heartbeat.interval.ms", "6000")]), &broker, WITH_SYNONYMS);
        assert_eq!(entries.len(), 3);
        let heartbeat = find(entries.clone(), "consumer.heartbeat.interval.ms");
        assert_eq!((heartbeat.value.as_deref(), heartbeat.source), (Some("6000"), ConfigSource::DynamicGroup));
        let expected = "consumer.heartbeat.interval.ms=6000 DynamicGroup; group.consumer.heartbeat.interval.ms=5000 Default";
        assert_eq!(synonyms(&heartbeat), expected);
        let session = find(entries, "consumer.session.timeout.ms");
        assert_eq!((session.value.as_deref(), session.source), (Some("50000"), ConfigSource::StaticBroker));
    }

    #[test]
    fn secrets_and_unknown_names_have_no_value() {
        let broker = BrokerConfigs { per_broker: map(&[("my.own", "1"), ("ssl.key.password", "x")]), ..BrokerConfigs::default() };
        for name in ["my.own", "ssl.key.password"] {
            let entry = find(describe_broker(&broker, WITH_SYNONYMS), name);
            assert!(entry.is_sensitive && entry.value.is_none());
            assert_eq!(synonyms(&entry), format!("{name}=? DynamicBroker"));
        }
    }

    #[test]
    fn what_was_altered_for_all_brokers_is_listed_alone() {
        let mut broker = BrokerConfigs::new(map(&[("compression.type", "lz4")]));
        broker.cluster_wide = map(&[("compression.type", "gzip")]);
        let entries = describe_broker_default(&broker, WITH_SYNONYMS);
        assert_eq!(entries.len(), 1);
        assert_eq!(synonyms(&entries[0]), "compression.type=gzip DynamicDefaultBroker");
    }

    #[test]
    fn a_listing_can_be_of_some_names_only() {
        let names = BTreeSet::from(["retention.ms".to_owned(), "nope".to_owned()]);
        let listing = Listing { names: Some(&names), ..Listing::default() };
        let entries = describe_topic(&BTreeMap::new(), &BrokerConfigs::default(), listing);
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["retention.ms"]);
    }

    #[test]
    fn what_does_nothing_yet_says_so() {
        let listing = Listing { include_documentation: true, ..Listing::default() };
        let entry = find(describe_topic(&BTreeMap::new(), &BrokerConfigs::default(), listing), "flush.ms");
        assert!(entry.documentation.unwrap().ends_with("Has no effect here yet."));
    }
}
