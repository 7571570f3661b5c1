//! One function a request: the same values, as the other codec's message and as the core's request.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use gracchus_core::boundary::*;
use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::{NodeId, PartitionIndex, ProducerId, TopicId, TopicName, Uuid};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader};
use gracchus_core::time::Timestamp;
use gracchus_net::kafka::Api;
use kafka_protocol::messages as wire;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::Draw;

pub(super) fn body(api: Api, version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    match api {
        Api::Produce => produce(version, draw),
        Api::Fetch => fetch(version, draw),
        Api::ListOffsets => list_offsets(version, draw),
        Api::Metadata => metadata(version, draw),
        Api::FindCoordinator => find_coordinator(version, draw),
        Api::ApiVersions => api_versions(version, draw),
        Api::CreateTopics => create_topics(version, draw),
        Api::DeleteTopics => delete_topics(version, draw),
        Api::DeleteRecords => delete_records(version, draw),
        Api::InitProducerId => init_producer_id(version, draw),
        Api::OffsetForLeaderEpoch => offset_for_leader_epoch(version, draw),
        Api::DescribeConfigs => describe_configs(version, draw),
        Api::AlterConfigs => alter_configs(version, draw),
        Api::DescribeLogDirs => describe_log_dirs(version, draw),
        Api::CreatePartitions => create_partitions(version, draw),
        Api::IncrementalAlterConfigs => incremental_alter_configs(version, draw),
        Api::DescribeCluster => describe_cluster(version, draw),
        Api::ListConfigResources => list_config_resources(version, draw),
        Api::DescribeTopicPartitions => describe_topic_partitions(version, draw),
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

fn produce(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let acks = match draw.below(4) {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        2 => Ok(Acks::All),
        _ => Err(7),
    };
    let request = ProduceRequest {
        transactional_id: draw.option(Draw::text),
        acks,
        timeout_ms: draw.i32(),
        topics: draw.list(|draw| ProduceTopic {
            topic: topic_ref(version >= 13, draw),
            partitions: draw.list(|draw| ProducePartition { partition: index(draw), batch: Ok(batch(draw)) }),
        }),
    };
    let mut message = wire::ProduceRequest::default();
    message.transactional_id = request.transactional_id.as_deref().map(|id| wire::TransactionalId(text(id)));
    message.acks = match acks {
        Ok(Acks::None) => 0,
        Ok(Acks::Leader) => 1,
        Ok(Acks::All) => -1,
        Err(unknown) => unknown,
    };
    message.timeout_ms = request.timeout_ms;
    for topic in &request.topics {
        let mut data = wire::produce_request::TopicProduceData::default();
        (data.name, data.topic_id) = name_and_id(&topic.topic);
        for partition in &topic.partitions {
            let bytes = partition.batch.as_ref().expect("samples are sound").payload.bytes().clone();
            data.partition_data
                .push(wire::produce_request::PartitionProduceData::default().with_index(partition.partition.0).with_records(Some(bytes)));
        }
        message.topic_data.push(data);
    }
    (encode(&message, version), Request::Produce(request))
}

fn batch(draw: &mut Draw<'_>) -> Batch {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    for _ in 0..=draw.below(3) {
        let (key, value) = (draw.option(Draw::text), draw.text());
        builder.append(Timestamp(i64::from(draw.i16())), key.as_deref().map(str::as_bytes), Some(value.as_bytes()), &[]);
    }
    let bytes = builder.build();
    Batch { header: BatchHeader::parse(&bytes).expect("it was built"), payload: Payload::new(bytes) }
}

fn fetch(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_id = version >= 13;
    let has_session = version >= 7;
    let request = FetchRequest {
        wait_ms_max: draw.i32(),
        bytes_min: draw.i32(),
        bytes_max: draw.i32(),
        read_committed: draw.flag(),
        session_id: if has_session { draw.i32() } else { 0 },
        session_epoch: if has_session { draw.i32() } else { -1 },
        topics: draw.list(|draw| FetchTopic {
            topic: topic_ref(by_id, draw),
            partitions: draw.list(|draw| FetchPartition {
                partition: index(draw),
                current_leader_epoch: epoch(version >= 9, draw),
                fetch_offset: Offset(draw.i64()),
                last_fetched_epoch: epoch(version >= 12, draw),
                partition_bytes_max: draw.i32(),
            }),
        }),
        forgotten: if has_session { draw.list(|draw| (topic_ref(by_id, draw), draw.list(index))) } else { Vec::new() },
        rack: if version >= 11 { draw.text() } else { String::new() },
    };
    let mut message = wire::FetchRequest::default();
    message.max_wait_ms = request.wait_ms_max;
    message.min_bytes = request.bytes_min;
    message.max_bytes = request.bytes_max;
    message.isolation_level = i8::from(request.read_committed);
    message.session_id = request.session_id;
    message.session_epoch = request.session_epoch;
    message.rack_id = text(&request.rack);
    message.topics = request.topics.iter().map(|topic| fetch_topic(topic, version)).collect();
    for (topic, partitions) in &request.forgotten {
        let mut forgotten = wire::fetch_request::ForgottenTopic::default();
        (forgotten.topic, forgotten.topic_id) = name_and_id(topic);
        forgotten.partitions = partitions.iter().map(|index| index.0).collect();
        message.forgotten_topics_data.push(forgotten);
    }
    (encode(&message, version), Request::Fetch(request))
}

fn fetch_topic(topic: &FetchTopic, version: i16) -> wire::fetch_request::FetchTopic {
    let mut message = wire::fetch_request::FetchTopic::default();
    (message.topic, message.topic_id) = name_and_id(&topic.topic);
    for partition in &topic.partitions {
        let mut wanted = wire::fetch_request::FetchPartition::default();
        wanted.partition = partition.partition.0;
        wanted.current_leader_epoch = number(partition.current_leader_epoch);
        wanted.fetch_offset = partition.fetch_offset.0;
        wanted.last_fetched_epoch = number(partition.last_fetched_epoch);
        wanted.partition_max_bytes = partition.partition_bytes_max;
        // A follower's, which are passed over.
        if version >= 17 {
            wanted.replica_directory_id = uuid::Uuid::from_u128(1);
        }
        message.partitions.push(wanted);
    }
    message
}

fn list_offsets(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = ListOffsetsRequest {
        read_committed: version >= 2 && draw.flag(),
        topics: draw.list(|draw| {
            let partition = |draw: &mut Draw<'_>| ListOffsetsPartition {
                partition: index(draw),
                current_leader_epoch: epoch(version >= 4, draw),
                spec: offset_spec(version, draw),
            };
            (name(draw), draw.list(partition))
        }),
        timeout_ms: if version >= 10 { draw.i32() } else { 0 },
    };
    let mut message = wire::ListOffsetsRequest::default();
    message.replica_id = wire::BrokerId(-1);
    message.isolation_level = i8::from(request.read_committed);
    message.timeout_ms = request.timeout_ms;
    for (name, partitions) in &request.topics {
        let mut topic = wire::list_offsets_request::ListOffsetsTopic::default();
        topic.name = topic_text(name);
        for asked in partitions {
            let mut partition = wire::list_offsets_request::ListOffsetsPartition::default();
            partition.partition_index = asked.partition.0;
            partition.current_leader_epoch = number(asked.current_leader_epoch);
            partition.timestamp = match asked.spec {
                OffsetSpec::Timestamp(timestamp) => timestamp.0,
                OffsetSpec::Latest => -1,
                OffsetSpec::Earliest => -2,
                OffsetSpec::MaxTimestamp => -3,
                OffsetSpec::EarliestLocal => -4,
                OffsetSpec::LatestTiered => -5,
                OffsetSpec::EarliestPendingUpload => -6,
                OffsetSpec::Unknown(timestamp) => timestamp,
            };
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::ListOffsets(request))
}

fn offset_spec(version: i16, draw: &mut Draw<'_>) -> OffsetSpec {
    let since = |first: i16, spec, number| if version >= first { spec } else { OffsetSpec::Unknown(number) };
    match draw.below(8) {
        0 => OffsetSpec::Timestamp(Timestamp(draw.i64() & i64::MAX)),
        1 => OffsetSpec::Latest,
        2 => OffsetSpec::Earliest,
        3 => since(7, OffsetSpec::MaxTimestamp, -3),
        4 => since(8, OffsetSpec::EarliestLocal, -4),
        5 => since(9, OffsetSpec::LatestTiered, -5),
        6 => since(11, OffsetSpec::EarliestPendingUpload, -6),
        _ => OffsetSpec::Unknown(-7),
    }
}

fn metadata(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_id = version >= 12 && draw.flag();
    // In version 0 an empty list means all topics; null came later.
    let topics =
        if draw.flag() { None } else { Some(draw.list(|draw| topic_ref(by_id, draw))) }.filter(|topics| version > 0 || !topics.is_empty());
    let request = MetadataRequest { topics, allow_auto_topic_creation: version < 4 || draw.flag() };
    let mut message = wire::MetadataRequest::default();
    message.allow_auto_topic_creation = request.allow_auto_topic_creation;
    message.topics = request.topics.as_ref().map(|topics| topics.iter().map(metadata_topic).collect());
    if version == 0 && message.topics.is_none() {
        message.topics = Some(Vec::new());
    }
    (encode(&message, version), Request::Metadata(request))
}

fn metadata_topic(topic: &TopicRef) -> wire::metadata_request::MetadataRequestTopic {
    let message = wire::metadata_request::MetadataRequestTopic::default();
    match topic {
        TopicRef::Name(name) => message.with_name(Some(topic_text(name))),
        TopicRef::Id(id) => message.with_name(None).with_topic_id(uuid(*id)),
    }
}

fn find_coordinator(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let kind = match draw.below(if version >= 1 { 3 } else { 1 }) {
        0 => CoordinatorKind::Group,
        1 => CoordinatorKind::Transaction,
        _ if version >= 6 => CoordinatorKind::Share,
        _ => CoordinatorKind::Unknown(2),
    };
    let keys = if version >= 4 { draw.list(Draw::text) } else { vec![draw.text()] };
    let mut message = wire::FindCoordinatorRequest::default();
    message.key_type = match kind {
        CoordinatorKind::Group => 0,
        CoordinatorKind::Transaction => 1,
        CoordinatorKind::Share => 2,
        CoordinatorKind::Unknown(kind) => kind,
    };
    if version >= 4 {
        message.coordinator_keys = keys.iter().map(|key| text(key)).collect();
    } else {
        message.key = text(keys.first().expect("there is one"));
    }
    (encode(&message, version), Request::FindCoordinator(FindCoordinatorRequest { kind, keys }))
}

fn api_versions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let mut message = wire::ApiVersionsRequest::default();
    if version >= 3 {
        message.client_software_name = text(&format!("lib{}.so-x", draw.text()));
        message.client_software_version = text("2.0.2");
    }
    (encode(&message, version), Request::ApiVersions(ApiVersionsRequest {}))
}

