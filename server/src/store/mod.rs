//! The store: logs on a disk.
//!
//! What is always true:
//! - Operations on one log are carried out in the order in which they were submitted.
//! - Nothing is told to be on disk before the disk has said so, of the bytes and of the names; and once a sync has failed nothing of that log
//!   is, until recovery has written it again.
//! - Bytes that were shown to a reader are never overwritten, and nothing is shown that is not written.
//! - Recovery reads what lies behind a log's last snapshot, so opening does not take longer as a log grows. What the core then reads of an
//!   internal log is its own affair.
//!
//! Five kinds of disk tasks share the work: [`writer`]s append and sync, [`keeper`]s do what takes long, [`reader`]s look up old data, a
//! [`cleaner`] compacts, and a [`janitor`] removes what is no longer wanted. A log's files are Kafka's: segments of batches ([`segment`]), an offset and a time index for
//! each ([`index`]), `leader-epoch-checkpoint` ([`epochs`]), `partition.metadata` ([`checkpoint`]); the snapshots ([`snapshot`]) are its own, and those of the
//! cluster's metadata ([`metadata_snapshots`]) the core's.

mod batches;
mod checkpoint;
mod clean;
mod cleaner;
mod cut;
mod election;
mod epochs;
mod failure;
mod files;
mod find;
mod index;
mod janitor;
mod keeper;
mod log;
mod lookup;
mod metadata_snapshots;
mod owners;
mod paths;
mod reader;
mod recovery;
mod remains;
mod room;
mod segment;
mod settings;
mod slot;
mod snapshot;
mod swap;
mod sync;
mod task;
mod view;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gracchus_core::boundary::{LogSlice, ReadFailure, StorageDone, StorageOp, Void};
use gracchus_core::ids::LogId;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

pub use self::cleaner::CompactionCounters;
pub use self::reader::Share;
pub use self::settings::StoreSettings;

use self::cleaner::CleanerJob;
use self::janitor::Chore;
use self::keeper::KeeperJob;
use self::reader::ReadJob;
use self::task::{DiskTask, Shared};
use self::writer::{Writer, WriterJob};
use crate::platform::{Disk, FileOf, Platform};

/// The lock against a second process: a file in the data folder.
pub const LOCK: &str = ".lock";

/// A node's logs. Clones are the same store.
pub struct Store<P: Platform> {
    inner: Arc<Inner<P>>,
}

struct Inner<P: Platform> {
    shared: Arc<Shared<P>>,
    writers: Vec<UnboundedSender<WriterJob<P>>>,
    keepers: Vec<UnboundedSender<KeeperJob<P>>>,
    readers: UnboundedSender<ReadJob<P>>,
    cleaner: UnboundedSender<CleanerJob<P>>,
    /// Folders that the last stop left with everything on disk.
    clean: Arc<BTreeSet<PathBuf>>,
}

impl<P: Platform> Clone for Store<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<P: Platform> fmt::Debug for Store<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("settings", &self.inner.shared.settings).finish_non_exhaustive()
    }
}

