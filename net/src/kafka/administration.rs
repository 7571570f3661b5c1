//! What operators ask of a cluster of several nodes: reassignments, elections, the quorum, features, brokers that are gone for good.

use gracchus_core::boundary::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ByPartition, DescribeQuorumRequest, DescribeQuorumResponse,
    ElectLeadersRequest, ElectLeadersResponse, Election, FeatureDirection, FeatureUpdate, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, NamedPartitions, QuorumDescription, QuorumMember, Reassignment, Request, UnregisterBrokerRequest,
    UnregisterBrokerResponse, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use gracchus_core::broker::Endpoint;
use gracchus_core::error::ApiError;
use gracchus_core::ids::{NodeId, PartitionIndex};
use gracchus_core::time::Timestamp;
use kafka_wire::alter_partition_reassignments_response::{ReassignablePartitionResponse, ReassignableTopicResponse};
use kafka_wire::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use kafka_wire::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_wire::list_partition_reassignments_response::{OngoingPartitionReassignment, OngoingTopicReassignment};
use kafka_wire::update_features_request::FeatureUpdateKey;
use kafka_wire::update_features_response::UpdatableFeatureResult;
use kafka_wire_core::{Decoder, StrBytes};

use super::errors::{number_of, number_or_none};
use super::{DecodeError, wire};

/// A time or an offset that is not known.
const UNKNOWN: i64 = -1;

/// The first version of ElectLeaders that says which election, and has an error of its own.
const ELECTION_FROM: i16 = 1;

/// The first version of UpdateFeatures that says in which direction, not only whether down is allowed.
const DIRECTION_FROM: i16 = 1;

/// The last version of UpdateFeatures that answers each feature for itself.
const RESULTS_UPTO: i16 = 1;

/// The first versions of DescribeQuorum with the times of fetches (KIP-836), and with nodes and folders (KIP-853).
const FETCH_TIMES_FROM: i16 = 1;
const NODES_FROM: i16 = 2;

pub(super) fn decode_alter_reassignments(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::AlterPartitionReassignmentsRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.iter().map(|topic| {
        let targets = topic.partitions.iter();
        let targets = targets.map(|target| (PartitionIndex(target.partition_index), target.replicas.as_deref().map(wire::node_ids)));
        (wire::topic_name(&topic.name), targets.collect())
    });
    Ok(Request::AlterPartitionReassignments(AlterPartitionReassignmentsRequest {
        partitions: topics.collect(),
        may_change_replication_factor: asked.allow_replication_factor_change,
        timeout_ms: asked.timeout_ms,
    }))
}

pub(super) fn encode_alter_reassignments(
    response: &AlterPartitionReassignmentsResponse,
    throttle_ms: i32,
) -> kafka_wire::AlterPartitionReassignmentsResponse {
    let mut answer = kafka_wire::AlterPartitionReassignmentsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.error_code = number_or_none(response.error);
    answer.error_message = None;
    answer.allow_replication_factor_change = response.may_change_replication_factor;
    answer.responses = of_topics(&response.partitions, |name, partitions| {
        let mut topic = ReassignableTopicResponse::default();
        topic.name = name;
        topic.partitions = partitions.iter().map(|(index, error)| reassigned(*index, error.as_ref())).collect();
        topic
    });
    answer
}

fn reassigned(index: PartitionIndex, error: Option<&ApiError>) -> ReassignablePartitionResponse {
    let mut partition = ReassignablePartitionResponse::default();
    partition.partition_index = index.0;
    (partition.error_code, partition.error_message) = wire::api_error(error);
    partition
}

pub(super) fn decode_list_reassignments(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::ListPartitionReassignmentsRequest = wire::decode(decoder, version)?;
    let named = |topics: Vec<kafka_wire::list_partition_reassignments_request::ListPartitionReassignmentsTopics>| {
        topics.iter().map(|topic| (wire::topic_name(&topic.name), wire::partitions(&topic.partition_indexes))).collect::<NamedPartitions>()
    };
    Ok(Request::ListPartitionReassignments(ListPartitionReassignmentsRequest {
        partitions: asked.topics.map(named),
        timeout_ms: asked.timeout_ms,
    }))
}

