//! An acknowledgement leaves only after the promised durability holds, judged by the bytes on the simulated disks: on those of all that are in
//! sync, or, as the client asked, on the leader's. Where a topic of several replicas is not flushed, everyone in sync has written it.

use std::collections::BTreeMap;

use gracchus_core::boundary::{Acks, Durability, Effects, Input, ProduceRequest, Request, Response, TopicRef};
use gracchus_core::ids::{NodeId, PartitionIndex, RequestId, TopicPartition};
use gracchus_core::offset::Offset;

use super::topic_book::Topic;
use super::{Acked, Violation};

/// Where a batch was to go, and the offset of its last record, counted from its first.
type Batches = Vec<(TopicRef, PartitionIndex, i32)>;

#[derive(Debug, Default)]
pub(super) struct AckedIsDurable {
    /// Requests to each node, and whether they want all that are in sync to have it.
    asked: BTreeMap<(NodeId, RequestId), (bool, Batches)>,
}

impl AckedIsDurable {
    /// A process has ended: it answers nothing any more.
    pub(super) fn forget_requests(&mut self, node: NodeId) {
        self.asked.retain(|(asked, _), _| *asked != node);
    }

    pub(super) fn step(&mut self, input: &Input, effects: &Effects, acked: &mut Acked<'_>) -> Result<(), Violation> {
        let node = acked.node;
        match input {
            Input::Request { id, request: Request::Produce(request), .. } if request.acks != Ok(Acks::None) => {
                self.asked.insert((node, *id), (request.acks == Ok(Acks::All), batches(request)));
            }
            Input::Disconnected(connection) => self.asked.retain(|(asked, id), _| *asked != node || id.connection != *connection),
            Input::Start | Input::Request { .. } | Input::ControllersFound(_) | Input::Storage(_) | Input::Deadline | Input::Stop => {}
            Input::Peer { .. } | Input::PeerLost(_) | Input::PeerRefused(_) => {}
        }
        for reply in &effects.replies {
            let Response::Produce(response) = &reply.response else { continue };
            let (needs_all, asked) = self.asked.remove(&(node, reply.id)).unwrap_or_default();
            for (topic, partitions) in &response.topics {
                for produced in partitions {
                    let Ok(at) = &produced.result else { continue };
                    let batch = asked.iter().find(|(asked, partition, _)| asked == topic && *partition == produced.partition);
                    let Some((_, _, last_offset_delta)) = batch else { continue };
                    let end = at.base_offset.plus(i64::from(*last_offset_delta) + 1);
                    check(topic, produced.partition, end, needs_all, acked)?;
                }
            }
        }
        Ok(())
    }
}

fn batches(request: &ProduceRequest) -> Batches {
    let of_topic = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (&topic.topic, partition)));
    let sound = of_topic.filter_map(|(topic, partition)| Some((topic, partition.partition, partition.batch.as_ref().ok()?)));
    sound.map(|(topic, partition, batch)| (topic.clone(), partition, batch.header.last_offset_delta)).collect()
}

fn check(topic: &TopicRef, partition: PartitionIndex, end: Offset, needs_all: bool, acked: &mut Acked<'_>) -> Result<(), Violation> {
    let topics = acked.topics;
    let partition = match topic {
        TopicRef::Name(name) => topics.find(name, partition),
        TopicRef::Id(id) => Some(TopicPartition { topic: *id, partition }),
    };
    let Some((partition, topic)) = partition.and_then(|partition| Some((partition, topics.get(partition)?))) else { return Ok(()) };
    // A produce that spans topics may be answered after one of them was deleted.
    if topic.is_removed || acked.excused.has(partition) {
        return Ok(());
    }
    if topic.durability != Durability::Flushed {
        return check_written(topic, partition, end, needs_all, acked);
    }
    let (durable, holder) = acked.durable_end(partition, &topic.name, needs_all);
    if end <= durable {
        return Ok(());
    }
    let what = format!("{}-{} is acknowledged to {end}, and on the disk of node {holder} to {durable}", topic.name, partition.partition);
    Err(Violation::safety("AckedIsDurable", what))
}

/// In a topic that is not flushed everyone in sync has to have written it, where there are others and the client asked for all.
fn check_written(topic: &Topic, partition: TopicPartition, end: Offset, needs_all: bool, acked: &Acked<'_>) -> Result<(), Violation> {
    match acked.cluster.written_end(partition).filter(|_| needs_all) {
        Some((written, holder)) if written < end => {
            let what =
                format!("{}-{} is acknowledged to {end}, and node {holder} has written it to {written}", topic.name, partition.partition);
            Err(Violation::safety("AckedIsDurable", what))
        }
        Some(_) | None => Ok(()),
    }
}
