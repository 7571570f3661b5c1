//! What connections need to know of topics: the settings that a batch is validated against.
//!
//! Connections hold a directory for as long as they decode a request, and every change of a topic makes another one. So directories share
//! what they have in common: a map is cut into shards by a hash of its keys, a copy shares every shard, and a change copies one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::boundary::TopicRef;
use crate::config::TopicSettings;
use crate::ids::{TopicId, TopicName};

/// Shards of a map: with 100,000 topics a change copies 400 entries, and a copy of the directory takes as many steps.
const SHARDS: u32 = 256;

/// The settings of every topic, by its name and by its id. Published after each step that says [`metadata_changed`]. Cheap to clone.
///
/// [`metadata_changed`]: crate::boundary::Effects::metadata_changed
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopicDirectory {
    by_name: Shards<TopicName>,
    by_id: Shards<TopicId>,
}

impl TopicDirectory {
    /// The settings of a topic; none of one that is not known.
    #[must_use]
    pub fn settings_of(&self, topic: &TopicRef) -> Option<&Arc<TopicSettings>> {
        match topic {
            TopicRef::Name(name) => self.by_name.get(name),
            TopicRef::Id(id) => self.by_id.get(id),
        }
    }

    /// The settings of the topic with this id; none of one that is not known.
    #[must_use]
    pub fn get(&self, id: TopicId) -> Option<&Arc<TopicSettings>> {
        self.by_id.get(&id)
    }

    /// Takes in a topic, or what its settings have become.
    pub(super) fn insert(&mut self, name: TopicName, id: TopicId, settings: Arc<TopicSettings>) {
        self.by_name.shard_mut(&name).insert(name, Arc::clone(&settings));
        self.by_id.shard_mut(&id).insert(id, settings);
    }

    /// Forgets a topic.
    pub(super) fn remove(&mut self, name: &TopicName, id: TopicId) {
        self.by_name.shard_mut(name).remove(name);
        self.by_id.shard_mut(&id).remove(&id);
    }
}

/// A map in shards that its copies share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>"))]
struct Shards<K> {
    shards: Vec<Arc<BTreeMap<K, Arc<TopicSettings>>>>,
}

impl<K> Default for Shards<K> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect() }
    }
}

impl<K: Key> Shards<K> {
    fn get(&self, key: &K) -> Option<&Arc<TopicSettings>> {
        self.shards.get(shard_of(key))?.get(key)
    }

    fn shard_mut(&mut self, key: &K) -> &mut BTreeMap<K, Arc<TopicSettings>> {
        Arc::make_mut(self.shards.get_mut(shard_of(key)).expect("there is a shard for every hash"))
    }
}

trait Key: Ord + Clone {
    fn bytes(&self) -> &[u8];
}

impl Key for TopicName {
    fn bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl Key for TopicId {
    fn bytes(&self) -> &[u8] {
        &self.0.0
    }
}

/// FNV-1a, the same everywhere.
fn shard_of(key: &impl Key) -> usize {
    let hash = key.bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    usize::try_from((hash ^ (hash >> 16)) % SHARDS).expect("there are few shards")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfigs;
    use crate::ids::Uuid;

    fn topic(number: u128) -> (TopicName, TopicId) {
        (format!("t{number}").as_str().into(), TopicId(Uuid(number.to_be_bytes())))
    }

    fn directory_of(topics: u128) -> TopicDirectory {
        let settings = Arc::new(TopicSettings::resolve(&BTreeMap::new(), &BrokerConfigs::default()));
        let mut directory = TopicDirectory::default();
        for (name, id) in (0..topics).map(topic) {
            directory.insert(name, id, Arc::clone(&settings));
        }
        directory
    }

    #[test]
    fn a_topic_is_found_by_its_name_and_by_its_id_until_it_is_removed() {
        let mut directory = directory_of(1_000);
        let (name, id) = topic(7);
        assert!(directory.settings_of(&TopicRef::Name(name.clone())).is_some() && directory.settings_of(&TopicRef::Id(id)).is_some());
        directory.remove(&name, id);
        assert_eq!((directory.settings_of(&TopicRef::Name(name)), directory.get(id)), (None, None));
        assert!(directory.get(topic(8).1).is_some());
    }

    #[test]
    fn a_change_copies_little_of_what_connections_hold() {
        let mut directory = directory_of(10_000);
        let published = directory.clone();
        let (name, id) = topic(10_000);
        directory.insert(name, id, Arc::clone(published.get(topic(0).1).unwrap()));
        let is_shared = |(one, other): &(&Arc<BTreeMap<_, _>>, &Arc<BTreeMap<_, _>>)| Arc::ptr_eq(one, other);
        assert_eq!(directory.by_id.shards.iter().zip(&published.by_id.shards).filter(is_shared).count(), 255);
        assert!(directory.by_id.shards.iter().all(|shard| shard.len() < 200), "they are spread over the shards");
        assert_eq!((directory.get(id).is_some(), published.get(id)), (true, None));
    }
}
