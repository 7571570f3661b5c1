//! Compaction: which log is compacted next.
//!
//! A log is looked at once a segment of it has closed, until there is nothing left in it to compact: what is idle costs nothing. One is
//! compacted at a time, the one with the largest share that is not compacted first, as in Kafka. Each copy of a partition is compacted by its own
//! node, below what it knows to be committed and what recovery does not read again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Compaction, Effects, Generation, Mark, SealedSegment, StorageError, StorageOp};
use crate::ids::{LogId, TopicPartition};
use crate::log::Dirt;
use crate::offset::Offset;
use crate::partition::{Replica, log_settings};
use crate::time::{Now, Wait};

/// The compactions of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Compactions {
    /// Logs that may have something to compact.
    dirty: BTreeSet<TopicPartition>,
    /// The one that is being compacted.
    running: Option<TopicPartition>,
    /// Logs that the store could not compact: they are left until they are opened again.
    failed: BTreeSet<TopicPartition>,
    /// Logs that are to be tried again at the next look by the clock.
    resting: BTreeSet<TopicPartition>,
}

impl Compactions {
    /// A log has something to compact, perhaps.
    pub(super) fn note(&mut self, id: TopicPartition) {
        self.dirty.insert(id);
    }

    /// Logs that may have something to compact.
    pub(super) fn dirty(&self) -> impl Iterator<Item = &TopicPartition> {
        self.dirty.iter()
    }

    /// A log was opened.
    pub(super) fn opened(&mut self, id: TopicPartition) {
        self.failed.remove(&id);
        self.dirty.insert(id);
    }

    /// A copy is gone.
    pub(super) fn forget(&mut self, id: TopicPartition) {
        self.failed.remove(&id);
        self.dirty.remove(&id);
    }
}

/// What is to be done about a log that may have something to compact.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wish {
    /// Nothing, until another segment closes or the settings change.
    Nothing,
    /// Nothing yet.
    Later,
    /// It is worth it.
    Compaction(Dirt),
    /// It would be, once a snapshot covers it.
    Snapshot,
}

impl Broker {
    /// Compacts a log that is worth it, and looks again after a while (`log.cleaner.backoff.ms`).
    pub(super) fn compact_by_the_clock(&mut self, effects: &mut Effects) {
        self.compactions.resting.clear();
        self.compact_next(effects);
        let interval = Wait::from_ms(self.configs.whole("log.cleaner.backoff.ms").max(1));
        self.timers.set(Timer::Compaction, self.now.monotonic.after(interval));
    }

    fn compact_next(&mut self, effects: &mut Effects) {
        if self.compactions.running.is_some() || !self.configs.boolean("log.cleaner.enable") {
            return;
        }
        let mut best: Option<(TopicPartition, Dirt)> = None;
        let mut settled = Vec::new();
        let resting = &self.compactions.resting;
        for &id in self.compactions.dirty.difference(&self.compactions.failed).filter(|id| !resting.contains(id)) {
            let Some(replica) = self.partitions.get_mut(&id).and_then(|partition| partition.replica_mut()) else {
                settled.push(id);
                continue;
            };
            match wish(replica, self.now) {
                Wish::Nothing => settled.push(id),
                Wish::Later => {}
                Wish::Compaction(dirt) => {
                    if best.as_ref().is_none_or(|(_, other)| dirt.ratio() > other.ratio()) {
                        best = Some((id, dirt));
                    }
                }
                Wish::Snapshot => {
                    if let Some((upto, producers)) = replica.keep_producers() {
                        effects.storage.push(StorageOp::KeepSnapshot { log: LogId::Partition(id), upto, producers });
                    }
                }
            }
        }
        settled.iter().for_each(|id| {
            self.compactions.dirty.remove(id);
        });
        if let Some((id, dirt)) = best {
            self.compact(id, dirt, effects);
        }
    }

    fn compact(&mut self, id: TopicPartition, dirt: Dirt, effects: &mut Effects) {
        let Some(replica) = self.partitions.get(&id).and_then(|partition| partition.replica()) else { return };
        let settings = replica.settings();
        let compaction = Compaction {
            generation: replica.log().generation(),
            clean_upto: dirt.clean_upto,
            upto: dirt.upto,
            kept_batches: replica.producers().batch_ends_below(dirt.upto),
            delete_retention_ms: settings.delete_retention_ms,
            keys_bytes_max: u64::try_from(self.configs.whole("log.cleaner.dedupe.buffer.size")).unwrap_or(0),
            bytes_per_second_max: self.bounds.compaction_rate,
            settings: log_settings(settings),
        };
        self.compactions.running = Some(id);
        effects.storage.push(StorageOp::Compact { log: LogId::Partition(id), compaction });
    }

    /// Closed segments of a log were replaced.
    pub(super) fn segments_compacted(&mut self, log: LogId, sealed: &[SealedSegment], effects: &mut Effects) {
        let now = self.now.wall;
        if let Some(log) = self.log_mut(log) {
            log.segments_compacted(sealed, now);
            effects.mark(Mark::SegmentsCompacted);
        }
    }

    /// The store is done with a log, and has compacted it up to there.
    pub(super) fn compacted(
        &mut self,
        log: LogId,
        generation: Generation,
        clean_upto: Result<Option<Offset>, StorageError>,
        effects: &mut Effects,
    ) {
        let LogId::Partition(id) = log else { return };
        self.compactions.running.take_if(|running| *running == id);
        match clean_upto {
            Ok(Some(upto)) => {
                // One that was opened anew since says itself how far it is clean.
                let is_news = self.log_mut(log).filter(|log| log.generation() == generation).is_some_and(|log| log.compacted_to(upto));
                if !is_news {
                    self.compactions.resting.insert(id);
                }
            }
            // It was cut, removed or opened anew meanwhile; or there is no room for it, and perhaps for another.
            Ok(None) | Err(StorageError::NoSpace) => {
                self.compactions.resting.insert(id);
            }
            Err(error @ (StorageError::Corrupt(_) | StorageError::Io(_))) => {
                let name = self.log_name(log);
                effects.error(format!("{name}: it can't be compacted, and is not until it is opened again: {error}"));
                self.compactions.failed.insert(id);
            }
        }
        self.compact_next(effects);
    }
}

/// The share of a log that is not compacted, from 0 to 1; none where it is not to be.
pub(super) fn dirty_ratio(replica: &Replica, now: Now) -> Option<f64> {
    let settings = replica.settings();
    let dirt = || replica.log().dirt(now.wall, settings.min_compaction_lag_ms, replica.last_stable_offset());
    settings.cleanup_compact.then(|| dirt().ratio())
}

fn wish(replica: &Replica, now: Now) -> Wish {
    let (log, settings) = (replica.log(), replica.settings());
    if !settings.cleanup_compact || !log.is_dirty() {
        return Wish::Nothing;
    }
    let stable = replica.last_stable_offset();
    let dirt = log.dirt(now.wall, settings.min_compaction_lag_ms, stable);
    let is_old = dirt.oldest.is_some_and(|oldest| now.wall.0.saturating_sub(oldest.0) > settings.max_compaction_lag_ms);
    if dirt.dirty_bytes == 0 || !(is_old || dirt.ratio() > settings.min_cleanable_dirty_ratio) {
        return Wish::Later;
    }
    let covered = log.dirt(now.wall, settings.min_compaction_lag_ms, stable.min(log.kept_upto()));
    if covered.upto < dirt.upto { Wish::Snapshot } else { Wish::Compaction(covered) }
}
