//! What the members of a group subscribe to, counted, so that the group knows what all of them do without asking each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::KeptSubscriber;
use crate::ids::TopicName;

/// Topics and regular expressions, each with how many members subscribe to or by it: at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interest {
    topics: BTreeMap<TopicName, usize>,
    patterns: BTreeMap<String, usize>,
}

impl Interest {
    /// A member subscribes.
    pub(super) fn add(&mut self, said: &KeptSubscriber) {
        said.topics.iter().for_each(|topic| *self.topics.entry(topic.clone()).or_default() += 1);
        said.pattern.iter().for_each(|pattern| *self.patterns.entry(pattern.clone()).or_default() += 1);
    }

    /// A member does no longer.
    pub(super) fn remove(&mut self, said: &KeptSubscriber) {
        said.topics.iter().for_each(|topic| remove_one(&mut self.topics, topic));
        said.pattern.iter().for_each(|pattern| remove_one(&mut self.patterns, pattern));
    }

    /// The topics that any names.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.keys()
    }

    /// Whether any names a topic.
    pub(super) fn names(&self, topic: &TopicName) -> bool {
        self.topics.contains_key(topic)
    }

    /// The expressions that any subscribes by.
    pub(super) fn patterns(&self) -> impl ExactSizeIterator<Item = &String> {
        self.patterns.keys()
    }

    /// How many subscribe by an expression.
    pub(super) fn users(&self, pattern: &str) -> usize {
        self.patterns.get(pattern).copied().unwrap_or_default()
    }
}

fn remove_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    let count = counts.get_mut(key).expect("what is taken back was counted");
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}
