//! The metadata log on this node: its records from the store or from the controller, until they are committed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::kept::{FoundSnapshots, KeptSnapshots};
use super::record::{MetadataRecord, VoterRegistration, decode, encode};
use super::snapshot::SnapshotId;
use crate::boundary::{Payload, Recovered, StorageOp};
use crate::epoch::{LeaderEpoch, QuorumEpoch};
use crate::ids::{LogId, NodeId};
use crate::limits::{METADATA_BATCH_BYTES, METADATA_SNAPSHOT_BYTES};
use crate::log::{Log, StaleCompletion};
use crate::offset::Offset;
use crate::record::{BatchBuilder, BatchHeader, ControlRecord, HEADER_BYTES, LeaderChange, Records, Voter, check_crc};
use crate::replica::last_fetched_epoch;
use crate::time::Timestamp;

/// The log, with the records that are not applied yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataLog {
    log: Log,
    loaded: Offset,
    high_watermark: Offset,
    /// Where this node's leadership starts: nothing is committed before an entry of the leader's own epoch is (Raft §5.4.2).
    epoch_start: Option<Offset>,
    /// Whether recovery has cut bytes from its end.
    was_cut: bool,
    unapplied: VecDeque<(Offset, MetadataRecord)>,
    /// How many of those say who votes.
    voter_changes: usize,
    snapshots: KeptSnapshots,
}

/// Why a log can't be used: it and the snapshots that are left do not make a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjoined {
    /// It begins behind what the sound snapshots reach.
    Gap {
        /// Where it begins.
        log_start: Offset,
        /// The snapshot that reaches furthest.
        latest: Option<SnapshotId>,
    },
    /// A damaged snapshot stood for more than it holds.
    Lost(SnapshotId),
}

impl fmt::Display for Unjoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { log_start, latest: None } => write!(f, "it begins at {log_start}, and there is no snapshot of what was before"),
            Self::Gap { log_start, latest: Some(latest) } => write!(f, "it begins at {log_start}, and the latest sound snapshot is {latest}"),
            Self::Lost(id) => write!(f, "snapshot {id} is damaged, and the log does not hold what it stood for"),
        }
    }
}

impl MetadataLog {
    /// The log that the store has opened, with the work that makes it and the snapshots fit. What lies behind the latest snapshot is still to
    /// be read. A snapshot that was taken over from another node may have come before the log was made to begin at its end.
    ///
    /// # Errors
    /// [`Unjoined`].
    pub fn recovered(recovered: &Recovered, found: &FoundSnapshots, now: Timestamp) -> Result<(Self, Vec<StorageOp>), Unjoined> {
        let log = Log::recovered(recovered, now);
        let (log_start, was_cut) = (log.start(), recovered.torn_bytes > 0);
        let latest = found.sound.last().copied();
        if let Some(lost) = found.damaged.iter().find(|id| id.end_offset > log_start && !holds(&log, **id)) {
            return Err(Unjoined::Lost(*lost));
        }
        if latest.map_or(Offset::ZERO, |latest| latest.end_offset) < log_start {
            return Err(Unjoined::Gap { log_start, latest });
        }
        let snapshots = KeptSnapshots::new(found.sound.iter().copied().filter(|id| holds(&log, *id)).collect());
        let begins_at = latest.map_or(log_start, |latest| latest.end_offset);
        let mut metadata = Self {
            loaded: begins_at,
            high_watermark: begins_at,
            log,
            epoch_start: None,
            was_cut,
            unapplied: VecDeque::new(),
            voter_changes: 0,
            snapshots,
        };
        let storage = match latest {
            Some(latest) if !metadata.snapshots.has(latest) => metadata.begin_at(latest),
            Some(latest) => metadata.snapshot_kept(latest),
            None => Vec::new(),
        };
        Ok((metadata, storage))
    }

    /// Drops all that it holds and begins where a snapshot ends, which is on disk and reaches further than what is known to be committed here.
    pub fn begin_at(&mut self, id: SnapshotId) -> Vec<StorageOp> {
        let mut storage = Vec::new();
        let below = Offset(id.end_offset.0 - 1).max(self.log.start());
        if self.log.end() > below {
            // First to less than the snapshot, so that a crash in between leaves nothing that could be taken for what follows on it.
            storage.push(StorageOp::Truncate { log: LogId::Metadata, to: below });
        }
        storage.push(StorageOp::Trim { log: LogId::Metadata, log_start: id.end_offset });
        self.log.begin_anew(id.end_offset);
        self.loaded = id.end_offset;
        self.high_watermark = id.end_offset;
        self.epoch_start = None;
        self.unapplied.clear();
        self.voter_changes = 0;
        self.snapshots = KeptSnapshots::new(vec![id]);
        storage
    }

