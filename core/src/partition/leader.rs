//! The leader of a partition: appends, and knows what is committed.
//!
//! Always: `log_start <= last_stable_offset <= high_watermark <= log_end`. The high watermark only grows.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::isr::{Criteria, Isr};
use super::waiting::{Slot, Waiting};
use super::{Follower, Reading, Replica};
use crate::boundary::{Batch, IsrProposal, LogSlice, OffsetSpec, Unfetched, WantedPartition};
use crate::config::TopicSettings;
use crate::epoch::{BrokerEpoch, LeaderEpoch};
use crate::error::ErrorCode;
use crate::ids::{LogId, NodeId, PartitionIndex};
use crate::limits::FOLLOWED_MS;
use crate::log::StaleCompletion;
use crate::metadata::{BrokerRegistration, PartitionRegistration};
use crate::offset::Offset;
use crate::producer::{ProducerError, Verdict};
use crate::record::{BatchHeader, TimestampType};
use crate::replica::{divergence, maximal_isr};
use crate::time::{Monotonic, Timestamp, Wait};

/// A leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leader {
    replica: Replica,
    leader_epoch: LeaderEpoch,
    /// Where the log ended when it began to lead.
    epoch_start: Offset,
    isr: Isr,
    /// Produces that wait for this replica to keep them (acks=1).
    pub waiting_for_leader: Waiting,
    /// Produces that wait for the commit (acks=all).
    pub waiting_for_commit: Waiting,
    /// DeleteRecords that wait for the low watermark.
    pub waiting_for_trim: Waiting,
}

/// What a leader has to know of the world beside its own log.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The time.
    pub now: Monotonic,
    /// A member of the ISR may be behind for so long (`replica.lag.time.max.ms`).
    pub lag_max: Wait,
    /// The brokers as committed metadata has them.
    pub brokers: &'a BTreeMap<NodeId, BrokerRegistration>,
}

impl Around<'_> {
    /// Whether a replica that fetches in that run may be in the ISR (KIP-903).
    fn may_join(&self, node: NodeId, broker_epoch: BrokerEpoch) -> bool {
        self.brokers.get(&node).is_some_and(|broker| !broker.is_fenced && broker.broker_epoch == broker_epoch)
    }
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

impl Leader {
    pub(super) fn new(mut replica: Replica, me: NodeId, registered: &PartitionRegistration, around: &Around<'_>) -> Self {
        let epoch_start = replica.log.end();
        replica.log.begin_epoch(registered.leader_epoch);
        let mut isr = Isr::new(me, registered);
        isr.expect_members(|node| around.brokers.get(&node).map(|broker| broker.broker_epoch), around.now);
        let mut leader = Self {
            replica,
            leader_epoch: registered.leader_epoch,
            epoch_start,
            isr,
            waiting_for_leader: Waiting::default(),
            waiting_for_commit: Waiting::default(),
            waiting_for_trim: Waiting::default(),
        };
        leader.advance_high_watermark(around);
        leader
    }

    /// Goes on to lead as the controller has registered it since: in a later epoch, or with another ISR.
    pub(super) fn lead_on(&mut self, me: NodeId, registered: &PartitionRegistration, around: &Around<'_>) {
        assert!(registered.leader_epoch >= self.leader_epoch, "leader epochs only grow");
        if registered.leader_epoch > self.leader_epoch {
            // What followers held was told under the epoch before.
            self.leader_epoch = registered.leader_epoch;
            self.epoch_start = self.replica.log.end();
            self.replica.log.begin_epoch(registered.leader_epoch);
            self.isr = Isr::new(me, registered);
            self.isr.expect_members(|node| around.brokers.get(&node).map(|broker| broker.broker_epoch), around.now);
        } else {
            self.isr.commit(registered);
        }
        self.advance_high_watermark(around);
    }

    /// Follows whom the controller has named. Whoever waited has to be answered first.
    pub(super) fn become_follower(mut self, me: NodeId, registered: &PartitionRegistration) -> Follower {
        self.replica.log.forget_empty_epoch();
        let mut follower = Follower::new(self.replica, registered);
        follower.follow(me, registered);
        follower
    }

    /// Follows its topic's settings.
    pub fn configure(&mut self, settings: Arc<TopicSettings>, around: &Around<'_>) {
        self.replica.settings = settings;
        self.advance_high_watermark(around);
    }

    /// A replica fetches. What it holds counts only if its log continues this one.
    ///
    /// # Errors
    /// [`Unfetched`]: it has to cut its log, or to begin anew.
    pub fn replica_fetched(
        &mut self,
        node: NodeId,
        broker_epoch: BrokerEpoch,
        wanted: &WantedPartition,
        around: &Around<'_>,
    ) -> Result<(), Unfetched> {
        self.check_fetched(wanted)?;
        let by = self.criteria(around);
        self.isr.fetched(node, broker_epoch, wanted.at, &by);
        self.isr.starts_at(node, broker_epoch, wanted.log_start);
        self.advance_high_watermark(around);
        Ok(())
    }

