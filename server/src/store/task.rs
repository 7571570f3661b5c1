//! What the store's tasks share, and what each of them holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gracchus_core::boundary::{Generation, StorageDone, StorageError};
use gracchus_core::ids::LogId;
use tokio::sync::mpsc::UnboundedSender;

use super::cleaner::CompactionCounters;
use super::failure;
use super::files::{OpenFiles, SegmentNumber};
use super::janitor::Chore;
use super::owners::Owners;
use super::paths::{self, FileKind};
use super::room::Room;
use super::settings::StoreSettings;
use super::view::{Segment, View};
use super::writer::WriterJob;
use crate::platform::{Disk, FileOf, Platform, Space};

/// What all tasks of a store share.
pub(super) struct Shared<P: Platform> {
    /// The world.
    pub(super) platform: P,
    /// How the store works.
    pub(super) settings: StoreSettings,
    /// What compactions have come to.
    pub(super) compactions: Arc<CompactionCounters>,
    /// Files kept open.
    pub(super) files: OpenFiles<FileOf<P>>,
    /// Where the janitor takes its work from.
    pub(super) chores: UnboundedSender<Chore>,
    /// What is known of the room on the disk.
    pub(super) room: Arc<Room>,
    /// Which log has which folder.
    pub(super) owners: Owners<UnboundedSender<WriterJob<P>>>,
    /// Held while a folder is looked at and taken away for what was found: nobody else does either meanwhile.
    pub(super) folders: tokio::sync::Mutex<()>,
    /// Whether the store is about to stop: what takes long and need not be ends.
    pub(super) stopping: AtomicBool,
    done: UnboundedSender<StorageDone>,
    views: Mutex<BTreeMap<LogId, Arc<View>>>,
    numbers: AtomicU64,
    tail_batches: AtomicU64,
}

impl<P: Platform> Shared<P> {
    /// Nothing open yet.
    pub(super) fn new(platform: P, settings: StoreSettings, done: UnboundedSender<StorageDone>, chores: UnboundedSender<Chore>) -> Arc<Self> {
        Arc::new(Self {
            platform,
            compactions: Arc::default(),
            files: OpenFiles::new(settings.open_files_max),
            settings,
            chores,
            room: Room::new(),
            owners: Owners::new(),
            folders: tokio::sync::Mutex::new(()),
            stopping: AtomicBool::new(false),
            done,
            views: Mutex::new(BTreeMap::new()),
            numbers: AtomicU64::new(0),
            tail_batches: AtomicU64::new(0),
        })
    }

    /// Tells the core.
    pub(super) fn tell(&self, done: StorageDone) {
        // Whoever listened has gone when the node stops: nobody is left to tell.
        let _ = self.done.send(done);
    }

    /// A log as its readers see it.
    pub(super) fn view(&self, log: LogId) -> Option<Arc<View>> {
        self.lock_views().get(&log).cloned()
    }

    /// Shows a log to readers. One shown before was taken out of service.
    pub(super) fn publish(&self, log: LogId, view: Arc<View>) {
        self.lock_views().insert(log, view);
    }

    /// Takes a log out of service.
    pub(super) fn withdraw(&self, log: LogId) {
        if let Some(view) = self.lock_views().remove(&log) {
            let mut state = view.lock();
            for segment in &state.segments {
                self.files.forget(segment.number);
            }
            self.tail_shrank(state.tail_batches());
            state.close();
        }
    }

    /// A number that no segment has had.
    pub(super) fn next_segment(&self) -> SegmentNumber {
        SegmentNumber(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// A generation that no log has had in this run.
    pub(super) fn next_generation(&self) -> Generation {
        Generation(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// How many batches' places a log may keep, given what all logs keep.
    pub(super) fn tail_batches_max(&self) -> usize {
        const WHEN_MANY: u32 = 16;
        let many = self.tail_batches.load(Ordering::Relaxed) >= self.settings.tail_batches_total_max;
        let allowed = if many { WHEN_MANY.min(self.settings.tail_batches_max) } else { self.settings.tail_batches_max };
        usize::try_from(allowed).unwrap_or(usize::MAX)
    }

    /// A log keeps `now` batches' places where it kept `before`.
    pub(super) fn tail_changed(&self, before: usize, now: usize) {
        self.tail_batches.fetch_add(now as u64, Ordering::Relaxed);
        self.tail_shrank(before);
    }

    /// A log has forgotten the places of this many batches.
    pub(super) fn tail_shrank(&self, by: usize) {
        self.tail_batches.fetch_sub(by as u64, Ordering::Relaxed);
    }

    fn lock_views(&self) -> std::sync::MutexGuard<'_, BTreeMap<LogId, Arc<View>>> {
        self.views.lock().expect("no panic happens under this lock")
    }
}

/// What each disk task of the store holds.
pub(super) struct DiskTask<P: Platform> {
    /// Its own way to the disk.
    pub(super) disk: P::Disk,
    /// What it shares with the others.
    pub(super) shared: Arc<Shared<P>>,
}

impl<P: Platform> DiskTask<P> {
    /// A segment's file, opened if it is not open.
    pub(super) async fn segment_file(&self, folder: &Path, segment: &Segment, kind: FileKind) -> Result<FileOf<P>, StorageError> {
        let path = paths::segment_file(folder, segment.base_offset, kind);
        let opened = self.shared.files.get_or_open(&self.disk, (segment.number, kind), &path).await;
        opened.map_err(|error| failure::from_io(&error))
    }

    /// A segment's index; `None` if it has none.
    pub(super) async fn index_file(&self, folder: &Path, segment: &Segment, kind: FileKind) -> Result<Option<FileOf<P>>, StorageError> {
        let path = paths::segment_file(folder, segment.base_offset, kind);
        match self.shared.files.get_or_open(&self.disk, (segment.number, kind), &path).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure::from_io(&error)),
        }
    }

    /// Tells how much room is left.
    pub(super) async fn tell_space(&self) {
        if let Some(space) = self.look_at_space().await {
            self.tell_of(space);
        }
    }

    /// Looks how much room is left, with what is set aside.
    pub(super) async fn look_at_space(&self) -> Option<Space> {
        let before = self.shared.room.before_look();
        let Space { free_bytes, total_bytes } = self.disk.space().await.ok()?;
        Some(Space { free_bytes: self.shared.room.looked_at(free_bytes, before), total_bytes })
    }

    /// Tells of room that was looked at.
    pub(super) fn tell_of(&self, space: Space) {
        let Space { free_bytes, total_bytes } = space;
        self.shared.tell(StorageDone::Space { free_bytes, total_bytes });
    }
}
