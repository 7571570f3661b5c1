//! What there is to say of a group of the consumer protocol.

use super::{ConsumerBounds, ConsumerGroup, ConsumerMember};
use crate::boundary::{DescribedConsumer, DescribedConsumerGroup, DescribedPartitions};
use crate::error::{ApiError, ErrorCode};
use crate::group::{GroupBounds, Groups};
use crate::ids::TopicPartition;
use crate::metadata::Image;

impl Groups {
    /// A group of the consumer protocol in full.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND.
    pub fn describe_consumer(&self, name: &str, image: &Image, bounds: &GroupBounds) -> Result<DescribedConsumerGroup, ApiError> {
        match self.consumer(name) {
            Some(group) => Ok(group.describe(image, &bounds.consumer)),
            None => Err(self.is_no("consumer", name)),
        }
    }

    /// What is said of a group that is of another kind, or not there.
    pub(in crate::group) fn is_no(&self, kind: &str, name: &str) -> ApiError {
        let what = if self.groups.contains_key(name) { format!("is not a {kind} group") } else { "not found".to_owned() };
        ApiError::new(ErrorCode::GroupIdNotFound, format!("Group {name} {what}."))
    }
}

impl ConsumerGroup {
    fn describe(&self, image: &Image, bounds: &ConsumerBounds) -> DescribedConsumerGroup {
        let describe = |(id, member): (&String, &ConsumerMember)| DescribedConsumer {
            member_id: id.clone(),
            instance_id: member.said.instance_id.clone(),
            rack_id: member.said.rack_id.clone(),
            member_epoch: member.current.epoch.0,
            client_id: member.said.client_id.clone(),
            client_host: member.said.client_host.clone(),
            topics: member.said.topics.iter().cloned().collect(),
            pattern: member.said.pattern.clone(),
            assigned: by_topic(member.current.assigned.keys(), image),
            target: by_topic(member.target.iter(), image),
            is_classic: member.is_classic(),
        };
        DescribedConsumerGroup {
            state: self.state_name().to_owned(),
            group_epoch: self.epoch.0,
            assignment_epoch: self.assignment_epoch.0,
            assignor: self.assignor(bounds).name().to_owned(),
            members: self.members.iter().map(describe).collect(),
        }
    }
}

/// Partitions in order, by topic. What is gone has no name.
fn by_topic<'a>(partitions: impl Iterator<Item = &'a TopicPartition>, image: &Image) -> Vec<DescribedPartitions> {
    let mut topics: Vec<DescribedPartitions> = Vec::new();
    for id in partitions {
        match topics.last_mut().filter(|last| last.topic_id == id.topic) {
            Some(last) => last.partitions.push(id.partition),
            None => {
                let Some(topic) = image.topics.get(&id.topic) else { continue };
                let partitions = vec![id.partition];
                topics.push(DescribedPartitions { topic_id: id.topic, topic: topic.name.clone(), partitions });
            }
        }
    }
    topics
}
