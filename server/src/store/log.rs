//! A log that is open: its end, its active segment, and what of it is not on disk yet.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{Durability, LogSettings, StorageDone, StorageError};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::LogId;
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchHeader;
use gracchus_core::time::{Monotonic, Wait};

use super::epochs::Epochs;
use super::keeper::SnapshotWork;
use super::paths::{self, FileKind};
use super::segment::ActiveSegment;
use super::settings::StoreSettings;
use super::sync::{Covered, SyncSet, Unsynced};
use super::task::DiskTask;
use super::view::{Segment, TailBatch, View};
use super::{batches, checkpoint, cut, failure};
use crate::platform::{Disk, FileOf, Platform};

/// A log that is open. One task owns it at a time: the writer it belongs to, or a keeper while that recovers or shortens it.
pub(super) struct Log<P: Platform> {
    /// Which log.
    pub(super) id: LogId,
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// Whether the folder is there: an empty partition has none.
    pub(super) has_folder: bool,
    /// Whether [`checkpoint::LAX`] is in the folder.
    pub(super) is_lax: bool,
    /// How it is kept.
    pub(super) settings: LogSettings,
    /// What readers see.
    pub(super) view: Arc<View>,
    /// Where leader epochs start.
    pub(super) epochs: Epochs,
    /// Whether the epochs have changed since their checkpoint was written.
    pub(super) epochs_changed: bool,
    /// Behind the last batch that was written.
    pub(super) end_offset: Offset,
    /// The segment that grows; none while the log has no segment.
    pub(super) active: Option<ActiveSegment>,
    /// Whether other nodes copied it from this one when it last grew.
    pub(super) has_followers: bool,
    /// What is not on disk yet.
    pub(super) unsynced: Unsynced<FileOf<P>>,
    appends: Vec<(BatchHeader, Bytes)>,
    append_bytes: u64,
    /// When it last grew.
    grew: Monotonic,
}

/// Whether each write carries one batch of the log, and comes when those before are on disk. Recovery then knows more damage for what it is,
/// and a log that grows this seldom loses little by it.
pub(super) fn is_written_one_by_one(log: LogId) -> bool {
    log == LogId::Metadata
}

/// Batches that go into one segment with one write.
#[derive(Debug, Default)]
struct WriteGroup {
    from: u64,
    bytes: u64,
    pieces: Vec<Bytes>,
    places: Vec<TailBatch>,
}

impl<P: Platform> Log<P> {
    /// A log as recovery found it, all of it on disk.
    pub(super) fn new(id: LogId, settings: LogSettings, view: Arc<View>, has_folder: bool, epochs: Epochs, end_offset: Offset) -> Self {
        Self {
            id,
            folder: view.folder.clone(),
            has_folder,
            is_lax: false,
            settings,
            view,
            epochs_changed: !epochs.starts().is_empty(),
            epochs,
            end_offset,
            active: None,
            has_followers: false,
            unsynced: Unsynced::default(),
            appends: Vec::new(),
            append_bytes: 0,
            grew: Monotonic::default(),
        }
    }

    /// Whether what is written has to be synced before anything else is done with the log.
    pub(super) fn is_flushed(&self) -> bool {
        self.settings.durability == Durability::Flushed
    }

    /// Takes a batch that is to be written with the next group, and says whether the group has to be written before more is taken.
    pub(super) fn push(&mut self, header: BatchHeader, payload: Bytes, group_bytes_max: u64) -> bool {
        self.append_bytes += u64::from(header.batch_bytes);
        self.appends.push((header, payload));
        self.append_bytes >= group_bytes_max || is_written_one_by_one(self.id)
    }

    /// What is written: the last batch's epoch, and the end.
    pub(super) fn covered(&self) -> Covered {
        Covered { leader_epoch: self.epochs.latest().unwrap_or(LeaderEpoch::NONE), end_offset: self.end_offset }
    }

