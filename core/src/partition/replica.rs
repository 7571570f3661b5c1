//! This node's copy of a partition, whether it leads or follows: its log, the producers that wrote it, and how much of it is committed.
//!
//! Always: `log_start <= high_watermark <= log_end`. The high watermark only grows while the copy is open.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Waiting;
use crate::boundary::{Batch, Recovered};
use crate::config::TopicSettings;
use crate::epoch::LeaderEpoch;
use crate::log::{Log, StaleCompletion};
use crate::offset::Offset;
use crate::producer::ProducerStates;
use crate::record::BatchHeader;
use crate::replica::last_fetched_epoch;
use crate::time::{Now, Timestamp};

/// A copy of a partition whose log is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replica {
    pub(super) log: Log,
    pub(super) producers: ProducerStates,
    pub(super) high_watermark: Offset,
    pub(super) settings: Arc<TopicSettings>,
    /// Fetches that wait for anything new.
    pub waiting_for_data: Waiting,
}

/// Why a log can't be used, though the store could open it: it would lead to wrong answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// The state of producers is of another release.
    Snapshot,
    /// The state of producers covers more than the log has: the disk has lost what was on it.
    SnapshotAhead {
        /// Where the state ends.
        covers: Offset,
        /// Where the log ends.
        log_end: Offset,
    },
    /// The log has an epoch that the controller has not given yet.
    EpochAhead {
        /// In the log.
        held: LeaderEpoch,
        /// By the controller.
        given: LeaderEpoch,
    },
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Snapshot => f.write_str("the state of its producers is not of this release"),
            Self::SnapshotAhead { covers, log_end } => write!(f, "the state of its producers covers {covers}, and the log ends at {log_end}"),
            Self::EpochAhead { held, given } => write!(f, "it holds leader epoch {held}, and the controller gave {given}"),
        }
    }
}

/// Records that do not continue a follower's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discontinuous {
    /// Where they begin.
    pub base_offset: Offset,
    /// Where the log ends.
    pub log_end: Offset,
}

impl Replica {
    /// The copy that the store has opened.
    ///
    /// # Errors
    /// [`Unsound`]: what was kept contradicts itself.
    pub fn recovered(recovered: &Recovered, settings: Arc<TopicSettings>, now: Timestamp) -> Result<Self, Unsound> {
        let mut producers = kept_producers(recovered)?;
        for header in &recovered.tail {
            producers.apply(header, now);
        }
        let log = Log::recovered(recovered, now);
        let high_watermark = log.start();
        Ok(Self { log, producers, high_watermark, settings, waiting_for_data: Waiting::default() })
    }

    /// Appends a batch as the leader of `leader_epoch` has it; returns its header, which is to be written.
    ///
    /// # Errors
    /// [`Discontinuous`]: it belongs somewhere else.
    pub fn append_fetched(&mut self, batch: &Batch, leader_epoch: LeaderEpoch, now: Timestamp) -> Result<BatchHeader, Discontinuous> {
        let header = batch.header;
        let last = last_fetched_epoch(&self.log, self.log.end()).unwrap_or(LeaderEpoch::FIRST);
        let is_of_its_time = header.leader_epoch >= last && header.leader_epoch <= leader_epoch;
        if !self.log.may_append(&header) || !is_of_its_time {
            return Err(Discontinuous { base_offset: header.base_offset, log_end: self.log.end() });
        }
        self.log.append_placed(&header, now);
        self.producers.apply(&header, now);
        Ok(header)
    }

    /// Takes what the leader has committed, as far as this copy reaches; says whether that is news.
    pub fn follow_high_watermark(&mut self, leaders: Offset) -> bool {
        let committed = leaders.min(self.log.end()).max(self.log.start());
        let is_news = committed > self.high_watermark;
        self.high_watermark = self.high_watermark.max(committed);
        is_news
    }

    /// Follows its topic's settings.
    pub(super) fn configure(&mut self, settings: Arc<TopicSettings>) {
        self.settings = settings;
    }

    /// Takes that all below `end_offset` is written; says whether that is news.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn written_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.log.written_to(leader_epoch, end_offset)
    }

    /// Takes that all below `end_offset` is on disk; says whether that is news.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn synced_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.log.synced_to(leader_epoch, end_offset)
    }

    /// Where the log may start by age and size, if that is further on.
    #[must_use]
    pub fn retained_from(&self, now: Now) -> Option<Offset> {
        if !self.settings.cleanup_delete {
            return None;
        }
        self.log.retained_from(now.wall, self.settings.retention_ms, self.settings.retention_bytes, self.high_watermark)
    }

    /// Takes that its log starts at `log_start`.
    pub fn trim_to(&mut self, log_start: Offset) {
        self.log.trim_to(log_start);
        self.high_watermark = self.high_watermark.max(self.log.start());
    }

    /// The producers' state as of the log's end, to be kept; none if nothing was appended since it was last.
    pub fn keep_producers(&mut self) -> Option<(Offset, Bytes)> {
        if !self.log.has_unkept() {
            return None;
        }
        self.log.keeping();
        Some((self.log.end(), self.producers.to_snapshot()))
    }

    /// Forgets producers that have not appended for `age_max_ms`.
    pub fn expire_producers(&mut self, now: Timestamp, age_max_ms: i64) {
        self.producers.expire(now, age_max_ms);
    }

    /// How far this copy is kept, by the topic's measure.
    #[must_use]
    pub fn kept(&self) -> Offset {
        self.log.kept(self.settings.durability)
    }

    /// All below is committed, as far as this copy knows.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// All below is committed and belongs to no open transaction. There are no transactions, so this is the high watermark.
    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark
    }

    /// Readers get all below: a follower may know of records as committed before it has written them.
    #[must_use]
    pub fn readable_end(&self, read_committed: bool) -> Offset {
        let upto = if read_committed { self.last_stable_offset() } else { self.high_watermark };
        upto.min(self.log.written())
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log, to take what the store says of it.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// The settings that it goes by.
    #[must_use]
    pub fn settings(&self) -> &Arc<TopicSettings> {
        &self.settings
    }

    /// The state of its producers.
    #[must_use]
    pub fn producers(&self) -> &ProducerStates {
        &self.producers
    }
}

/// The state of producers as the store kept it, to which the batches behind it are still to be applied.
fn kept_producers(recovered: &Recovered) -> Result<ProducerStates, Unsound> {
    match &recovered.snapshot {
        Some((_, bytes)) => {
            let producers = ProducerStates::from_snapshot(bytes).map_err(|_| Unsound::Snapshot)?;
            if producers.end_offset() > recovered.log_end {
                return Err(Unsound::SnapshotAhead { covers: producers.end_offset(), log_end: recovered.log_end });
            }
            Ok(producers)
        }
        // Without a snapshot the tail is the whole log.
        None => Ok(ProducerStates::new(recovered.tail.first().map_or(recovered.log_start, |header| header.base_offset))),
    }
}