    /// Names a snapshot of all that is committed, if anything is since the last that was tried, and takes that it is being kept.
    pub fn begin_snapshot(&mut self) -> Option<SnapshotId> {
        let end_offset = Some(self.high_watermark).filter(|end| *end > self.snapshots.tried())?;
        let leader_epoch = self.epoch_before(end_offset)?;
        let id = SnapshotId { end_offset, leader_epoch };
        self.snapshots.keeping(id);
        Some(id)
    }

    /// Takes that a snapshot is on disk: the log may begin further on.
    pub fn snapshot_kept(&mut self, id: SnapshotId) -> Vec<StorageOp> {
        let may_begin = self.snapshots.kept(id).filter(|start| *start > self.log.start());
        let trim = |log_start| {
            self.log.trimming_to(log_start);
            StorageOp::Trim { log: LogId::Metadata, log_start }
        };
        may_begin.map(trim).into_iter().collect()
    }

    /// Takes that a snapshot could not be kept.
    pub fn snapshot_not_kept(&mut self, id: SnapshotId) {
        self.snapshots.not_kept(id);
    }

    /// Takes that the log begins at `log_start`, on disk.
    pub fn trimmed_to(&mut self, log_start: Offset) {
        self.log.trim_to(log_start);
        self.snapshots.trim_to(self.log.start());
    }

    /// Bytes that were committed since a snapshot was last tried; of old ones, roughly.
    #[must_use]
    pub fn unsnapped_bytes(&self) -> u64 {
        self.log.bytes_between(self.snapshots.tried(), self.high_watermark)
    }

    /// The snapshots on disk.
    #[must_use]
    pub fn snapshots(&self) -> &KeptSnapshots {
        &self.snapshots
    }

    /// The epoch of the last entry below `offset`, none where nothing is known of it.
    #[must_use]
    pub fn epoch_before(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.snapshots.epoch_at(offset).or_else(|| last_fetched_epoch(&self.log, offset))
    }

