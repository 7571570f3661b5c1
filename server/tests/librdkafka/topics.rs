//! Topics through librdkafka's administrator: made, enlarged, trimmed and deleted.

use rdkafka::Offset;
use rdkafka::admin::{NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::broker::{Admin, Broker, admin_options, name, wait};
use crate::limits::assert_out_of_range;
use crate::reader::{assert_receives, assign};
use crate::records::{FIRST_MS, Record};
use crate::writer::Writer;

#[test]
fn a_topic_that_is_created_has_its_partitions() {
    let broker = Broker::start();
    let topic = name("created");
    assert_eq!(create(&broker.admin(), one_replica(&topic, 7)), Ok(()));
    broker.wait_for_partitions(&topic, 7);
}

#[test]
fn a_topic_that_exists_cannot_be_created() {
    let broker = Broker::start();
    let topic = broker.topic("existing", 1);
    assert_eq!(create(&broker.admin(), one_replica(&topic, 2)), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(broker.partitions(&topic), 1);
}

#[test]
fn topics_that_cannot_be_are_refused() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = name("refused");
    let too_long = "n".repeat(250);
    let refused = [
        (one_replica("not/a/name", 1), RDKafkaErrorCode::InvalidTopic),
        (one_replica(&too_long, 1), RDKafkaErrorCode::InvalidTopic),
        (NewTopic::new(&topic, 1, TopicReplication::Fixed(99)), RDKafkaErrorCode::InvalidReplicationFactor),
        (one_replica(&topic, 1).set("retention.ms", "soon"), RDKafkaErrorCode::InvalidConfig),
        (one_replica(&topic, 1).set("retention.eons", "1"), RDKafkaErrorCode::InvalidConfig),
    ];
    for (new, error) in refused {
        assert_eq!(create(&admin, new), Err(error));
    }
    assert_eq!(broker.partitions(&topic), 0);
}

#[test]
fn one_of_several_topics_may_fail_alone() {
    let broker = Broker::start();
    let (existing, missing) = (broker.topic("existing", 1), name("missing"));
    let topics = [one_replica(&existing, 1), one_replica(&missing, 1)];
    let created = wait(broker.admin().0.create_topics(&topics, &admin_options())).unwrap();
    assert_eq!(created, [Err((existing, RDKafkaErrorCode::TopicAlreadyExists)), Ok(missing.clone())]);
    broker.wait_for_partitions(&missing, 1);
}

#[test]
fn a_creation_that_is_only_validated_creates_nothing() {
    let broker = Broker::start();
    let admin = broker.admin();
    let (topic, existing) = (name("validated"), broker.topic("existing", 1));
    let validate = |new: NewTopic<'_>| outcome(wait(admin.0.create_topics([&new], &admin_options().validate_only(true))));
    assert_eq!(validate(one_replica(&topic, 1)), Ok(()));
    assert_eq!(validate(one_replica(&existing, 1)), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(create(&admin, one_replica(&topic, 1)), Ok(()), "it did not exist yet");
}

#[test]
fn partitions_are_added_to_a_topic_and_take_records() {
    let broker = Broker::start();
    let topic = broker.topic("enlarged", 1);
    assert_eq!(enlarge(&broker.admin(), &topic, 3), Ok(()));
    broker.wait_for_partitions(&topic, 3);
    let records = vec![vec![], vec![], vec![Record::plain("in the third", FIRST_MS)]];
    assert_eq!(Writer::new(broker.client(), &[]).send(&topic, &records), [vec![], vec![], vec![Ok(0)]]);
}

#[test]
fn partitions_are_not_taken_away() {
    let broker = Broker::start();
    let topic = broker.topic("as-large-as-it-is", 3);
    for partitions in [3, 2] {
        assert_eq!(enlarge(&broker.admin(), &topic, partitions), Err(RDKafkaErrorCode::InvalidPartitions));
    }
    assert_eq!(enlarge(&broker.admin(), &name("unknown"), 2), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    assert_eq!(broker.partitions(&topic), 3);
}

#[test]
fn records_before_an_offset_are_deleted() {
    let broker = Broker::start();
    let topic = broker.topic("trimmed", 1);
    let records: Vec<Record> = (0..100).map(|number: i32| Record::plain(number.to_string(), FIRST_MS)).collect();
    let sent = vec![records];
    Writer::new(broker.client(), &[]).send(&topic, &sent);

    assert_eq!(broker.admin().delete_records(&topic, 0, Offset::Offset(42)), Ok(Offset::Offset(42)));

    assert_eq!(broker.watermarks(&topic, 0), (42, 100));
    let consumer = broker.consumer();
    assign(&consumer, &topic, [Offset::Beginning]);
    assert_receives(&consumer, vec![(42, &sent[0][42..])]);
    assign(&consumer, &topic, [Offset::Offset(41)]);
    assert_out_of_range(&consumer);
}

#[test]
fn all_records_of_a_partition_can_be_deleted_and_none_that_is_not_there() {
    let broker = Broker::start();
    let topic = broker.topic("emptied", 1);
    let admin = broker.admin();
    let writer = Writer::new(broker.client(), &[]);
    let record = || vec![Record::plain("a record", FIRST_MS)];
    writer.send_to_first(&topic, record());

    assert_eq!(deleted_error(admin.delete_records(&topic, 0, Offset::Offset(2))), Some(RDKafkaErrorCode::OffsetOutOfRange));
    assert_eq!(admin.delete_records(&topic, 0, Offset::End), Ok(Offset::Offset(1)));

    assert_eq!(broker.watermarks(&topic, 0), (1, 1));
    assert_eq!(writer.send_to_first(&topic, record()), [Ok(1)], "offsets go on");
}

#[test]
fn a_deleted_topic_is_gone_and_its_successor_empty() {
    let broker = Broker::start();
    let admin = broker.admin();
    let topic = broker.topic("deleted", 2);
    let record = || vec![Record::plain("a record", FIRST_MS)];
    Writer::new(broker.client(), &[]).send_to_first(&topic, record());

    assert_eq!(delete(&admin, &topic), Ok(()));
    broker.wait_for_partitions(&topic, 0);
    assert_eq!(delete(&admin, &topic), Err(RDKafkaErrorCode::UnknownTopicOrPartition));

    assert_eq!(create(&admin, one_replica(&topic, 1).set("retention.ms", "-1")), Ok(()));
    broker.wait_for_partitions(&topic, 1);
    assert_eq!(broker.watermarks(&topic, 0), (0, 0));
    assert_eq!(Writer::new(broker.client(), &[]).send_to_first(&topic, record()), [Ok(0)]);
}

fn one_replica(topic: &str, partitions: i32) -> NewTopic<'_> {
    NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
}

fn create(admin: &Admin, topic: NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
    outcome(wait(admin.0.create_topics([&topic], &admin_options())))
}

fn delete(admin: &Admin, topic: &str) -> Result<(), RDKafkaErrorCode> {
    outcome(wait(admin.0.delete_topics(&[topic], &admin_options())))
}

fn enlarge(admin: &Admin, topic: &str, partitions: usize) -> Result<(), RDKafkaErrorCode> {
    outcome(wait(admin.0.create_partitions([&NewPartitions::new(topic, partitions)], &admin_options())))
}

/// What became of the one topic that a request named.
fn outcome(results: Result<Vec<TopicResult>, KafkaError>) -> Result<(), RDKafkaErrorCode> {
    let [result] = results.unwrap().try_into().unwrap();
    result.map(drop).map_err(|(_, error)| error)
}

fn deleted_error(deleted: Result<Offset, KafkaError>) -> Option<RDKafkaErrorCode> {
    deleted.unwrap_err().rdkafka_error_code()
}
