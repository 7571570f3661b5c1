//! The client against a broker that says what the test wants.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use gracchus_net::client::{
    Acks, ClientError, Connection, FetchPosition, PartitionBatch, TopicKey, WireError, fetch_request, fetched_partitions, produce_request,
};
use kafka_wire::api_versions_response::ApiVersion as ServedApi;
use kafka_wire::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_wire::{ApiVersionsResponse, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest, ResponseHeader};
use kafka_wire_core::{ApiVersion, KafkaEncode, StrBytes, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

type Client = Connection<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

fn client_and_broker() -> (Client, DuplexStream) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (reader, writer) = tokio::io::split(near);
    (Connection::new(reader, writer, "test"), far)
}

/// Reads one request: its API key, version and correlation id.
async fn take_request(broker: &mut DuplexStream) -> (i16, i16, i32) {
    let length = broker.read_i32().await.unwrap();
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    broker.read_exact(&mut frame).await.unwrap();
    let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
    (number(0), number(2), i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]))
}

fn answer(correlation_id: i32, header_version: i16, version: i16, body: &impl KafkaEncode) -> Bytes {
    let mut header = ResponseHeader::default();
    header.correlation_id = correlation_id;
    let mut frame = BytesMut::from(&[0u8; 4][..]);
    header.encode_into(&mut frame, ApiVersion::new(header_version)).unwrap();
    body.encode_into(&mut frame, ApiVersion::new(version)).unwrap();
    let length = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.freeze()
}

fn metadata_of(cluster: &str) -> MetadataResponse {
    let mut response = MetadataResponse::default();
    response.cluster_id = Some(StrBytes::from(cluster));
    response
}

#[tokio::test]
async fn an_answer_meets_its_request() {
    let (mut client, mut broker) = client_and_broker();
    let request = MetadataRequest::default();
    let asking = client.request(12, &request);
    let answering = async {
        let (api_key, version, correlation) = take_request(&mut broker).await;
        assert_eq!((api_key, version), (3, 12));
        broker.write_all(&answer(correlation, 1, 12, &metadata_of("one"))).await.unwrap();
    };
    let (response, ()) = tokio::join!(asking, answering);
    assert_eq!(response.unwrap().cluster_id.unwrap().as_str(), "one");
}

