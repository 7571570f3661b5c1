//! Who is to get what: the assignors of the consumer protocol.
//!
//! Both are pure, and give the same for the same, in whatever order it came about. Their work grows with the partitions and the subscriptions
//! (times a logarithm), and is done in the step that decides it, once in a while at most for whoever comes and goes: a thousand members with a
//! hundred topics of a hundred partitions took 30 ms in a build for tests.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::Partitions;
use crate::ids::{PartitionIndex, TopicId, TopicPartition};

/// A member, as assignors see it.
#[derive(Debug)]
pub(super) struct Subscriber<'a> {
    /// Its own name for itself, if it is a static member.
    pub(super) instance_id: Option<&'a str>,
    /// The topics that it subscribes to, and that there are. Members that subscribe to the same may share them.
    pub(super) topics: Rc<BTreeSet<TopicId>>,
    /// What it was to get before.
    pub(super) held: &'a Partitions,
}

/// How many partitions a topic has.
pub(super) type Counts = BTreeMap<TopicId, i32>;

/// An assignor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Assignor {
    /// As many partitions for everyone as can be, and as few that move.
    Uniform,
    /// Of each topic a range for everyone, the same of all topics that have as many partitions.
    Range,
}

impl Assignor {
    /// All, Kafka's default first.
    pub(in crate::group) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// Kafka's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(in crate::group) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// What each member is to get, in their order, which is that of their ids.
    pub(super) fn assign(self, members: &[Subscriber<'_>], counts: &Counts) -> Vec<Partitions> {
        match self {
            Self::Uniform => uniform::assign(members, counts),
            Self::Range => range::assign(members, counts),
        }
    }
}

/// The topics, if all subscribe to the same.
fn common_topics<'a>(members: &'a [Subscriber<'_>]) -> Option<&'a BTreeSet<TopicId>> {
    let (first, others) = members.split_first()?;
    let is_same = |other: &Subscriber<'_>| Rc::ptr_eq(&first.topics, &other.topics) || first.topics == other.topics;
    others.iter().all(is_same).then(|| first.topics.as_ref())
}

fn partitions_of(topic: TopicId, counts: &Counts) -> impl Iterator<Item = TopicPartition> {
    let count = counts.get(&topic).copied().unwrap_or_default();
    (0..count).map(move |partition| TopicPartition { topic, partition: PartitionIndex(partition) })
}

#[cfg(test)]
mod tests;
