//! A store in memory: operations wait until [`Shelf::finish_one`] carries them out, one at a time, in order.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::boundary::*;
use crate::epoch::LeaderEpoch;
use crate::ids::LogId;
use crate::limits::METADATA_SNAPSHOTS_KEPT;
use crate::metadata::{FoundSnapshots, SnapshotId};
use crate::offset::Offset;
use crate::record::BatchHeader;

#[derive(Default)]
pub(super) struct Shelf {
    logs: BTreeMap<LogId, Kept>,
    election: Option<ElectionState>,
    metadata_snapshots: BTreeMap<SnapshotId, Bytes>,
    jobs: VecDeque<StorageOp>,
    done: VecDeque<StorageDone>,
    /// Logs whose removal takes long, while it does.
    removing: Option<Vec<LogId>>,
    /// What was compacted.
    compactions: Vec<(LogId, Compaction)>,
}

#[derive(Default)]
struct Kept {
    start: Offset,
    batches: Vec<(BatchHeader, Bytes)>,
    synced: usize,
    snapshot: Option<(Offset, Bytes)>,
    torn_bytes: u64,
    generation: u64,
    durability: Option<Durability>,
    /// The least end that it ever had once it had held anything.
    least_end: Option<Offset>,
}

impl Shelf {
    pub(super) fn submit(&mut self, op: StorageOp) {
        self.jobs.push_back(op);
    }

    /// Ends the process, or with `power` the machine.
    pub(super) fn restart(&mut self, power: bool) {
        self.jobs.clear();
        self.done.clear();
        for log in self.logs.values_mut() {
            if power {
                log.batches.truncate(log.synced);
            }
            log.synced = log.batches.len();
        }
    }

    /// Loses a log's records and keeps the rest.
    pub(super) fn lose_batches(&mut self, log: LogId) {
        let kept = self.logs.get_mut(&log).unwrap();
        kept.batches.clear();
        kept.synced = 0;
    }

    /// The batches that a slice names.
    pub(super) fn resolve(&self, slice: &LogSlice) -> Vec<Bytes> {
        let kept = &self.logs[&slice.log];
        let within = kept.batches.iter().filter(|(header, _)| header.next_offset() > slice.from && header.base_offset < slice.upto);
        let mut bytes_left = u64::from(slice.bytes_max);
        // One batch always.
        let fits = |(at, (_, bytes)): &(usize, &(BatchHeader, Bytes))| {
            let length = u64::try_from(bytes.len()).unwrap();
            let fits = *at == 0 || length <= bytes_left;
            bytes_left = bytes_left.saturating_sub(length);
            fits
        };
        within.enumerate().take_while(fits).map(|(_, (_, bytes))| bytes.clone()).collect()
    }

    pub(super) fn lose_vote(&mut self) {
        self.election = None;
    }

    /// Has the next recovery of a log find bytes to cut.
    pub(super) fn tear(&mut self, log: LogId) {
        self.logs.get_mut(&log).unwrap().torn_bytes = 7;
    }

    /// Up to where a log was kept.
    pub(super) fn kept_upto(&self, log: LogId) -> Option<Offset> {
        self.logs[&log].snapshot.as_ref().map(|(upto, _)| *upto)
    }

    /// The snapshots of the metadata that are on disk.
    pub(super) fn metadata_snapshots(&self) -> Vec<SnapshotId> {
        self.metadata_snapshots.keys().copied().collect()
    }

    /// Loses the snapshots of the metadata.
    pub(super) fn lose_metadata_snapshots(&mut self) {
        self.metadata_snapshots.clear();
    }

    /// Carries out what waits, up to and without the first operation that `is_last` is true of; says whether there was one.
    pub(super) fn finish_before(&mut self, is_last: impl Fn(&StorageOp) -> bool) -> Option<StorageDone> {
        if self.done.is_empty() && self.jobs.front().is_some_and(is_last) { None } else { self.finish_one() }
    }

    /// Whether leftovers of topics that are gone are to be removed.
    pub(super) fn removes_others(&self) -> bool {
        self.jobs.iter().any(|op| matches!(op, StorageOp::RemoveOthers { .. }))
    }

    /// How many appends wait.
    pub(super) fn waiting_appends(&self) -> usize {
        self.jobs.iter().filter(|op| matches!(op, StorageOp::Append { .. })).count()
    }