    /// A replica that waits for news lives.
    pub fn replica_heard(&mut self, node: NodeId, around: &Around<'_>) {
        let by = self.criteria(around);
        self.isr.heard(node, &by);
    }

    fn check_fetched(&self, wanted: &WantedPartition) -> Result<(), Unfetched> {
        let log = &self.replica.log;
        if wanted.at.fetch_offset < log.start() {
            return Err(Unfetched::OutOfRange);
        }
        if wanted.last_fetched_epoch.is_none() {
            // Its log is empty: retention may have taken more of it than of this one.
            return if wanted.at.fetch_offset <= log.end() { Ok(()) } else { Err(Unfetched::OutOfRange) };
        }
        if wanted.at.fetch_offset == log.start() && log.epochs().epoch_of(log.start()) > wanted.last_fetched_epoch {
            // Where the epochs before this log's start parted nobody knows any more: what the replica holds is all deleted, or was never there.
            return Err(Unfetched::OutOfRange);
        }
        divergence(log, wanted.last_fetched_epoch, wanted.at.fetch_offset).map_or(Ok(()), |parting| Err(Unfetched::Diverging(parting)))
    }

    /// What a replica gets: all that is written, committed or not. None when it has everything.
    ///
    /// # Errors
    /// As [`replica_fetched`](Self::replica_fetched).
    pub fn replicate(&self, log: LogId, wanted: &WantedPartition, bytes_max: u32) -> Result<Option<LogSlice>, Unfetched> {
        self.check_fetched(wanted)?;
        let (from, upto) = (wanted.at.fetch_offset, self.replica.log.written());
        Ok((from < upto).then(|| LogSlice { log, generation: self.replica.log.generation(), from, upto, bytes_max }))
    }

    /// Whether everyone in sync has fetched from this leader lately. If not, another may lead already, and know of batches that this one does not.
    #[must_use]
    pub fn is_followed(&self, now: Monotonic) -> bool {
        let is_heard = |node| self.isr.progress(node).is_some_and(|follower| now.since(follower.heard) <= Wait::from_ms(FOLLOWED_MS));
        self.isr.maximal().filter(|node| *node != self.isr.me()).all(is_heard)
    }

    /// Whether what this node sends to a follower that is not in sync is throttled (KIP-73).
    #[must_use]
    pub fn throttles(&self, partition: PartitionIndex, me: NodeId) -> bool {
        self.replica.settings.throttled_leaders.has(partition, me)
    }

    /// Whether a commit waits, or may soon wait, for that replica.
    #[must_use]
    pub fn waits_for(&self, follower: NodeId, around: &Around<'_>) -> bool {
        self.isr.waits_for(follower, &self.criteria(around))
    }

    /// Whether others have copies.
    #[must_use]
    pub fn has_followers(&self) -> bool {
        self.isr.replicas().len() > 1
    }

    /// The least start of all logs of replicas that live or are in sync, as in Kafka: below it there is no record any more, but on replicas
    /// that are away. Of one that has not fetched nothing is known.
    #[must_use]
    pub fn low_watermark(&self, brokers: &BTreeMap<NodeId, BrokerRegistration>) -> Offset {
        let lives = |node: &NodeId| brokers.get(node).is_some_and(|broker| !broker.is_fenced);
        let counts = |node: &NodeId| *node != self.isr.me() && (lives(node) || self.isr.is_maximal(*node));
        let others = self.isr.replicas().iter().copied().filter(counts);
        others.map(|node| self.isr.start_of(node).unwrap_or_default()).fold(self.replica.log.start(), Offset::min)
    }

    /// A part of a request waits no longer for the commit, for this replica or for the low watermark.
    pub fn forget_wait(&mut self, upto: Offset, slot: Slot) {
        for waiting in [&mut self.waiting_for_leader, &mut self.waiting_for_commit, &mut self.waiting_for_trim] {
            waiting.remove(upto, slot);
        }
    }

    /// Whether there is anything to tell a replica.
    #[must_use]
    pub fn has_news(&self, wanted: &WantedPartition) -> bool {
        let log = &self.replica.log;
        wanted.at.fetch_offset < log.written()
            || wanted.high_watermark < self.replica.high_watermark.min(wanted.at.fetch_offset)
            || (wanted.start_heard < log.start() && log.start() <= wanted.high_watermark)
            || self.check_fetched(wanted).is_err()
    }

    /// What the ISR should be, if that is something else.
    pub fn propose_isr(&mut self, around: &Around<'_>) -> Option<IsrProposal> {
        let by = self.criteria(around);
        self.isr.propose(&by, |node, broker_epoch| around.may_join(node, broker_epoch))
    }

    /// The controller has refused what was proposed.
    pub fn isr_refused(&mut self, partition_epoch: crate::epoch::PartitionEpoch) {
        self.isr.refused(partition_epoch);
    }

    fn criteria(&self, around: &Around<'_>) -> Criteria {
        Criteria {
            durability: self.replica.settings.durability,
            high_watermark: self.replica.high_watermark,
            epoch_start: self.epoch_start,
            log_end: self.replica.log.end(),
            lag_max: around.lag_max,
            now: around.now,
        }
    }

