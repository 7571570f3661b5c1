//! Batches that a topic refuses, and requests that name what can't be: each gets Kafka's own error, and the connection goes on.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on panics")]

mod support;

use bytes::Bytes;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchBuilder;
use gracchus_core::time::Timestamp;
use gracchus_net::client::{Acks, Connection, PartitionBatch, TopicKey, WireError, produce_request, produced_partitions};
use kafka_wire::metadata_request::MetadataRequestTopic;
use kafka_wire::{MetadataRequest, ProduceRequest};
use kafka_wire_core::Uuid;
use support::Broker;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const CORRUPT_MESSAGE: WireError = WireError(2);
const MESSAGE_TOO_LARGE: WireError = WireError(10);
const INVALID_TOPIC_EXCEPTION: WireError = WireError(17);
const INVALID_RECORD: WireError = WireError(87);
const TOPIC: &str = "events";

/// Kafka's default of `max.message.bytes`.
const BATCH_BYTES_MAX: usize = 1_048_588;

/// Produce with topic names, and Metadata that makes topics.
const PRODUCE_VERSION: i16 = 9;
const METADATA_VERSION: i16 = 9;

type Client = Connection<OwnedReadHalf, OwnedWriteHalf>;

async fn connect(broker: &Broker) -> Client {
    let (reader, writer) = TcpStream::connect(broker.address()).await.unwrap().into_split();
    Connection::new(reader, writer, "test")
}

/// Asks for a topic, which makes it: what is answered of it.
async fn ask_for(client: &mut Client, topic: &str) -> WireError {
    let mut asked = MetadataRequestTopic::default();
    asked.name = Some(topic.into());
    let mut request = MetadataRequest::default();
    request.topics = Some(vec![asked]);
    request.allow_auto_topic_creation = true;
    let answer = client.request(METADATA_VERSION, &request).await.unwrap();
    WireError(answer.topics[0].error_code)
}

/// A broker with a topic.
async fn with_topic(folder: &tempfile::TempDir) -> (Broker, Client) {
    let broker = Broker::start(folder);
    let mut client = connect(&broker).await;
    while ask_for(&mut client, TOPIC).await != WireError::NONE {}
    (broker, client)
}

fn batch(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    builder.append(Timestamp(1), Some(b"key"), Some(value), &[]);
    builder.build().to_vec()
}

fn produce(topic: &str, acks: Acks, batch: Vec<u8>) -> ProduceRequest {
    let topic = TopicKey { name: topic.into(), id: Uuid::default() };
    produce_request(acks, 5_000, [PartitionBatch { topic, partition: 0, batch: Bytes::from(batch) }])
}

async fn produced(client: &mut Client, batch: Vec<u8>) -> (WireError, i64) {
    let answer = client.request(PRODUCE_VERSION, &produce(TOPIC, Acks::All, batch)).await.unwrap();
    let partition = produced_partitions(answer).next().unwrap();
    (partition.error, partition.base_offset)
}

#[tokio::test]
async fn a_refused_batch_takes_no_offset() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, mut client) = with_topic(&folder).await;
    assert_eq!(produced(&mut client, batch(b"first")).await, (WireError::NONE, 0));

    let mut wrong_crc = batch(b"a bit of this is flipped");
    *wrong_crc.last_mut().unwrap() ^= 1;
    assert_eq!(produced(&mut client, wrong_crc).await.0, CORRUPT_MESSAGE);

    let mut longer_than_it_is = batch(b"short");
    longer_than_it_is[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    // As in Kafka: there is no whole batch.
    assert_eq!(produced(&mut client, longer_than_it_is).await.0, INVALID_RECORD);

    let large = batch(&vec![0; BATCH_BYTES_MAX]);
    assert_eq!(produced(&mut client, large).await.0, MESSAGE_TOO_LARGE);

    let two = [batch(b"one"), batch(b"two")].concat();
    assert_eq!(produced(&mut client, two).await.0, INVALID_RECORD);

    assert_eq!(produced(&mut client, batch(b"second")).await, (WireError::NONE, 1));
    assert_eq!(broker.stop().0, Some(0));
}

#[tokio::test]
async fn a_topic_name_of_300_characters_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = connect(&broker).await;
    assert_eq!(ask_for(&mut client, &"n".repeat(300)).await, INVALID_TOPIC_EXCEPTION);
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder);
    let mut client = connect(&broker).await;
    let answer = client.request(PRODUCE_VERSION, &produce("nowhere", Acks::Leader, batch(b"lost"))).await.unwrap();
    assert_eq!(produced_partitions(answer).next().unwrap().error, WireError::UNKNOWN_TOPIC_OR_PARTITION);
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_ends_its_connection_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, mut client) = with_topic(&folder).await;
    client.send_unanswered(PRODUCE_VERSION, &produce(TOPIC, Acks::None, batch(b"kept"))).await.unwrap();
    client.negotiate().await.expect("nothing came between");

    client.send_unanswered(PRODUCE_VERSION, &produce("nowhere", Acks::None, batch(b"lost"))).await.unwrap();
    assert!(client.negotiate().await.is_err(), "the connection is closed");

    let mut client = connect(&broker).await;
    assert_eq!(produced(&mut client, batch(b"next")).await, (WireError::NONE, 1));
}