pub(super) fn encode_list_reassignments(
    response: &ListPartitionReassignmentsResponse,
    throttle_ms: i32,
) -> kafka_wire::ListPartitionReassignmentsResponse {
    let mut answer = kafka_wire::ListPartitionReassignmentsResponse::default();
    answer.throttle_time_ms = throttle_ms;
    answer.error_message = None;
    match &response.result {
        Ok(topics) => {
            answer.topics = of_topics(topics, |name, partitions| {
                let mut topic = OngoingTopicReassignment::default();
                topic.name = name;
                topic.partitions = partitions.iter().map(|(index, reassignment)| under_way(*index, reassignment)).collect();
                topic
            });
        }
        Err(code) => answer.error_code = number_of(*code),
    }
    answer
}

fn under_way(index: PartitionIndex, reassignment: &Reassignment) -> OngoingPartitionReassignment {
    let mut partition = OngoingPartitionReassignment::default();
    partition.partition_index = index.0;
    partition.replicas = wire::nodes(&reassignment.replicas);
    partition.adding_replicas = wire::nodes(&reassignment.adding);
    partition.removing_replicas = wire::nodes(&reassignment.removing);
    partition
}

pub(super) fn decode_elect_leaders(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::ElectLeadersRequest = wire::decode(decoder, version)?;
    let election = match asked.election_type {
        _ if version < ELECTION_FROM => Election::Preferred,
        0 => Election::Preferred,
        1 => Election::Unclean,
        unknown => Election::Unknown(unknown),
    };
    let named = |topics: Vec<kafka_wire::elect_leaders_request::TopicPartitions>| {
        topics.iter().map(|topic| (wire::topic_name(&topic.topic), wire::partitions(&topic.partitions))).collect::<NamedPartitions>()
    };
    Ok(Request::ElectLeaders(ElectLeadersRequest { election, partitions: asked.topic_partitions.map(named), timeout_ms: asked.timeout_ms }))
}

pub(super) fn encode_elect_leaders(response: &ElectLeadersResponse, version: i16, throttle_ms: i32) -> kafka_wire::ElectLeadersResponse {
    let mut answer = kafka_wire::ElectLeadersResponse::default();
    answer.throttle_time_ms = throttle_ms;
    if version >= ELECTION_FROM {
        answer.error_code = number_or_none(response.error);
    }
    answer.replica_election_results = of_topics(&response.partitions, |name, partitions| {
        let mut topic = ReplicaElectionResult::default();
        topic.topic = name;
        topic.partition_result = partitions.iter().map(|(index, error)| elected(*index, error.as_ref())).collect();
        topic
    });
    answer
}

fn elected(index: PartitionIndex, error: Option<&ApiError>) -> PartitionResult {
    let mut partition = PartitionResult::default();
    partition.partition_id = index.0;
    (partition.error_code, partition.error_message) = wire::api_error(error);
    partition
}

pub(super) fn decode_describe_quorum(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::DescribeQuorumRequest = wire::decode(decoder, version)?;
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| PartitionIndex(partition.partition_index));
        (wire::topic_name(&topic.topic_name), partitions.collect())
    });
    Ok(Request::DescribeQuorum(DescribeQuorumRequest { partitions: topics.collect() }))
}

pub(super) fn encode_describe_quorum(response: &DescribeQuorumResponse, version: i16) -> kafka_wire::DescribeQuorumResponse {
    let mut answer = kafka_wire::DescribeQuorumResponse::default();
    if version >= NODES_FROM {
        answer.error_message = None;
    }
    for (name, indexes) in &response.partitions {
        let mut topic = TopicData::default();
        topic.topic_name = wire::topic_text(name);
        topic.partitions = indexes.iter().map(|index| quorum(*index, response, version)).collect();
        answer.topics.push(topic);
    }
    if let Ok(description) = &response.result
        && version >= NODES_FROM
    {
        answer.nodes = description.controllers.iter().map(|(node, endpoint)| controller(*node, endpoint)).collect();
    }
    answer
}

fn quorum(index: PartitionIndex, response: &DescribeQuorumResponse, version: i16) -> PartitionData {
    let mut partition = PartitionData::default();
    partition.partition_index = index.0;
    if version >= NODES_FROM {
        partition.error_message = None;
    }
    match &response.result {
        Ok(QuorumDescription { leader, quorum_epoch, high_watermark, voters, observers, controllers: _ }) => {
            partition.leader_id = leader.0;
            partition.leader_epoch = quorum_epoch.as_leader_epoch().0;
            partition.high_watermark = high_watermark.0;
            partition.current_voters = voters.iter().map(|voter| member(voter, version)).collect();
            partition.observers = observers.iter().map(|observer| member(observer, version)).collect();
        }
        Err(code) => partition.error_code = number_of(*code),
    }
    partition
}