    /// Decides on a batch: where it goes, or where it is already.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing has changed.
    pub fn append(&mut self, batch: &Batch, needs_commit: bool, now: Timestamp) -> Result<Appended, AppendError> {
        let (isr, needed) = (self.isr.committed().len(), self.min_insync_replicas());
        if needs_commit && isr < needed {
            return Err(AppendError::NotEnoughReplicas { isr, needed });
        }
        let was_producer_forgotten = match self.replica.producers.check(&batch.header).map_err(AppendError::Producer)? {
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
        let placed = self.replica.log.append(&batch.header, self.leader_epoch, now);
        self.replica.producers.apply(&placed, now);
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
    pub fn written_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset, around: &Around<'_>) -> Result<bool, StaleCompletion> {
        let is_news = self.replica.written_to(leader_epoch, end_offset)?;
        self.advance_high_watermark(around);
        Ok(is_news)
    }

    /// Takes that all below `end_offset` is on disk; says whether that is news.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn synced_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset, around: &Around<'_>) -> Result<bool, StaleCompletion> {
        let is_news = self.replica.synced_to(leader_epoch, end_offset)?;
        self.advance_high_watermark(around);
        Ok(is_news)
    }

    /// Moves the high watermark to where the commit rule allows.
    pub fn advance_high_watermark(&mut self, around: &Around<'_>) {
        // Under a stricter durability the high watermark stands still until the disk has caught up with it.
        let own = self.replica.kept();
        let by = self.criteria(around);
        let followers = self.isr.followers_hold(&by, |node, broker_epoch| around.may_join(node, broker_epoch));
        let held = std::iter::once(own).chain(followers);
        let min_insync = usize::try_from(self.replica.settings.min_insync_replicas).unwrap_or(usize::MAX);
        if let Some(committed) = maximal_isr(held, self.isr.committed().len(), min_insync, self.isr.replication_factor()) {
            self.replica.high_watermark = self.replica.high_watermark.max(committed);
        }
    }

    /// Up to where a produce with acks=all is answered: a retry too gets what the topic promises by now, and what was committed under a
    /// looser durability may have yet to reach the disk.
    #[must_use]
    pub fn committed_as_promised(&self) -> Offset {
        self.replica.high_watermark.min(self.replica.kept())
    }

    /// Whether it knows of all that was committed before it led: until its high watermark has come to where its epoch began, what it would
    /// call the end may be less than what clients were told before (KIP-207).
    #[must_use]
    pub fn knows_what_is_committed(&self) -> bool {
        self.replica.high_watermark >= self.epoch_start
    }

    /// Whether what is committed is held by as many as it has to be.
    #[must_use]
    pub fn has_enough_replicas(&self) -> bool {
        self.isr.committed().len() >= self.min_insync_replicas()
    }

    /// What it says to readers.
    #[must_use]
    pub fn reading(&self) -> Reading<'_> {
        Reading { replica: &self.replica, leader_epoch: self.leader_epoch, is_leading: true }
    }

    /// An offset that needs no search, with its leader epoch.
    #[must_use]
    pub fn offset_at(&self, spec: OffsetSpec, read_committed: bool) -> Option<(Offset, Option<LeaderEpoch>)> {
        match spec {
            OffsetSpec::Latest => {
                let end = if read_committed { self.replica.last_stable_offset() } else { self.replica.high_watermark };
                Some((end, Some(self.leader_epoch)))
            }
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => {
                Some((self.replica.log.start(), self.replica.log.epochs().epoch_of(self.replica.log.start())))
            }
            OffsetSpec::LatestTiered => Some((Offset(-1), None)),
            OffsetSpec::EarliestPendingUpload => Some((Offset(-1), None)),
            OffsetSpec::Timestamp(_) | OffsetSpec::MaxTimestamp | OffsetSpec::Unknown(_) => None,
        }
    }

    fn min_insync_replicas(&self) -> usize {
        usize::try_from(self.replica.settings.min_insync_replicas).unwrap_or(usize::MAX).min(self.isr.replication_factor())
    }

    /// Its epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Whether no request waits for it.
    #[must_use]
    pub fn is_waited_on_by_nobody(&self) -> bool {
        [&self.waiting_for_leader, &self.waiting_for_commit, &self.replica.waiting_for_data, &self.waiting_for_trim]
            .into_iter()
            .all(Waiting::is_empty)
    }

    /// Its in-sync replicas.
    #[must_use]
    pub fn isr(&self) -> &Isr {
        &self.isr
    }
}

/// A leader's copy is a copy like any other.
impl Deref for Leader {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl DerefMut for Leader {
    fn deref_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }
}

fn append_time(kind: TimestampType, max_timestamp: Timestamp) -> Option<Timestamp> {
    match kind {
        TimestampType::LogAppendTime => Some(max_timestamp),
        TimestampType::CreateTime => None,
    }
}