impl<P: Platform> Store<P> {
    /// Locks the data folder and starts the store's tasks. What they finish comes out of the receiver.
    ///
    /// # Errors
    /// When another process has the folder, or the disk does not answer.
    pub async fn start(platform: P, settings: StoreSettings) -> io::Result<(Self, UnboundedReceiver<StorageDone>)> {
        let (done, completions) = mpsc::unbounded_channel();
        let (chores, chores_received) = mpsc::unbounded_channel();
        let shared = Shared::new(platform.clone(), settings, done, chores);
        let clean = Arc::new(enter(&shared).await?);

        let task_shared = Arc::clone(&shared);
        platform.spawn_disk("store-janitor", move |disk| janitor::run(DiskTask { disk, shared: task_shared }, chores_received));
        let keepers: Vec<_> = (0..shared.settings.keepers.max(1))
            .map(|_| {
                let (sender, jobs) = mpsc::unbounded_channel();
                let shared = Arc::clone(&shared);
                platform.spawn_disk("store-keeper", move |disk| keeper::run(DiskTask { disk, shared }, jobs));
                sender
            })
            .collect();
        let (cleaner, to_clean) = mpsc::unbounded_channel();
        let task_shared = Arc::clone(&shared);
        platform.spawn_disk("store-cleaner", move |disk| cleaner::run(DiskTask { disk, shared: task_shared }, to_clean));
        let (readers, to_read) = reader::Queue::new();
        for _ in 0..shared.settings.readers.max(1) {
            let (shared, jobs) = (Arc::clone(&shared), Arc::clone(&to_read));
            platform.spawn_disk("store-reader", move |disk| reader::run(DiskTask { disk, shared }, jobs));
        }
        let writers = (0..shared.settings.writers.max(1))
            .map(|_| {
                let (sender, jobs) = mpsc::unbounded_channel();
                let (shared, itself, keepers, clean) = (Arc::clone(&shared), sender.clone(), keepers.clone(), Arc::clone(&clean));
                platform.spawn_disk("store-writer", move |disk| Writer::new(DiskTask { disk, shared }, itself, keepers, clean).run(jobs));
                sender
            })
            .collect();
        let inner = Inner { shared, writers, keepers, readers, cleaner, clean };
        Ok((Self { inner: Arc::new(inner) }, completions))
    }

    /// What compactions come to.
    #[must_use]
    pub fn compactions(&self) -> Arc<CompactionCounters> {
        Arc::clone(&self.inner.shared.compactions)
    }

    /// Whether the last run put everything on disk before it ended.
    #[must_use]
    pub fn was_stopped_cleanly(&self) -> bool {
        self.inner.clean.contains(&paths::metadata_folder())
    }

    /// Hands an operation over, behind those that were submitted before for the same log. After a stop nothing comes of it.
    pub fn submit(&self, op: StorageOp) {
        if let StorageOp::Find { log, search, target, upto } = op {
            self.read(ReadJob::Find { log, search, target, upto });
            return;
        }
        if let StorageOp::ReadMetadataSnapshot { id, position, bytes_max } = op {
            self.read(ReadJob::MetadataSnapshot { id, position, bytes_max });
            return;
        }
        if let StorageOp::Compact { log, compaction } = op {
            let writer = self.writer_of(log).clone();
            // Without its task the node is stopping.
            let _ = self.inner.cleaner.send(CleanerJob::Compact { log, compaction: Box::new(compaction), writer });
            return;
        }
        let for_keeper = match op {
            StorageOp::RemoveOthers { known } => KeeperJob::RemoveOthers(known),
            StorageOp::KeepMetadataSnapshot { id, content } => KeeperJob::KeepMetadataSnapshot(id, content),
            StorageOp::LoadMetadataSnapshots => KeeperJob::LoadMetadataSnapshots,
            op @ (StorageOp::Open { .. }
            | StorageOp::Configure { .. }
            | StorageOp::Append { .. }
            | StorageOp::Sync { .. }
            | StorageOp::Trim { .. }
            | StorageOp::Truncate { .. }
            | StorageOp::KeepSnapshot { .. }
            | StorageOp::Read { .. }
            | StorageOp::Find { .. }
            | StorageOp::Compact { .. }
            | StorageOp::Remove { .. }
            | StorageOp::KeepElection(_)
            | StorageOp::LoadElection
            | StorageOp::ReadMetadataSnapshot { .. }) => {
                // Without its task the node is stopping, and nobody waits for the completion.
                let _ = self.writer_of(writer::log_of(&op)).send(WriterJob::Op(op));
                return;
            }
        };
        let keeper = self.inner.keepers.first().expect("there is a keeper");
        // Without its task the node is stopping: the next start asks again.
        let _ = keeper.send(for_keeper);
    }

    fn writer_of(&self, log: LogId) -> &UnboundedSender<WriterJob<P>> {
        let writers = &self.inner.writers;
        writers.get(spread(log, writers.len())).expect("there is a writer")
    }