fn create_topics(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = CreateTopicsRequest {
        topics: draw.list(|draw| NewTopic {
            name: name(draw),
            partition_count: draw.i32(),
            replication_factor: draw.i16(),
            assignments: draw.list(|draw| (index(draw), draw.list(|draw| NodeId(draw.i32())))),
            configs: draw.list(|draw| (draw.text(), draw.option(Draw::text))),
        }),
        timeout_ms: draw.i32(),
        validate_only: draw.flag(),
    };
    let mut message = wire::CreateTopicsRequest::default();
    message.timeout_ms = request.timeout_ms;
    message.validate_only = request.validate_only;
    message.topics = request.topics.iter().map(creatable_topic).collect();
    (encode(&message, version), Request::CreateTopics(request))
}

fn creatable_topic(topic: &NewTopic) -> wire::create_topics_request::CreatableTopic {
    use wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopicConfig};
    let mut message = wire::create_topics_request::CreatableTopic::default();
    message.name = topic_text(&topic.name);
    message.num_partitions = topic.partition_count;
    message.replication_factor = topic.replication_factor;
    for (index, replicas) in &topic.assignments {
        let assignment = CreatableReplicaAssignment::default().with_partition_index(index.0).with_broker_ids(nodes(replicas));
        message.assignments.push(assignment);
    }
    for (name, value) in &topic.configs {
        let config = CreatableTopicConfig::default().with_name(text(name)).with_value(value.as_deref().map(text));
        message.configs.push(config);
    }
    message
}