    /// Writes the batches that were taken, closing and beginning segments on the way. Says whether there were any.
    pub(super) async fn write(&mut self, task: &DiskTask<P>) -> Result<bool, StorageError> {
        if self.appends.is_empty() {
            return Ok(false);
        }
        let appends = std::mem::take(&mut self.appends);
        self.append_bytes = 0;
        let wall = task.shared.platform.now().wall;
        let mut group = WriteGroup::default();
        let log_start = self.view.lock().log_start;
        for (header, payload) in appends {
            if header.base_offset < self.end_offset {
                self.begin_below(task, &header).await?;
            }
            assert_eq!(header.base_offset, self.end_offset, "{}: a batch is appended at the log's end", self.id);
            if self.active.as_ref().is_some_and(|active| active.must_roll(&header, &self.settings, wall)) {
                self.write_group(task, std::mem::take(&mut group)).await?;
                self.roll(task).await?;
            }
            if self.active.is_none() {
                self.begin_segment(task).await?;
            }
            let active = self.active.as_mut().expect("begun above");
            let position = active.note(&header, self.settings.index_interval_bytes);
            if group.pieces.is_empty() {
                group.from = u64::from(position);
            }
            group.bytes += u64::from(header.batch_bytes);
            group.places.push(TailBatch { base_offset: header.base_offset, position, bytes: header.batch_bytes });
            group.pieces.extend(batches::patched(&header, &payload));
            self.end_offset = header.next_offset();
            self.epochs_changed |= self.epochs.note(header.leader_epoch, header.base_offset.max(log_start));
        }
        self.write_group(task, group).await?;
        Ok(true)
    }

    async fn write_group(&mut self, task: &DiskTask<P>, group: WriteGroup) -> Result<(), StorageError> {
        if group.pieces.is_empty() {
            return Ok(());
        }
        let is_flushed = self.is_flushed();
        if self.is_lax == is_flushed {
            self.change_laxity(task).await?;
        }
        if is_flushed && self.unsynced.bytes() > 0 {
            // So that no more than one write can be torn: recovery tells a torn write from damage by its length.
            self.sync(task).await?;
        }
        let active = self.active.as_mut().expect("a group is written into the active segment");
        let file = task.segment_file(&self.folder, &active.segment(), FileKind::Log).await?;
        active.set_aside(task, &file, group.from, &self.settings).await;
        let written = task.disk.write_at(&file, group.from, &group.pieces).await;
        // A failed write leaves any part of itself behind: it is for recovery to find out which.
        written.map_err(|error| failure::from_io(&error))?;
        self.grew = task.shared.platform.now().monotonic;
        self.unsynced.note_write(file, group.bytes, self.grew);
        task.shared.room.note_used(active.note_written(group.bytes));
        {
            let mut state = self.view.lock();
            let before = state.tail_batches();
            state.grow(active.segment(), &group.places, task.shared.tail_batches_max());
            task.shared.tail_changed(before, state.tail_batches());
        }
        if active.wants_index_write() {
            active.write_indexes(task, &self.folder).await?;
        }
        Ok(())
    }

    /// Tells recovery, before the first batch is written so, whether a batch may be on disk and one before it not. If the power goes just after
    /// the topic's durability has changed, its settings do not say.
    async fn change_laxity(&mut self, task: &DiskTask<P>) -> Result<(), StorageError> {
        let changed = if self.is_lax {
            self.sync(task).await?;
            self.unsynced.note_created();
            checkpoint::remove_if_there(&task.disk, &self.folder.join(checkpoint::LAX)).await
        } else {
            checkpoint::replace(&task.disk, &self.folder, checkpoint::LAX.as_ref(), Bytes::new()).await
        };
        changed.map_err(|error| failure::from_io(&error))?;
        self.is_lax = !self.is_lax;
        Ok(())
    }

    /// Closes the active segment. Its name is on disk before the next one begins, so that a segment that is missing is known to be lost; in a
    /// `flushed` log the whole of it is, so that one that has a successor is known to be whole.
    async fn roll(&mut self, task: &DiskTask<P>) -> Result<(), StorageError> {
        let Some(mut active) = self.active.take() else { return Ok(()) };
        let indexes = active.seal(task, &self.folder).await?;
        self.unsynced.note_sealed(indexes);
        if self.is_flushed() {
            self.sync(task).await?;
        } else if self.unsynced.has_names() {
            cut::sync_folder(task, &self.folder).await?;
            self.unsynced.note_names_synced();
        }
        if let Some(last) = self.view.lock().segments.last_mut() {
            *last = active.segment();
        }
        task.shared.tell(StorageDone::Rolled { log: self.id, sealed: active.segment().sealed() });
        Ok(())
    }

    /// Lets an empty log begin with a batch that it starts inside of: the records before its start were deleted.
    async fn begin_below(&mut self, task: &DiskTask<P>, first: &BatchHeader) -> Result<(), StorageError> {
        let segments = std::mem::take(&mut self.view.lock().segments);
        let is_empty = segments.iter().all(|segment| segment.bytes == 0);
        if !is_empty || first.next_offset() <= self.end_offset {
            return Err(failure::corrupt(format!("{}: only an empty log begins inside a batch", self.id)));
        }
        self.active = None;
        for segment in &segments {
            cut::retire(task, self, segment).await?;
        }
        self.end_offset = first.base_offset;
        Ok(())
    }

