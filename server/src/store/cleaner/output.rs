//! A segment in the making: what compaction leaves, in files of its own until it takes its place.

use bytes::Bytes;
use gracchus_core::boundary::{LogSettings, StorageError};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, empty_batch};
use std::path::Path;

use crate::platform::{Disk, FileOf, Platform};
use crate::store::paths::{self, FileKind};
use crate::store::segment::ActiveSegment;
use crate::store::sync::sync_file;
use crate::store::task::DiskTask;
use crate::store::view::Segment;
use crate::store::{checkpoint, cut, failure};

/// Bytes of batches that one write carries.
const WRITE_BYTES: u64 = 1 << 20;
/// Batches below this many bytes are copied.
const COPIED_BYTES_MAX: usize = 128 << 10;
/// Bytes that are written between two syncs: what others sync meanwhile waits for no more than this.
const SYNC_BYTES: u64 = 8 << 20;

/// A segment in the making.
pub(super) struct Output<'a, P: Platform> {
    task: &'a DiskTask<P>,
    folder: &'a Path,
    settings: &'a LogSettings,
    log: FileOf<P>,
    indexes: [FileOf<P>; 2],
    active: ActiveSegment,
    /// What is to be written next.
    pieces: Vec<Bytes>,
    written: u64,
    synced: u64,
    /// Batches that went, one behind the other and of one epoch: nothing stands for them yet.
    gone: Option<BatchHeader>,
}

impl<'a, P: Platform> Output<'a, P> {
    /// An empty segment from `base_offset` on. All three of its files are made, so that each takes the place of the one before.
    pub(super) async fn begin(
        task: &'a DiskTask<P>,
        folder: &'a Path,
        base_offset: Offset,
        settings: &'a LogSettings,
    ) -> Result<Self, StorageError> {
        let path = |kind| paths::cleaned_file(folder, base_offset, kind);
        let create = async |kind| checkpoint::create_anew(&task.disk, &path(kind)).await.map_err(|error| failure::from_io(&error));
        Ok(Self {
            task,
            folder,
            settings,
            log: create(FileKind::Log).await?,
            indexes: [create(FileKind::OffsetIndex).await?, create(FileKind::TimeIndex).await?],
            active: ActiveSegment::begin(task.shared.next_segment(), base_offset, task.shared.platform.now().wall),
            pieces: Vec::new(),
            written: 0,
            synced: 0,
            gone: None,
        })
    }

    /// A batch follows.
    pub(super) async fn push(&mut self, header: &BatchHeader, batch: Bytes) -> Result<(), StorageError> {
        self.fill().await?;
        self.append(header, batch).await
    }

    /// A batch followed, and goes.
    pub(super) async fn skip(&mut self, header: &BatchHeader) -> Result<(), StorageError> {
        if let Some(gone) = self.gone {
            let covered = header.last_offset().since(gone.base_offset);
            if let Some(last_offset_delta) = i32::try_from(covered).ok().filter(|_| gone.leader_epoch == header.leader_epoch) {
                self.gone = Some(BatchHeader { last_offset_delta, ..gone });
                return Ok(());
            }
            self.fill().await?;
        }
        self.gone = Some(*header);
        Ok(())
    }

    /// Has a batch without records stand for those that went.
    async fn fill(&mut self) -> Result<(), StorageError> {
        let Some(gone) = self.gone.take() else { return Ok(()) };
        let (header, batch) = empty_batch(gone.base_offset, gone.next_offset(), gone.leader_epoch);
        self.append(&header, batch).await
    }

    async fn append(&mut self, header: &BatchHeader, batch: Bytes) -> Result<(), StorageError> {
        self.active.note(header, self.settings.index_interval_bytes);
        // A small one would keep the whole of what was read with it.
        self.pieces.push(if batch.len() < COPIED_BYTES_MAX { Bytes::copy_from_slice(&batch) } else { batch });
        if self.active.segment().bytes - self.written >= WRITE_BYTES { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), StorageError> {
        let upto = self.active.segment().bytes;
        if upto == self.written {
            return Ok(());
        }
        // It is for what clients write that the last room is kept.
        if !self.task.shared.room.try_use(upto - self.written) {
            return Err(StorageError::NoSpace);
        }
        self.task.disk.write_at(&self.log, self.written, &self.pieces).await.map_err(|error| failure::from_io(&error))?;
        self.pieces.clear();
        self.written = upto;
        if self.written - self.synced >= SYNC_BYTES {
            self.synced = self.written;
            sync_file(self.task, &self.log).await?;
        }
        Ok(())
    }

    /// The segment with all that was pushed, on disk under names of its own: the note that it is to take another's place may outlive a power loss
    /// before anybody has synced the folder.
    pub(super) async fn finish(mut self) -> Result<Segment, StorageError> {
        self.fill().await?;
        self.write().await?;
        let [offsets, times] = &self.indexes;
        self.active.finish_indexes(self.task, offsets, times).await?;
        for file in [&self.log, offsets, times] {
            sync_file(self.task, file).await?;
        }
        cut::sync_folder(self.task, self.folder).await?;
        Ok(self.active.segment())
    }
}
