//! Commands for the controller: decided at once, answered once the metadata log has committed what was decided.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Broker;
use crate::boundary::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, Effects, IncrementalAlterConfigsRequest, MetadataRequest, NewTopic, Reply, RequestContext,
    Response, TopicRef,
};
use crate::controller::Controller;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{RequestId, TopicPartition};
use crate::metadata::MetadataRecord;

/// What happens once a decision is committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// Nobody waits.
    Nothing,
    /// A client is answered.
    Reply(Reply),
    /// Topics were created for a Metadata request: it is answered with them.
    Metadata(RequestId, RequestContext, MetadataRequest),
    /// Producer ids from here on are this broker's to give out.
    ProducerIds(i64),
}

impl Broker {
    pub(super) fn create_topics(&mut self, id: RequestId, request: CreateTopicsRequest, effects: &mut Effects) {
        let Some(controller) = &self.controller else {
            let refuse = |topic: NewTopic| (topic.name, Err(ErrorCode::NotController.into()));
            let topics = request.topics.into_iter().map(refuse).collect();
            return effects.replies.push(Reply { id, response: Response::CreateTopics(CreateTopicsResponse { topics }) });
        };
        let (records, topics) = controller.create_topics(&request.topics, &self.configs, &mut self.random);
        let records = if request.validate_only { Vec::new() } else { records };
        self.commit(&records, Outcome::Reply(Reply { id, response: Response::CreateTopics(CreateTopicsResponse { topics }) }), effects);
    }

    pub(super) fn create_partitions(&mut self, id: RequestId, request: CreatePartitionsRequest, effects: &mut Effects) {
        let (records, topics) = match &self.controller {
            Some(controller) => {
                let (records, topics) = controller.create_partitions(&request.topics);
                (records, topics.into_iter().map(|(topic, outcome)| (topic, outcome.err())).collect())
            }
            None => (Vec::new(), request.topics.into_iter().map(|topic| (topic.name, not_controller())).collect()),
        };
        let records = if request.validate_only { Vec::new() } else { records };
        let response = Response::CreatePartitions(CreatePartitionsResponse { topics });
        self.commit(&records, Outcome::Reply(Reply { id, response }), effects);
    }

    pub(super) fn delete_topics(&mut self, id: RequestId, request: &DeleteTopicsRequest, effects: &mut Effects) {
        let is_enabled = self.configs.boolean("delete.topic.enable");
        let with_misnamed = |topics: Vec<_>| [request.misnamed.as_slice(), &topics].concat();
        let Some(controller) = &self.controller else {
            let none = Controller::default();
            let (_, mut topics) = none.delete_topics(&request.topics, true);
            topics.iter_mut().for_each(|topic| topic.error = not_controller());
            let response = Response::DeleteTopics(DeleteTopicsResponse { topics: with_misnamed(topics) });
            return effects.replies.push(Reply { id, response });
        };
        let (records, topics) = controller.delete_topics(&request.topics, is_enabled);
        let response = Response::DeleteTopics(DeleteTopicsResponse { topics: with_misnamed(topics) });
        self.commit(&records, Outcome::Reply(Reply { id, response }), effects);
    }

    pub(super) fn alter_configs(&mut self, id: RequestId, request: AlterConfigsRequest, effects: &mut Effects) {
        let (records, resources) = match &self.controller {
            Some(controller) => controller.alter_configs(&request.resources, self.settings.node, &self.configs),
            None => (Vec::new(), request.resources.into_iter().map(|(resource, _)| (resource, not_controller())).collect()),
        };
        let records = if request.validate_only { Vec::new() } else { records };
        let response = Response::AlterConfigs(AlterConfigsResponse { resources });
        self.commit(&records, Outcome::Reply(Reply { id, response }), effects);
    }

    pub(super) fn incremental_alter_configs(&mut self, id: RequestId, request: IncrementalAlterConfigsRequest, effects: &mut Effects) {
        let (records, resources) = match &self.controller {
            Some(controller) => controller.incremental_alter_configs(&request.resources, self.settings.node, &self.configs),
            None => (Vec::new(), request.resources.into_iter().map(|(resource, _)| (resource, not_controller())).collect()),
        };
        let records = if request.validate_only { Vec::new() } else { records };
        let response = Response::AlterConfigs(AlterConfigsResponse { resources });
        self.commit(&records, Outcome::Reply(Reply { id, response }), effects);
    }

