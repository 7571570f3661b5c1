//! A producer that sends what it is given in order, and collects what becomes of each record.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message};

use crate::broker::PATIENCE;
use crate::records::{Partitions, Record};

/// What became of a record: its offset, or why it has none.
pub(crate) type Delivered = Result<i64, RDKafkaErrorCode>;

/// A producer that waits for what becomes of its records.
pub(crate) struct Writer {
    producer: BaseProducer<Deliveries>,
    delivered: Arc<Mutex<Vec<(Sent, Delivered)>>>,
}

/// Which record it was that was sent: its partition, and its place among those sent to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    partition: i32,
    place: usize,
}

impl Writer {
    /// One with librdkafka's own settings, but for those given.
    pub(crate) fn new(mut config: ClientConfig, settings: &[(&str, &str)]) -> Self {
        config.set("message.timeout.ms", PATIENCE.as_millis().to_string()).set("queue.buffering.max.kbytes", "65536");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let delivered = Arc::default();
        let context = Deliveries(Arc::clone(&delivered));
        Self { producer: config.create_with_context(context).unwrap(), delivered }
    }

    /// Sends the records of all partitions, by turns, and waits for what becomes of each.
    pub(crate) fn send(&self, topic: &str, partitions: &Partitions) -> Vec<Vec<Delivered>> {
        let longest = partitions.iter().map(Vec::len).max().unwrap_or(0);
        for place in 0..longest {
            for (records, partition) in partitions.iter().zip(0..) {
                if let Some(record) = records.get(place) {
                    self.enqueue(topic, record, Sent { partition, place });
                }
            }
        }
        self.producer.flush(PATIENCE).unwrap();
        let mut delivered = std::mem::take(&mut *self.delivered.lock().unwrap());
        delivered.sort_unstable_by_key(|(sent, _)| *sent);
        let of = |partition| delivered.iter().filter(move |(sent, _)| sent.partition == partition).map(|(_, delivered)| *delivered).collect();
        (0..).take(partitions.len()).map(of).collect()
    }

    /// Sends records to one partition.
    pub(crate) fn send_to_first(&self, topic: &str, records: Vec<Record>) -> Vec<Delivered> {
        self.send(topic, &vec![records]).remove(0)
    }

    fn enqueue(&self, topic: &str, record: &Record, sent: Sent) {
        let mut to_send =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(sent)).partition(sent.partition).timestamp(record.timestamp_ms);
        to_send.key = record.key.as_deref();
        to_send.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            to_send.headers = Some(record.headers_to_send());
        }
        while let Err((error, refused)) = self.producer.send(to_send) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            self.producer.poll(Duration::from_millis(100));
            to_send = refused;
        }
        self.producer.poll(Duration::ZERO);
    }
}

/// Where librdkafka reports what became of records.
struct Deliveries(Arc<Mutex<Vec<(Sent, Delivered)>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let delivered = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().expect("only librdkafka fails a delivery")),
        };
        self.0.lock().unwrap().push((*sent, delivered));
    }
}

/// What a partition that was empty makes of so many records.
pub(crate) fn all_delivered(count: usize) -> Vec<Delivered> {
    (0..).take(count).map(Ok).collect()
}
