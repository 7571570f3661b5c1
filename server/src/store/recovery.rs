//! Opening a log, whatever a crash has left of it.
//!
//! Below the last snapshot everything is trusted: it was on disk before the snapshot was. What lies behind is read batch by batch and kept
//! up to the first that is not whole, has the wrong CRC, or does not follow on the one before. What is kept there may have been in the page
//! cache only, or behind a failed sync, so it is written again, byte for byte from what was checked, and synced before it is called durable.
//!
//! What ends a log early is a crash's trace or damage, and only some of it can be told apart. It is damage
//! - whatever it is, if a stop had put the log on disk;
//! - in a `flushed` log, if a valid batch stands further on than one write reaches, for it was written when all before was on disk;
//! - in the metadata log, if any valid batch stands further on, for there a write is one batch.
//!
//! Rot in what the last write before a crash wrote looks like the write torn, and so does rot in what a `replicated` log had not synced: those
//! bytes may have been promised or not, and nothing on this disk knows. Snapshots and stops keep that part small. A damaged partition goes on
//! without what it lost, and says so. Of a damaged metadata log nothing is cut and nothing opened: a node that forgot topics would delete their
//! records, and whoever starts it once more must find the damage again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gracchus_core::boundary::{Durability, LogSettings, Recovered, StorageError};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{LogId, TopicName};
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchHeader;
use gracchus_core::time::Timestamp;

use super::batches::{CheckedBatches, Found};
use super::epochs::Epochs;
use super::log::{self, Log};
use super::paths::{self, CLEANED_FILE, DELETED_FILE, FileKind, UNFINISHED_FILE};
use super::remains::{self, Remains};
use super::segment::ActiveSegment;
use super::snapshot::Snapshot;
use super::task::DiskTask;
use super::view::{Segment, View};
use super::{checkpoint, cut, failure, swap, sync};
use crate::platform::{Disk, Platform};

/// Checked bytes that are written again at once.
const REWRITE_BYTES: u64 = 1 << 20;

/// In what state a log's files may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// As a stop leaves them: all that is in them is on disk.
    Clean,
    /// As a crash leaves them. Nobody has them open.
    Crashed,
    /// As a failure in this run leaves them. Readers may still be sending from them.
    Failed,
}

/// What a log's folder holds.
struct Folder {
    names: Vec<PathBuf>,
    bases: BTreeSet<Offset>,
    /// The start that was kept, and whether it can't be read.
    log_start: Option<Offset>,
    log_start_is_bad: bool,
    /// How far it is compacted, as far as anybody can tell.
    clean_upto: Offset,
    /// Whether batches may lie behind others that never reached the disk.
    is_lax: bool,
}

/// A log being put together.
struct Recovery<'a, P: Platform> {
    task: &'a DiskTask<P>,
    id: LogId,
    folder: &'a Path,
    settings: &'a LogSettings,
    left: Left,
    /// Whether what is missing before something that is there had been on disk.
    is_strict: bool,
    segments: Vec<Segment>,
    active: Option<ActiveSegment>,
    indexes: Vec<crate::platform::FileOf<P>>,
    epochs: Epochs,
    /// Behind the last batch that is kept.
    end: Offset,
    tail: Vec<BatchHeader>,
    torn_bytes: u64,
    damaged: bool,
}

