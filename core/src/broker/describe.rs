//! Questions that the committed metadata answers.

use std::ops::Bound;

use super::Broker;
use crate::boundary::{
    ApiVersionsResponse, BrokerEndpoint, ClusterDescription, CoordinatorKind, DescribeClusterRequest, DescribeClusterResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, Door, Effects,
    EndpointType, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, PartitionMetadata, RequestContext,
    TopicCursor, TopicMetadata, TopicRef,
};
use crate::controller::check_name;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{NodeId, PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::metadata::{BrokerRegistration, FEATURES, PartitionRegistration, Topic};

impl Broker {
    pub(super) fn api_versions(&self, context: &RequestContext) -> ApiVersionsResponse {
        let supported = FEATURES.iter().map(|feature| (feature.name.to_owned(), feature.level_min, feature.level_max));
        ApiVersionsResponse {
            supported: supported.collect(),
            finalized: self.image.features.iter().map(|(name, level)| (name.clone(), *level)).collect(),
            finalized_epoch: self.metadata.as_ref().map_or(-1, |metadata| metadata.high_watermark().0),
            door: context.door,
            are_unstable_versions_told: self.configs.boolean("unstable.api.versions.enable"),
        }
    }

    pub(super) fn describe_metadata(&self, context: &RequestContext, request: &MetadataRequest) -> MetadataResponse {
        let topics = match &request.topics {
            None => self
                .image
                .topic_ids
                .iter()
                .filter_map(|(name, id)| self.image.topics.get(id).map(|topic| self.topic_metadata(name, *id, topic)))
                .collect(),
            Some(topics) => topics.iter().map(|topic| self.named_topic_metadata(topic)).collect(),
        };
        MetadataResponse {
            brokers: self.endpoints(context, false),
            cluster_id: self.settings.cluster_id.clone(),
            controller: self.controller_stand_in(),
            topics,
        }
    }

    fn named_topic_metadata(&self, topic: &TopicRef) -> TopicMetadata {
        match topic {
            TopicRef::Id(id) => match self.image.topics.get(id) {
                Some(found) => self.topic_metadata(&found.name, *id, found),
                None => nothing(ErrorCode::UnknownTopicId, None, *id),
            },
            TopicRef::Name(name) => match self.image.topic_named(name) {
                Some((id, found)) => self.topic_metadata(name, id, found),
                None if check_name(name.as_str()).is_err() => nothing(ErrorCode::InvalidTopicException, Some(name.clone()), TopicId::default()),
                None => nothing(ErrorCode::UnknownTopicOrPartition, Some(name.clone()), TopicId::default()),
            },
        }
    }

    fn topic_metadata(&self, name: &TopicName, id: TopicId, topic: &Topic) -> TopicMetadata {
        let partitions = topic.partitions.iter().map(|(index, registered)| self.partition_metadata(id, *index, registered));
        TopicMetadata { error: None, name: Some(name.clone()), id, is_internal: name.is_internal(), partitions: partitions.collect() }
    }

    fn partition_metadata(&self, topic: TopicId, partition: PartitionIndex, registered: &PartitionRegistration) -> PartitionMetadata {
        let is_up = |node: &NodeId| self.image.brokers.get(node).is_some_and(|broker| !broker.is_fenced);
        let leader = registered.leader.filter(|leader| is_up(leader) && !self.is_doubted(*leader));
        let is_offline_here = self.partitions.get(&TopicPartition { topic, partition }).is_some_and(|held| held.is_offline());
        PartitionMetadata {
            error: leader.is_none().then_some(ErrorCode::LeaderNotAvailable),
            partition,
            leader,
            leader_epoch: registered.leader_epoch,
            replicas: registered.replicas.clone(),
            isr: registered.isr.clone(),
            eligible_leader_replicas: registered.elr.clone(),
            last_known_leader: registered.last_known_leader,
            offline_replicas: registered
                .replicas
                .iter()
                .copied()
                .filter(|node| !is_up(node) || (*node == self.settings.node && is_offline_here))
                .collect(),
        }
    }

    /// The brokers as the client's listener shows them.
    fn endpoints(&self, context: &RequestContext, with_fenced: bool) -> Vec<BrokerEndpoint> {
        let shown = |(node, broker): (&NodeId, &BrokerRegistration)| {
            let endpoint =
                broker.endpoints.iter().find(|endpoint| endpoint.listener == context.listener).or_else(|| broker.endpoints.first())?;
            (with_fenced || !broker.is_fenced).then(|| BrokerEndpoint {
                node: *node,
                host: endpoint.host.clone(),
                port: endpoint.port,
                rack: broker.rack.clone(),
                is_fenced: broker.is_fenced,
            })
        };
        self.image.brokers.iter().filter_map(shown).collect()
    }

    /// The controllers, as far as it is known where they are.
    fn controllers(&self) -> Vec<BrokerEndpoint> {
        let shown = self.controller_endpoints().into_iter().map(|(node, endpoint)| BrokerEndpoint {
            node,
            host: endpoint.host,
            port: endpoint.port,
            rack: None,
            is_fenced: false,
        });
        shown.collect()
    }

    /// A broker that takes what is meant for the controller: any does (KIP-590), so the first that is up is named.
    fn controller_stand_in(&self) -> Option<NodeId> {
        self.image.brokers.iter().find(|(_, broker)| !broker.is_fenced).map(|(node, _)| *node)
    }

    pub(super) fn describe_cluster(&self, context: &RequestContext, request: &DescribeClusterRequest) -> DescribeClusterResponse {
        let result = match request.endpoints {
            EndpointType::Brokers if context.door == Door::Brokers => Ok(ClusterDescription {
                cluster_id: self.settings.cluster_id.clone(),
                controller: self.controller_stand_in(),
                door: Door::Brokers,
                brokers: self.endpoints(context, request.include_fenced_brokers),
            }),
            EndpointType::Controllers if context.door == Door::Controllers => Ok(ClusterDescription {
                cluster_id: self.settings.cluster_id.clone(),
                controller: self.quorum.leader(),
                door: Door::Controllers,
                brokers: self.controllers(),
            }),
            EndpointType::Brokers => Err(mismatched("CONTROLLER", "BROKER")),
            EndpointType::Controllers => Err(mismatched("BROKER", "CONTROLLER")),
            EndpointType::Unknown(kind) => Err(ApiError::new(ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {kind}"))),
        };
        DescribeClusterResponse { result }
    }

    pub(super) fn describe_topic_partitions(&self, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
        let mut names: Vec<TopicName> =
            if request.topics.is_empty() { self.image.topic_ids.keys().cloned().collect() } else { request.topics.clone() };
        names.sort_unstable();
        names.dedup();
        if let Some(cursor) = &request.cursor
            && (cursor.partition.0 < 0 || (!request.topics.is_empty() && names.binary_search(&cursor.topic).is_err()))
        {
            // An error of the whole request has no other place than the topics that it names.
            names.retain(|_| !request.topics.is_empty());
            let topics = names.into_iter().map(|name| nothing(ErrorCode::InvalidRequest, Some(name), TopicId::default()));
            return DescribeTopicPartitionsResponse { topics: topics.collect(), next: None };
        }
        names.retain(|name| request.cursor.as_ref().is_none_or(|cursor| *name >= cursor.topic));
        let mut room = usize::try_from(request.partitions_max).unwrap_or(0).clamp(1, self.listed_partitions_max());
        let mut topics = Vec::new();
        for name in names {
            let from = request.cursor.as_ref().filter(|cursor| cursor.topic == name).map_or(PartitionIndex(0), |cursor| cursor.partition);
            if room == 0 {
                return DescribeTopicPartitionsResponse { topics, next: Some(TopicCursor { topic: name, partition: from }) };
            }
            let mut listed = self.named_topic_metadata(&TopicRef::Name(name.clone()));
            listed.partitions.retain(|partition| partition.partition >= from);
            let next = listed.partitions.get(room).map(|partition| partition.partition);
            listed.partitions.truncate(room);
            room -= listed.partitions.len();
            topics.push(listed);
            if let Some(partition) = next {
                return DescribeTopicPartitionsResponse { topics, next: Some(TopicCursor { topic: name, partition }) };
            }
        }
        DescribeTopicPartitionsResponse { topics, next: None }
    }

    fn listed_partitions_max(&self) -> usize {
        usize::try_from(self.configs.whole("max.request.partition.size.limit")).unwrap_or(1).max(1)
    }

    pub(super) fn describe_log_dirs(&self, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
        let bytes_of = |id: TopicPartition| self.partitions.get(&id).and_then(|held| held.replica()).map(|replica| replica.log().bytes());
        let is_wanted = |name: &TopicName, index: PartitionIndex| {
            request.topics.as_ref().is_none_or(|topics| topics.get(name).is_some_and(|wanted| wanted.contains(&index)))
        };
        let topics = self.image.topic_ids.iter().filter_map(|(name, topic)| {
            let held = self.partitions.range((Bound::Included(first_of(*topic)), Bound::Included(last_of(*topic))));
            let sizes: Vec<_> = held
                .filter(|(id, _)| is_wanted(name, id.partition))
                .filter_map(|(id, _)| bytes_of(*id).map(|bytes| (id.partition, bytes)))
                .collect();
            (!sizes.is_empty()).then(|| (name.clone(), sizes))
        });
        let bytes = |known: Option<u64>| known.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1);
        DescribeLogDirsResponse {
            topics: topics.collect(),
            directory: self.settings.log_directory.clone(),
            free_bytes: bytes(self.free_bytes),
            total_bytes: bytes(self.total_bytes),
        }
    }

    /// Who coordinates a group. A transaction can't be begun, so its producer is told.
    pub(super) fn find_coordinator(
        &mut self,
        context: &RequestContext,
        request: FindCoordinatorRequest,
        effects: &mut Effects,
    ) -> FindCoordinatorResponse {
        let refused = |message: String| Err(ApiError::new(ErrorCode::InvalidRequest, message));
        let coordinators = request.keys.into_iter().map(|key| {
            let found = match request.kind {
                CoordinatorKind::Group => self.find_group_coordinator(context, &key, effects),
                CoordinatorKind::Transaction => refused("This broker has no transactions yet.".to_owned()),
                CoordinatorKind::Share => refused("This broker has no share groups.".to_owned()),
                CoordinatorKind::Unknown(kind) => refused(format!("There is no coordinator of type {kind}.")),
            };
            (key, found)
        });
        FindCoordinatorResponse { coordinators: coordinators.collect() }
    }

    /// Where a broker that is up is found.
    pub(super) fn endpoint_of(&self, context: &RequestContext, node: NodeId) -> Option<BrokerEndpoint> {
        self.endpoints(context, false).into_iter().find(|endpoint| endpoint.node == node)
    }
}

fn mismatched(sent: &str, wanted: &str) -> ApiError {
    let message = format!("The request was sent to an endpoint of type {sent}, but we wanted an endpoint of type {wanted}");
    ApiError::new(ErrorCode::MismatchedEndpointType, message)
}

/// What there is to say of a topic that can't be described.
fn nothing(error: ErrorCode, name: Option<TopicName>, id: TopicId) -> TopicMetadata {
    TopicMetadata { error: Some(error), name, id, is_internal: false, partitions: Vec::new() }
}

pub(super) fn first_of(topic: TopicId) -> TopicPartition {
    TopicPartition { topic, partition: PartitionIndex(i32::MIN) }
}

pub(super) fn last_of(topic: TopicId) -> TopicPartition {
    TopicPartition { topic, partition: PartitionIndex(i32::MAX) }
}