    /// Whether the first append to a partition that waits is said to be of a log that others copy.
    pub(super) fn is_followed(&self) -> Option<bool> {
        let of_partition = |op: &StorageOp| {
            let StorageOp::Append { log: LogId::Partition(_), has_followers, .. } = op else { return None };
            Some(*has_followers)
        };
        self.jobs.iter().find_map(of_partition)
    }

    /// Takes a compaction that waits.
    pub(super) fn drop_compaction(&mut self) {
        let before = self.jobs.len();
        self.jobs.retain(|op| !matches!(op, StorageOp::Compact { .. }));
        assert_eq!(self.jobs.len() + 1, before, "one waits");
    }

    /// What was compacted since this was asked last.
    pub(super) fn take_compactions(&mut self) -> Vec<(LogId, Compaction)> {
        std::mem::take(&mut self.compactions)
    }

    /// Has removals take long from here on.
    pub(super) fn hold_removals(&mut self) {
        self.removing = Some(Vec::new());
    }

    /// Finishes the removals that took long; says how many.
    pub(super) fn finish_removals(&mut self) -> usize {
        let removing = self.removing.take().unwrap_or_default();
        removing.iter().for_each(|log| self.jobs.push_front(StorageOp::Remove { log: *log }));
        removing.len()
    }

    /// Fails the first operation that waits.
    pub(super) fn fail_one(&mut self, log: LogId) -> StorageDone {
        self.jobs.pop_front();
        StorageDone::Failed { log, error: StorageError::Io("broken".into()) }
    }

    pub(super) fn finish_one(&mut self) -> Option<StorageDone> {
        loop {
            if let Some(done) = self.done.pop_front() {
                return Some(done);
            }
            let op = self.jobs.pop_front()?;
            self.carry_out(op);
        }
    }

    /// The least end that a log ever had since it first held anything.
    pub(super) fn least_end(&self, log: LogId) -> Option<Offset> {
        self.logs[&log].least_end
    }