    /// The epoch of the last entry, none without any.
    #[must_use]
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        self.epoch_before(self.log.end())
    }

    /// The snapshot that a follower needs which holds everything below `fetch_offset`, the last of it of `last_fetched_epoch`: one that is
    /// behind this log's start, or whose log parts from this one before that (KIP-630). None for one that records can help.
    #[must_use]
    pub fn snapshot_for(&self, fetch_offset: Offset, last_fetched_epoch: Option<LeaderEpoch>) -> Option<SnapshotId> {
        let (latest, start) = (self.snapshots.latest()?, self.log.start());
        if start == Offset::ZERO {
            return None;
        }
        let before_start = self.snapshots.epoch_at(start);
        let parts_at_start = fetch_offset == start && (before_start.is_none() || last_fetched_epoch != before_start);
        (fetch_offset < start || parts_at_start || last_fetched_epoch < before_start).then_some(latest)
    }

    /// Whether recovery has cut bytes from its end. A crash leaves such bytes, and nobody was promised them; a disk that rots does too.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Asks that recovery trust all of the log, once it is read and unless that was asked for before; returns the log's end with the work for
    /// the store.
    pub fn keep(&mut self) -> Option<(Offset, StorageOp)> {
        if self.unread().is_some() || !self.log.has_unkept() {
            return None;
        }
        self.log.keeping();
        let upto = self.log.end();
        Some((upto, StorageOp::KeepSnapshot { log: LogId::Metadata, upto, producers: Bytes::new() }))
    }

    /// The same, if the log has grown by enough since it was last asked.
    pub fn keep_now_and_then(&mut self) -> Option<StorageOp> {
        if self.log.unkept_bytes() < METADATA_SNAPSHOT_BYTES {
            return None;
        }
        self.keep().map(|(_, keep)| keep)
    }

    /// What is still to be read: from and up to.
    #[must_use]
    pub fn unread(&self) -> Option<(Offset, Offset)> {
        (self.loaded < self.log.end()).then(|| (self.loaded, self.log.end()))
    }

    /// Takes batches that the store has read.
    ///
    /// # Errors
    /// They do not continue the log, or do not parse: the log can't be used.
    pub fn read(&mut self, batches: &[Bytes]) -> Result<(), Arc<str>> {
        for batch in batches {
            let header = BatchHeader::parse(batch).map_err(|error| format!("a metadata batch at {}: {error:?}", self.loaded))?;
            check_crc(batch).map_err(|error| format!("a metadata batch at {}: {error:?}", self.loaded))?;
            if header.base_offset != self.loaded {
                return Err(format!("metadata batches leave a gap: {} follows {}", header.base_offset, self.loaded).into());
            }
            if !header.is_control {
                let section = batch.get(HEADER_BYTES..).unwrap_or_default();
                decode_all(&header, section)?.into_iter().for_each(|(offset, record)| self.push_unapplied(offset, record));
            }
            self.loaded = header.next_offset();
        }
        Ok(())
    }

    /// Appends the first entry of a leader's epoch.
    pub fn append_leader_change(
        &mut self,
        quorum_epoch: QuorumEpoch,
        leader: NodeId,
        voters: Vec<Voter>,
        granting_voters: Vec<Voter>,
        now: Timestamp,
    ) -> StorageOp {
        assert_eq!(self.unread(), None, "a leader has read its whole log");
        self.epoch_start = Some(self.log.end());
        let change = LeaderChange { leader, voters, granting_voters };
        let (key, value) = ControlRecord::LeaderChange(change).encode();
        let mut batch = BatchBuilder::new(self.log.end(), quorum_epoch.as_leader_epoch()).control();
        batch.append(now, Some(&key), Some(&value), &[]);
        self.append_batch(quorum_epoch.as_leader_epoch(), batch.build(), now)
    }

    /// Appends records, in as many batches as they need; returns the offset of the first, and the work for the store.
    pub fn append(&mut self, records: &[MetadataRecord], quorum_epoch: QuorumEpoch, now: Timestamp) -> (Offset, Vec<StorageOp>) {
        let first = self.log.end();
        let mut storage = Vec::new();
        let mut batch = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
        for (record, offset) in records.iter().zip(first.0..) {
            self.push_unapplied(Offset(offset), record.clone());
            let value = encode(record);
            if batch.record_count() > 0 && batch.batch_bytes() + value.len() > METADATA_BATCH_BYTES {
                let full = std::mem::replace(&mut batch, BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE));
                storage.push(self.append_batch(quorum_epoch.as_leader_epoch(), full.build(), now));
            }
            batch.append(now, None, Some(&value), &[]);
        }
        if batch.record_count() > 0 {
            storage.push(self.append_batch(quorum_epoch.as_leader_epoch(), batch.build(), now));
        }
        (first, storage)
    }

    fn push_unapplied(&mut self, offset: Offset, record: MetadataRecord) {
        self.voter_changes += usize::from(voters_of(&record).is_some());
        self.unapplied.push_back((offset, record));
    }

    fn append_batch(&mut self, leader_epoch: LeaderEpoch, batch: Bytes, now: Timestamp) -> StorageOp {
        let header = BatchHeader::parse(&batch).expect("a batch that was just built is sound");
        let placed = self.log.append(&header, leader_epoch, now);
        self.loaded = self.log.end();
        StorageOp::Append { log: LogId::Metadata, header: placed, payload: Payload::new(batch), has_followers: true }
    }

    /// Appends what the leader of `quorum_epoch` has sent, as it is; returns the work for the store, and why the rest can't be used, if there is
    /// any: it does not continue the log, or does not parse.
    pub fn append_fetched(&mut self, batches: &[Bytes], quorum_epoch: QuorumEpoch, now: Timestamp) -> (Vec<StorageOp>, Option<Arc<str>>) {
        assert_eq!(self.unread(), None, "a follower has read its whole log");
        let mut storage = Vec::new();
        for batch in batches {
            match self.append_one(batch, quorum_epoch, now) {
                Ok(append) => storage.push(append),
                Err(error) => return (storage, Some(error)),
            }
        }
        (storage, None)
    }

    fn append_one(&mut self, batch: &Bytes, quorum_epoch: QuorumEpoch, now: Timestamp) -> Result<StorageOp, Arc<str>> {
        let header = BatchHeader::parse(batch).map_err(|error| format!("a metadata batch at {}: {error:?}", self.loaded))?;
        let latest = self.last_epoch().unwrap_or(LeaderEpoch::FIRST);
        if header.leader_epoch < latest || header.leader_epoch > quorum_epoch.as_leader_epoch() {
            return Err(format!(
                "a metadata batch at {} is of epoch {}, between {latest} and {quorum_epoch} is none",
                self.loaded, header.leader_epoch
            )
            .into());
        }
        self.read(std::slice::from_ref(batch))?;
        let placed = self.log.append(&header, header.leader_epoch, now);
        assert_eq!(placed, header, "a follower's log is its leader's");
        Ok(StorageOp::Append { log: LogId::Metadata, header, payload: Payload::new(batch.clone()), has_followers: false })
    }

    /// Drops everything from `to` on: the leader has something else there.
    ///
    /// # Panics
    /// When it was committed.
    pub fn truncate_to(&mut self, to: Offset) -> Vec<StorageOp> {
        assert!(to >= self.high_watermark, "{to}: what is committed stays, and all below {} is", self.high_watermark);
        self.log.truncate_to(to);
        self.loaded = self.loaded.min(to);
        while let Some((_, cut)) = self.unapplied.pop_back_if(|(offset, _)| *offset >= to) {
            self.voter_changes -= usize::from(voters_of(&cut).is_some());
        }
        vec![StorageOp::Truncate { log: LogId::Metadata, to }]
    }

    /// Leads no longer.
    pub fn step_down(&mut self) {
        self.epoch_start = None;
    }

    /// Takes that a majority of the voters has all below `held` on disk; says whether that commits more. Nothing does before an entry of the
    /// leader's own epoch is among it.
    pub fn commit_to(&mut self, held: Offset) -> bool {
        let is_news = held > self.high_watermark && self.epoch_start.is_some_and(|start| held > start);
        if is_news {
            self.high_watermark = held;
        }
        is_news
    }

    /// Takes what the leader has committed, as far as this log reaches.
    pub fn follow_high_watermark(&mut self, leaders: Offset) {
        self.high_watermark = self.high_watermark.max(leaders.min(self.log.end()));
    }

    /// Takes that all below `end_offset` is in the page cache.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn written_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.log.written_to(leader_epoch, end_offset)
    }

    /// Takes that all below `end_offset` is on this member's disk.
    ///
    /// # Errors
    /// The log has moved on since.
    pub fn synced_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.log.synced_to(leader_epoch, end_offset)
    }

    /// Takes the next record that is committed.
    pub fn pop_committed(&mut self) -> Option<(Offset, MetadataRecord)> {
        let (offset, _) = self.unapplied.front()?;
        if *offset >= self.high_watermark {
            return None;
        }
        let applied = self.unapplied.pop_front();
        self.voter_changes -= usize::from(applied.as_ref().is_some_and(|(_, record)| voters_of(record).is_some()));
        applied
    }

    /// The latest change of the voters that is not applied yet, committed or not.
    #[must_use]
    pub fn unapplied_voters(&self) -> Option<&[VoterRegistration]> {
        if self.voter_changes == 0 {
            return None;
        }
        self.unapplied.iter().rev().find_map(|(_, record)| voters_of(record))
    }

    /// Whether an entry of this leader's own epoch is committed: by then no change of the voters that it does not know can be (KIP-853).
    #[must_use]
    pub fn has_committed_own(&self) -> bool {
        self.epoch_start.is_some_and(|start| self.high_watermark > start)
    }

    /// Records that are not applied yet, committed or not.
    pub fn unapplied(&self) -> impl Iterator<Item = &(Offset, MetadataRecord)> {
        self.unapplied.iter()
    }

    /// All below is committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
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
}

fn voters_of(record: &MetadataRecord) -> Option<&[VoterRegistration]> {
    if let MetadataRecord::Voters { voters } = record { Some(voters) } else { None }
}

/// Whether the log holds all that a snapshot stands for, or begins where that ends.
fn holds(log: &Log, id: SnapshotId) -> bool {
    let is_same = || last_fetched_epoch(log, id.end_offset) == Some(id.leader_epoch);
    id.end_offset == log.start() || (id.end_offset > log.start() && id.end_offset <= log.end() && is_same())
}

fn decode_all(header: &BatchHeader, section: &[u8]) -> Result<Vec<(Offset, MetadataRecord)>, Arc<str>> {
    let decoded = Records::new(section).map(|record| {
        let record = record.map_err(|error| format!("a metadata batch at {}: {error:?}", header.base_offset))?;
        let offset = header.base_offset.plus(i64::from(record.offset_delta));
        Ok((offset, decode(record.value.unwrap_or_default())?))
    });
    decoded.collect()
}