fn delete_topics(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let by_state = version >= 6;
    let request = DeleteTopicsRequest {
        topics: draw.list(|draw| {
            let by_id = by_state && draw.flag();
            topic_ref(by_id, draw)
        }),
        misnamed: Vec::new(),
        timeout_ms: draw.i32(),
    };
    let mut message = wire::DeleteTopicsRequest::default();
    message.timeout_ms = request.timeout_ms;
    for topic in &request.topics {
        let state = wire::delete_topics_request::DeleteTopicState::default();
        match topic {
            TopicRef::Name(name) if by_state => message.topics.push(state.with_name(Some(topic_text(name)))),
            TopicRef::Name(name) => message.topic_names.push(topic_text(name)),
            TopicRef::Id(id) => message.topics.push(state.with_name(None).with_topic_id(uuid(*id))),
        }
    }
    (encode(&message, version), Request::DeleteTopics(request))
}

fn delete_records(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DeleteRecordsRequest {
        topics: draw.list(|draw| (name(draw), draw.list(|draw| (index(draw), Offset(draw.i64()))))),
        timeout_ms: draw.i32(),
    };
    let mut message = wire::DeleteRecordsRequest::default();
    message.timeout_ms = request.timeout_ms;
    for (name, partitions) in &request.topics {
        let mut topic = wire::delete_records_request::DeleteRecordsTopic::default().with_name(topic_text(name));
        for (index, offset) in partitions {
            let partition = wire::delete_records_request::DeleteRecordsPartition::default();
            topic.partitions.push(partition.with_partition_index(index.0).with_offset(offset.0));
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::DeleteRecords(request))
}

fn init_producer_id(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let producer = |draw: &mut Draw<'_>| (ProducerId(draw.i64() & i64::MAX), ProducerEpoch(draw.i16() & i16::MAX));
    let request = InitProducerIdRequest {
        transactional_id: draw.option(Draw::text),
        transaction_timeout_ms: draw.i32(),
        producer: if version >= 3 { draw.option(producer) } else { None },
    };
    let mut message = wire::InitProducerIdRequest::default();
    message.transactional_id = request.transactional_id.as_deref().map(|id| wire::TransactionalId(text(id)));
    message.transaction_timeout_ms = request.transaction_timeout_ms;
    if let Some((id, epoch)) = request.producer {
        message.producer_id = wire::ProducerId(id.0);
        message.producer_epoch = epoch.0;
    }
    (encode(&message, version), Request::InitProducerId(request))
}

fn offset_for_leader_epoch(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let question = |draw: &mut Draw<'_>| EpochQuestion {
        partition: index(draw),
        current_leader_epoch: epoch(true, draw),
        leader_epoch: LeaderEpoch(draw.i32()),
    };
    let request = OffsetForLeaderEpochRequest { topics: draw.list(|draw| (name(draw), draw.list(question))) };
    let mut message = wire::OffsetForLeaderEpochRequest::default();
    for (name, questions) in &request.topics {
        let mut topic = wire::offset_for_leader_epoch_request::OffsetForLeaderTopic::default().with_topic(topic_text(name));
        for question in questions {
            let mut partition = wire::offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            partition.partition = question.partition.0;
            partition.current_leader_epoch = number(question.current_leader_epoch);
            partition.leader_epoch = question.leader_epoch.0;
            topic.partitions.push(partition);
        }
        message.topics.push(topic);
    }
    (encode(&message, version), Request::OffsetForLeaderEpoch(request))
}

