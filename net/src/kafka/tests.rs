//! The traps that others have met, in bytes.

use crate::records::Effort;
use bytes::Buf;
use gracchus_core::boundary::{
    Acks, ApiVersionsResponse, Door, FetchResponse, FetchedPartition, Generation, LogSlice, MetadataResponse, Request, TopicRef,
};
use gracchus_core::error::ErrorCode;
use gracchus_core::ids::{LogId, PartitionIndex, TopicName};
use gracchus_core::offset::Offset;

use super::*;

fn decode(frame: &[u8]) -> Result<Decoded, DecodeError> {
    decode_request(Bytes::copy_from_slice(frame), Door::Brokers, &TopicDirectory::default(), Timestamp(0), Effort::FULL)
}

fn answer(frame: &[u8]) -> Bytes {
    match decode(frame).unwrap() {
        Decoded::Answer(answer) => answer,
        Decoded::Request { request, .. } => panic!("{request:?} is for the core"),
    }
}

fn header(api: Api, version: i16) -> RequestHeader {
    RequestHeader { api, version, correlation_id: 7, client_id: None, operations: ListedOperations::default() }
}

/// The frame that a response without slices comes in.
fn frame(header: &RequestHeader, response: &Response) -> Bytes {
    match encode_response(header, response, &[], 0).unwrap().as_slice() {
        [Piece::Bytes(frame)] => frame.clone(),
        pieces => panic!("{pieces:?}"),
    }
}

/// ApiVersions version 3 as librdkafka 2.0.2 sends it.
const LIBRDKAFKA_HELLO: &[u8] = b"\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07rdkafka\x00\x0blibrdkafka\x062.0.2\x00";

#[test]
fn librdkafka_is_understood_when_it_introduces_itself() {
    let Decoded::Request { header, request, is_answered } = decode(LIBRDKAFKA_HELLO).unwrap() else { panic!("it is for the core") };
    assert_eq!((header.api, header.version, header.correlation_id), (Api::ApiVersions, 3, 1));
    assert_eq!(header.client_id.as_deref(), Some("rdkafka"));
    assert!(matches!(*request, Request::ApiVersions(_)) && is_answered);
}

#[test]
fn api_versions_are_answered_without_tagged_fields_in_the_header() {
    let versions = ApiVersionsResponse {
        supported: Vec::new(),
        finalized: Vec::new(),
        finalized_epoch: -1,
        door: Door::Brokers,
        are_unstable_versions_told: false,
    };
    let mut frame = frame(&header(Api::ApiVersions, 3), &Response::ApiVersions(versions));
    assert_eq!(frame.get_i32(), i32::try_from(frame.len()).unwrap());
    assert_eq!(frame.get_i32(), 7);
    // Straight after the correlation id the error; then the keys, one more than there are, and Produce from 0 on.
    assert_eq!(frame[..9], [0, 0, 76, 0, 0, 0, 0, 0, 13]);
    // At the end no throttling and no tagged fields: the epoch is its default and the features are empty.
    assert_eq!(frame[frame.len() - 5..], [0, 0, 0, 0, 0]);
}

#[test]
fn a_version_of_api_versions_that_nobody_knows_is_answered_in_version_0() {
    // Behind the preamble there may be anything.
    let mut answer = answer(b"\x00\x12\x00\x63\x00\x00\x00\x2a\xff\xff\xff\xff");
    assert_eq!(answer.get_i32(), i32::try_from(answer.len()).unwrap());
    assert_eq!((answer.get_i32(), answer.get_i16()), (42, 35));
    assert_eq!(answer.get_i32(), 75);
    assert_eq!(answer.len(), 75 * 6);
}

#[test]
fn a_client_with_an_unsound_name_is_told_so() {
    let mut answer = answer(b"\x00\x12\x00\x03\x00\x00\x00\x01\xff\xff\x00\x05-lib\x062.0.2\x00");
    answer.advance(8);
    assert_eq!(answer.get_i16(), 42);
}

