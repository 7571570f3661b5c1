//! Settings of topics and brokers through librdkafka's administrator. `rdkafka` keeps quiet about a resource that was refused, so what shows
//! a refusal is that nothing changed.

use rdkafka::admin::{AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer;

use crate::broker::{Admin, Broker, PATIENCE, admin_options, assert_becomes, name, wait};

/// A setting, its value, and who says so.
type Held<'a> = (&'a str, &'a str, ConfigSource);

#[test]
fn a_topic_has_the_settings_that_it_was_created_with() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = name("with-settings");
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("retention.ms", "86400000").set("cleanup.policy", "compact,delete");

    wait(admin.0.create_topics([&new], &admin_options())).unwrap();

    let held = [of_topic("retention.ms", "86400000"), of_topic("cleanup.policy", "compact,delete"), default("max.message.bytes", "1048588")];
    assert_held(&admin, ResourceSpecifier::Topic(&topic), &held);
}

#[test]
fn every_setting_of_a_topic_is_described_with_its_default() {
    let broker = Broker::start();
    let topic = broker.topic("with-defaults", 1);
    let defaults = [
        ("cleanup.policy", "delete"),
        ("compression.type", "producer"),
        ("delete.retention.ms", "86400000"),
        ("file.delete.delay.ms", "60000"),
        ("flush.messages", "9223372036854775807"),
        ("flush.ms", "9223372036854775807"),
        ("index.interval.bytes", "4096"),
        ("max.compaction.lag.ms", "9223372036854775807"),
        ("max.message.bytes", "1048588"),
        ("message.timestamp.after.max.ms", "3600000"),
        ("message.timestamp.before.max.ms", "9223372036854775807"),
        ("message.timestamp.type", "CreateTime"),
        ("min.cleanable.dirty.ratio", "0.5"),
        ("min.compaction.lag.ms", "0"),
        ("preallocate", "false"),
        ("retention.bytes", "-1"),
        ("segment.bytes", "1073741824"),
        ("segment.jitter.ms", "0"),
        ("segment.ms", "604800000"),
        ("unclean.leader.election.enable", "false"),
    ];
    assert_held(&broker.admin(), ResourceSpecifier::Topic(&topic), &defaults.map(|(setting, value)| default(setting, value)));
}

#[test]
fn altering_settings_sets_those_given_and_no_others() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = broker.topic("altered", 1);
    let specifier = ResourceSpecifier::Topic(&topic);
    assert_held(&admin, specifier, &[of_topic("retention.ms", "-1")]);

    alter(&admin, &AlterConfig::new(specifier).set("segment.bytes", "2097152").set("max.message.bytes", "1000"), &admin_options());

    let held = [of_topic("segment.bytes", "2097152"), of_topic("max.message.bytes", "1000"), default("retention.ms", "604800000")];
    assert_held(&admin, specifier, &held);
}

#[test]
fn settings_that_cannot_be_change_nothing() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = broker.topic("not-altered", 1);
    let specifier = ResourceSpecifier::Topic(&topic);
    for (setting, value) in [("retention.ms", "soon"), ("retention.eons", "1"), ("cleanup.policy", "burn")] {
        alter(&admin, &AlterConfig::new(specifier).set("segment.bytes", "2097152").set(setting, value), &admin_options());
        assert_unaltered(&admin, specifier);
    }
}

#[test]
fn altering_settings_that_is_only_validated_changes_nothing() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = broker.topic("validated", 1);
    let specifier = ResourceSpecifier::Topic(&topic);
    alter(&admin, &AlterConfig::new(specifier).set("segment.bytes", "2097152"), &admin_options().validate_only(true));
    assert_unaltered(&admin, specifier);
}

#[test]
fn a_topic_that_is_not_there_has_no_settings_and_gets_none() {
    let broker = Broker::start();
    let admin = broker.admin();
    let unknown = name("unknown");
    let specifier = ResourceSpecifier::Topic(&unknown);
    alter(&admin, &AlterConfig::new(specifier).set("retention.ms", "1"), &admin_options());
    assert!(describe(&admin, specifier).is_empty());
    assert_eq!(broker.partitions(&unknown), 0);
}

#[test]
fn a_broker_describes_its_settings_and_takes_those_that_may_change() {
    let broker = Broker::start();
    let admin = broker.admin();
    let node = broker.consumer().fetch_metadata(None, PATIENCE).unwrap().brokers()[0].id();
    let specifier = ResourceSpecifier::Broker(node);
    let node_id = describe(&admin, specifier).into_iter().find(|entry| entry.name == "node.id").unwrap();
    assert_eq!((node_id.value, node_id.is_read_only), (Some(node.to_string()), true));

    // Nothing that another test looks at, should they share a broker.
    alter(&admin, &AlterConfig::new(specifier).set("log.index.size.max.bytes", "5242880"), &admin_options());
    assert_held(&admin, specifier, &[("log.index.size.max.bytes", "5242880", ConfigSource::DynamicBroker)]);

    alter(&admin, &AlterConfig::new(specifier), &admin_options());
    assert_held(&admin, specifier, &[default("log.index.size.max.bytes", "10485760")]);
}

fn describe(admin: &Admin, specifier: ResourceSpecifier<'_>) -> Vec<ConfigEntry> {
    let [described] = wait(admin.0.describe_configs([&specifier], &admin_options())).unwrap().try_into().unwrap();
    described.unwrap().entries
}

fn alter(admin: &Admin, alteration: &AlterConfig<'_>, options: &AdminOptions) {
    wait(admin.0.alter_configs([alteration], options)).unwrap();
}

fn of_topic<'a>(setting: &'a str, value: &'a str) -> Held<'a> {
    (setting, value, ConfigSource::DynamicTopic)
}

fn default<'a>(setting: &'a str, value: &'a str) -> Held<'a> {
    (setting, value, ConfigSource::Default)
}

/// The settings of a topic that a test made and then did not alter.
fn assert_unaltered(admin: &Admin, specifier: ResourceSpecifier<'_>) {
    assert_held(admin, specifier, &[of_topic("retention.ms", "-1"), default("segment.bytes", "1073741824")]);
}

/// Shown as `setting=value (source)`, one a line.
fn assert_held(admin: &Admin, specifier: ResourceSpecifier<'_>, expected: &[Held<'_>]) {
    let show = |setting: &str, value: &str, source: &ConfigSource| format!("{setting}={value} ({source:?})");
    let shown = expected.iter().map(|(setting, value, source)| show(setting, value, source)).collect::<Vec<String>>();
    assert_becomes(shown, || {
        let described = describe(admin, specifier);
        let asked_for = expected.iter().filter_map(|(setting, ..)| described.iter().find(|entry| entry.name == *setting));
        asked_for.map(|entry| show(&entry.name, entry.value.as_deref().unwrap_or("nothing"), &entry.source)).collect()
    });
}