    async fn begin_segment(&mut self, task: &DiskTask<P>) -> Result<(), StorageError> {
        self.make_folder(task).await?;
        let path = paths::segment_file(&self.folder, self.end_offset, FileKind::Log);
        let file = checkpoint::create_anew(&task.disk, &path).await.map_err(|error| failure::from_io(&error))?;
        let active = ActiveSegment::begin(task.shared.next_segment(), self.end_offset, task.shared.platform.now().wall);
        task.shared.files.insert((active.segment().number, FileKind::Log), file);
        self.unsynced.note_created();
        self.view.lock().segments.push(active.segment());
        self.active = Some(active);
        Ok(())
    }

    /// Makes the log's folder if it has none, and says in it whose it is.
    pub(super) async fn make_folder(&mut self, task: &DiskTask<P>) -> Result<(), StorageError> {
        if self.has_folder {
            return Ok(());
        }
        if let LogId::Partition(partition) = self.id {
            let content = checkpoint::encode_partition_metadata(partition.topic);
            let made = checkpoint::replace(&task.disk, &self.folder, checkpoint::PARTITION_METADATA.as_ref(), content).await;
            made.map_err(|error| failure::from_io(&error))?;
        }
        self.has_folder = true;
        self.unsynced.note_folder();
        Ok(())
    }

    /// Puts all that is written on disk and says what that is. Only for a log that no keeper is syncing.
    pub(super) async fn sync(&mut self, task: &DiskTask<P>) -> Result<Covered, StorageError> {
        if let Some(set) = self.take_unsynced() {
            set.carry_out(task).await?;
            self.unsynced.note_synced();
        }
        Ok(self.covered())
    }

    /// What has to be synced so that all that is written is on disk; none if it is.
    pub(super) fn take_unsynced(&mut self) -> Option<SyncSet<FileOf<P>>> {
        let covered = self.covered();
        self.unsynced.take(&self.folder, covered)
    }

    /// What a keeper needs to keep a snapshot; none while the log has no folder and is to begin at the first offset. What a `flushed` log has
    /// written is synced first by its owner, so that no two tasks sync its batches: one would be told of a failure that the other has to know
    /// of.
    pub(super) async fn snapshot(
        &mut self,
        task: &DiskTask<P>,
        upto: Offset,
        producers: Bytes,
    ) -> Result<Option<SnapshotWork<FileOf<P>>>, StorageError> {
        if !self.has_folder {
            if upto == Offset::ZERO {
                return Ok(None);
            }
            // It is to begin at another place than the first.
            self.make_folder(task).await?;
        }
        let batches = if self.is_flushed() {
            self.sync(task).await?;
            None
        } else {
            self.take_unsynced()
        };
        let mut indexes = self.unsynced.take_indexes();
        if let Some(active) = &mut self.active {
            indexes.extend(active.write_indexes(task, &self.folder).await?);
        }
        let segments: Vec<Segment> = self.view.lock().segments.clone();
        let epochs_changed = std::mem::take(&mut self.epochs_changed);
        Ok(Some(SnapshotWork {
            folder: self.folder.clone(),
            upto,
            producers,
            segments,
            epochs: self.epochs.clone(),
            epochs_changed,
            batches,
            indexes,
        }))
    }

    /// When the log has to be put on disk though nobody asks: never if each of its writes is.
    pub(super) fn sync_due(&self, settings: &StoreSettings) -> Option<Monotonic> {
        let since = self.unsynced.since().filter(|_| !self.is_flushed())?;
        Some(since.after(Wait::from_ms(settings.unsynced_ms_max)))
    }

    /// When the log, unless it has grown by then, is to give back what is set aside for it.
    pub(super) fn give_back_due(&self, settings: &StoreSettings) -> Option<Monotonic> {
        let has_set_aside = self.active.as_ref().is_some_and(ActiveSegment::has_set_aside);
        has_set_aside.then(|| self.grew.after(Wait::from_ms(settings.space_report_ms)))
    }

    /// When something has to be done about the log though nobody asks.
    pub(super) fn due(&self, settings: &StoreSettings) -> Option<Monotonic> {
        self.sync_due(settings).into_iter().chain(self.give_back_due(settings)).min()
    }

    /// Leaves the files as long as what is in them.
    pub(super) async fn give_back(&mut self, task: &DiskTask<P>) -> Result<(), StorageError> {
        match &mut self.active {
            Some(active) => active.give_back(task, &self.folder).await,
            None => Ok(()),
        }
    }
}
