//! The leader of a partition: appends, knows what is committed, and says what may be read.
//!
//! Always: `log_start <= last_stable_offset <= high_watermark <= log_end`. The high watermark only grows.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::waiting::Waiting;
use crate::boundary::{Batch, FetchPartition, LogSlice, OffsetSpec, Recovered};
use crate::config::TopicSettings;
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::LogId;
use crate::log::{Log, StaleCompletion};
use crate::offset::Offset;
use crate::producer::{ProducerError, ProducerStates, Verdict};
use crate::record::{BatchHeader, TimestampType};
use crate::replica::maximal_isr;
use crate::time::{Now, Timestamp};

/// A leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leader {
    leader_epoch: LeaderEpoch,
    replicas: usize,
    /// Members of the committed ISR: this node alone, as long as it is the only replica.
    committed_isr: usize,
    log: Log,
    producers: ProducerStates,
    high_watermark: Offset,
    settings: Arc<TopicSettings>,
    /// Produces that wait for this replica to keep them (acks=1).
    pub waiting_for_leader: Waiting,
    /// Produces that wait for the commit (acks=all).
    pub waiting_for_commit: Waiting,
    /// Fetches that wait for anything new.
    pub waiting_for_data: Waiting,
    /// DeleteRecords that wait for the log's start.
    pub waiting_for_trim: Waiting,
}

/// A batch that is in the log, or was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its header as it is to be written; none for a retry of a batch that is there already.
    pub placed: Option<BatchHeader>,
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Behind its last record: what its answer waits for.
    pub end_offset: Offset,
    /// When it was appended, if the topic's timestamps are the broker's.
    pub log_append_time: Option<Timestamp>,
    /// Whether its producer is past sequence 0 and yet unknown here (KIP-360).
    pub was_producer_forgotten: bool,
}

/// Why a batch is not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The partition has no leader here.
    NotLed(ErrorCode),
    /// The disk's reserve is touched.
    DiskNearlyFull,
    /// It does not follow from what its producer sent before.
    Producer(ProducerError),
    /// The ISR is too small for acks=all.
    NotEnoughReplicas {
        /// Members that it has.
        isr: usize,
        /// Members that it should have.
        needed: usize,
    },
}

/// What may be read of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// The high watermark.
    pub high_watermark: Offset,
    /// The last stable offset.
    pub last_stable_offset: Offset,
    /// The log's start.
    pub log_start: Offset,
    /// The records, if there are any.
    pub slice: Option<LogSlice>,
    /// How many bytes those are, before any limit.
    pub bytes: u64,
    /// Where the reader's log parts from this one.
    pub diverging: Option<(LeaderEpoch, Offset)>,
}

/// Why a log can't be led, though the store could open it: it would be led to wrong answers.
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

/// Why nothing may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The reader knows an older leader epoch.
    FencedLeaderEpoch,
    /// The reader knows a newer leader epoch.
    UnknownLeaderEpoch,
    /// Below the log's start.
    BelowLogStart,
    /// Past the log's end.
    AboveLogEnd,
    /// The reader has read an epoch of which this log knows no end.
    LastFetchedEpochUnknown,
}

impl From<ReadError> for ErrorCode {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::FencedLeaderEpoch => Self::FencedLeaderEpoch,
            ReadError::UnknownLeaderEpoch => Self::UnknownLeaderEpoch,
            ReadError::BelowLogStart | ReadError::AboveLogEnd | ReadError::LastFetchedEpochUnknown => Self::OffsetOutOfRange,
        }
    }
}

