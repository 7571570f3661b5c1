//! A node's disk: operations wait, log by log, until they are finished one at a time; a power loss takes what was not synced.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use gracchus_core::boundary::{Durability, ElectionState, EpochStart, Generation, LogSlice, Recovered, StorageDone, StorageOp};
use gracchus_core::ids::LogId;
use gracchus_core::limits::METADATA_SNAPSHOTS_KEPT;
use gracchus_core::metadata::{FoundSnapshots, SnapshotId};
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchHeader;

/// What is on a disk, and what is asked of it.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    logs: BTreeMap<LogId, Kept>,
    election: Option<ElectionState>,
    metadata_snapshots: BTreeMap<SnapshotId, Bytes>,
    jobs: BTreeMap<LogId, VecDeque<StorageOp>>,
    done: VecDeque<StorageDone>,
}

#[derive(Debug, Default)]
struct Kept {
    start: Offset,
    /// Where it ends without batches.
    end: Offset,
    batches: Vec<(BatchHeader, Bytes)>,
    /// Batches that are on disk.
    synced: usize,
    snapshots: BTreeMap<Offset, Bytes>,
    generation: u64,
    durability: Option<Durability>,
}

impl Disk {
    pub(crate) fn submit(&mut self, op: StorageOp) {
        self.jobs.entry(log_of(&op)).or_default().push_back(op);
    }

    /// The process ends, or the machine with it.
    pub(crate) fn restart(&mut self, power: bool) {
        self.jobs.clear();
        self.done.clear();
        for log in self.logs.values_mut() {
            if power {
                log.batches.truncate(log.synced);
                let end = log.end();
                log.snapshots.retain(|upto, _| *upto <= end);
            }
            // What recovery keeps it puts on disk.
            log.synced = log.batches.len();
        }
    }

    /// Finishes one operation of the log that `choice` falls on. None when nothing waits.
    pub(crate) fn finish_one(&mut self, choice: usize) -> Option<StorageDone> {
        if let Some(done) = self.done.pop_front() {
            return Some(done);
        }
        self.jobs.retain(|_, jobs| !jobs.is_empty());
        let log = *self.jobs.keys().nth(choice.checked_rem(self.jobs.len())?)?;
        let op = self.jobs.get_mut(&log)?.pop_front()?;
        self.carry_out(op);
        self.finish_one(choice)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.done.is_empty() && self.jobs.values().all(VecDeque::is_empty)
    }

    /// The batches that a slice names; none when it is void.
    pub(crate) fn resolve(&self, slice: &LogSlice) -> Vec<Bytes> {
        let Some(kept) = self.logs.get(&slice.log).filter(|kept| kept.generation == slice.generation.0) else { return Vec::new() };
        let within = kept.batches.iter().filter(|(header, _)| header.next_offset() > slice.from && header.base_offset < slice.upto);
        within.map(|(_, bytes)| bytes.clone()).collect()
    }

    /// What a log holds once everything that waits is done: each batch with its offset, and whether it is on disk.
    pub(crate) fn batches(&self, log: LogId) -> Vec<(Offset, Bytes, bool)> {
        let kept = self.logs.get(&log);
        let mut batches: Vec<_> = kept
            .map(|kept| {
                kept.batches.iter().enumerate().map(|(at, (header, bytes))| (header.base_offset, bytes.clone(), at < kept.synced)).collect()
            })
            .unwrap_or_default();
        for op in self.jobs.get(&log).into_iter().flatten() {
            match op {
                StorageOp::Append { header, payload, .. } => batches.push((header.base_offset, placed(header, payload.bytes()), false)),
                StorageOp::Truncate { to, .. } => batches.retain(|(offset, ..)| offset < to),
                StorageOp::Remove { .. } => batches.clear(),
                StorageOp::Open { .. }
                | StorageOp::Configure { .. }
                | StorageOp::Sync { .. }
                | StorageOp::Trim { .. }
                | StorageOp::KeepSnapshot { .. }
                | StorageOp::Read { .. }
                | StorageOp::Find { .. }
                | StorageOp::Compact { .. }
                | StorageOp::RemoveOthers { .. }
                | StorageOp::KeepElection(_)
                | StorageOp::LoadElection
                | StorageOp::KeepMetadataSnapshot { .. }
                | StorageOp::LoadMetadataSnapshots
                | StorageOp::ReadMetadataSnapshot { .. } => {}
            }
        }
        batches
    }

