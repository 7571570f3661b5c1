//! Answers to those who operate a cluster of several nodes.

use std::collections::BTreeMap;

use gracchus_core::boundary::*;
use gracchus_core::broker::Endpoint;
use gracchus_core::epoch::QuorumEpoch;
use gracchus_core::ids::DirectoryId;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::*;

fn by_partition<T>(draw: &mut Draw<'_>, mut value: impl FnMut(&mut Draw<'_>) -> T) -> ByPartition<T> {
    draw.list(|draw| (name(draw), draw.list(|draw| (index(draw), value(draw)))))
}

fn node_list(draw: &mut Draw<'_>) -> Vec<NodeId> {
    draw.list(node)
}

pub(super) fn alter_partition_reassignments(version: i16, draw: &mut Draw<'_>) {
    use wire::alter_partition_reassignments_response::*;
    let response = gracchus_core::boundary::AlterPartitionReassignmentsResponse {
        error: draw.option(error),
        partitions: by_partition(draw, |draw| draw.option(api_error)),
        may_change_replication_factor: version < 1 || draw.flag(),
    };
    let mut message = wire::AlterPartitionReassignmentsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.allow_replication_factor_change = response.may_change_replication_factor;
    message.error_code = number(response.error);
    message.error_message = None;
    for (name, partitions) in &response.partitions {
        let mut topic = ReassignableTopicResponse::default().with_name(topic_text(name));
        for (index, error) in partitions {
            let mut partition = ReassignablePartitionResponse::default().with_partition_index(index.0);
            (partition.error_code, partition.error_message) = number_and_message(error.as_ref());
            topic.partitions.push(partition);
        }
        message.responses.push(topic);
    }
    compare(Api::AlterPartitionReassignments, version, &Response::AlterPartitionReassignments(response), &message);
}

pub(super) fn list_partition_reassignments(version: i16, draw: &mut Draw<'_>) {
    use wire::list_partition_reassignments_response::*;
    let reassignment = |draw: &mut Draw<'_>| Reassignment { replicas: node_list(draw), adding: node_list(draw), removing: node_list(draw) };
    let result = if draw.flag() { Ok(by_partition(draw, reassignment)) } else { Err(error(draw)) };
    let mut message = wire::ListPartitionReassignmentsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.error_code = number(result.as_ref().err().copied());
    message.error_message = None;
    for (name, partitions) in result.as_ref().map(Vec::as_slice).unwrap_or_default() {
        let mut topic = OngoingTopicReassignment::default().with_name(topic_text(name));
        for (index, reassignment) in partitions {
            let partition = OngoingPartitionReassignment::default().with_partition_index(index.0);
            let partition = partition.with_replicas(nodes(&reassignment.replicas)).with_adding_replicas(nodes(&reassignment.adding));
            topic.partitions.push(partition.with_removing_replicas(nodes(&reassignment.removing)));
        }
        message.topics.push(topic);
    }
    let response = gracchus_core::boundary::ListPartitionReassignmentsResponse { result };
    compare(Api::ListPartitionReassignments, version, &Response::ListPartitionReassignments(response), &message);
}

pub(super) fn elect_leaders(version: i16, draw: &mut Draw<'_>) {
    use wire::elect_leaders_response::*;
    let response = gracchus_core::boundary::ElectLeadersResponse {
        error: draw.option(error),
        partitions: by_partition(draw, |draw| draw.option(api_error)),
    };
    let mut message = wire::ElectLeadersResponse::default().with_throttle_time_ms(THROTTLE_MS);
    message.error_code = since(version >= 1, number(response.error));
    for (name, partitions) in &response.partitions {
        let mut topic = ReplicaElectionResult::default().with_topic(topic_text(name));
        for (index, error) in partitions {
            let mut partition = PartitionResult::default().with_partition_id(index.0);
            (partition.error_code, partition.error_message) = number_and_message(error.as_ref());
            topic.partition_result.push(partition);
        }
        message.replica_election_results.push(topic);
    }
    compare(Api::ElectLeaders, version, &Response::ElectLeaders(response), &message);
}