    /// Metadata: at once, or after the topics that it may create have been.
    pub(super) fn metadata(&mut self, id: RequestId, context: RequestContext, mut request: MetadataRequest, effects: &mut Effects) {
        if let Some(topics) = &mut request.topics {
            let mut seen = BTreeSet::new();
            topics.retain(|topic| seen.insert(topic.clone()));
        }
        let missing = self.topics_to_create(&request);
        let created = match &self.controller {
            Some(controller) if !missing.is_empty() => controller.create_topics(&missing, &self.configs, &mut self.random).0,
            Some(_) | None => Vec::new(),
        };
        if created.is_empty() {
            let response = Response::Metadata(self.describe_metadata(&context, &request));
            return effects.replies.push(Reply { id, response });
        }
        self.commit(&created, Outcome::Metadata(id, context, request), effects);
    }

    fn topics_to_create(&self, request: &MetadataRequest) -> Vec<NewTopic> {
        if !request.allow_auto_topic_creation || !self.configs.boolean("auto.create.topics.enable") {
            return Vec::new();
        }
        let missing = request.topics.iter().flatten().filter_map(|topic| match topic {
            TopicRef::Name(name) if !self.image.topic_ids.contains_key(name) => Some(name.clone()),
            TopicRef::Name(_) | TopicRef::Id(_) => None,
        });
        let as_asked = |name| NewTopic { name, partition_count: -1, replication_factor: -1, assignments: Vec::new(), configs: Vec::new() };
        missing.map(as_asked).collect()
    }

    /// Appends what the controller decided, replays it into the controller's state, and holds the outcome until it is committed.
    pub(super) fn commit(&mut self, records: &[MetadataRecord], outcome: Outcome, effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return self.finish(outcome, effects) };
        if !records.is_empty() {
            let (first, storage) = metadata.append(records, self.quorum.quorum_epoch(), self.now.wall);
            effects.storage.extend(storage);
            let controller = self.controller.as_mut().expect("only the controller decides records");
            for (record, offset) in records.iter().zip(first.0..) {
                controller.replay(crate::offset::Offset(offset), record);
            }
        }
        let created = records.iter().filter_map(MetadataRecord::new_partition).collect();
        self.decided.hold(metadata.log().end(), (created, outcome));
        self.finish_committed(effects);
    }

    /// Lets outcomes leave whose decisions are committed.
    pub(super) fn finish_committed(&mut self, effects: &mut Effects) {
        let Some(high_watermark) = self.metadata.as_ref().map(crate::metadata::MetadataLog::high_watermark) else { return };
        while let Some((created, outcome)) = self.decided.pop_committed(high_watermark) {
            let unopened: BTreeSet<_> = created.into_iter().filter(|id| self.opening.contains(id)).collect();
            if unopened.is_empty() {
                self.finish(outcome, effects);
            } else {
                self.unopened.push((unopened, outcome));
            }
        }
    }

    /// A partition's log is open, or never will be: outcomes leave that waited for it last.
    pub(super) fn no_longer_opening(&mut self, id: TopicPartition, effects: &mut Effects) {
        if !self.opening.remove(&id) {
            return;
        }
        self.unopened.iter_mut().for_each(|(unopened, _)| {
            unopened.remove(&id);
        });
        let ready = self.unopened.extract_if(.., |(unopened, _)| unopened.is_empty()).map(|(_, outcome)| outcome);
        for outcome in ready.collect::<Vec<_>>() {
            self.finish(outcome, effects);
        }
    }

    fn finish(&mut self, outcome: Outcome, effects: &mut Effects) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Reply(reply) => effects.replies.push(reply),
            Outcome::Metadata(id, context, request) => {
                let response = Response::Metadata(self.describe_metadata(&context, &request));
                effects.replies.push(Reply { id, response });
            }
            Outcome::ProducerIds(first) => self.producer_ids_granted(first, effects),
        }
    }
}

fn not_controller() -> Option<ApiError> {
    Some(ErrorCode::NotController.into())
}