fn member(member: &QuorumMember, version: i16) -> ReplicaState {
    let time = |at: Option<Timestamp>| at.map_or(UNKNOWN, |at| at.0);
    let mut state = ReplicaState::default();
    state.replica_id = member.node.0;
    state.log_end_offset = member.log_end.map_or(UNKNOWN, |log_end| log_end.0);
    if version >= FETCH_TIMES_FROM {
        state.last_fetch_timestamp = time(member.fetched);
        state.last_caught_up_timestamp = time(member.caught_up);
    }
    if version >= NODES_FROM {
        state.replica_directory_id = kafka_wire_core::Uuid::from_bytes(member.directory.0.0);
    }
    state
}

fn controller(id: NodeId, endpoint: &Endpoint) -> Node {
    let mut listener = Listener::default();
    listener.name = wire::text(&endpoint.listener);
    listener.host = wire::text(&endpoint.host);
    listener.port = endpoint.port;
    let mut node = Node::default();
    node.node_id = id.0;
    node.listeners = vec![listener];
    node
}

pub(super) fn decode_update_features(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::UpdateFeaturesRequest = wire::decode(decoder, version)?;
    let updates = asked.feature_updates.iter().map(|update| feature_update(update, version));
    Ok(Request::UpdateFeatures(UpdateFeaturesRequest {
        updates: updates.collect(),
        validate_only: asked.validate_only,
        timeout_ms: asked.timeout_ms,
    }))
}

fn feature_update(update: &FeatureUpdateKey, version: i16) -> FeatureUpdate {
    let direction = match update.upgrade_type {
        _ if version < DIRECTION_FROM && update.allow_downgrade => FeatureDirection::SafeDowngrade,
        _ if version < DIRECTION_FROM => FeatureDirection::Upgrade,
        1 => FeatureDirection::Upgrade,
        2 => FeatureDirection::SafeDowngrade,
        3 => FeatureDirection::UnsafeDowngrade,
        unknown => FeatureDirection::Unknown(unknown),
    };
    FeatureUpdate { feature: wire::string(&update.feature), level: update.max_version_level, direction }
}

pub(super) fn encode_update_features(response: &UpdateFeaturesResponse, version: i16, throttle_ms: i32) -> kafka_wire::UpdateFeaturesResponse {
    let mut answer = kafka_wire::UpdateFeaturesResponse::default();
    answer.throttle_time_ms = throttle_ms;
    (answer.error_code, answer.error_message) = wire::api_error(response.error.as_ref());
    if version <= RESULTS_UPTO {
        answer.results = response.features.iter().map(|feature| updated(feature)).collect();
    }
    answer
}

/// All features share one outcome, which the answer as a whole tells.
fn updated(feature: &str) -> UpdatableFeatureResult {
    let mut result = UpdatableFeatureResult::default();
    result.feature = wire::text(feature);
    result.error_message = None;
    result
}

pub(super) fn decode_unregister(decoder: Decoder, version: i16) -> Result<Request, DecodeError> {
    let asked: kafka_wire::UnregisterBrokerRequest = wire::decode(decoder, version)?;
    Ok(Request::UnregisterBroker(UnregisterBrokerRequest { node: NodeId(asked.broker_id) }))
}

pub(super) fn encode_unregister(response: &UnregisterBrokerResponse, throttle_ms: i32) -> kafka_wire::UnregisterBrokerResponse {
    let mut answer = kafka_wire::UnregisterBrokerResponse::default();
    answer.throttle_time_ms = throttle_ms;
    (answer.error_code, answer.error_message) = wire::api_error(response.error.as_ref());
    answer
}

fn of_topics<T, A>(partitions: &ByPartition<T>, mut encode: impl FnMut(StrBytes, &[(PartitionIndex, T)]) -> A) -> Vec<A> {
    partitions.iter().map(|(name, partitions)| encode(wire::topic_text(name), partitions)).collect()
}