/// Opens a log. One without files makes none.
pub(super) async fn open<P: Platform>(
    task: &DiskTask<P>,
    id: LogId,
    topic: &TopicName,
    settings: LogSettings,
    left: Left,
) -> Result<(Log<P>, Recovered), StorageError> {
    let path = paths::log_folder(id, topic);
    let Some(mut folder) = Folder::look(task, id, &path, &settings).await? else {
        check_nothing_is_orphaned(task, id).await?;
        return Ok(absent(task, id, path, settings));
    };
    if swap::finish(task, &path, &folder.names).await?
        && let Some(finished) = Folder::look(task, id, &path, &settings).await?
    {
        folder = finished;
    }
    folder.remove_leftovers(task, &path).await?;
    folder.drop_trimmed(task, &path).await?;
    let (snapshot, snapshot_is_bad) = folder.snapshot(task, id, &path).await?;
    let first = folder.bases.first().copied();
    let expected_start = folder.log_start.unwrap_or_default();
    let mut recovery = Recovery {
        task,
        id,
        folder: &path,
        settings: &settings,
        left,
        is_strict: settings.durability == Durability::Flushed && !folder.is_lax,
        segments: Vec::new(),
        active: None,
        indexes: Vec::new(),
        epochs: Epochs::default(),
        end: expected_start,
        tail: Vec::new(),
        torn_bytes: 0,
        damaged: false,
    };
    if snapshot_is_bad || folder.log_start_is_bad || first.is_some_and(|first| first > expected_start) {
        recovery.note_damage("its start")?;
    }
    let log_start = first.map_or(expected_start, |first| first.max(expected_start));
    recovery.scan(&folder.bases, snapshot.as_ref(), log_start).await?;
    recovery.drop_below(log_start).await?;
    cut::sync_folder(task, &path).await?;
    if left != Left::Clean {
        cut::sync_folder(task, paths::root()).await?;
    }
    if recovery.end == Offset::ZERO {
        check_nothing_is_orphaned(task, id).await?;
    }
    let (mut log, mut recovered) = recovery.finish(settings.clone(), log_start, snapshot);
    recovered.clean_upto = folder.clean_upto.min(recovered.log_end);
    if folder.clean_upto > recovered.log_end {
        cut::lower_clean_upto(task, &path, recovered.log_end).await?;
    }
    log.is_lax = folder.is_lax;
    Ok((log, recovered))
}

/// Partitions are opened only once the metadata log says so, on disk: if there are any and it says nothing, it is lost.
async fn check_nothing_is_orphaned<P: Platform>(task: &DiskTask<P>, id: LogId) -> Result<(), StorageError> {
    if id != LogId::Metadata {
        return Ok(());
    }
    let names = task.disk.list(paths::root()).await.map_err(|error| failure::from_io(&error))?;
    for folder in names.iter().filter(|name| paths::parse_partition_folder(name).is_some()) {
        let held = task.disk.list(folder).await.map_err(|error| failure::from_io(&error))?;
        if held.iter().any(|name| paths::parse_segment_file(name, FileKind::Log).is_some()) {
            return Err(failure::corrupt(format!("{} holds records, and the metadata log that should name it is empty", folder.display())));
        }
    }
    Ok(())
}

/// A log that has no folder.
fn absent<P: Platform>(task: &DiskTask<P>, id: LogId, path: PathBuf, settings: LogSettings) -> (Log<P>, Recovered) {
    let generation = task.shared.next_generation();
    let view = View::new(path, generation, Offset::ZERO, Vec::new());
    let recovered = Recovered {
        log_start: Offset::ZERO,
        log_end: Offset::ZERO,
        epochs: Vec::new(),
        sealed: Vec::new(),
        active_bytes: 0,
        active_max_timestamp: None,
        snapshot: None,
        clean_upto: Offset::ZERO,
        tail: Vec::new(),
        torn_bytes: 0,
        damaged: false,
        generation,
    };
    (Log::new(id, settings, view, false, Epochs::default(), Offset::ZERO), recovered)
}

