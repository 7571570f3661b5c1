//! A request whose parts are answered one by one: the join of its partitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::TopicPartition;
use crate::offset::Offset;

/// A request's answer while some of its parts wait. `K` names a topic, `P` is a partition's part of the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Join<K, P> {
    /// The answer so far, in the order of the request.
    pub(super) topics: Vec<(K, Vec<P>)>,
    waiting: BTreeMap<u32, Place>,
}

/// A part that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    topic_at: usize,
    partition_at: usize,
    /// The partition that it waits for.
    pub(super) id: TopicPartition,
    /// The offset that is to be reached.
    pub(super) upto: Offset,
}

impl<K, P> Join<K, P> {
    /// A join for a request of so many topics.
    pub(super) fn new(topics: usize) -> Self {
        Self { topics: Vec::with_capacity(topics), waiting: BTreeMap::new() }
    }

    /// Begins the next topic.
    pub(super) fn begin_topic(&mut self, topic: K, partitions: usize) {
        self.topics.push((topic, Vec::with_capacity(partitions)));
    }

    /// Adds a part to the topic begun last; its answer is known.
    pub(super) fn push(&mut self, part: P) {
        let (_, parts) = self.topics.last_mut().expect("a part belongs to a topic that was begun");
        parts.push(part);
    }

    /// Lets the part added last wait; returns its slot.
    pub(super) fn wait(&mut self, id: TopicPartition, upto: Offset) -> u32 {
        let topic_at = self.topics.len() - 1;
        let partition_at = self.topics.last().map_or(0, |(_, parts)| parts.len() - 1);
        let slot = u32::try_from(self.waiting.len()).expect("a frame names fewer than 2^32 partitions");
        self.waiting.insert(slot, Place { topic_at, partition_at, id, upto });
        slot
    }

    /// Ends the wait of a part, and gives its answer to be changed. None if it did not wait.
    pub(super) fn done(&mut self, slot: u32) -> Option<&mut P> {
        let place = self.waiting.remove(&slot)?;
        let (_, parts) = self.topics.get_mut(place.topic_at)?;
        parts.get_mut(place.partition_at)
    }

    /// Whether no part waits.
    pub(super) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The parts that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u32, Place)> + '_ {
        self.waiting.iter().map(|(slot, place)| (*slot, *place))
    }
}