impl Leader {
    /// Leads the log that was opened: what it holds is on disk, so all of it is committed if the ISR is large enough.
    ///
    /// # Errors
    /// [`Unsound`]: what was kept contradicts itself.
    pub fn recovered(
        leader_epoch: LeaderEpoch,
        replicas: usize,
        recovered: &Recovered,
        settings: Arc<TopicSettings>,
        now: Timestamp,
    ) -> Result<Self, Unsound> {
        check_sound(leader_epoch, recovered)?;
        let mut producers = kept_producers(recovered)?;
        for header in &recovered.tail {
            producers.apply(header, now);
        }
        let mut log = Log::recovered(recovered, now);
        log.begin_epoch(leader_epoch);
        let mut leader = Self {
            leader_epoch,
            replicas,
            committed_isr: 1,
            high_watermark: log.start(),
            log,
            producers,
            settings,
            waiting_for_leader: Waiting::default(),
            waiting_for_commit: Waiting::default(),
            waiting_for_data: Waiting::default(),
            waiting_for_trim: Waiting::default(),
        };
        leader.advance_high_watermark();
        Ok(leader)
    }

    /// Leads in a later epoch.
    pub fn lead_in(&mut self, leader_epoch: LeaderEpoch) {
        assert!(leader_epoch >= self.leader_epoch, "leader epochs only grow");
        self.leader_epoch = leader_epoch;
        self.log.begin_epoch(leader_epoch);
    }

    /// Follows its topic's settings.
    pub fn configure(&mut self, settings: Arc<TopicSettings>) {
        self.settings = settings;
        self.advance_high_watermark();
    }

    /// Decides on a batch: where it goes, or where it is already.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing has changed.
    pub fn append(&mut self, batch: &Batch, needs_commit: bool, now: Timestamp) -> Result<Appended, AppendError> {
        let needed = self.min_insync_replicas();
        if needs_commit && self.committed_isr < needed {
            return Err(AppendError::NotEnoughReplicas { isr: self.committed_isr, needed });
        }
        let was_producer_forgotten = match self.producers.check(&batch.header).map_err(AppendError::Producer)? {
            Verdict::Duplicate(first) => {
                return Ok(Appended {
                    placed: None,
                    base_offset: first.base_offset,
                    end_offset: first.last_offset.plus(1),
                    log_append_time: first.log_append_time,
                    was_producer_forgotten: false,
                });
            }
            Verdict::New { was_forgotten } => was_forgotten,
        };
        let placed = self.log.append(&batch.header, self.leader_epoch, now);
        self.producers.apply(&placed, now);
        Ok(Appended {
            placed: Some(placed),
            base_offset: placed.base_offset,
            end_offset: placed.next_offset(),
            log_append_time: append_time(placed.timestamp_type, placed.max_timestamp),
            was_producer_forgotten,
        })
    }