impl Folder {
    /// Looks into a log's folder; `None` if there is none, or one of another topic that had the name, which is taken away.
    async fn look<P: Platform>(task: &DiskTask<P>, id: LogId, path: &Path, settings: &LogSettings) -> Result<Option<Self>, StorageError> {
        let names = task.disk.list(path).await.map_err(|error| failure::from_io(&error))?;
        if names.is_empty() {
            return Ok(None);
        }
        if let LogId::Partition(partition) = id {
            if path == paths::metadata_folder() {
                return Err(failure::corrupt(format!("{} is the metadata log's own folder", path.display())));
            }
            let _alone = task.shared.folders.lock().await;
            let expected = |content: &[u8]| checkpoint::decode_partition_metadata(content) == Some(partition.topic);
            let content = checkpoint::read_until(&task.disk, &path.join(checkpoint::PARTITION_METADATA), expected).await;
            let content = content.map_err(|error| failure::from_io(&error))?.unwrap_or_default();
            match checkpoint::decode_partition_metadata(&content) {
                Some(topic) if topic == partition.topic => {}
                // It is on disk before any batch is, so without it nothing was promised.
                None if content.iter().any(|&byte| byte != 0) => {
                    return Err(failure::corrupt(format!("{}/{}", path.display(), checkpoint::PARTITION_METADATA)));
                }
                Some(_) | None => {
                    cut::remove(task, path, settings.file_delete_delay_ms).await?;
                    return Ok(None);
                }
            }
        }
        let bases = names.iter().filter_map(|name| paths::parse_segment_file(name, FileKind::Log)).collect();
        let kept = read_checked(task, &path.join(checkpoint::LOG_START), checkpoint::decode_offset).await?;
        let clean_upto = read_checked(task, &path.join(checkpoint::CLEAN_UPTO), checkpoint::decode_offset).await?.flatten().unwrap_or_default();
        let is_lax = names.iter().any(|name| name.as_os_str() == checkpoint::LAX);
        Ok(Some(Self { names, bases, log_start_is_bad: kept == Some(None), log_start: kept.flatten(), clean_upto, is_lax }))
    }

    /// Removes files that were on their way in or out, and indexes without a segment.
    async fn remove_leftovers<P: Platform>(&self, task: &DiskTask<P>, path: &Path) -> Result<(), StorageError> {
        for name in &self.names {
            let text = name.to_string_lossy();
            let index_of = [FileKind::OffsetIndex, FileKind::TimeIndex].into_iter().find_map(|kind| paths::parse_segment_file(name, kind));
            let is_orphan = index_of.is_some_and(|base| !self.bases.contains(&base));
            if is_orphan || [DELETED_FILE, UNFINISHED_FILE, CLEANED_FILE].iter().any(|suffix| text.ends_with(suffix)) {
                checkpoint::remove_if_there(&task.disk, &path.join(name)).await.map_err(|error| failure::from_io(&error))?;
            }
        }
        Ok(())
    }

    /// Drops the segments that were trimmed: their removal may not have reached the disk.
    async fn drop_trimmed<P: Platform>(&mut self, task: &DiskTask<P>, path: &Path) -> Result<(), StorageError> {
        let log_start = self.log_start.unwrap_or_default();
        let successors = self.bases.iter().skip(1);
        let trimmed: Vec<Offset> = self.bases.iter().zip(successors).filter(|(_, next)| **next <= log_start).map(|(base, _)| *base).collect();
        for base in trimmed {
            self.bases.remove(&base);
            cut::retire_files(task, path, base, 0).await?;
        }
        Ok(())
    }

    /// The newest snapshot that can be used. Others are removed, and whether one of those speaks of bytes that are not there is told; it stays
    /// if it is one of the metadata log's. One of a log that was to begin anew, and does not start there yet, can't be used, and speaks of none.
    async fn snapshot<P: Platform>(&self, task: &DiskTask<P>, id: LogId, path: &Path) -> Result<(Option<Snapshot>, bool), StorageError> {
        let mut kept: Vec<Offset> = self.names.iter().filter_map(|name| paths::parse_snapshot_file(name)).collect();
        kept.sort_unstable();
        let mut bytes_are_missing = false;
        for upto in kept.into_iter().rev() {
            let file = paths::snapshot_file(path, upto);
            let snapshot = read_checked(task, &file, Snapshot::decode).await?.flatten().filter(|snapshot| snapshot.upto == upto);
            let is_ahead =
                |snapshot: &Snapshot| !self.log_start_is_bad && snapshot.is_of_nothing() && upto > self.log_start.unwrap_or_default();
            if let Some(snapshot) = snapshot.filter(|snapshot| !is_ahead(snapshot)) {
                if self.fits(task, path, &snapshot).await? {
                    return Ok((Some(snapshot), bytes_are_missing));
                }
                bytes_are_missing = true;
                if id == LogId::Metadata {
                    break;
                }
            }
            checkpoint::remove_if_there(&task.disk, &file).await.map_err(|error| failure::from_io(&error))?;
        }
        Ok((None, bytes_are_missing))
    }

