//! Answers about the cluster.

use gracchus_core::boundary::*;
use gracchus_core::epoch::LeaderEpoch;

use super::*;

pub(super) fn metadata(version: i16, draw: &mut Draw<'_>) {
    let operations = ListedOperations { cluster: draw.flag(), topics: draw.flag(), groups: false };
    let response = MetadataResponse {
        brokers: draw.list(endpoint),
        cluster_id: draw.text(),
        controller: draw.option(node),
        topics: draw.list(|draw| topic(version >= 12, draw)),
    };
    let mut message = wire::MetadataResponse::default().with_throttle_time_ms(since(version >= 3, THROTTLE_MS));
    for endpoint in &response.brokers {
        let mut broker = wire::metadata_response::MetadataResponseBroker::default().with_node_id(wire::BrokerId(endpoint.node.0));
        broker.rack = since(version >= 1, endpoint.rack.as_deref().map(text));
        message.brokers.push(broker.with_host(text(&endpoint.host)).with_port(i32::from(endpoint.port)));
    }
    message.cluster_id = since(version >= 2, Some(text(&response.cluster_id)));
    message.controller_id = node_or_none(response.controller.filter(|_| version >= 1));
    message.topics = response.topics.iter().map(|topic| topic_message(topic, operations, version)).collect();
    if operations.cluster && (8..=10).contains(&version) {
        message.cluster_authorized_operations = OPERATIONS.1;
    }
    let header = RequestHeader { operations, ..header(Api::Metadata, version) };
    compare_fetched(&header, &Response::Metadata(response), &[], &message);
}

fn topic(may_be_nameless: bool, draw: &mut Draw<'_>) -> TopicMetadata {
    TopicMetadata {
        error: draw.option(error),
        name: if may_be_nameless { draw.option(name) } else { Some(name(draw)) },
        id: id(draw),
        is_internal: draw.flag(),
        partitions: draw.list(partition),
    }
}

fn partition(draw: &mut Draw<'_>) -> PartitionMetadata {
    PartitionMetadata {
        error: draw.option(|_| ErrorCode::ListenerNotFound),
        partition: index(draw),
        leader: draw.option(node),
        leader_epoch: LeaderEpoch(draw.i32()),
        replicas: draw.list(node),
        isr: draw.list(node),
        eligible_leader_replicas: draw.list(node),
        last_known_leader: draw.option(node),
        offline_replicas: draw.list(node),
    }
}

fn topic_message(topic: &TopicMetadata, operations: ListedOperations, version: i16) -> wire::metadata_response::MetadataResponseTopic {
    let mut message = wire::metadata_response::MetadataResponseTopic::default().with_error_code(number(topic.error));
    message.name = topic.name.as_ref().map(topic_text);
    message.topic_id = since(version >= 10, uuid(topic.id));
    message.is_internal = since(version >= 1, topic.is_internal);
    if operations.topics && version >= 8 {
        message.topic_authorized_operations = OPERATIONS.0;
    }
    message.partitions = topic.partitions.iter().map(|partition| partition_message(partition, version)).collect();
    message
}

fn partition_message(partition: &PartitionMetadata, version: i16) -> wire::metadata_response::MetadataResponsePartition {
    let offline = &partition.offline_replicas;
    // Version 0 names no broker that is down, and says that a replica is missing.
    let listed = |all: &[NodeId]| nodes(&all.iter().copied().filter(|node| version > 0 || !offline.contains(node)).collect::<Vec<_>>());
    let mut message = wire::metadata_response::MetadataResponsePartition::default().with_partition_index(partition.partition.0);
    message.error_code = match partition.error {
        Some(_) if version >= 6 => 72,
        Some(_) => 5,
        None if version == 0 && !offline.is_empty() => 9,
        None => 0,
    };
    message.leader_id = node_or_none(partition.leader);
    message.leader_epoch = if version >= 7 { partition.leader_epoch.0 } else { -1 };
    message.replica_nodes = listed(&partition.replicas);
    message.isr_nodes = listed(&partition.isr);
    message.offline_replicas = since(version >= 5, nodes(offline));
    message
}