#[test]
fn what_is_not_known_closes_the_connection() {
    assert!(matches!(decode(b"\x00\x04\x00\x00\x00\x00\x00\x01\xff\xff"), Err(DecodeError::UnknownApi(4))));
    assert!(matches!(decode(b"\x7f\xff\x00\x00\x00\x00\x00\x01\xff\xff"), Err(DecodeError::UnknownApi(i16::MAX))));
    // KAFKA-18659: advertised, and refused.
    let produce_2 = decode(b"\x00\x00\x00\x02\x00\x00\x00\x01\xff\xff");
    assert!(matches!(produce_2, Err(DecodeError::UnsupportedVersion { api: Api::Produce, version: 2 })));
    assert!(decode(b"\x00\x03\x00").is_err());
    assert!(decode(b"").is_err());
}

#[test]
fn a_produce_without_acknowledgements_is_not_answered() {
    for (acks, expected) in [(b"\x00\x00", Acks::None), (b"\xff\xff", Acks::All)] {
        let frame = [&b"\x00\x00\x00\x03\x00\x00\x00\x01\xff\xff\xff\xff"[..], acks, b"\x00\x00\x75\x30\x00\x00\x00\x00"].concat();
        let Decoded::Request { request, is_answered, .. } = decode(&frame).unwrap() else { panic!("it is for the core") };
        let Request::Produce(produce) = *request else { panic!("it is a Produce") };
        assert_eq!((produce.acks, is_answered), (Ok(expected), expected != Acks::None));
    }
}

#[test]
fn topic_ids_in_metadata_before_version_12_are_an_invalid_request() {
    let asked = [&b"\x00\x03\x00\x0a\x00\x00\x00\x01\xff\xff\x00\x02"[..], &[9; 16], b"\x00\x00\x01\x00\x00\x00"].concat();
    let mut answer = answer(&asked);
    answer.advance(4 + 4 + 1 + 4);
    // No brokers, no cluster id, no controller, one topic with its error and an empty name.
    assert_eq!(answer[..11], [1, 1, 0xff, 0xff, 0xff, 0xff, 2, 0, 42, 1, 9]);
}

/// DescribeConfigs version 4 that asks for a topic with a name of so many bytes.
fn with_a_string_of(bytes: usize) -> Vec<u8> {
    let mut frame = b"\x00\x20\x00\x04\x00\x00\x00\x01\xff\xff\x00\x02\x02".to_vec();
    let mut length = bytes + 1;
    while length >= 0x80 {
        frame.push(u8::try_from(length % 0x80).unwrap() | 0x80);
        length /= 0x80;
    }
    frame.push(u8::try_from(length).unwrap());
    frame.extend(vec![b'x'; bytes]);
    frame.extend(b"\x00\x00\x00\x00\x00");
    frame
}

#[test]
fn a_topic_that_is_named_in_two_ways_is_not_deleted() {
    let by_both = [&b"\x02t"[..], &[9; 16], b"\x00"].concat();
    let by_neither = [&b"\x00"[..], &[0; 16], b"\x00"].concat();
    let by_name = [&b"\x02u"[..], &[0; 16], b"\x00"].concat();
    let asked = [&b"\x00\x14\x00\x06\x00\x00\x00\x01\xff\xff\x00\x04"[..], &by_both, &by_neither, &by_name, b"\x00\x00\x75\x30\x00"].concat();
    let Decoded::Request { request, .. } = decode(&asked).unwrap() else { panic!("it is for the core") };
    let Request::DeleteTopics(deletion) = *request else { panic!("it deletes topics") };
    assert_eq!(deletion.topics, [TopicRef::Name("u".into())]);
    let misnamed: Vec<_> = deletion.misnamed.iter().map(|topic| (topic.name.clone(), topic.error.as_ref().unwrap().code)).collect();
    assert_eq!(misnamed, [(Some("t".into()), ErrorCode::InvalidRequest), (None, ErrorCode::InvalidRequest)]);
}