    /// Whether the segments are there that a snapshot speaks of, but for those that were trimmed since.
    async fn fits<P: Platform>(&self, task: &DiskTask<P>, path: &Path, snapshot: &Snapshot) -> Result<bool, StorageError> {
        let log_start = self.log_start.unwrap_or_default();
        let is_there = |base: &Offset| self.bases.contains(base);
        if !snapshot.sealed.iter().filter(|sealed| sealed.end_offset > log_start).all(|sealed| is_there(&sealed.base_offset)) {
            return Ok(false);
        }
        if snapshot.position == 0 || snapshot.upto <= log_start {
            return Ok(true);
        }
        if !is_there(&snapshot.base_offset) {
            return Ok(false);
        }
        let file = paths::segment_file(path, snapshot.base_offset, FileKind::Log);
        let file = task.disk.open(&file).await.map_err(|error| failure::from_io(&error))?;
        let length = task.disk.length(&file).await.map_err(|error| failure::from_io(&error))?;
        Ok(length >= snapshot.position)
    }
}

impl<P: Platform> Recovery<'_, P> {
    /// Trusts what the snapshot says and reads the rest.
    async fn scan(&mut self, bases: &BTreeSet<Offset>, snapshot: Option<&Snapshot>, log_start: Offset) -> Result<(), StorageError> {
        let mut trusted = BTreeSet::new();
        let mut from = None;
        if let Some(snapshot) = snapshot {
            self.epochs = Epochs::new(snapshot.epochs.clone());
            for sealed in snapshot.sealed.iter().filter(|sealed| bases.contains(&sealed.base_offset)) {
                trusted.insert(sealed.base_offset);
                self.segments.push(Segment {
                    number: self.task.shared.next_segment(),
                    base_offset: sealed.base_offset,
                    end_offset: sealed.end_offset,
                    bytes: sealed.bytes,
                    max_timestamp: sealed.max_timestamp,
                });
            }
            if bases.contains(&snapshot.base_offset) || snapshot.upto > log_start {
                self.end = snapshot.upto;
                from = Some(snapshot);
            }
            if from.is_none() && trusted.is_empty() && snapshot.upto <= log_start {
                // Nothing is left of what it speaks of: the log may have begun anew since, with older epochs.
                self.epochs = Epochs::default();
            }
        }
        if from.is_none() {
            self.end = bases.iter().find(|base| !trusted.contains(*base)).copied().unwrap_or(self.end);
        }
        let start = from.map_or(self.end, |snapshot| snapshot.base_offset);
        let mut is_whole = true;
        for &base in bases.iter().filter(|base| !trusted.contains(*base)) {
            if base < start {
                cut::retire_files(self.task, self.folder, base, 0).await?;
                continue;
            }
            let resumed = from.filter(|snapshot| snapshot.base_offset == base);
            if !is_whole || (resumed.is_none() && base != self.end) {
                // A successor was begun only when this one was on disk: then its end is missing.
                let is_missing = base > self.end && self.is_strict;
                if is_whole && (is_missing || self.left == Left::Clean) {
                    self.note_damage("a segment's end")?;
                }
                is_whole = false;
                cut::retire_files(self.task, self.folder, base, 0).await?;
                continue;
            }
            self.seal_active().await?;
            is_whole = self.scan_segment(base, resumed, bases.last() == Some(&base)).await?;
        }
        if self.active.is_none()
            && let Some(last) = self.segments.pop()
        {
            self.active = Some(ActiveSegment::resume(self.task, self.folder, last).await?);
        }
        Ok(())
    }

    /// The segment that was scanned last has a successor.
    async fn seal_active(&mut self) -> Result<(), StorageError> {
        if let Some(mut active) = self.active.take() {
            self.indexes.extend(active.seal(self.task, self.folder).await?);
            self.segments.push(active.segment());
        }
        Ok(())
    }

    /// Reads a segment's batches, from where the snapshot ends if it ends there, and makes it the active one. Says whether it is whole.
    async fn scan_segment(&mut self, base_offset: Offset, resumed: Option<&Snapshot>, is_last: bool) -> Result<bool, StorageError> {
        let mut segment = Segment {
            number: self.task.shared.next_segment(),
            base_offset,
            end_offset: self.end,
            bytes: resumed.map_or(0, |snapshot| snapshot.position),
            max_timestamp: resumed.map_or(Timestamp::NONE, |snapshot| snapshot.max_timestamp),
        };
        let path = paths::segment_file(self.folder, base_offset, FileKind::Log);
        let file = self.task.disk.open(&path).await.map_err(|error| failure::from_io(&error))?;
        let length = self.task.disk.length(&file).await.map_err(|error| failure::from_io(&error))?;
        let mut active = ActiveSegment::resume(self.task, self.folder, segment).await?;
        let mut batches = CheckedBatches::new(&self.task.disk, &file, segment.bytes, length);
        let mut rewrite = Rewrite::new(segment.bytes);
        let is_whole = loop {
            match batches.next().await? {
                Found::Batch { header, bytes } if self.follows(&header) => {
                    active.note(&header, self.settings.index_interval_bytes);
                    self.epochs.note(header.leader_epoch, header.base_offset);
                    self.end = header.next_offset();
                    self.tail.push(header);
                    if self.left == Left::Crashed {
                        rewrite.push(self.task, &file, bytes).await?;
                    }
                }
                Found::End => break true,
                Found::Batch { .. } | Found::Bad(_) => break false,
            }
        };
        rewrite.finish(self.task, &file).await?;
        segment = active.segment();
        let remains = remains::look(self.task, &file, segment.bytes..length, self.end).await?;
        self.torn_bytes += remains.torn_bytes;
        if self.is_damage(&remains, is_whole, is_last, segment.bytes) {
            self.note_damage(&format!("offset {}", self.end))?;
        }
        match self.left {
            Left::Clean | Left::Crashed if length > segment.bytes => {
                self.task.disk.truncate(&file, segment.bytes).await.map_err(|error| failure::from_io(&error))?;
                sync::sync_file(self.task, &file).await?;
            }
            Left::Clean => {}
            Left::Crashed => sync::sync_file(self.task, &file).await?,
            Left::Failed => {
                let copied = cut::copy(self.task, self.folder, &segment, segment.end_offset).await?;
                active.move_to(copied.number);
            }
        }
        self.active = Some(active);
        Ok(is_whole)
    }

    /// Whether what ends a segment at byte `kept` is more than a crash can do.
    fn is_damage(&self, remains: &Remains, is_whole: bool, is_last: bool, kept: u64) -> bool {
        if self.left == Left::Clean {
            return !is_whole || remains.torn_bytes > 0;
        }
        if !self.is_strict {
            return false;
        }
        let one_write = if log::is_written_one_by_one(self.id) { 0 } else { self.task.shared.settings.group_bytes_max };
        let is_further = remains.last_batch_at.is_some_and(|at| at - kept >= one_write);
        is_further || (!is_last && !is_whole)
    }

    /// Takes that what was promised is not there.
    fn note_damage(&mut self, at: &str) -> Result<(), StorageError> {
        self.damaged = true;
        match self.id {
            LogId::Metadata => Err(failure::corrupt(format!("the disk has lost records of {}, from {at} on", self.folder.display()))),
            LogId::Partition(_) => Ok(()),
        }
    }

    fn follows(&self, header: &BatchHeader) -> bool {
        header.base_offset == self.end && header.leader_epoch >= self.epochs.latest().unwrap_or(LeaderEpoch::NONE)
    }

    /// Drops the segments that were trimmed.
    async fn drop_below(&mut self, log_start: Offset) -> Result<(), StorageError> {
        let is_below = |segment: &Segment| segment.end_offset <= log_start && (segment.bytes > 0 || segment.base_offset < log_start);
        for segment in self.segments.extract_if(.., |segment| is_below(segment)) {
            cut::retire_files(self.task, self.folder, segment.base_offset, 0).await?;
        }
        if let Some(active) = self.active.take_if(|active| is_below(&active.segment())) {
            cut::retire_files(self.task, self.folder, active.segment().base_offset, 0).await?;
        }
        if self.end < log_start {
            // It began anew, and what it held before is not a part of it.
            self.end = log_start;
            // Nor does it tell all of what producers wrote: the power may bring back some of the segments that were trimmed, and later ones not.
            self.tail.clear();
        }
        self.epochs.trim_to(log_start, self.end);
        Ok(())
    }

    fn finish(self, settings: LogSettings, log_start: Offset, snapshot: Option<Snapshot>) -> (Log<P>, Recovered) {
        let generation = self.task.shared.next_generation();
        let sealed = self.segments.iter().map(Segment::sealed).collect();
        let active = self.active.as_ref().map(ActiveSegment::segment);
        let mut segments = self.segments;
        segments.extend(active);
        let view = View::new(self.folder.to_owned(), generation, log_start, segments);
        let recovered = Recovered {
            log_start,
            log_end: self.end,
            epochs: self.epochs.starts().to_vec(),
            sealed,
            active_bytes: active.map_or(0, |active| active.bytes),
            active_max_timestamp: active.filter(|active| active.bytes > 0).map(|active| active.max_timestamp),
            snapshot: snapshot.map(|snapshot| (snapshot.upto, snapshot.producers)),
            clean_upto: Offset::ZERO,
            tail: self.tail,
            torn_bytes: self.torn_bytes,
            damaged: self.damaged,
            generation,
        };
        let mut log = Log::new(self.id, settings, view, true, self.epochs, self.end);
        log.active = self.active;
        log.unsynced.note_sealed(self.indexes);
        (log, recovered)
    }
}