fn resource(draw: &mut Draw<'_>) -> ConfigResource {
    match draw.below(7) {
        0 => ConfigResource::Topic(name(draw)),
        1 => ConfigResource::Broker(None),
        2 => ConfigResource::Broker(Some(NodeId(draw.i32()))),
        3 => ConfigResource::BrokerLogger(draw.text()),
        4 => ConfigResource::ClientMetrics(draw.text()),
        5 => ConfigResource::Group(draw.text()),
        _ => ConfigResource::Unknown { kind: 99, name: draw.text() },
    }
}

fn type_and_name(resource: &ConfigResource) -> (i8, StrBytes) {
    match resource {
        ConfigResource::Topic(name) => (2, text(name.as_str())),
        ConfigResource::Broker(None) => (4, text("")),
        ConfigResource::Broker(Some(node)) => (4, text(&node.to_string())),
        ConfigResource::BrokerLogger(name) => (8, text(name)),
        ConfigResource::ClientMetrics(name) => (16, text(name)),
        ConfigResource::Group(name) => (32, text(name)),
        ConfigResource::Unknown { kind, name } => (*kind, text(name)),
    }
}

fn describe_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DescribeConfigsRequest {
        resources: draw.list(|draw| (resource(draw), draw.option(|draw| draw.list(Draw::text)))),
        include_synonyms: draw.flag(),
        include_documentation: version >= 3 && draw.flag(),
    };
    let mut message = wire::DescribeConfigsRequest::default();
    message.include_synonyms = request.include_synonyms;
    message.include_documentation = request.include_documentation;
    for (resource, names) in &request.resources {
        let mut asked = wire::describe_configs_request::DescribeConfigsResource::default();
        (asked.resource_type, asked.resource_name) = type_and_name(resource);
        asked.configuration_keys = names.as_ref().map(|names| names.iter().map(|name| text(name)).collect());
        message.resources.push(asked);
    }
    (encode(&message, version), Request::DescribeConfigs(request))
}

