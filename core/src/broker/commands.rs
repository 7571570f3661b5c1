//! Commands of clients that the controller decides.

use std::collections::BTreeSet;

use super::Broker;
use super::calls::Purpose;
use crate::boundary::{ControllerCommand, Effects, MetadataRequest, NewTopic, RequestContext, TopicRef};
use crate::config::ConfigSource;
use crate::ids::RequestId;
use crate::limits::METADATA_REQUEST_MS_MAX;

impl Broker {
    /// A client's command: answered by the controller.
    pub(super) fn command(&mut self, id: RequestId, command: ControllerCommand, timeout_ms: i32, effects: &mut Effects) {
        self.call(Purpose::Reply(id), command, Some(timeout_ms), effects);
    }

    /// Metadata: at once, or after the topics that it may create have been.
    pub(super) fn metadata(&mut self, id: RequestId, context: RequestContext, mut request: MetadataRequest, effects: &mut Effects) {
        if let Some(topics) = &mut request.topics {
            let mut seen = BTreeSet::new();
            topics.retain(|topic| seen.insert(topic.clone()));
        }
        let missing = self.topics_to_create(&request);
        if missing.is_empty() {
            return self.answer_metadata_request(id, context, request, effects);
        }
        let purpose = Purpose::Metadata(id, context, request);
        self.call(purpose, ControllerCommand::AutoCreateTopics(missing), Some(METADATA_REQUEST_MS_MAX), effects);
    }

    fn topics_to_create(&self, request: &MetadataRequest) -> Vec<NewTopic> {
        if !request.allow_auto_topic_creation || !self.configs.boolean("auto.create.topics.enable") {
            return Vec::new();
        }
        let missing = request.topics.iter().flatten().filter_map(|topic| match topic {
            TopicRef::Name(name) if !self.image.topic_ids.contains_key(name) => Some(name.clone()),
            TopicRef::Name(_) | TopicRef::Id(_) => None,
        });
        // What this broker was told; what it was not is the controller's to say.
        let told =
            |name: &str| self.configs.effective(name).filter(|(_, source)| *source != ConfigSource::Default).map(|_| self.configs.whole(name));
        let partition_count = told("num.partitions").map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX));
        let replication_factor = told("default.replication.factor").map_or(-1, |factor| i16::try_from(factor).unwrap_or(i16::MAX));
        let as_asked = |name| NewTopic { name, partition_count, replication_factor, assignments: Vec::new(), configs: Vec::new() };
        missing.map(as_asked).collect()
    }
}
