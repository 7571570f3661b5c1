//! Log starts: what clients are told of a partition's start never goes back, across crashes and power losses too, never passes the high
//! watermark, and never passes what somebody deleted or retention could have taken. So an acknowledged DeleteRecords holds.
//!
//! Retention by size may take what lies below a start from which on the log is still as large as it is to be. No topic of a run is old
//! enough for retention by age.
//!
//! Of several replicas the next leader may start earlier than the one before it did: retention is each one's own, and who comes into sync may still
//! be on its way to a start. So there a start may go back; what an acknowledged deletion means for everyone in sync is DeletedInSync's.

use std::collections::BTreeMap;

use gracchus_core::boundary::{DeleteRecordsRequest, Effects, Input, Request, StorageDone, StorageOp};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;

use super::Violation;
use super::excused::Excused;
use super::topic_book::TopicBook;

#[derive(Debug, Default)]
struct Bounds {
    /// The furthest that a client was told.
    told: Offset,
    /// The furthest that somebody wanted to delete.
    deleted: Offset,
    /// The furthest that was rightly asked of the store.
    trimmed: Offset,
}

#[derive(Debug, Default)]
pub(super) struct LogStarts {
    bounds: BTreeMap<TopicPartition, Bounds>,
    /// On each node, bytes of each batch by its base offset.
    batches: BTreeMap<(NodeId, TopicPartition), BTreeMap<Offset, u32>>,
}

impl LogStarts {
    pub(super) fn step(
        &mut self,
        node: NodeId,
        input: &Input,
        effects: &Effects,
        broker: &Broker,
        topics: &TopicBook,
        excused: &Excused,
    ) -> Result<(), Violation> {
        match input {
            Input::Request { request: Request::DeleteRecords(request), .. } => self.wanted(request, broker, topics),
            Input::Storage(StorageDone::Opened { log: LogId::Partition(partition), recovered }) => {
                self.batches.entry((node, *partition)).or_default().split_off(&recovered.log_end);
            }
            Input::Start | Input::Peer { .. } | Input::PeerLost(_) | Input::PeerRefused(_) | Input::Request { .. } => {}
            Input::Storage(_) | Input::Deadline => {}
            Input::Disconnected(_) | Input::ControllersFound(_) | Input::Stop => {}
        }
        // The store's operations on a log are in their order.
        for op in &effects.storage {
            if let StorageOp::Append { log: LogId::Partition(partition), header, .. } = op {
                self.batches.entry((node, *partition)).or_default().insert(header.base_offset, header.batch_bytes);
            }
            if let StorageOp::Trim { log: LogId::Partition(partition), log_start } = op
                && !excused.has(*partition)
            {
                self.check_trim(node, *partition, *log_start, broker)?;
            }
        }
        Ok(())
    }

    fn wanted(&mut self, request: &DeleteRecordsRequest, broker: &Broker, topics: &TopicBook) {
        for (topic, partitions) in &request.topics {
            for &(partition, before) in partitions {
                let Some(partition) = topics.find(topic, partition) else { continue };
                let leader = broker.view().leaders().find(|(id, ..)| *id == partition);
                let high_watermark = leader.map_or(Offset::ZERO, |(.., leader)| leader.high_watermark());
                let bounds = self.bounds.entry(partition).or_default();
                bounds.deleted = bounds.deleted.max(if before == Offset(-1) { high_watermark } else { before });
            }
        }
    }

    fn check_trim(&mut self, node: NodeId, partition: TopicPartition, log_start: Offset, broker: &Broker) -> Result<(), Violation> {
        let held = broker.view().partitions().find(|held| held.id == partition);
        let is_led = held.is_some_and(|held| held.leader().is_ok());
        if !is_led && self.trimmed(partition) >= log_start {
            // A follower does as its leader did.
            return Ok(());
        }
        let to_keep = held.and_then(|held| held.replica()).and_then(|replica| replica.settings().retention_bytes);
        let batches = self.batches.entry((node, partition)).or_default();
        let left: u64 = batches.range(log_start..).map(|(_, bytes)| u64::from(*bytes)).sum();
        let bounds = self.bounds.entry(partition).or_default();
        let is_surplus = to_keep.is_some_and(|to_keep| left >= to_keep);
        if log_start > bounds.deleted && !is_surplus {
            let what = format!("{partition} is to start at {log_start}: deleted to {}, {left} bytes left of {to_keep:?}", bounds.deleted);
            return Err(Violation::safety("LogStarts", what));
        }
        bounds.trimmed = bounds.trimmed.max(log_start);
        Ok(())
    }

    /// The furthest that a client was told so far.
    pub(super) fn told(&self, partition: TopicPartition) -> Offset {
        self.bounds.get(&partition).map_or(Offset::ZERO, |bounds| bounds.told)
    }

    /// The furthest that the store was asked to move the log's start to: it may have done so, and the node not know yet.
    pub(super) fn trimmed(&self, partition: TopicPartition) -> Offset {
        self.bounds.get(&partition).map_or(Offset::ZERO, |bounds| bounds.trimmed)
    }

    /// A client is told `log_start`, having asked when `told_before` had been told, and a high watermark of which it can't be ahead.
    pub(super) fn saw(
        &mut self,
        partition: TopicPartition,
        log_start: Offset,
        told_before: Offset,
        high_watermark: Option<Offset>,
    ) -> Result<(), Violation> {
        let bounds = self.bounds.entry(partition).or_default();
        let broken = if log_start < told_before {
            Some(format!("after {told_before} had been told"))
        } else if log_start > bounds.trimmed {
            Some(format!("and nothing was to go from {} on", bounds.trimmed))
        } else {
            high_watermark.filter(|most| log_start > *most).map(|most| format!("and the high watermark is {most}"))
        };
        if let Some(how) = broken {
            return Err(Violation::safety("LogStarts", format!("{partition} starts at {log_start}, {how}")));
        }
        bounds.told = bounds.told.max(log_start);
        Ok(())
    }

    /// A client is told that all below `before` is deleted.
    pub(super) fn check_deleted(partition: TopicPartition, before: Offset, log_start: Offset) -> Result<(), Violation> {
        if log_start >= before {
            return Ok(());
        }
        let what = format!("{partition} starts at {log_start}, and all below {before} is said to be deleted");
        Err(Violation::safety("LogStarts", what))
    }
}