/// Checked batches on their way back to where they were read.
struct Rewrite {
    at: u64,
    bytes: u64,
    pieces: Vec<Bytes>,
}

impl Rewrite {
    fn new(at: u64) -> Self {
        Self { at, bytes: 0, pieces: Vec::new() }
    }

    async fn push<P: Platform>(&mut self, task: &DiskTask<P>, file: &crate::platform::FileOf<P>, batch: Bytes) -> Result<(), StorageError> {
        self.bytes += batch.len() as u64;
        self.pieces.push(batch);
        if self.bytes >= REWRITE_BYTES { self.finish(task, file).await } else { Ok(()) }
    }

    async fn finish<P: Platform>(&mut self, task: &DiskTask<P>, file: &crate::platform::FileOf<P>) -> Result<(), StorageError> {
        if !self.pieces.is_empty() {
            task.disk.write_at(file, self.at, &self.pieces).await.map_err(|error| failure::from_io(&error))?;
            self.at += self.bytes;
            self.bytes = 0;
            self.pieces.clear();
        }
        Ok(())
    }
}

async fn read_checked<P: Platform, T>(
    task: &DiskTask<P>,
    path: &Path,
    decode: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<Option<T>>, StorageError> {
    checkpoint::read_checked(&task.disk, path, decode).await.map_err(|error| failure::from_io(&error))
}
