//! Readers that start where they are told to, and compare what they read with what was sent.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::broker::PATIENCE;
use crate::records::{Partitions, Record};

/// What must come of each partition: the offset of the first record, and the records from there to the last.
pub(crate) type Expected<'a> = Vec<(usize, &'a [Record])>;

/// All of each partition but for the first records, of which `skipped` says how many.
pub(crate) fn from_each(sent: &Partitions, skipped: impl Fn(&[Record]) -> usize) -> Expected<'_> {
    sent.iter().map(|records| (skipped(records), records)).map(|(first, records)| (first, &records[first..])).collect()
}

/// Assigns the partitions of a topic, from the first on, each with the offset to start from.
pub(crate) fn assign(consumer: &BaseConsumer, topic: &str, starts: impl IntoIterator<Item = Offset>) {
    let mut partitions = TopicPartitionList::new();
    for (start, partition) in starts.into_iter().zip(0..) {
        partitions.add_partition_offset(topic, partition, start).unwrap();
    }
    consumer.assign(&partitions).unwrap();
}

/// Waits until a reader that was told to start at the end of partitions has found the end of each.
pub(crate) fn wait_for_the_end(consumer: &BaseConsumer, partitions: usize) {
    for _ in 0..partitions {
        let end = consumer.poll(PATIENCE).expect("the reader finds the end");
        assert!(matches!(end, Err(KafkaError::PartitionEOF(_))), "{end:?}");
    }
}

/// Receives until the last expected record of each partition has come; nothing else may come on the way.
pub(crate) fn assert_receives(consumer: &BaseConsumer, mut expected: Expected<'_>) {
    while expected.iter().any(|(_, records)| !records.is_empty()) {
        let message = match consumer.poll(PATIENCE).expect("no record came") {
            Err(KafkaError::PartitionEOF(_)) => continue,
            message => message.unwrap(),
        };
        let (offset, records) = &mut expected[usize::try_from(message.partition()).unwrap()];
        let whence = format!("partition {}, offset {offset}", message.partition());
        assert_eq!(usize::try_from(message.offset()).unwrap(), *offset, "{whence} is next");
        let (record, rest) = records.split_first().unwrap_or_else(|| panic!("more than was sent: {whence}"));
        assert_same(&Record::received(&message), record, &whence);
        (*offset, *records) = (*offset + 1, rest);
    }
}

/// Compares piece by piece: the values are too long to be shown.
fn assert_same(received: &Record, sent: &Record, whence: &str) {
    assert_eq!(received.timestamp_ms, sent.timestamp_ms, "timestamp, {whence}");
    assert_eq!(received.key, sent.key, "key, {whence}");
    assert_eq!(received.headers, sent.headers, "headers, {whence}");
    assert!(received.value == sent.value, "the value differs, {whence}");
}
