//! Files go in with each codec, and come back as they were, from wherever a reader starts.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, PATIENCE};
use crate::reader::{assert_receives, assign, from_each, wait_for_the_end};
use crate::records::{FIRST_MS, PARTITIONS, Partitions, Record, file_records};
use crate::writer::{Writer, all_delivered};

#[test]
fn files_come_back_identical_uncompressed() {
    files_come_back_identical("none");
}

#[test]
fn files_come_back_identical_with_gzip() {
    files_come_back_identical("gzip");
}

#[test]
fn files_come_back_identical_with_snappy() {
    files_come_back_identical("snappy");
}

#[test]
fn files_come_back_identical_with_lz4() {
    files_come_back_identical("lz4");
}

#[test]
fn files_come_back_identical_with_zstd() {
    files_come_back_identical("zstd");
}

fn files_come_back_identical(codec: &str) {
    let broker = Broker::start();
    let topic = broker.topic(codec, PARTITIONS);
    let sent = file_records();

    let writer = Writer::new(broker.client(), &[("compression.type", codec), ("enable.idempotence", "true")]);
    let delivered = writer.send(&topic, sent);

    for ((records, delivered), partition) in sent.iter().zip(&delivered).zip(0..) {
        assert!(*delivered == all_delivered(records.len()), "each record of partition {partition} has the offset of its turn");
        assert_eq!(broker.watermarks(&topic, partition), (0, i64::try_from(records.len()).unwrap()));
    }
    from_the_beginning(&broker, &topic, sent);
    from_an_offset(&broker, &topic, sent);
    from_a_timestamp(&broker, &topic, sent);
    from_the_end(&broker, &topic, sent, &writer);
}

fn from_the_beginning(broker: &Broker, topic: &str, sent: &Partitions) {
    let consumer = broker.consumer();
    assign(&consumer, topic, sent.iter().map(|_| Offset::Beginning));
    assert_receives(&consumer, from_each(sent, |_| 0));
}

/// Such an offset mostly lies inside a batch.
fn from_an_offset(broker: &Broker, topic: &str, sent: &Partitions) {
    let consumer = broker.consumer();
    for part in [3, 2] {
        let expected = from_each(sent, |records| records.len() - records.len() / part);
        assign(&consumer, topic, expected.iter().map(|(first, _)| offset(*first)));
        assert_receives(&consumer, expected);
    }
    assign(&consumer, topic, sent.iter().map(|_| Offset::OffsetTail(10)));
    assert_receives(&consumer, from_each(sent, |records| records.len() - 10));
}

/// The record found is the first that is as late; after the last there is none.
fn from_a_timestamp(broker: &Broker, topic: &str, sent: &Partitions) {
    let consumer = broker.consumer();
    let middle_ms = sent[0][sent[0].len() / 2].timestamp_ms;
    let last_ms = sent.iter().flatten().map(|record| record.timestamp_ms).max().unwrap();
    for at_ms in [last_ms + 1, last_ms, 0, FIRST_MS, middle_ms + 1, middle_ms] {
        let expected = from_each(sent, |records| records.partition_point(|record| record.timestamp_ms < at_ms));
        let found = offsets_at(&consumer, topic, at_ms);
        let firsts = expected.iter().map(|(first, records)| if records.is_empty() { Offset::End } else { offset(*first) });
        assert_eq!(found, firsts.collect::<Vec<_>>(), "at {at_ms} ms");
        if at_ms == middle_ms {
            assign(&consumer, topic, found);
            assert_receives(&consumer, expected);
        }
    }
}

fn offsets_at(consumer: &BaseConsumer, topic: &str, at_ms: i64) -> Vec<Offset> {
    let mut times = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        times.add_partition_offset(topic, partition, Offset::Offset(at_ms)).unwrap();
    }
    let found = consumer.offsets_for_times(times, PATIENCE).unwrap();
    (0..PARTITIONS).map(|partition| found.find_partition(topic, partition).unwrap().offset()).collect()
}

/// A reader at the end gets what comes after it.
fn from_the_end(broker: &Broker, topic: &str, sent: &Partitions, writer: &Writer) {
    let consumer = broker.consumer();
    assign(&consumer, topic, sent.iter().map(|_| Offset::End));
    wait_for_the_end(&consumer, sent.len());

    let later: Partitions = sent.iter().map(|_| vec![Record::plain("later", FIRST_MS)]).collect();
    writer.send(topic, &later);

    assert_receives(&consumer, sent.iter().map(Vec::len).zip(later.iter().map(Vec::as_slice)).collect());
}

fn offset(place: usize) -> Offset {
    Offset::Offset(i64::try_from(place).unwrap())
}
