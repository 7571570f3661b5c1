//! The listings of DescribeConfigs against those of Apache Kafka 4.3.1, taken from a running broker.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::config::{BrokerConfigs, ConfigEntry, Listing, describe_broker, describe_topic};

const KAFKAS: &str = include_str!("kafka-4.3.1-configs.tsv");

const LISTING: Listing<'static> = Listing { names: None, include_synonyms: true, include_documentation: false };

/// Lines of Kafka's listing by name, of topics or of brokers.
fn kafkas(of: &str) -> BTreeMap<String, String> {
    let fields = KAFKAS.lines().filter_map(|line| line.strip_prefix(of)?.strip_prefix('\t')?.split_once('\t'));
    fields.map(|(name, line)| (name.to_owned(), line.to_owned())).collect()
}

fn ours(entries: Vec<ConfigEntry>) -> BTreeMap<String, String> {
    entries.into_iter().map(|entry| (entry.name.clone(), line(&entry))).collect()
}

fn line(entry: &ConfigEntry) -> String {
    let value = entry.value.as_deref().unwrap_or("null");
    let kind = format!("{:?}", entry.kind).to_uppercase();
    let alterable = if entry.is_read_only { "read-only" } else { "dynamic" };
    let secrecy = if entry.is_sensitive { "secret" } else { "open" };
    let synonym = entry.synonyms.first().map_or("-", |(name, _, _)| name);
    [value, &kind, alterable, secrecy, synonym].join("\t")
}

fn names_beyond(ours: &BTreeMap<String, String>, kafkas: &BTreeMap<String, String>) -> BTreeSet<String> {
    ours.keys().filter(|name| !kafkas.contains_key(*name)).cloned().collect()
}

#[test]
fn a_topic_is_listed_as_kafka_lists_it() {
    let ours = ours(describe_topic(&BTreeMap::new(), &BrokerConfigs::default(), LISTING));
    let kafkas = kafkas("topic");
    assert_eq!(kafkas.len(), 33);
    for (name, expected) in &kafkas {
        assert_eq!(ours.get(name), Some(expected), "{name}");
    }
    assert_eq!(names_beyond(&ours, &kafkas), BTreeSet::from(["durability".to_owned()]));
}

#[test]
fn a_broker_is_listed_as_kafka_lists_it() {
    // Bounded here, and without bound in Kafka.
    let differs = "queued.max.request.bytes";
    let ours = ours(describe_broker(&BrokerConfigs::default(), LISTING));
    let kafkas = kafkas("broker");
    assert!(kafkas.len() > 330);
    for (name, expected) in kafkas.iter().filter(|(name, _)| *name != differs) {
        assert_eq!(ours.get(name), Some(expected), "{name}");
    }
    let given_to_kafka =
        ["advertised.listeners", "broker.id", "controller.listener.names", "controller.quorum.voters", "listeners", "log.dirs"];
    let given_to_kafka = given_to_kafka.into_iter().chain(["node.id", "process.roles"]);
    let of_ours_alone = ["http.listen", "log.durability", "socket.in.flight.requests.max", "socket.send.copy"];
    let of_the_store = ["store.open.files.max", "store.snapshot.interval.bytes", "store.unsynced.bytes.max", "store.writers"];
    let expected = given_to_kafka.chain(of_ours_alone).chain(of_the_store).map(str::to_owned).collect();
    assert_eq!(names_beyond(&ours, &kafkas), expected);
}
