//! One function a request, one file a family: the same values, as the other codec's message and as the core's request.

mod cluster;
mod configs;
mod consumer_groups;
mod coordinators;
mod groups;
mod offsets;
mod operations;
mod records;
mod topics;

use bytes::{Bytes, BytesMut};
use gracchus_core::boundary::{Request, TopicRef};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{NodeId, PartitionIndex, TopicId, TopicName, Uuid};
use gracchus_net::kafka::Api;
use kafka_protocol::messages as wire;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::Draw;

pub(super) fn body(api: Api, version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    match api {
        Api::Produce => records::produce(version, draw),
        Api::Fetch => records::fetch(version, draw),
        Api::ListOffsets => offsets::list_offsets(version, draw),
        Api::Metadata => cluster::metadata(version, draw),
        Api::FindCoordinator => coordinators::find_coordinator(version, draw),
        Api::ApiVersions => cluster::api_versions(version, draw),
        Api::CreateTopics => topics::create_topics(version, draw),
        Api::DeleteTopics => topics::delete_topics(version, draw),
        Api::DeleteRecords => offsets::delete_records(version, draw),
        Api::InitProducerId => coordinators::init_producer_id(version, draw),
        Api::OffsetForLeaderEpoch => offsets::offset_for_leader_epoch(version, draw),
        Api::DescribeConfigs => configs::describe_configs(version, draw),
        Api::AlterConfigs => configs::alter_configs(version, draw),
        Api::DescribeLogDirs => cluster::describe_log_dirs(version, draw),
        Api::CreatePartitions => topics::create_partitions(version, draw),
        Api::IncrementalAlterConfigs => configs::incremental_alter_configs(version, draw),
        Api::DescribeCluster => cluster::describe_cluster(version, draw),
        Api::ListConfigResources => configs::list_config_resources(version, draw),
        Api::DescribeTopicPartitions => cluster::describe_topic_partitions(version, draw),
        Api::ElectLeaders => operations::elect_leaders(version, draw),
        Api::AlterPartitionReassignments => operations::alter_partition_reassignments(version, draw),
        Api::ListPartitionReassignments => operations::list_partition_reassignments(version, draw),
        Api::DescribeQuorum => operations::describe_quorum(version, draw),
        Api::UpdateFeatures => operations::update_features(version, draw),
        Api::UnregisterBroker => operations::unregister_broker(version, draw),
        Api::AddRaftVoter => cluster::add_raft_voter(version, draw),
        Api::RemoveRaftVoter => cluster::remove_raft_voter(version, draw),
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

fn encode(message: &impl Encodable, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).expect("the sample fits its version");
    bytes.freeze()
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

/// Never zero, which means that there is none.
fn id(draw: &mut Draw<'_>) -> TopicId {
    let mut bytes: [u8; 16] = draw.array();
    bytes[0] |= 1;
    TopicId(Uuid(bytes))
}

fn uuid(id: TopicId) -> uuid::Uuid {
    uuid::Uuid::from_bytes(id.0.0)
}

fn topic_ref(by_id: bool, draw: &mut Draw<'_>) -> TopicRef {
    if by_id { TopicRef::Id(id(draw)) } else { TopicRef::Name(name(draw)) }
}

/// Name and id as a message has them that has room for both.
fn name_and_id(topic: &TopicRef) -> (wire::TopicName, uuid::Uuid) {
    match topic {
        TopicRef::Name(name) => (topic_text(name), uuid::Uuid::nil()),
        TopicRef::Id(id) => (wire::TopicName::default(), uuid(*id)),
    }
}

fn index(draw: &mut Draw<'_>) -> PartitionIndex {
    PartitionIndex(draw.i32())
}

fn nodes(nodes: &[NodeId]) -> Vec<wire::BrokerId> {
    nodes.iter().map(|node| wire::BrokerId(node.0)).collect()
}

/// An epoch that may be missing, which the wire writes as a negative number.
fn epoch(has: bool, draw: &mut Draw<'_>) -> Option<LeaderEpoch> {
    if has { draw.option(|draw| LeaderEpoch(draw.i32() & i32::MAX)) } else { None }
}

fn number(epoch: Option<LeaderEpoch>) -> i32 {
    epoch.map_or(-1, |epoch| epoch.0)
}
