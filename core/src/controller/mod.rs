//! The controller: decides every change of the cluster's metadata.
//!
//! It exists on the leader of the metadata quorum alone. A command is decided against the image with everything appended so far, committed or
//! not; the records that follow from it are appended and replayed at once. Its methods return records and outcomes and touch nothing else.

mod brokers;
mod configs;
mod elections;
mod features;
mod in_sync;
mod leadership;
mod partitions;
mod reassignments;
mod sessions;
mod topics;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::sessions::Sessions;
pub use topics::check_name;

use crate::config::BrokerConfigs;
use crate::error::{ApiError, ErrorCode};
use crate::ids::TopicName;
use crate::limits::PRODUCER_ID_BLOCK;
use crate::metadata::{FEATURES, Image, MetadataRecord};
use crate::offset::Offset;
use crate::time::{Monotonic, Wait};

/// The active controller.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Controller {
    image: Image,
    /// Names with a dot or an underscore, by their form with underscores alone: metrics of Kafka's tools can't tell those apart.
    flat_names: BTreeMap<String, BTreeSet<TopicName>>,
    sessions: Sessions,
    session_timeout: Wait,
}

impl Controller {
    /// A controller that starts from the metadata log's end. Brokers that are not fenced have a session from `now` on.
    #[must_use]
    pub fn new(image: Image, session_timeout: Wait, now: Monotonic) -> Self {
        let mut controller = Self { session_timeout, ..Self::default() };
        for (node, _) in image.brokers.iter().filter(|(_, broker)| !broker.is_fenced) {
            controller.sessions.renew(*node, now, session_timeout);
        }
        image.topic_ids.keys().for_each(|name| controller.index_name(name));
        controller.image = image;
        controller
    }

    /// Takes a record that was appended at `offset`.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) {
        if let MetadataRecord::RemoveTopic { id } = record
            && let Some(topic) = self.image.topics.get(id)
            && let Some(names) = self.flat_names.get_mut(&flat(&topic.name))
        {
            names.remove(&topic.name);
        }
        if let MetadataRecord::Topic { name, .. } = record {
            self.index_name(name);
        }
        self.image.replay(offset, record);
    }

    fn index_name(&mut self, name: &TopicName) {
        if name.as_str().contains(['.', '_']) {
            self.flat_names.entry(flat(name)).or_default().insert(name.clone());
        }
    }

    /// A topic whose name Kafka's tools could not tell from this one.
    fn colliding_with(&self, name: &TopicName) -> Option<&TopicName> {
        self.flat_names.get(&flat(name))?.first()
    }

    /// The image with everything appended so far.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Hands out producer ids: the first of a block, and the record that makes it so.
    ///
    /// # Errors
    /// All ids are given out.
    pub fn allocate_producer_ids(&self) -> Result<(i64, MetadataRecord), ApiError> {
        let first = self.image.next_producer_id;
        let next =
            first.checked_add(PRODUCER_ID_BLOCK).ok_or_else(|| ApiError::new(ErrorCode::UnknownServerError, "producer ids are exhausted"))?;
        Ok((first, MetadataRecord::ProducerIds { next }))
    }

    /// The records that finalise the features that the folder was formatted with, on a log that has none yet. What this release does not
    /// keep up to the level asked for is finalised at the level that it keeps: nothing is promised to clients that nobody does.
    #[must_use]
    pub fn bootstrap(&self, features: &BTreeMap<String, i16>, defaults: &BrokerConfigs) -> Vec<MetadataRecord> {
        if !self.image.features.is_empty() {
            return Vec::new();
        }
        let kept = FEATURES.iter().filter_map(|feature| Some((feature, (*features.get(feature.name)?).min(feature.level_max))));
        let finalised = kept.filter(|(_, level)| *level > 0);
        let finalised = finalised.map(|(feature, level)| MetadataRecord::Feature { name: feature.name.to_owned(), level }).collect();
        self.with_consequences(finalised, defaults)
    }
}

fn flat(name: &TopicName) -> String {
    name.as_str().replace('.', "_")
}