    /// Takes that all below `end_offset` is written; says whether that is news.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn written_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        let is_news = self.log.written_to(leader_epoch, end_offset)?;
        self.advance_high_watermark();
        Ok(is_news)
    }

    /// Takes that all below `end_offset` is on disk; says whether that is news.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn synced_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        let is_news = self.log.synced_to(leader_epoch, end_offset)?;
        self.advance_high_watermark();
        Ok(is_news)
    }

    fn advance_high_watermark(&mut self) {
        // Under a stricter durability the high watermark stands still until the disk has caught up with it.
        let held = [self.kept()];
        let min_insync = usize::try_from(self.settings.min_insync_replicas).unwrap_or(usize::MAX);
        if let Some(committed) = maximal_isr(held, self.committed_isr, min_insync, self.replicas) {
            self.high_watermark = self.high_watermark.max(committed);
        }
    }

    /// What a fetch may have from `wanted.fetch_offset` on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, log: LogId, wanted: &FetchPartition, read_committed: bool) -> Result<Readable, ReadError> {
        self.check_epoch(wanted.current_leader_epoch)?;
        let from = wanted.fetch_offset;
        let diverging = wanted.last_fetched_epoch.map_or(Ok(None), |epoch| self.divergence(epoch, from))?;
        if from < self.log.start() {
            return Err(ReadError::BelowLogStart);
        }
        if diverging.is_none() && from > self.log.end() {
            return Err(ReadError::AboveLogEnd);
        }
        let upto = if read_committed { self.last_stable_offset() } else { self.high_watermark };
        let bytes_max = u32::try_from(wanted.partition_bytes_max).unwrap_or(0);
        let slice = (diverging.is_none() && from < upto).then(|| LogSlice { log, generation: self.log.generation(), from, upto, bytes_max });
        Ok(Readable {
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable_offset(),
            log_start: self.log.start(),
            bytes: slice.map_or(0, |_| self.log.bytes_between(from, upto)),
            slice,
            diverging,
        })
    }

    /// Where a reader that read `epoch` up to `from` parts from this log, if it does (KIP-595).
    fn divergence(&self, epoch: LeaderEpoch, from: Offset) -> Result<Option<(LeaderEpoch, Offset)>, ReadError> {
        let (found, end) = self.end_of_epoch(epoch).ok_or(ReadError::LastFetchedEpochUnknown)?;
        Ok((found < epoch || end < from).then_some((found, end)))
    }

    /// The largest epoch that is not above `epoch`, with its end.
    #[must_use]
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        if epoch == self.leader_epoch {
            return Some((epoch, self.log.end()));
        }
        self.log.epochs().end_of(epoch, self.log.end())
    }

    /// Checks the leader epoch that a client knows (KIP-320).
    ///
    /// # Errors
    /// It is not this leader's.
    pub fn check_epoch(&self, known: Option<LeaderEpoch>) -> Result<(), ReadError> {
        match known {
            Some(epoch) if epoch < self.leader_epoch => Err(ReadError::FencedLeaderEpoch),
            Some(epoch) if epoch > self.leader_epoch => Err(ReadError::UnknownLeaderEpoch),
            Some(_) | None => Ok(()),
        }
    }

    /// An offset that needs no search, with its leader epoch.
    #[must_use]
    pub fn offset_at(&self, spec: OffsetSpec, read_committed: bool) -> Option<(Offset, Option<LeaderEpoch>)> {
        match spec {
            OffsetSpec::Latest => {
                let end = if read_committed { self.last_stable_offset() } else { self.high_watermark };
                Some((end, Some(self.leader_epoch)))
            }
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => Some((self.log.start(), self.log.epochs().epoch_of(self.log.start()))),
            OffsetSpec::LatestTiered => Some((Offset(-1), None)),
            OffsetSpec::EarliestPendingUpload => Some((Offset(-1), None)),
            OffsetSpec::Timestamp(_) | OffsetSpec::MaxTimestamp | OffsetSpec::Unknown(_) => None,
        }
    }

    /// Where the log may start by age and size, if that is further on.
    #[must_use]
    pub fn retained_from(&self, now: Now) -> Option<Offset> {
        if !self.settings.cleanup_delete {
            return None;
        }
        self.log.retained_from(now.wall, self.settings.retention_ms, self.settings.retention_bytes, self.high_watermark)
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

    /// How far this replica keeps the log, by the topic's measure.
    #[must_use]
    pub fn kept(&self) -> Offset {
        self.log.kept(self.settings.durability)
    }

    /// Up to where a produce with acks=all is answered: a retry too gets what the topic promises by now, and what was committed under a
    /// looser durability may have yet to reach the disk.
    #[must_use]
    pub fn committed_as_promised(&self) -> Offset {
        self.high_watermark.min(self.kept())
    }

    fn min_insync_replicas(&self) -> usize {
        usize::try_from(self.settings.min_insync_replicas).unwrap_or(usize::MAX).min(self.replicas)
    }

    /// All below is committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// All below is committed and belongs to no open transaction. There are no transactions, so this is the high watermark.
    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark
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

    /// Its epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The settings it goes by.
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

/// An epoch of the log that the controller never gave would make two histories of one.
fn check_sound(leader_epoch: LeaderEpoch, recovered: &Recovered) -> Result<(), Unsound> {
    match recovered.epochs.last() {
        Some(last) if last.leader_epoch > leader_epoch => Err(Unsound::EpochAhead { held: last.leader_epoch, given: leader_epoch }),
        Some(_) | None => Ok(()),
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

fn append_time(kind: TimestampType, max_timestamp: Timestamp) -> Option<Timestamp> {
    match kind {
        TimestampType::LogAppendTime => Some(max_timestamp),
        TimestampType::CreateTime => None,
    }
}
