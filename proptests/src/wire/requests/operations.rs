//! What operators ask of a cluster of several nodes.

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::ids::NodeId;
use kafka_protocol::messages as wire;

use super::{Draw, encode, index, name, nodes, text, topic_text};

fn named(draw: &mut Draw<'_>) -> NamedPartitions {
    draw.list(|draw| (name(draw), draw.list(index)))
}

pub(super) fn alter_partition_reassignments(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    use wire::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
    let target = |draw: &mut Draw<'_>| (index(draw), draw.option(|draw| draw.list(|draw| NodeId(draw.i32()))));
    let request = AlterPartitionReassignmentsRequest {
        partitions: draw.list(|draw| (name(draw), draw.list(target))),
        may_change_replication_factor: version < 1 || draw.flag(),
        timeout_ms: draw.i32(),
    };
    let mut message = wire::AlterPartitionReassignmentsRequest::default().with_timeout_ms(request.timeout_ms);
    message.allow_replication_factor_change = request.may_change_replication_factor;
    for (name, targets) in &request.partitions {
        let target = |(index, replicas): &(gracchus_core::ids::PartitionIndex, Option<Vec<NodeId>>)| {
            ReassignablePartition::default().with_partition_index(index.0).with_replicas(replicas.as_deref().map(nodes))
        };
        let partitions = targets.iter().map(target).collect();
        message.topics.push(ReassignableTopic::default().with_name(topic_text(name)).with_partitions(partitions));
    }
    (encode(&message, version), Request::AlterPartitionReassignments(request))
}

pub(super) fn list_partition_reassignments(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    use wire::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
    let request = ListPartitionReassignmentsRequest { partitions: draw.option(named), timeout_ms: draw.i32() };
    let mut message = wire::ListPartitionReassignmentsRequest::default().with_timeout_ms(request.timeout_ms);
    let topic = |(name, indexes): &(gracchus_core::ids::TopicName, Vec<gracchus_core::ids::PartitionIndex>)| {
        let indexes = indexes.iter().map(|index| index.0).collect();
        ListPartitionReassignmentsTopics::default().with_name(topic_text(name)).with_partition_indexes(indexes)
    };
    message.topics = request.partitions.as_ref().map(|topics| topics.iter().map(topic).collect());
    (encode(&message, version), Request::ListPartitionReassignments(request))
}

pub(super) fn elect_leaders(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let elections = [(0, Election::Preferred), (1, Election::Unclean), (9, Election::Unknown(9))];
    let at = if version < 1 { 0 } else { usize::from(draw.below(3)) };
    let (number, election) = *elections.get(at).expect("it is drawn below their number");
    let request = ElectLeadersRequest { election, partitions: draw.option(named), timeout_ms: draw.i32() };
    let mut message = wire::ElectLeadersRequest::default().with_timeout_ms(request.timeout_ms).with_election_type(number);
    let topic = |(name, indexes): &(gracchus_core::ids::TopicName, Vec<gracchus_core::ids::PartitionIndex>)| {
        let indexes = indexes.iter().map(|index| index.0).collect();
        wire::elect_leaders_request::TopicPartitions::default().with_topic(topic_text(name)).with_partitions(indexes)
    };
    message.topic_partitions = request.partitions.as_ref().map(|topics| topics.iter().map(topic).collect());
    (encode(&message, version), Request::ElectLeaders(request))
}

pub(super) fn describe_quorum(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    use wire::describe_quorum_request::{PartitionData, TopicData};
    let request = DescribeQuorumRequest { partitions: named(draw) };
    let mut message = wire::DescribeQuorumRequest::default();
    for (name, indexes) in &request.partitions {
        let partitions = indexes.iter().map(|index| PartitionData::default().with_partition_index(index.0)).collect();
        message.topics.push(TopicData::default().with_topic_name(topic_text(name)).with_partitions(partitions));
    }
    (encode(&message, version), Request::DescribeQuorum(request))
}

pub(super) fn update_features(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let directions = [
        (1, FeatureDirection::Upgrade),
        (2, FeatureDirection::SafeDowngrade),
        (3, FeatureDirection::UnsafeDowngrade),
        (7, FeatureDirection::Unknown(7)),
    ];
    let of_version = if version < 1 { 2 } else { 4 };
    let update = |draw: &mut Draw<'_>| FeatureUpdate {
        feature: draw.text(),
        level: draw.i16(),
        direction: directions.get(usize::from(draw.below(of_version))).expect("it is drawn below their number").1,
    };
    let request = UpdateFeaturesRequest { updates: draw.list(update), validate_only: version >= 1 && draw.flag(), timeout_ms: draw.i32() };
    let mut message = wire::UpdateFeaturesRequest::default().with_timeout_ms(request.timeout_ms).with_validate_only(request.validate_only);
    for FeatureUpdate { feature, level, direction } in &request.updates {
        let mut key = wire::update_features_request::FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(*level);
        if version < 1 {
            key.allow_downgrade = *direction == FeatureDirection::SafeDowngrade;
        } else {
            key.upgrade_type = directions.iter().find(|(_, known)| known == direction).map(|(number, _)| *number).expect("it was drawn");
        }
        message.feature_updates.push(key);
    }
    (encode(&message, version), Request::UpdateFeatures(request))
}

pub(super) fn unregister_broker(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let node = NodeId(draw.i32());
    let message = wire::UnregisterBrokerRequest::default().with_broker_id(wire::BrokerId(node.0));
    (encode(&message, version), Request::UnregisterBroker(UnregisterBrokerRequest { node }))
}