fn alter_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = AlterConfigsRequest {
        resources: draw.list(|draw| (resource(draw), draw.list(|draw| (draw.text(), draw.option(Draw::text))))),
        validate_only: draw.flag(),
    };
    let mut message = wire::AlterConfigsRequest::default();
    message.validate_only = request.validate_only;
    for (resource, configs) in &request.resources {
        let mut altered = wire::alter_configs_request::AlterConfigsResource::default();
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        for (name, value) in configs {
            let config = wire::alter_configs_request::AlterableConfig::default();
            altered.configs.push(config.with_name(text(name)).with_value(value.as_deref().map(text)));
        }
        message.resources.push(altered);
    }
    (encode(&message, version), Request::AlterConfigs(request))
}

fn incremental_alter_configs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let change = |draw: &mut Draw<'_>| ConfigChange {
        name: draw.text(),
        operation: match draw.below(5) {
            0 => ConfigOperation::Set,
            1 => ConfigOperation::Delete,
            2 => ConfigOperation::Append,
            3 => ConfigOperation::Subtract,
            _ => ConfigOperation::Unknown(9),
        },
        value: draw.option(Draw::text),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: draw.list(|draw| (resource(draw), draw.list(change))), validate_only: draw.flag() };
    let mut message = wire::IncrementalAlterConfigsRequest::default();
    message.validate_only = request.validate_only;
    for (resource, changes) in &request.resources {
        let mut altered = wire::incremental_alter_configs_request::AlterConfigsResource::default();
        (altered.resource_type, altered.resource_name) = type_and_name(resource);
        for change in changes {
            let mut config = wire::incremental_alter_configs_request::AlterableConfig::default();
            config.name = text(&change.name);
            config.value = change.value.as_deref().map(text);
            config.config_operation = match change.operation {
                ConfigOperation::Set => 0,
                ConfigOperation::Delete => 1,
                ConfigOperation::Append => 2,
                ConfigOperation::Subtract => 3,
                ConfigOperation::Unknown(operation) => operation,
            };
            altered.configs.push(config);
        }
        message.resources.push(altered);
    }
    (encode(&message, version), Request::IncrementalAlterConfigs(request))
}

