//! Groups of the consumer protocol (KIP-848): whether they are served, what is said of them, and what they are to hear of topics.

use std::collections::BTreeSet;

use super::Broker;
use super::groups::reply;
use crate::boundary::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, Effects, GroupResponse};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{RequestId, TopicName};
use crate::metadata::{GROUP_VERSION, MetadataRecord};

impl Broker {
    /// Whether there may be such groups: the cluster has finalised `group.version` 1, and this node offers their protocol.
    pub(super) fn has_consumer_groups(&self) -> bool {
        self.image.features.get(GROUP_VERSION).is_some_and(|level| *level > 0) && self.bounds.groups.offers_consumer_groups()
    }

    pub(super) fn describe_consumer_groups(&mut self, id: RequestId, request: ConsumerGroupDescribeRequest, effects: &mut Effects) {
        let is_served = self.has_consumer_groups();
        let mut asked = BTreeSet::new();
        let groups = request.groups.into_iter().map(|group| {
            let described = match self.coordinator_of(&group) {
                _ if !is_served => Err(ErrorCode::UnsupportedVersion.into()),
                _ if group.is_empty() => Err(ErrorCode::InvalidGroupId.into()),
                Err(code) => Err(ApiError::from(code)),
                Ok((place, groups)) => {
                    asked.insert(place);
                    groups.describe_consumer(&group, &self.image, &self.bounds.groups)
                }
            };
            (group, described)
        });
        let response = GroupResponse::ConsumerGroupDescribe(ConsumerGroupDescribeResponse { groups: groups.collect() });
        if asked.is_empty() {
            return reply(id, response, effects);
        }
        self.hold_shared(id, response, asked, effects);
    }

    /// The topic that a record of the metadata log makes, takes away or gives another partition; before it is in the image.
    pub(super) fn topic_changed_by(&self, record: &MetadataRecord) -> Option<TopicName> {
        match record {
            MetadataRecord::Topic { name, .. } => Some(name.clone()),
            MetadataRecord::RemoveTopic { id } => self.image.topics.get(id).map(|topic| topic.name.clone()),
            MetadataRecord::Partition { id, .. } => {
                let topic = self.image.topics.get(&id.topic)?;
                (!topic.partitions.contains_key(&id.partition)).then(|| topic.name.clone())
            }
            MetadataRecord::Config { .. }
            | MetadataRecord::RegisterBroker { .. }
            | MetadataRecord::UnregisterBroker { .. }
            | MetadataRecord::UnfenceBroker { .. }
            | MetadataRecord::FenceBroker { .. }
            | MetadataRecord::ProducerIds { .. }
            | MetadataRecord::Feature { .. }
            | MetadataRecord::Voters { .. } => None,
        }
    }
}