    fn carry_out(&mut self, op: StorageOp) {
        let done = match op {
            StorageOp::Open { log, settings, .. } => {
                let kept = self.logs.entry(log).or_default();
                kept.durability = Some(settings.durability);
                StorageDone::Opened { log, recovered: kept.recovered() }
            }
            StorageOp::Append { log, header, payload, has_followers } => {
                let kept = self.logs.get_mut(&log).expect("a log is opened before it grows");
                assert_eq!(header.base_offset, kept.end(), "a batch is appended at the log's end");
                kept.batches.push((header, placed(&header, payload.bytes())));
                let (leader_epoch, end_offset) = (header.leader_epoch, header.next_offset());
                // Syncs gather: the next one covers all that was written.
                self.jobs.entry(log).or_default().push_back(StorageOp::Sync { log });
                if !has_followers && kept.durability == Some(Durability::Flushed) {
                    return;
                }
                StorageDone::Written { log, leader_epoch, end_offset }
            }
            StorageOp::Sync { log } => {
                let Some(kept) = self.logs.get_mut(&log) else { return };
                kept.synced = kept.batches.len();
                let Some((header, _)) = kept.batches.last() else { return };
                StorageDone::Synced { log, leader_epoch: header.leader_epoch, end_offset: header.next_offset() }
            }
            StorageOp::Trim { log, log_start } => {
                let kept = self.logs.get_mut(&log).expect("an open log");
                kept.start = kept.start.max(log_start);
                if log_start > kept.end() {
                    kept.batches.clear();
                    kept.synced = 0;
                }
                kept.end = kept.end().max(log_start);
                StorageDone::Trimmed { log, log_start }
            }
            StorageOp::Truncate { log, to } => {
                let kept = self.logs.get_mut(&log).expect("an open log");
                kept.batches.retain(|(header, _)| header.base_offset < to);
                kept.synced = kept.batches.len();
                kept.snapshots.retain(|upto, _| *upto <= to);
                kept.generation += 1;
                StorageDone::Truncated { log, end_offset: kept.end(), generation: Generation(kept.generation) }
            }
            StorageOp::KeepSnapshot { log, upto, producers } => {
                let kept = self.logs.get_mut(&log).expect("an open log");
                kept.synced = kept.batches.len();
                kept.snapshots.insert(upto, producers);
                StorageDone::SnapshotKept { log, upto }
            }
            StorageOp::Read { log, from, upto, .. } => {
                let within = self.logs[&log].batches.iter().filter(|(header, _)| header.base_offset >= from && header.base_offset < upto);
                StorageDone::Read { log, from, batches: within.map(|(_, bytes)| bytes.clone()).collect() }
            }
            StorageOp::Remove { log } => {
                self.logs.remove(&log);
                StorageDone::Removed { log }
            }
            StorageOp::RemoveOthers { known } => {
                self.logs.retain(|log, _| *log == LogId::Metadata || known.contains(log));
                StorageDone::OthersRemoved
            }
            StorageOp::KeepElection(state) => {
                self.election = Some(state.clone());
                StorageDone::ElectionKept(state)
            }
            StorageOp::LoadElection => StorageDone::Election(self.election.clone()),
            StorageOp::KeepMetadataSnapshot { id, content } => {
                self.metadata_snapshots.insert(id, content);
                while self.metadata_snapshots.len() > METADATA_SNAPSHOTS_KEPT {
                    self.metadata_snapshots.pop_first();
                }
                StorageDone::MetadataSnapshotKept { id }
            }
            StorageOp::LoadMetadataSnapshots => {
                let found = FoundSnapshots { sound: self.metadata_snapshots.keys().copied().collect(), damaged: Vec::new() };
                StorageDone::MetadataSnapshots { found, latest: self.metadata_snapshots.values().last().cloned() }
            }
            StorageOp::ReadMetadataSnapshot { id, position, bytes_max } => {
                let piece = self.metadata_snapshots.get(&id).map(|content| {
                    let from = usize::try_from(position).unwrap().min(content.len());
                    let upto = (from + usize::try_from(bytes_max).unwrap()).min(content.len());
                    (content.slice(from..upto), content.len() as u64)
                });
                StorageDone::MetadataSnapshotRead { id, position, piece }
            }
            StorageOp::Configure { log, settings } => {
                if let Some(kept) = self.logs.get_mut(&log) {
                    kept.durability = Some(settings.durability);
                }
                return;
            }
            // Nothing closes here that could be compacted.
            StorageOp::Find { .. } | StorageOp::Compact { .. } => return,
        };
        self.done.push_back(done);
    }
}

impl Kept {
    fn end(&self) -> Offset {
        self.batches.last().map_or(self.end.max(self.start), |(header, _)| header.next_offset())
    }

    fn recovered(&self) -> Recovered {
        let mut epochs: Vec<EpochStart> = Vec::new();
        for (header, _) in &self.batches {
            if epochs.last().is_none_or(|last| last.leader_epoch < header.leader_epoch) {
                epochs.push(EpochStart { leader_epoch: header.leader_epoch, start_offset: header.base_offset });
            }
        }
        let snapshot = self.snapshots.last_key_value().map(|(upto, bytes)| (*upto, bytes.clone()));
        let covered = snapshot.as_ref().map_or(Offset::ZERO, |(upto, _)| *upto);
        Recovered {
            log_start: self.start,
            log_end: self.end(),
            epochs,
            sealed: Vec::new(),
            active_bytes: self.batches.iter().map(|(header, _)| u64::from(header.batch_bytes)).sum(),
            active_max_timestamp: self.batches.iter().map(|(header, _)| header.max_timestamp).max(),
            snapshot,
            tail: self.batches.iter().map(|(header, _)| *header).filter(|header| header.base_offset >= covered).collect(),
            clean_upto: Offset::ZERO,
            torn_bytes: 0,
            damaged: false,
            generation: Generation(self.generation),
        }
    }
}

/// A batch as it stands in the log.
fn placed(header: &BatchHeader, bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[..8].copy_from_slice(&header.base_offset.0.to_be_bytes());
    bytes[12..16].copy_from_slice(&header.leader_epoch.0.to_be_bytes());
    bytes.into()
}

fn log_of(op: &StorageOp) -> LogId {
    match op {
        StorageOp::Open { log, .. }
        | StorageOp::Configure { log, .. }
        | StorageOp::Append { log, .. }
        | StorageOp::Sync { log }
        | StorageOp::Trim { log, .. }
        | StorageOp::Truncate { log, .. }
        | StorageOp::KeepSnapshot { log, .. }
        | StorageOp::Read { log, .. }
        | StorageOp::Find { log, .. }
        | StorageOp::Compact { log, .. }
        | StorageOp::Remove { log } => *log,
        StorageOp::RemoveOthers { .. } | StorageOp::KeepElection(_) | StorageOp::LoadElection => LogId::Metadata,
        StorageOp::KeepMetadataSnapshot { .. } | StorageOp::LoadMetadataSnapshots | StorageOp::ReadMetadataSnapshot { .. } => LogId::Metadata,
    }
}