fn describe_log_dirs(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let topics = draw.option(|draw| BTreeMap::from_iter(draw.list(|draw| (name(draw), BTreeSet::from_iter(draw.list(index))))));
    let mut message = wire::DescribeLogDirsRequest::default();
    message.topics = topics.as_ref().map(|topics| {
        let topic = wire::describe_log_dirs_request::DescribableLogDirTopic::default;
        let topics = topics.iter();
        topics
            .map(|(name, indexes)| topic().with_topic(topic_text(name)).with_partitions(indexes.iter().map(|index| index.0).collect()))
            .collect()
    });
    (encode(&message, version), Request::DescribeLogDirs(DescribeLogDirsRequest { topics }))
}

fn create_partitions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = CreatePartitionsRequest {
        topics: draw.list(|draw| MorePartitions {
            name: name(draw),
            partition_count: draw.i32(),
            assignments: draw.option(|draw| draw.list(|draw| draw.list(|draw| NodeId(draw.i32())))),
        }),
        timeout_ms: draw.i32(),
        validate_only: draw.flag(),
    };
    let mut message = wire::CreatePartitionsRequest::default();
    message.timeout_ms = request.timeout_ms;
    message.validate_only = request.validate_only;
    for topic in &request.topics {
        let mut more = wire::create_partitions_request::CreatePartitionsTopic::default();
        more.name = topic_text(&topic.name);
        more.count = topic.partition_count;
        let assignment = wire::create_partitions_request::CreatePartitionsAssignment::default;
        more.assignments =
            topic.assignments.as_ref().map(|placed| placed.iter().map(|replicas| assignment().with_broker_ids(nodes(replicas))).collect());
        message.topics.push(more);
    }
    (encode(&message, version), Request::CreatePartitions(request))
}

fn describe_cluster(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let endpoint_type = if version >= 1 { 1 + i8::from(draw.flag()) } else { 1 };
    let request = DescribeClusterRequest {
        endpoints: if endpoint_type == 1 { EndpointType::Brokers } else { EndpointType::Controllers },
        include_fenced_brokers: version >= 2 && draw.flag(),
    };
    let mut message = wire::DescribeClusterRequest::default();
    message.endpoint_type = endpoint_type;
    message.include_fenced_brokers = request.include_fenced_brokers;
    (encode(&message, version), Request::DescribeCluster(request))
}

fn list_config_resources(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    // Version 0 asks for client metrics without saying so.
    let kinds = if version >= 1 { draw.list(Draw::i8) } else { vec![16] };
    let mut message = wire::ListConfigResourcesRequest::default();
    if version >= 1 {
        message.resource_types = kinds.clone();
    }
    (encode(&message, version), Request::ListConfigResources(ListConfigResourcesRequest { kinds }))
}

fn describe_topic_partitions(version: i16, draw: &mut Draw<'_>) -> (Bytes, Request) {
    let request = DescribeTopicPartitionsRequest {
        topics: draw.list(name),
        partitions_max: draw.i32(),
        cursor: draw.option(|draw| TopicCursor { topic: name(draw), partition: index(draw) }),
    };
    let mut message = wire::DescribeTopicPartitionsRequest::default();
    let topic = wire::describe_topic_partitions_request::TopicRequest::default;
    message.topics = request.topics.iter().map(|name| topic().with_name(topic_text(name))).collect();
    message.response_partition_limit = request.partitions_max;
    message.cursor = request.cursor.as_ref().map(|cursor| {
        let mut place = wire::describe_topic_partitions_request::Cursor::default();
        place.topic_name = topic_text(&cursor.topic);
        place.partition_index = cursor.partition.0;
        place
    });
    (encode(&message, version), Request::DescribeTopicPartitions(request))
}