pub(super) fn describe_topic_partitions(version: i16, draw: &mut Draw<'_>) {
    use wire::describe_topic_partitions_response::*;
    let response = gracchus_core::boundary::DescribeTopicPartitionsResponse {
        topics: draw.list(|draw| topic(true, draw)),
        next: draw.option(|draw| TopicCursor { topic: name(draw), partition: index(draw) }),
    };
    let mut message = wire::DescribeTopicPartitionsResponse::default().with_throttle_time_ms(THROTTLE_MS);
    for topic in &response.topics {
        let mut described = DescribeTopicPartitionsResponseTopic::default().with_error_code(number(topic.error));
        described.name = topic.name.as_ref().map(topic_text);
        described.topic_id = uuid(topic.id);
        described.is_internal = topic.is_internal;
        described.topic_authorized_operations = OPERATIONS.0;
        for partition in &topic.partitions {
            let mut message = DescribeTopicPartitionsResponsePartition::default().with_partition_index(partition.partition.0);
            message.error_code = number(partition.error);
            message.leader_id = node_or_none(partition.leader);
            message.leader_epoch = partition.leader_epoch.0;
            message.replica_nodes = nodes(&partition.replicas);
            message.isr_nodes = nodes(&partition.isr);
            message.eligible_leader_replicas = Some(nodes(&partition.eligible_leader_replicas));
            message.last_known_elr = Some(nodes(partition.last_known_leader.as_slice()));
            message.offline_replicas = nodes(&partition.offline_replicas);
            described.partitions.push(message);
        }
        message.topics.push(described);
    }
    let cursor = |next: &TopicCursor| Cursor::default().with_topic_name(topic_text(&next.topic)).with_partition_index(next.partition.0);
    message.next_cursor = response.next.as_ref().map(cursor);
    compare(Api::DescribeTopicPartitions, version, &Response::DescribeTopicPartitions(response), &message);
}

pub(super) fn describe_cluster(version: i16, draw: &mut Draw<'_>) {
    let operations = ListedOperations { cluster: draw.flag(), topics: false, groups: false };
    let cluster = |draw: &mut Draw<'_>| {
        let door = if version >= 1 && draw.flag() { Door::Controllers } else { Door::Brokers };
        ClusterDescription { cluster_id: draw.text(), controller: draw.option(node), door, brokers: draw.list(endpoint) }
    };
    let result = if draw.flag() { Ok(cluster(draw)) } else { Err(api_error(draw)) };
    let mut message = wire::DescribeClusterResponse::default().with_throttle_time_ms(THROTTLE_MS);
    (message.error_code, message.error_message) = number_and_message(result.as_ref().err());
    if let Ok(cluster) = &result {
        message.cluster_id = text(&cluster.cluster_id);
        message.controller_id = node_or_none(cluster.controller);
        message.endpoint_type = if cluster.door == Door::Controllers { 2 } else { 1 };
        if operations.cluster {
            message.cluster_authorized_operations = OPERATIONS.1;
        }
        for endpoint in &cluster.brokers {
            let mut broker = wire::describe_cluster_response::DescribeClusterBroker::default();
            broker.broker_id = wire::BrokerId(endpoint.node.0);
            broker.rack = endpoint.rack.as_deref().map(text);
            broker.is_fenced = version >= 2 && endpoint.is_fenced;
            message.brokers.push(broker.with_host(text(&endpoint.host)).with_port(i32::from(endpoint.port)));
        }
    }
    let header = RequestHeader { operations, ..header(Api::DescribeCluster, version) };
    compare_fetched(&header, &Response::DescribeCluster(DescribeClusterResponse { result }), &[], &message);
}

pub(super) fn describe_log_dirs(version: i16, draw: &mut Draw<'_>) {
    use wire::describe_log_dirs_response::*;
    let response = gracchus_core::boundary::DescribeLogDirsResponse {
        topics: draw.list(|draw| (name(draw), draw.list(|draw| (index(draw), u64::from(u32::from_be_bytes(draw.array())))))),
        directory: draw.text(),
        free_bytes: draw.i64(),
        total_bytes: draw.i64(),
    };
    let mut directory = DescribeLogDirsResult::default().with_log_dir(text(&response.directory));
    if version >= 4 {
        directory = directory.with_total_bytes(response.total_bytes).with_usable_bytes(response.free_bytes);
    }
    for (name, partitions) in &response.topics {
        let sized = |(index, bytes): &(PartitionIndex, u64)| {
            DescribeLogDirsPartition::default().with_partition_index(index.0).with_partition_size(i64::try_from(*bytes).unwrap())
        };
        let topic = DescribeLogDirsTopic::default().with_name(topic_text(name));
        directory.topics.push(topic.with_partitions(partitions.iter().map(sized).collect()));
    }
    let message = wire::DescribeLogDirsResponse::default().with_throttle_time_ms(THROTTLE_MS).with_results(vec![directory]);
    compare(Api::DescribeLogDirs, version, &Response::DescribeLogDirs(response), &message);
}