    /// Finds the parts of files that hold the slices: of each, the batch that contains `from` and those behind it, whole, up to `upto`, as
    /// many as its `bytes_max` and, over all slices in their order, `share` allow.
    ///
    /// # Errors
    /// For a slice that is void because its log was truncated, trimmed, closed or removed since, or that the disk does not give.
    pub async fn resolve(&self, slices: &[LogSlice], share: Share) -> Vec<Result<Vec<(FileOf<P>, Range<u64>)>, ReadFailure>> {
        if let Some(resolved) = reader::resolve_from_memory(&self.inner.shared, slices, share) {
            return resolved;
        }
        let (answer, resolved) = oneshot::channel();
        self.read(ReadJob::Resolve { slices: slices.to_vec(), share, answer });
        resolved.await.unwrap_or_else(|_| slices.iter().map(|_| Err(ReadFailure::Void(Void::Closed))).collect())
    }

    /// Carries out all that was submitted, puts every log on disk and ends the tasks. `is_known` says whether the cluster knows how the run
    /// before this one ended: until it does, an unclean end is not forgotten over a clean one.
    pub async fn stop(&self, is_known: bool) {
        self.inner.shared.stopping.store(true, Ordering::Relaxed);
        let _ = self.inner.cleaner.send(CleanerJob::Stop);
        let mut clean = BTreeSet::new();
        let mut closed = BTreeSet::new();
        for writer in &self.inner.writers {
            let (answer, stopped) = oneshot::channel();
            let _ = writer.send(WriterJob::Stop(answer));
            if let Ok(stopped) = stopped.await {
                clean.extend(stopped.clean);
                closed.extend(stopped.unclean);
            }
        }
        // Those that were not opened are as the stop before left them.
        clean.extend(self.inner.clean.difference(&closed).cloned());
        if !is_known && !self.was_stopped_cleanly() {
            clean.remove(&paths::metadata_folder());
        }
        let (answer, marked) = oneshot::channel();
        if let Some(keeper) = self.inner.keepers.first() {
            let _ = keeper.send(KeeperJob::MarkClean(clean, answer));
            let _ = marked.await;
        }
        for keeper in &self.inner.keepers {
            let _ = keeper.send(KeeperJob::Stop);
        }
        for _ in 0..self.inner.shared.settings.readers.max(1) {
            let _ = self.inner.readers.send(ReadJob::Stop);
        }
        let _ = self.inner.shared.chores.send(Chore::Stop);
    }

    fn read(&self, job: ReadJob<P>) {
        // Without readers the node is stopping: whoever waits sees the answer's sender dropped.
        let _ = self.inner.readers.send(job);
    }
}

/// Locks the data folder, learns how the last run left it, and tells how much room there is.
async fn enter<P: Platform>(shared: &Arc<Shared<P>>) -> io::Result<BTreeSet<PathBuf>> {
    let (answer, entered) = oneshot::channel();
    let shared = Arc::clone(shared);
    let platform = shared.platform.clone();
    platform.spawn_disk("store-start", move |disk| async move {
        let task = DiskTask { disk, shared };
        let entering = async {
            task.disk.lock(Path::new(LOCK)).await?;
            let clean = clean::take(&task.disk).await?;
            task.tell_space().await;
            Ok(clean)
        };
        let _ = answer.send(entering.await);
    });
    entered.await.unwrap_or_else(|_| Err(io::Error::other("the disk's task ended")))
}

/// Which of `keepers` a log belongs to. The metadata log shares none if there are several: a vote is kept only once its keeper is at rest, and may
/// not wait for what other logs have to put on disk.
fn keeper_of(log: LogId, keepers: usize) -> usize {
    match log {
        LogId::Metadata => 0,
        LogId::Partition(_) if keepers > 1 => 1 + spread(log, keepers - 1),
        LogId::Partition(_) => 0,
    }
}

/// Which of `tasks` a log belongs to.
fn spread(log: LogId, tasks: usize) -> usize {
    match log {
        LogId::Metadata => 0,
        LogId::Partition(partition) => {
            let bytes = partition.topic.0.0.into_iter().chain(partition.partition.0.to_be_bytes());
            // FNV-1a: any spread will do, as long as it is the same every time.
            let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
            usize::try_from(hash).unwrap_or(0) % tasks.max(1)
        }
    }
}
