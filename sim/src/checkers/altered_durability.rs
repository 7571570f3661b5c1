//! What is acknowledged in a topic that has been altered to `flushed` survives a power loss: from the alteration's acknowledgement on, for
//! batches that are sent after it, until an alteration back is sent.
//!
//! A topic that is `flushed` all along is for AckedIsDurable to watch; here it is only what comes of altering. Of one node alone: in a cluster a
//! node may have yet to hear of an alteration.

use std::collections::BTreeMap;

use gracchus_core::boundary::{
    Acks, AlterConfigsResponse, ConfigChange, ConfigResource, Effects, IncrementalAlterConfigsRequest, Input, ProduceRequest, Request,
    Response, TopicRef,
};
use gracchus_core::ids::{NodeId, PartitionIndex, RequestId, TopicName, TopicPartition};
use gracchus_core::offset::Offset;

use super::topic_book::TopicBook;
use super::{Acked, Violation};

/// Counts alterations: a batch is owed to the one that it was sent under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alteration(u64);

/// A batch that was sent under an alteration: where to, and the offset of its last record, counted from its first.
#[derive(Clone, Debug)]
struct Sent {
    partition: TopicPartition,
    last_offset_delta: i32,
    under: Alteration,
}

#[derive(Debug, Default)]
pub(super) struct AlteredDurability {
    alterations: u64,
    /// Alterations to `flushed` that are not answered.
    asked: BTreeMap<(NodeId, RequestId), Vec<TopicName>>,
    /// Topics that were altered to `flushed`, with the latest such alteration.
    flushed: BTreeMap<TopicName, Alteration>,
    /// Batches that are not answered, and whether all that are in sync are to have them.
    sent: BTreeMap<(NodeId, RequestId), (bool, Vec<Sent>)>,
    /// How far each partition has to be there after a power loss.
    owed: BTreeMap<TopicPartition, Offset>,
}

impl AlteredDurability {
    pub(super) fn step(&mut self, input: &Input, effects: &Effects, acked: &mut Acked<'_>) -> Result<(), Violation> {
        let node = acked.node;
        match input {
            Input::Request { id, request: Request::IncrementalAlterConfigs(request), .. } => self.alter((node, *id), request),
            Input::Request { id, request: Request::Produce(request), .. } if request.acks != Ok(Acks::None) => {
                let sent = self.sent_under_alterations(request, acked.topics);
                self.sent.insert((node, *id), (request.acks == Ok(Acks::All), sent));
            }
            Input::Disconnected(connection) => {
                self.asked.retain(|(asked, id), _| *asked != node || id.connection != *connection);
                self.sent.retain(|(asked, id), _| *asked != node || id.connection != *connection);
            }
            Input::Start
            | Input::Peer { .. }
            | Input::PeerLost(_)
            | Input::PeerRefused(_)
            | Input::Request { .. }
            | Input::Storage(_)
            | Input::ControllersFound(_)
            | Input::Deadline
            | Input::Stop => {}
        }
        for reply in &effects.replies {
            if let Response::AlterConfigs(response) = &reply.response {
                self.altered((node, reply.id), response);
            }
            let Response::Produce(response) = &reply.response else { continue };
            let (needs_all, sent) = self.sent.remove(&(node, reply.id)).unwrap_or_default();
            for (topic, produced) in response.topics.iter().flat_map(|(topic, parts)| parts.iter().map(move |part| (topic, part))) {
                let (Ok(at), Some(partition)) = (&produced.result, find(acked.topics, topic, produced.partition)) else { continue };
                let Some(sent) = sent.iter().find(|sent| sent.partition == partition) else { continue };
                let end = at.base_offset.plus(i64::from(sent.last_offset_delta) + 1);
                self.acked(sent, end, needs_all, acked)?;
            }
        }
        Ok(())
    }

    /// A process has ended: it answers nothing any more. What became of an alteration back is unknown, and it ended its promise when it
    /// was sent.
    pub(super) fn forget_requests(&mut self, node: NodeId) {
        self.asked.retain(|(asked, _), _| *asked != node);
        self.sent.retain(|(asked, _), _| *asked != node);
    }

    /// A power loss has left a log that ends at `kept`.
    pub(super) fn power_lost(&mut self, partition: TopicPartition, kept: Offset) -> Result<(), Violation> {
        match self.owed.get(&partition) {
            Some(&owed) if owed > kept => {
                let what = format!("{partition} ends at {kept} after a power loss, and was acknowledged to {owed} while it was flushed");
                Err(Violation::safety("AlteredDurability", what))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An empty disk owes nothing, and topics are made anew on it.
    pub(super) fn forget(&mut self) {
        *self = Self { alterations: self.alterations, ..Self::default() };
    }

    fn alter(&mut self, id: (NodeId, RequestId), request: &IncrementalAlterConfigsRequest) {
        for (resource, changes) in &request.resources {
            let ConfigResource::Topic(name) = resource else { continue };
            if let Some(value) = changes.iter().find_map(durability) {
                self.flushed.remove(name);
                if value == "flushed" {
                    self.asked.entry(id).or_default().push(name.clone());
                }
            }
        }
    }

    fn altered(&mut self, id: (NodeId, RequestId), response: &AlterConfigsResponse) {
        for name in self.asked.remove(&id).unwrap_or_default() {
            let is_done =
                response.resources.iter().any(|(resource, error)| *resource == ConfigResource::Topic(name.clone()) && error.is_none());
            // Another alteration that came in meanwhile may hold instead.
            let is_latest = !self.asked.values().flatten().any(|other| *other == name);
            if is_done && is_latest {
                self.alterations += 1;
                self.flushed.insert(name, Alteration(self.alterations));
            }
        }
    }

    fn sent_under_alterations(&self, request: &ProduceRequest, topics: &TopicBook) -> Vec<Sent> {
        let parts = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |part| (&topic.topic, part)));
        let sent = parts.filter_map(|(topic, part)| {
            let partition = find(topics, topic, part.partition)?;
            let under = *self.flushed.get(&topics.get(partition)?.name)?;
            Some(Sent { partition, last_offset_delta: part.batch.as_ref().ok()?.header.last_offset_delta, under })
        });
        sent.collect()
    }

    fn acked(&mut self, sent: &Sent, end: Offset, needs_all: bool, acked: &mut Acked<'_>) -> Result<(), Violation> {
        let Some(topic) = acked.topics.get(sent.partition) else { return Ok(()) };
        if self.flushed.get(&topic.name) != Some(&sent.under) || acked.excused.has(sent.partition) {
            return Ok(());
        }
        // A node may have yet to hear of the alteration, in a cluster: then it goes by the old one.
        if acked.disks.len() > 1 {
            return Ok(());
        }
        let (durable, _) = acked.durable_end(sent.partition, &topic.name, needs_all);
        if end > durable {
            let what = format!("{} was altered to flushed and is acknowledged to {end}, and on disk to {durable}", sent.partition);
            return Err(Violation::safety("AlteredDurability", what));
        }
        let owed = self.owed.entry(sent.partition).or_default();
        *owed = (*owed).max(end);
        Ok(())
    }
}

fn durability(change: &ConfigChange) -> Option<&str> {
    (change.name == "durability").then(|| change.value.as_deref().unwrap_or_default())
}

fn find(topics: &TopicBook, topic: &TopicRef, partition: PartitionIndex) -> Option<TopicPartition> {
    match topic {
        TopicRef::Name(name) => topics.find(name, partition),
        TopicRef::Id(id) => Some(TopicPartition { topic: *id, partition }),
    }
}
