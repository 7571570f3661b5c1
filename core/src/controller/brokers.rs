//! Brokers: registration and unfencing (KIP-631).

use super::Controller;
use crate::broker::BrokerSettings;
use crate::epoch::LeaderEpoch;
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::{Image, MetadataRecord};

impl Controller {
    /// Registers a broker that has started. It stays fenced until it has opened its logs.
    #[must_use]
    pub fn register_broker(&self, broker: &BrokerSettings) -> Vec<MetadataRecord> {
        vec![MetadataRecord::RegisterBroker {
            node: broker.node,
            incarnation: broker.incarnation,
            directory: broker.directory,
            rack: broker.rack.clone(),
            endpoints: broker.endpoints.clone(),
        }]
    }

    /// Lets a broker lead what it can. Every partition gets a new leader epoch, also where the leader is the one it had: what that one
    /// appended in its former life may be gone, and no epoch may stand for two histories.
    #[must_use]
    pub fn unfence_broker(&self, node: NodeId) -> Vec<MetadataRecord> {
        let mut records = vec![MetadataRecord::UnfenceBroker { node }];
        records.extend(led_by(self.image(), node).map(|(id, leader_epoch)| MetadataRecord::LeaderChange {
            id,
            leader: Some(node),
            leader_epoch: leader_epoch.next(),
        }));
        records
    }
}

/// Partitions that `node` is to lead, with the epoch that they are in.
fn led_by(image: &Image, node: NodeId) -> impl Iterator<Item = (TopicPartition, LeaderEpoch)> + '_ {
    image.topics.iter().flat_map(move |(topic, registered)| {
        let partitions = registered.partitions.iter();
        partitions
            .filter(move |(_, partition)| partition.isr.contains(&node) && partition.leader.is_none_or(|leader| leader == node))
            .map(move |(index, partition)| (TopicPartition { topic: *topic, partition: *index }, partition.leader_epoch))
    })
}