#[tokio::test]
async fn pipelined_answers_are_received_in_the_order_of_their_requests() {
    let (mut client, mut broker) = client_and_broker();
    let first = client.send(12, &MetadataRequest::default()).await.unwrap();
    let second = client.send(9, &MetadataRequest::default()).await.unwrap();
    assert_eq!(client.in_flight(), 2);

    for (version, cluster) in [(12, "one"), (9, "two")] {
        let (_, _, correlation) = take_request(&mut broker).await;
        broker.write_all(&answer(correlation, 1, version, &metadata_of(cluster))).await.unwrap();
    }
    for (sent, cluster) in [(first, "one"), (second, "two")] {
        let (correlation, response) = client.receive::<MetadataRequest>().await.unwrap();
        assert_eq!((correlation, response.cluster_id.unwrap().as_str()), (sent, cluster));
    }
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_receive_dropped_half_way_loses_nothing() {
    let (mut client, mut broker) = client_and_broker();
    client.send(12, &MetadataRequest::default()).await.unwrap();
    let (_, _, correlation) = take_request(&mut broker).await;
    let whole = answer(correlation, 1, 12, &metadata_of("one"));
    let (head, tail) = whole.split_at(9);

    broker.write_all(head).await.unwrap();
    tokio::select! {
        biased;
        early = client.receive::<MetadataRequest>() => panic!("half an answer was taken for one: {early:?}"),
        () = std::future::ready(()) => {}
    }
    broker.write_all(tail).await.unwrap();
    let (_, response) = client.receive::<MetadataRequest>().await.unwrap();
    assert_eq!(response.cluster_id.unwrap().as_str(), "one");
}

#[tokio::test]
async fn an_answer_to_another_request_is_an_error() {
    let (mut client, mut broker) = client_and_broker();
    client.send(12, &MetadataRequest::default()).await.unwrap();
    let (_, _, correlation) = take_request(&mut broker).await;
    broker.write_all(&answer(correlation + 7, 1, 12, &metadata_of("one"))).await.unwrap();
    let error = client.receive::<MetadataRequest>().await.unwrap_err();
    assert!(matches!(error, ClientError::Correlation { expected: 0, found: 7 }), "{error}");
}

#[tokio::test]
async fn an_answer_longer_than_allowed_is_refused_before_it_is_read() {
    let (mut client, mut broker) = client_and_broker();
    for length in [i32::MAX, -1] {
        client.send(12, &MetadataRequest::default()).await.unwrap();
        take_request(&mut broker).await;
        broker.write_i32(length).await.unwrap();
        let error = client.receive::<MetadataRequest>().await.unwrap_err();
        assert!(matches!(error, ClientError::FrameLength { length: found, .. } if found == length), "{error}");
        (client, broker) = client_and_broker();
    }
}

#[tokio::test]
async fn a_stream_that_ends_is_a_closed_connection() {
    let (mut client, broker) = client_and_broker();
    client.send(12, &MetadataRequest::default()).await.unwrap();
    drop(broker);
    assert!(matches!(client.receive::<MetadataRequest>().await, Err(ClientError::Closed)));
}

/// KIP-511: the refusal comes at version 0, whatever was asked for.
#[tokio::test]
async fn an_older_broker_is_asked_for_its_versions_again() {
    let (mut client, mut broker) = client_and_broker();
    let mut served = ApiVersionsResponse::default();
    for (api_key, min_version, max_version) in [(0, 3, 8), (3, 0, 99), (18, 0, 2)] {
        let mut api = ServedApi::default();
        (api.api_key, api.min_version, api.max_version) = (api_key, min_version, max_version);
        served.api_keys.push(api);
    }
    let answering = async {
        let (_, version, correlation) = take_request(&mut broker).await;
        assert!(version > 2);
        let mut refusal = served.clone();
        refusal.error_code = WireError::UNSUPPORTED_VERSION.0;
        broker.write_all(&answer(correlation, 0, 0, &refusal)).await.unwrap();
        let (_, version, correlation) = take_request(&mut broker).await;
        assert_eq!(version, 2);
        broker.write_all(&answer(correlation, 0, 2, &served)).await.unwrap();
    };
    let (versions, ()) = tokio::join!(client.negotiate(), answering);
    let versions = versions.unwrap();

    assert_eq!(versions.common::<ProduceRequest>().unwrap(), 8);
    assert_eq!(versions.common::<MetadataRequest>().unwrap(), 13);
    assert!(matches!(versions.common::<FetchRequest>(), Err(ClientError::Unsupported { api: "Fetch", served: None, .. })));
}

#[test]
fn batches_of_one_topic_share_its_entry() {
    let topic = |name: &str, id| TopicKey { name: StrBytes::from(name), id: Uuid::from_bytes([id; 16]) };
    let batch = |topic: &TopicKey, partition| PartitionBatch { topic: topic.clone(), partition, batch: Bytes::from_static(b"batch") };
    let (one, two) = (topic("one", 1), topic("two", 2));

    let request = produce_request(Acks::All, 1000, [batch(&one, 0), batch(&two, 0), batch(&one, 1)]);
    let shape: Vec<_> = request.topic_data.iter().map(|topic| (topic.name.as_str(), topic.partition_data.len())).collect();
    assert_eq!(shape, [("one", 2), ("two", 1)]);

    let position = |topic: &TopicKey, partition| FetchPosition { topic: topic.clone(), partition, offset: 0, leader_epoch: -1, bytes_max: 1 };
    let request = fetch_request(0, 1, 1 << 20, [position(&one, 0), position(&one, 1)]);
    assert_eq!(request.topics.len(), 1);
}

#[test]
fn a_batch_cut_short_at_the_end_of_an_answer_is_left_out() {
    let mut batch = vec![0u8; 61];
    batch[11] = 49;
    batch[16] = 2;
    let mut records = batch.clone();
    records.extend_from_slice(&batch);
    records.extend_from_slice(&batch[..30]);

    let mut partition = PartitionData::default();
    partition.records = Some(records.into());
    let mut topic = FetchableTopicResponse::default();
    topic.partitions.push(partition);
    let mut response = FetchResponse::default();
    response.responses.push(topic);

    let fetched: Vec<_> = fetched_partitions(response).collect();
    assert_eq!(fetched[0].batches().filter(Result::is_ok).count(), 2);
    assert_eq!(fetched[0].batches().count(), 2);
}
