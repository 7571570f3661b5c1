//! What a broker refuses to store, and to read.

use rdkafka::Offset;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::broker::{Broker, PATIENCE, name};
use crate::reader::{assert_receives, assign, from_each};
use crate::records::{FIRST_MS, Record};
use crate::writer::Writer;

/// Kafka's `max.message.bytes`, unless a topic says otherwise.
const BATCH_BYTES_MAX: usize = 1_048_588;

/// What a batch takes around a value, and more.
const BATCH_OVERHEAD_BYTES: usize = 200;

#[test]
fn a_record_as_long_as_a_topic_allows_comes_back() {
    let broker = Broker::start();
    let topic = broker.topic("long", 1);
    let long = || vec![Record::plain(vec![7; BATCH_BYTES_MAX - BATCH_OVERHEAD_BYTES], FIRST_MS)];
    assert_eq!(eager_writer(&broker).send_to_first(&topic, long()), [Ok(0)]);
    let consumer = broker.consumer();
    assign(&consumer, &topic, [Offset::Beginning]);
    assert_receives(&consumer, from_each(&vec![long()], |_| 0));
}

#[test]
fn a_record_longer_than_a_topic_allows_is_refused() {
    let broker = Broker::start();
    let topic = broker.topic("too-long", 1);
    let too_long = Record::plain(vec![7; BATCH_BYTES_MAX + 1], FIRST_MS);
    let delivered = eager_writer(&broker).send_to_first(&topic, vec![too_long]);
    assert_eq!(delivered, [Err(RDKafkaErrorCode::MessageSizeTooLarge)]);
    assert_eq!(broker.watermarks(&topic, 0), (0, 0));
}

/// One that leaves it to the broker to say what is too long.
fn eager_writer(broker: &Broker) -> Writer {
    Writer::new(broker.client(), &[("message.max.bytes", "4000000")])
}

#[test]
fn a_topic_is_made_for_a_producer_that_names_it() {
    let broker = Broker::start();
    let topic = name("made-for-a-producer");
    assert_eq!(Writer::new(broker.client(), &[]).send_to_first(&topic, vec![Record::plain("first", FIRST_MS)]), [Ok(0)]);
}

#[test]
fn a_partition_that_a_topic_has_not_takes_no_records() {
    let broker = Broker::start();
    let topic = broker.topic("one-partition", 1);
    let delivered = Writer::new(broker.client(), &[]).send(&topic, &vec![vec![], vec![Record::plain("astray", FIRST_MS)]]);
    assert_eq!(delivered, [vec![], vec![Err(RDKafkaErrorCode::UnknownPartition)]]);
}

#[test]
fn an_offset_past_the_end_is_out_of_range() {
    let broker = Broker::start();
    let topic = broker.topic("short", 1);
    Writer::new(broker.client(), &[]).send_to_first(&topic, vec![Record::plain("only", FIRST_MS)]);
    let consumer = broker.consumer();
    assign(&consumer, &topic, [Offset::Offset(2)]);
    assert_out_of_range(&consumer);
}

/// A reader that does not want to go on elsewhere is told so.
pub(crate) fn assert_out_of_range(consumer: &BaseConsumer) {
    let answer = consumer.poll(PATIENCE).expect("the reader is told").map(drop);
    assert_eq!(answer, Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)));
}
