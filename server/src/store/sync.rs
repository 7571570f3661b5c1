//! What of a log is not on disk yet, and putting it there.

use std::path::{Path, PathBuf};

use gracchus_core::boundary::{StorageDone, StorageError};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::LogId;
use gracchus_core::offset::Offset;
use gracchus_core::time::Monotonic;

use super::task::DiskTask;
use super::{failure, paths};
use crate::platform::{Disk, FileOf, Platform};

/// A log up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covered {
    /// Epoch of the last batch.
    pub(super) leader_epoch: LeaderEpoch,
    /// Behind the last batch.
    pub(super) end_offset: Offset,
}

impl Covered {
    /// All up to here is in the page cache.
    pub(super) fn written(self, log: LogId) -> StorageDone {
        StorageDone::Written { log, leader_epoch: self.leader_epoch, end_offset: self.end_offset }
    }

    /// All up to here is on disk.
    pub(super) fn synced(self, log: LogId) -> StorageDone {
        StorageDone::Synced { log, leader_epoch: self.leader_epoch, end_offset: self.end_offset }
    }
}

/// What of a log is not on disk.
///
/// A handle is held for every file that has unsynced bytes: a sync through a handle that was opened later may not learn of a failure.
#[derive(Debug)]
pub(super) struct Unsynced<F> {
    active: Option<F>,
    sealed: Vec<F>,
    indexes: Vec<F>,
    folder: bool,
    /// Names in the log's folder that somebody is putting on disk.
    folder_under_way: bool,
    root: bool,
    bytes: u64,
    since: Option<Monotonic>,
}

impl<F> Default for Unsynced<F> {
    fn default() -> Self {
        Self {
            active: None,
            sealed: Vec::new(),
            indexes: Vec::new(),
            folder: false,
            folder_under_way: false,
            root: false,
            bytes: 0,
            since: None,
        }
    }
}

impl<F> Unsynced<F> {
    /// Bytes of batches have gone into the active segment's file.
    pub(super) fn note_write(&mut self, file: F, bytes: u64, now: Monotonic) {
        self.active = Some(file);
        self.bytes += bytes;
        self.since.get_or_insert(now);
    }

    /// The active segment was closed; these are its index files.
    pub(super) fn note_sealed(&mut self, indexes: Vec<F>) {
        self.sealed.extend(self.active.take());
        self.indexes.extend(indexes);
    }

    /// A file was created in the log's folder.
    pub(super) fn note_created(&mut self) {
        self.folder = true;
    }

    /// Whether names in the log's folder are not known to be on disk. Those that somebody is syncing are not until that is told.
    pub(super) fn has_names(&self) -> bool {
        self.folder || self.folder_under_way
    }

    /// The names in the log's folder are on disk.
    pub(super) fn note_names_synced(&mut self) {
        self.folder = false;
        self.folder_under_way = false;
    }

    /// What was [taken](Self::take) is on disk.
    pub(super) fn note_synced(&mut self) {
        self.folder_under_way = false;
    }

    /// The log's folder was created.
    pub(super) fn note_folder(&mut self) {
        self.folder = true;
        self.root = true;
    }

    /// Bytes of batches that are not on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the oldest of them was written.
    pub(super) fn since(&self) -> Option<Monotonic> {
        self.since
    }

    /// Index files of closed segments, which only a snapshot needs on disk.
    pub(super) fn take_indexes(&mut self) -> Vec<F> {
        std::mem::take(&mut self.indexes)
    }

    /// Everything but the indexes, as one piece of work; none if there is nothing to do.
    pub(super) fn take(&mut self, folder: &Path, covered: Covered) -> Option<SyncSet<F>> {
        let Self { active, sealed, indexes: _, folder: in_folder, folder_under_way, root, bytes, since } = self;
        if active.is_none() && sealed.is_empty() && !*in_folder && !*root {
            return None;
        }
        let mut files = std::mem::take(sealed);
        files.extend(active.take());
        *since = None;
        *folder_under_way |= *in_folder;
        Some(SyncSet {
            files,
            folder: std::mem::take(in_folder).then(|| folder.to_owned()),
            root: std::mem::take(root),
            bytes: std::mem::take(bytes),
            covered,
        })
    }
}

/// What has to be synced so that a log is on disk up to an offset.
#[derive(Debug)]
pub(super) struct SyncSet<F> {
    files: Vec<F>,
    folder: Option<PathBuf>,
    root: bool,
    /// Bytes of batches that it puts on disk.
    pub(super) bytes: u64,
    /// What is on disk afterwards.
    pub(super) covered: Covered,
}

impl<F> SyncSet<F> {
    /// Syncs the files, then the names of those that are new.
    ///
    /// # Errors
    /// Any failure: nothing of the set may then be taken to be on disk, now or later.
    pub(super) async fn carry_out<P>(self, task: &DiskTask<P>) -> Result<Covered, StorageError>
    where
        P: Platform,
        P::Disk: Disk<File = F>,
    {
        for file in &self.files {
            sync_file(task, file).await?;
        }
        if let Some(folder) = &self.folder {
            task.disk.sync_dir(folder).await.map_err(|error| failure::from_io(&error))?;
        }
        if self.root {
            task.disk.sync_dir(paths::root()).await.map_err(|error| failure::from_io(&error))?;
        }
        Ok(self.covered)
    }
}

/// Syncs one file.
pub(super) async fn sync_file<P: Platform>(task: &DiskTask<P>, file: &FileOf<P>) -> Result<(), StorageError> {
    task.disk.sync(file).await.map_err(|error| failure::from_io(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVERED: Covered = Covered { leader_epoch: LeaderEpoch(0), end_offset: Offset(1) };

    #[test]
    fn a_name_is_not_on_disk_while_it_is_being_synced() {
        let mut unsynced: Unsynced<()> = Unsynced::default();
        unsynced.note_created();
        assert!(unsynced.take(Path::new("t-0"), COVERED).is_some());
        assert!(unsynced.has_names());
        unsynced.note_synced();
        assert!(!unsynced.has_names());
    }

    #[test]
    fn a_name_that_came_after_a_sync_began_is_not_on_disk_when_that_is_done() {
        let mut unsynced: Unsynced<()> = Unsynced::default();
        unsynced.note_created();
        assert!(unsynced.take(Path::new("t-0"), COVERED).is_some());
        unsynced.note_created();
        unsynced.note_synced();
        assert!(unsynced.has_names());
        unsynced.note_names_synced();
        assert!(!unsynced.has_names());
    }
}