#[test]
fn a_producer_is_asked_for_by_both_its_id_and_its_epoch_or_neither() {
    let asked = |id: i64, epoch: i16| {
        let start = &b"\x00\x16\x00\x03\x00\x00\x00\x01\xff\xff\x00\x00\x00\x00\x00\x00"[..];
        [start, &id.to_be_bytes(), &epoch.to_be_bytes(), b"\x00"].concat()
    };
    for (id, epoch) in [(5, -1), (-1, 5)] {
        let mut answer = answer(&asked(id, epoch));
        answer.advance(4 + 4 + 1 + 4);
        assert_eq!(answer.get_i16(), 42);
    }
    for (id, epoch) in [(5, 0), (-1, -1)] {
        assert!(matches!(decode(&asked(id, epoch)), Ok(Decoded::Request { .. })));
    }
}

#[test]
fn no_string_is_longer_than_two_bytes_can_say() {
    assert!(decode(&with_a_string_of(0x7fff)).is_ok());
    assert!(matches!(decode(&with_a_string_of(0x8000)), Err(DecodeError::Malformed(_))));
}

#[test]
fn the_empty_list_of_metadata_version_0_means_all_topics() {
    let Decoded::Request { request, .. } = decode(b"\x00\x03\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00\x00\x00").unwrap() else {
        panic!("it is for the core")
    };
    let Request::Metadata(metadata) = *request else { panic!("it asks for metadata") };
    assert_eq!((metadata.topics, metadata.allow_auto_topic_creation), (None, true));
}

#[test]
fn metadata_names_no_brokers_controller_or_topics_where_there_are_none() {
    let metadata = MetadataResponse { brokers: Vec::new(), cluster_id: String::new(), controller: None, topics: Vec::new() };
    let frame = frame(&header(Api::Metadata, 1), &Response::Metadata(metadata));
    assert_eq!(frame[..], *b"\x00\x00\x00\x10\x00\x00\x00\x07\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00");
}

fn fetched(index: i32, has_slice: bool) -> FetchedPartition {
    let slice = LogSlice { log: LogId::Metadata, generation: Generation(0), from: Offset(0), upto: Offset(1), bytes_max: 100 };
    FetchedPartition {
        partition: PartitionIndex(index),
        error: None,
        high_watermark: Offset(1),
        last_stable_offset: Offset(1),
        log_start: Offset(0),
        diverging: None,
        current_leader: None,
        aborted: None,
        preferred_read_replica: None,
        slice: has_slice.then_some(slice),
    }
}

#[test]
fn a_fetch_leaves_a_gap_for_each_slice_that_has_bytes() {
    let unreadable = FetchedPartition { error: Some(ErrorCode::KafkaStorageError), ..fetched(3, false) };
    let partitions = vec![fetched(0, true), fetched(1, false), fetched(2, true), unreadable, fetched(4, true)];
    let topics = vec![(TopicRef::Name(TopicName::from("t")), partitions)];
    let response = FetchResponse { error: None, session_id: 0, bytes_max: 1_000, topics, endpoints: Vec::new() };
    let pieces = encode_response(&header(Api::Fetch, 4), &Response::Fetch(response), &[10, 0, 20], 0).unwrap();
    let [Piece::Bytes(start), Piece::Slice(0), Piece::Bytes(middle), Piece::Slice(2)] = pieces.as_slice() else { panic!("{pieces:?}") };
    let length = start.first_chunk().map(|length| i32::from_be_bytes(*length)).unwrap();
    assert_eq!(usize::try_from(length).unwrap(), start.len() - 4 + 10 + middle.len() + 20);
    assert_eq!(start[start.len() - 4..], [0, 0, 0, 10]);
    assert_eq!(middle[middle.len() - 4..], [0, 0, 0, 20]);
    // Each partition: index, error, two offsets, no aborted transactions, the records' length. Version 4 does not know the store's error.
    let third = &middle[2 * 30..3 * 30];
    assert_eq!(third[..6], [0, 0, 0, 3, 0, 6]);
    assert_eq!(third[22..], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
}

#[test]
fn a_fetch_of_nothing_is_one_piece() {
    let topics = vec![(TopicRef::Name(TopicName::from("t")), vec![fetched(0, false)])];
    let response = FetchResponse { error: None, session_id: 0, bytes_max: 1_000, topics, endpoints: Vec::new() };
    let frame = frame(&header(Api::Fetch, 4), &Response::Fetch(response));
    assert_eq!(frame[..4], [0, 0, 0, 49]);
    assert_eq!(frame.len(), 53);
}
