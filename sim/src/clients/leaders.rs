//! Where a client turns to in a cluster: who leads what, and when it is time to go on at another node.
//!
//! A client has one connection at a time. It uses what is led there, as far as it knows, and moves when that is nothing, when it is told that it
//! is wrong, or by chance.

use std::time::Duration;

use gracchus_core::ids::{NodeId, PartitionIndex, TopicId, TopicPartition, Uuid};
use gracchus_net::client::WireError;
use kafka_wire::MetadataRequest;
use madsim::time::sleep;

use super::{Client, Lost, Outcome, Topic, Wire};

/// Chance in a million, at each choice of a partition, that it is any, whoever leads it.
const ASTRAY_PER_MILLION: u32 = 10_000;
/// Chance in a million, at each choice of a partition, that the client moves.
const MOVES_PER_MILLION: u32 = 15_000;
/// Longest pause before a client goes on at another node, in milliseconds.
const MOVE_MS_MAX: u64 = 60;

/// Why a client's work at a node is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The connection was lost, and nobody knows what became of what was asked.
    Lost,
    /// It goes on at another node.
    ForAnother,
    /// It has come to its end.
    ForGood,
}

/// Who leads a partition, as some node has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownLeader {
    epoch: i32,
    node: Option<NodeId>,
}

impl Client {
    /// The node that leads a partition, as far as is known.
    pub(super) fn leader_of(&self, partition: TopicPartition) -> Option<NodeId> {
        self.leaders.get(&partition).and_then(|known| known.node)
    }

    /// The node to connect to.
    pub(super) fn choose_node(&mut self) -> NodeId {
        match (self.surroundings.servers.as_slice(), self.moving.take().flatten()) {
            ([only], _) => *only,
            (_, Some(wanted)) => wanted,
            (_, None) => self.draw.pick(&self.surroundings.servers.clone()),
        }
    }

    /// Looks around at a node that it has connected to.
    pub(super) async fn arrive(&mut self, mut wire: Wire) -> Result<Wire, Lost> {
        self.node = wire.node();
        if self.surroundings.is_cluster() {
            self.learn_leaders(&mut wire).await?;
        }
        Ok(wire)
    }

    /// Asks who leads what.
    pub(super) async fn learn_leaders(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let mut request = MetadataRequest::default();
        request.topics = None;
        let response = wire.ask(wire.version::<MetadataRequest>()?, &request).await?;
        self.surroundings.count("metadata", Outcome::Done);
        for topic in &response.topics {
            for partition in &topic.partitions {
                let topic = TopicId(Uuid(topic.topic_id.to_bytes()));
                let id = TopicPartition { topic, partition: PartitionIndex(partition.partition_index) };
                let told = KnownLeader { epoch: partition.leader_epoch, node: Some(NodeId(partition.leader_id)).filter(|node| node.0 >= 0) };
                let known = self.leaders.entry(id).or_insert(told);
                // A node that lags behind does not take a client back to who led before (KIP-320).
                if told.epoch >= known.epoch {
                    *known = told;
                }
            }
        }
        Ok(())
    }

    /// Whether a partition is led where the client is, as far as it knows.
    pub(super) fn is_led_here(&self, partition: TopicPartition) -> bool {
        !self.surroundings.is_cluster() || self.leader_of(partition) == Some(self.node)
    }

    /// A partition of these topics that is led here; any, where none is.
    pub(super) fn pick_led_here(&mut self, topics: &[Topic]) -> (Topic, i32) {
        if !self.surroundings.is_cluster() || self.draw.chance(ASTRAY_PER_MILLION) {
            return self.pick_of(topics);
        }
        if self.draw.chance(MOVES_PER_MILLION) {
            self.move_on(None);
        }
        let of = |topic: &Topic| (0..topic.partitions).map(|index| (topic.clone(), index)).collect::<Vec<_>>();
        let led: Vec<(Topic, i32)> = topics.iter().flat_map(of).filter(|(topic, index)| self.is_led_here(topic.partition(*index))).collect();
        if led.is_empty() {
            self.move_on(None);
            return self.pick_of(topics);
        }
        self.draw.pick(&led)
    }

    /// Goes on at another node when what is under way is answered: the leader of this partition, or any.
    pub(super) fn move_on(&mut self, to_leader_of: Option<TopicPartition>) {
        let wanted = to_leader_of.and_then(|partition| self.leader_of(partition));
        if self.surroundings.is_cluster() {
            self.moving = Some(wanted.filter(|node| *node != self.node));
        }
    }

    /// Goes on at this node when what is under way is answered.
    pub(super) fn move_to(&mut self, node: NodeId) {
        self.moving = Some(Some(node));
    }

    /// Whether it wants to go on at another node.
    pub(super) fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// Takes that a node has answered so: it may know better who leads what.
    pub(super) fn heed(&mut self, error: WireError) {
        if error.wants_metadata() || error == NOT_ENOUGH_REPLICAS {
            self.move_on(None);
        }
    }

    /// What follows when a client's work at a node is over.
    pub(super) async fn leave(&mut self, worked: Result<(), Lost>) -> Left {
        match worked {
            Err(Lost) => Left::Lost,
            Ok(()) if self.surroundings.is_stopping() => Left::ForGood,
            Ok(()) => {
                sleep(Duration::from_millis(1 + self.draw.below(MOVE_MS_MAX))).await;
                Left::ForAnother
            }
        }
    }
}

const NOT_ENOUGH_REPLICAS: WireError = WireError(19);