pub(super) fn describe_quorum(version: i16, draw: &mut Draw<'_>) {
    use wire::describe_quorum_response::*;
    let member = |draw: &mut Draw<'_>| QuorumMember {
        node: node(draw),
        directory: DirectoryId(Uuid(draw.array())),
        log_end: draw.option(|draw| Offset(draw.i64())),
        fetched: draw.option(|draw| Timestamp(draw.i64())),
        caught_up: draw.option(|draw| Timestamp(draw.i64())),
    };
    let controller = |draw: &mut Draw<'_>| {
        let port = u16::from_be_bytes(draw.array());
        (node(draw), Endpoint { listener: draw.text().as_str().into(), host: draw.text(), port })
    };
    let description = |draw: &mut Draw<'_>| QuorumDescription {
        leader: node(draw),
        quorum_epoch: QuorumEpoch(draw.i32()),
        high_watermark: Offset(draw.i64()),
        voters: draw.list(member),
        observers: draw.list(member),
        controllers: draw.list(controller).into_iter().collect::<BTreeMap<_, _>>(),
    };
    let partitions = draw.list(|draw| (name(draw), draw.list(index)));
    let result = if draw.flag() { Ok(description(draw)) } else { Err(error(draw)) };
    let state = |member: &QuorumMember| {
        let mut state = ReplicaState::default().with_replica_id(wire::BrokerId(member.node.0));
        state.log_end_offset = member.log_end.map_or(-1, |log_end| log_end.0);
        if version >= 1 {
            state.last_fetch_timestamp = member.fetched.map_or(-1, |at| at.0);
            state.last_caught_up_timestamp = member.caught_up.map_or(-1, |at| at.0);
        }
        if version >= 2 {
            state.replica_directory_id = uuid::Uuid::from_bytes(member.directory.0.0);
        }
        state
    };
    let mut message = wire::DescribeQuorumResponse::default();
    if version >= 2 {
        message.error_message = None;
    }
    for (name, indexes) in &partitions {
        let mut topic = TopicData::default().with_topic_name(topic_text(name));
        for index in indexes {
            let mut partition = PartitionData::default().with_partition_index(index.0);
            if version >= 2 {
                partition.error_message = None;
            }
            match &result {
                Ok(described) => {
                    partition.leader_id = wire::BrokerId(described.leader.0);
                    partition.leader_epoch = described.quorum_epoch.0;
                    partition.high_watermark = described.high_watermark.0;
                    partition.current_voters = described.voters.iter().map(state).collect();
                    partition.observers = described.observers.iter().map(state).collect();
                }
                Err(code) => partition.error_code = number_of(*code),
            }
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    for (node, endpoint) in result.iter().flat_map(|described| &described.controllers).filter(|_| version >= 2) {
        let listener = Listener::default().with_name(text(&endpoint.listener)).with_host(text(&endpoint.host)).with_port(endpoint.port);
        message.nodes.push(Node::default().with_node_id(wire::BrokerId(node.0)).with_listeners(vec![listener]));
    }
    let response = gracchus_core::boundary::DescribeQuorumResponse { partitions, result };
    compare(Api::DescribeQuorum, version, &Response::DescribeQuorum(response), &message);
}

pub(super) fn update_features(version: i16, draw: &mut Draw<'_>) {
    let response = UpdateFeaturesResponse { error: draw.option(api_error), features: draw.list(Draw::text) };
    let mut message = wire::UpdateFeaturesResponse::default().with_throttle_time_ms(THROTTLE_MS);
    (message.error_code, message.error_message) = number_and_message(response.error.as_ref());
    for feature in response.features.iter().filter(|_| version < 2) {
        let result = wire::update_features_response::UpdatableFeatureResult::default().with_feature(text(feature));
        message.results.push(result.with_error_message(None));
    }
    compare(Api::UpdateFeatures, version, &Response::UpdateFeatures(response), &message);
}

pub(super) fn unregister_broker(version: i16, draw: &mut Draw<'_>) {
    let response = UnregisterBrokerResponse { error: draw.option(api_error) };
    let mut message = wire::UnregisterBrokerResponse::default().with_throttle_time_ms(THROTTLE_MS);
    (message.error_code, message.error_message) = number_and_message(response.error.as_ref());
    compare(Api::UnregisterBroker, version, &Response::UnregisterBroker(response), &message);
}