    fn carry_out(&mut self, op: StorageOp) {
        match op {
            StorageOp::Open { log, settings, .. } => {
                assert!(self.removing.as_ref().is_none_or(|removing| !removing.contains(&log)), "{log} is opened while it is removed");
                let kept = self.logs.entry(log).or_default();
                kept.durability = Some(settings.durability);
                let recovered = kept.recovered();
                self.done.push_back(StorageDone::Opened { log, recovered });
            }
            StorageOp::Append { log, header, payload, has_followers } => {
                let kept = self.logs.get_mut(&log).unwrap();
                let mut bytes = payload.bytes().to_vec();
                bytes[..8].copy_from_slice(&header.base_offset.0.to_be_bytes());
                bytes[12..16].copy_from_slice(&header.leader_epoch.0.to_be_bytes());
                kept.batches.push((header, bytes.into()));
                kept.synced = kept.batches.len();
                kept.least_end.get_or_insert(header.next_offset());
                let (leader_epoch, end_offset) = (header.leader_epoch, header.next_offset());
                if has_followers || kept.durability != Some(Durability::Flushed) {
                    self.done.push_back(StorageDone::Written { log, leader_epoch, end_offset });
                }
                self.done.push_back(StorageDone::Synced { log, leader_epoch, end_offset });
            }
            StorageOp::Trim { log, log_start } => {
                let kept = self.logs.get_mut(&log).unwrap();
                if log_start > kept.end() {
                    kept.batches.clear();
                    kept.synced = 0;
                }
                kept.start = log_start;
                self.done.push_back(StorageDone::Trimmed { log, log_start });
            }
            StorageOp::KeepSnapshot { log, upto, producers } => {
                self.logs.get_mut(&log).unwrap().snapshot = Some((upto, producers));
                self.done.push_back(StorageDone::SnapshotKept { log, upto });
            }
            StorageOp::Read { log, from, upto, .. } => {
                let kept = &self.logs[&log];
                let within = kept.batches.iter().filter(|(header, _)| header.base_offset >= from && header.base_offset < upto);
                let batches = within.map(|(_, bytes)| bytes.clone()).collect();
                self.done.push_back(StorageDone::Read { log, from, batches });
            }
            StorageOp::Remove { log } => {
                if let Some(removing) = &mut self.removing {
                    return removing.push(log);
                }
                self.logs.remove(&log);
                self.done.push_back(StorageDone::Removed { log });
            }
            StorageOp::KeepElection(state) => {
                self.election = Some(state.clone());
                self.done.push_back(StorageDone::ElectionKept(state));
            }
            StorageOp::LoadElection => self.done.push_back(StorageDone::Election(self.election.clone())),
            StorageOp::RemoveOthers { known } => {
                self.logs.retain(|log, _| *log == LogId::Metadata || known.contains(log));
                self.done.push_back(StorageDone::OthersRemoved);
            }
            StorageOp::Sync { log } => {
                if let Some((header, _)) = self.logs[&log].batches.last() {
                    let (leader_epoch, end_offset) = (header.leader_epoch, header.next_offset());
                    self.done.push_back(StorageDone::Synced { log, leader_epoch, end_offset });
                }
            }
            StorageOp::Configure { log, settings } => {
                if let Some(kept) = self.logs.get_mut(&log) {
                    kept.durability = Some(settings.durability);
                }
            }
            StorageOp::Truncate { log, to } => {
                let kept = self.logs.get_mut(&log).unwrap();
                kept.batches.retain(|(header, _)| header.base_offset < to);
                kept.synced = kept.batches.len();
                kept.least_end = kept.least_end.min(Some(kept.end()));
                kept.generation += 1;
                self.done.push_back(StorageDone::Truncated { log, end_offset: to, generation: Generation(kept.generation) });
            }
            StorageOp::KeepMetadataSnapshot { id, content } => {
                self.metadata_snapshots.insert(id, content);
                while self.metadata_snapshots.len() > METADATA_SNAPSHOTS_KEPT {
                    self.metadata_snapshots.pop_first();
                }
                self.done.push_back(StorageDone::MetadataSnapshotKept { id });
            }
            StorageOp::LoadMetadataSnapshots => {
                let found = FoundSnapshots { sound: self.metadata_snapshots.keys().copied().collect(), damaged: Vec::new() };
                let latest = self.metadata_snapshots.values().last().cloned();
                self.done.push_back(StorageDone::MetadataSnapshots { found, latest });
            }
            StorageOp::ReadMetadataSnapshot { id, position, bytes_max } => {
                let piece = self.metadata_snapshots.get(&id).map(|content| {
                    let from = usize::try_from(position).unwrap().min(content.len());
                    let upto = (from + usize::try_from(bytes_max).unwrap()).min(content.len());
                    (content.slice(from..upto), u64::try_from(content.len()).unwrap())
                });
                self.done.push_back(StorageDone::MetadataSnapshotRead { id, position, piece });
            }
            StorageOp::Compact { log, compaction } => self.compact(log, compaction),
            StorageOp::Find { .. } => panic!("nobody asks for that here: {op:?}"),
        }
    }

    fn compact(&mut self, log: LogId, compaction: Compaction) {
        let (upto, generation) = (compaction.upto, compaction.generation);
        self.compactions.push((log, compaction));
        self.done.push_back(StorageDone::Compacted { log, generation, clean_upto: Ok(Some(upto)) });
    }
}

impl Kept {
    fn end(&self) -> Offset {
        self.batches.last().map_or(self.start, |(header, _)| header.next_offset())
    }

    fn recovered(&self) -> Recovered {
        let end = self.end();
        let mut epochs: Vec<EpochStart> = Vec::new();
        for (header, _) in &self.batches {
            if epochs.last().is_none_or(|last| last.leader_epoch < header.leader_epoch) {
                epochs.push(EpochStart { leader_epoch: header.leader_epoch, start_offset: header.base_offset });
            }
        }
        let covered = self.snapshot.as_ref().map_or(Offset::ZERO, |(upto, _)| *upto);
        assert!(epochs.iter().all(|start| start.leader_epoch >= LeaderEpoch::FIRST));
        Recovered {
            log_start: self.start,
            log_end: end,
            epochs,
            sealed: Vec::new(),
            active_bytes: self.batches.iter().map(|(header, _)| u64::from(header.batch_bytes)).sum(),
            active_max_timestamp: self.batches.iter().map(|(header, _)| header.max_timestamp).max(),
            snapshot: self.snapshot.clone(),
            tail: self.batches.iter().map(|(header, _)| *header).filter(|header| header.base_offset >= covered).collect(),
            clean_upto: Offset::ZERO,
            torn_bytes: self.torn_bytes,
            damaged: false,
            generation: Generation(self.generation),
        }
    }
}
