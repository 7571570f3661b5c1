//! One function an answer: the same values, as the core's response and as the other codec's message of the request's version.

mod administration;
mod cluster;
mod consumer_groups;
mod groups;
mod operations;
mod records;

use std::fmt::Debug;

use bytes::{Buf, Bytes, BytesMut};
use gracchus_core::boundary::{BrokerEndpoint, Response};
use gracchus_core::error::{ApiError, ErrorCode};
use gracchus_core::ids::{NodeId, PartitionIndex, TopicId, TopicName, Uuid};
use gracchus_net::kafka::{Api, ListedOperations, Piece, RequestHeader, encode_response, number_of};
use gracchus_proptests::wire::{CORRELATION_ID, Draw};
use kafka_protocol::messages as wire;
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};

const THROTTLE_MS: i32 = 77;

/// All permissions on a topic, and on the cluster.
const OPERATIONS: (i32, i32) = (3_576, 8_096);

pub(crate) fn check(api: Api, version: i16, draw: &mut Draw<'_>) {
    match api {
        Api::Produce => records::produce(version, draw),
        Api::Fetch => records::fetch(version, draw),
        Api::ListOffsets => records::list_offsets(version, draw),
        Api::OffsetForLeaderEpoch => records::offset_for_leader_epoch(version, draw),
        Api::DeleteRecords => records::delete_records(version, draw),
        Api::InitProducerId => records::init_producer_id(version, draw),
        Api::Metadata => cluster::metadata(version, draw),
        Api::DescribeTopicPartitions => cluster::describe_topic_partitions(version, draw),
        Api::DescribeCluster => cluster::describe_cluster(version, draw),
        Api::DescribeLogDirs => cluster::describe_log_dirs(version, draw),
        Api::FindCoordinator => cluster::find_coordinator(version, draw),
        Api::ApiVersions => cluster::api_versions(version, draw),
        Api::CreateTopics => administration::create_topics(version, draw),
        Api::DeleteTopics => administration::delete_topics(version, draw),
        Api::CreatePartitions => administration::create_partitions(version, draw),
        Api::DescribeConfigs => administration::describe_configs(version, draw),
        Api::AlterConfigs => administration::alter_configs(version, draw),
        Api::IncrementalAlterConfigs => administration::incremental_alter_configs(version, draw),
        Api::ListConfigResources => administration::list_config_resources(version, draw),
        Api::ElectLeaders => operations::elect_leaders(version, draw),
        Api::AlterPartitionReassignments => operations::alter_partition_reassignments(version, draw),
        Api::ListPartitionReassignments => operations::list_partition_reassignments(version, draw),
        Api::DescribeQuorum => operations::describe_quorum(version, draw),
        Api::UpdateFeatures => operations::update_features(version, draw),
        Api::UnregisterBroker => operations::unregister_broker(version, draw),
        Api::AddRaftVoter | Api::RemoveRaftVoter => cluster::raft_voter(api, version, draw),
        Api::JoinGroup => groups::join(version, draw),
        Api::SyncGroup => groups::sync(version, draw),
        Api::Heartbeat => groups::heartbeat(version, draw),
        Api::LeaveGroup => groups::leave(version, draw),
        Api::OffsetCommit => groups::commit(version, draw),
        Api::OffsetFetch => groups::fetch(version, draw),
        Api::OffsetDelete => groups::delete_offsets(version, draw),
        Api::ListGroups => groups::list(version, draw),
        Api::DescribeGroups => groups::describe(version, draw),
        Api::DeleteGroups => groups::delete(version, draw),
        Api::ConsumerGroupHeartbeat => consumer_groups::heartbeat(version, draw),
        Api::ConsumerGroupDescribe => consumer_groups::describe(version, draw),
        Api::Refused(api) => panic!("{api:?} is not served"),
    }
}

fn header(api: Api, version: i16) -> RequestHeader {
    RequestHeader { api, version, correlation_id: CORRELATION_ID, client_id: None, operations: ListedOperations::default() }
}

fn compare<M: Decodable + HeaderVersion + PartialEq + Debug>(api: Api, version: i16, response: &Response, expected: &M) {
    compare_fetched(&header(api, version), response, &[], expected);
}

/// Encodes the response with bytes of its own for each slice, and expects that the other codec reads the message.
fn compare_fetched<M>(header: &RequestHeader, response: &Response, slices: &[Bytes], expected: &M)
where
    M: Decodable + HeaderVersion + PartialEq + Debug,
{
    let lengths: Vec<_> = slices.iter().map(|slice| slice.len() as u64).collect();
    let mut frame = BytesMut::new();
    for piece in encode_response(header, response, &lengths, THROTTLE_MS).expect("the sample fits its version") {
        match piece {
            Piece::Bytes(bytes) => frame.extend_from_slice(&bytes),
            Piece::Slice(number) => frame.extend_from_slice(&slices[number]),
        }
    }
    let mut frame = frame.freeze();
    assert_eq!(frame.get_i32(), i32::try_from(frame.len()).unwrap());
    let answered = wire::ResponseHeader::decode(&mut frame, M::header_version(header.version)).unwrap();
    assert_eq!(answered.correlation_id, CORRELATION_ID);
    let message = M::decode(&mut frame, header.version).unwrap();
    assert!(frame.is_empty(), "{} bytes are left", frame.len());
    assert_eq!(&message, expected, "{:?} {}", header.api, header.version);
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_text(name: &TopicName) -> wire::TopicName {
    wire::TopicName(text(name.as_str()))
}

fn name(draw: &mut Draw<'_>) -> TopicName {
    TopicName::from(draw.text().as_str())
}

fn id(draw: &mut Draw<'_>) -> TopicId {
    TopicId(Uuid(draw.array()))
}

fn uuid(id: TopicId) -> uuid::Uuid {
    uuid::Uuid::from_bytes(id.0.0)
}

fn index(draw: &mut Draw<'_>) -> PartitionIndex {
    PartitionIndex(draw.i32())
}

fn node(draw: &mut Draw<'_>) -> NodeId {
    NodeId(draw.i32())
}

fn nodes(nodes: &[NodeId]) -> Vec<wire::BrokerId> {
    nodes.iter().map(|node| wire::BrokerId(node.0)).collect()
}

fn node_or_none(node: Option<NodeId>) -> wire::BrokerId {
    wire::BrokerId(node.map_or(-1, |node| node.0))
}

fn endpoint(draw: &mut Draw<'_>) -> BrokerEndpoint {
    let port = u16::from_be_bytes(draw.array());
    BrokerEndpoint { node: node(draw), host: draw.text(), port, rack: draw.option(Draw::text), is_fenced: draw.flag() }
}

/// Any error that every version of every answer knows.
fn error(draw: &mut Draw<'_>) -> ErrorCode {
    let errors = [ErrorCode::UnknownServerError, ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidRequest, ErrorCode::InvalidRecord];
    errors[usize::from(draw.below(4))]
}

fn api_error(draw: &mut Draw<'_>) -> ApiError {
    ApiError { code: error(draw), message: draw.option(Draw::text) }
}

fn number(error: Option<ErrorCode>) -> i16 {
    error.map_or(0, number_of)
}

fn number_and_message(error: Option<&ApiError>) -> (i16, Option<StrBytes>) {
    (error.map_or(0, |error| number_of(error.code)), error.and_then(|error| error.message.as_deref()).map(text))
}

/// A value in versions that have it, and the message's default in others.
fn since<T: Default>(has: bool, value: T) -> T {
    if has { value } else { T::default() }
}
