//! Monotonic: a partition's high watermark and log start never go back, and log start ≤ high watermark ≤ log end. Across restarts too where
//! there was one replica at all times; of several the next leader may have yet to learn how far the last one was.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::partition::Partition;

use super::Violation;
use super::excused::Excused;

#[derive(Clone, Copy, Debug)]
struct Reached {
    log_start: Offset,
    high_watermark: Offset,
}

#[derive(Debug, Default)]
pub(super) struct Watermarks {
    /// The furthest that a leader was.
    reached: BTreeMap<TopicPartition, Reached>,
    /// How far the leader of an epoch is, of several replicas.
    led: BTreeMap<(TopicPartition, LeaderEpoch), Reached>,
    /// Partitions that ever had several replicas: a reassignment gives one to others.
    shared: BTreeSet<TopicPartition>,
    /// What each node last knew to be committed.
    known: BTreeMap<(NodeId, TopicPartition), Offset>,
}

impl Watermarks {
    pub(super) fn step(&mut self, node: NodeId, effects: &Effects, changed: &[&Partition], excused: &Excused) -> Result<(), Violation> {
        for op in &effects.storage {
            if let StorageOp::Remove { log: LogId::Partition(id) } = op {
                // If it is given to the node again, that is another copy.
                self.known.remove(&(node, *id));
            }
        }
        for held in changed {
            if let Some(replica) = held.replica() {
                self.known.insert((node, held.id), replica.high_watermark());
            }
        }
        for (partition, leader) in changed.iter().filter(|held| !excused.has(held.id)).filter_map(|held| Some((held.id, held.leader().ok()?))) {
            let (log_start, high_watermark, log_end) = (leader.log().start(), leader.high_watermark(), leader.log().end());
            if log_start > high_watermark || high_watermark > log_end {
                let what = format!("{partition}: log start {log_start}, high watermark {high_watermark}, log end {log_end}");
                return Err(Violation::safety("OffsetsInOrder", what));
            }
            let now = Reached { log_start, high_watermark };
            let furthest = self.reached.entry(partition).or_insert(now);
            if leader.isr().replicas().len() > 1 {
                self.shared.insert(partition);
            }
            let is_replicated = self.shared.contains(&partition);
            let reached = if is_replicated { self.led.entry((partition, leader.leader_epoch())).or_insert(now) } else { &mut *furthest };
            for (name, before, after) in
                [("log start", reached.log_start, log_start), ("high watermark", reached.high_watermark, high_watermark)]
            {
                if after < before {
                    return Err(Violation::safety("Monotonic", format!("{partition}: the {name} fell from {before} to {after}")));
                }
            }
            *reached = now;
            *furthest = Reached { log_start: furthest.log_start.max(log_start), high_watermark: furthest.high_watermark.max(high_watermark) };
        }
        Ok(())
    }

    /// A power loss may have taken what lies from `kept` on, but never moves a log's start: all below it was on disk before it moved.
    pub(super) fn lower_to(&mut self, partition: TopicPartition, kept: Offset) {
        if let Some(reached) = self.reached.get_mut(&partition) {
            reached.high_watermark = reached.high_watermark.min(kept);
        }
    }

    pub(super) fn log_start(&self, partition: TopicPartition) -> Option<Offset> {
        self.reached.get(&partition).map(|reached| reached.log_start)
    }

    /// What a node last knew to be committed: one that does not lead may be asked.
    pub(super) fn known_to(&self, node: NodeId, partition: TopicPartition) -> Option<Offset> {
        self.known.get(&(node, partition)).copied()
    }

    pub(super) fn high_watermark(&self, partition: TopicPartition) -> Option<Offset> {
        self.reached.get(&partition).map(|reached| reached.high_watermark)
    }
}