pub(super) fn raft_voter(api: Api, version: i16, draw: &mut Draw<'_>) {
    let result = if draw.flag() { Ok(()) } else { Err(api_error(draw)) };
    let code = number(result.as_ref().err().map(|error| error.code));
    let words = result.as_ref().err().and_then(|error| error.message.as_deref()).map(text);
    let response = Response::RaftVoter(RaftVoterResponse { result });
    if api == Api::AddRaftVoter {
        let message = wire::AddRaftVoterResponse::default().with_throttle_time_ms(THROTTLE_MS).with_error_code(code);
        compare(api, version, &response, &message.with_error_message(words));
    } else {
        let message = wire::RemoveRaftVoterResponse::default().with_throttle_time_ms(THROTTLE_MS).with_error_code(code);
        compare(api, version, &response, &message.with_error_message(words));
    }
}

pub(super) fn find_coordinator(version: i16, draw: &mut Draw<'_>) {
    let result = |draw: &mut Draw<'_>| if draw.flag() { Ok(endpoint(draw)) } else { Err(api_error(draw)) };
    let mut coordinators = draw.list(|draw| (draw.text(), result(draw)));
    let mut message = wire::FindCoordinatorResponse::default().with_throttle_time_ms(since(version >= 1, THROTTLE_MS));
    if version < 4 {
        coordinators = vec![(draw.text(), result(draw))];
    }
    for (key, result) in &coordinators {
        let mut found = wire::find_coordinator_response::Coordinator::default().with_key(text(key));
        (found.error_code, found.error_message) = number_and_message(result.as_ref().err());
        (found.node_id, found.port) = (wire::BrokerId(-1), -1);
        if let Ok(endpoint) = result {
            (found.node_id, found.port) = (wire::BrokerId(endpoint.node.0), i32::from(endpoint.port));
            found.host = text(&endpoint.host);
        }
        if version >= 4 {
            message.coordinators.push(found);
        } else {
            message.error_code = found.error_code;
            if version >= 1 {
                message.error_message = found.error_message;
            }
            (message.node_id, message.host, message.port) = (found.node_id, found.host, found.port);
        }
    }
    compare(Api::FindCoordinator, version, &Response::FindCoordinator(FindCoordinatorResponse { coordinators }), &message);
}

pub(super) fn api_versions(version: i16, draw: &mut Draw<'_>) {
    use wire::api_versions_response::*;
    // Names are keys in the other codec.
    let level = |number: u8| i16::from(number);
    let door = if draw.flag() { Door::Controllers } else { Door::Brokers };
    let response = gracchus_core::boundary::ApiVersionsResponse {
        door,
        supported: vec![("a".to_owned(), level(draw.below(2)), 9), ("b".to_owned(), 1, 2)],
        finalized: vec![("a".to_owned(), level(draw.below(2))), ("b".to_owned(), 2)],
        finalized_epoch: draw.i64(),
        are_unstable_versions_told: false,
    };
    let mut message = wire::ApiVersionsResponse::default().with_throttle_time_ms(since(version >= 1, THROTTLE_MS));
    for api in Api::advertised_at(door) {
        let versions = api.advertised_versions(false);
        let key = ApiVersion::default().with_api_key(api.key());
        message.api_keys.push(key.with_min_version(*versions.start()).with_max_version(*versions.end()));
    }
    if version >= 3 {
        message.finalized_features_epoch = response.finalized_epoch;
        // KAFKA-17492: level 0 is for clients from version 4 on.
        for (name, lowest, highest) in response.supported.iter().filter(|(_, lowest, _)| version >= 4 || *lowest > 0) {
            let feature = SupportedFeatureKey::default().with_name(text(name));
            message.supported_features.push(feature.with_min_version(*lowest).with_max_version(*highest));
        }
        for (name, level) in response.finalized.iter().filter(|(_, level)| *level > 0) {
            let feature = FinalizedFeatureKey::default().with_name(text(name));
            message.finalized_features.push(feature.with_min_version_level(*level).with_max_version_level(*level));
        }
    }
    compare(Api::ApiVersions, version, &Response::ApiVersions(response), &message);
}
