//! The tasks for what takes long: recovery, truncation, trimming, removal, snapshots, and the lazy syncs of `replicated` logs.
//!
//! A keeper owns a log while it recovers or shortens it; a writer that lends it one holds back what is asked of that log meanwhile. Syncs
//! and snapshots work on handles, so that the log goes on growing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{LogSettings, Recovered, SealedSegment, StorageDone, StorageError};
use gracchus_core::ids::{LogId, TopicName, TopicPartition};
use gracchus_core::metadata::SnapshotId;
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::batches::{CheckedBatches, Found};
use super::epochs::Epochs;
use super::log::Log;
use super::lookup::SegmentReader;
use super::recovery::{self, Left};
use super::snapshot::{self, Snapshot};
use super::swap::{self, Swap};
use super::sync::{Covered, SyncSet, sync_file};
use super::task::DiskTask;
use super::view::{Segment, View};
use super::writer::WriterJob;
use super::{checkpoint, clean, cut, failure, metadata_snapshots, paths};
use crate::platform::{Disk, FileOf, Platform};

/// How often what has no checksum is read again at most, until it is read the same twice.
const READS_MAX: u32 = 4;

/// Work for a keeper.
pub(super) enum KeeperJob<P: Platform> {
    /// For a log.
    Log {
        /// Which.
        id: LogId,
        /// What.
        work: Work<P>,
        /// The log's writer, which gets the outcome.
        writer: UnboundedSender<WriterJob<P>>,
    },
    /// Partitions' logs other than these are left from topics that are gone.
    RemoveOthers(Vec<LogId>),
    /// A snapshot of the cluster's metadata is to be kept.
    KeepMetadataSnapshot(SnapshotId, Bytes),
    /// The snapshots of the cluster's metadata are to be found.
    LoadMetadataSnapshots,
    /// All that is in these folders is on disk: the next start may know.
    MarkClean(BTreeSet<PathBuf>, oneshot::Sender<()>),
    /// The store stops.
    Stop,
}

/// Something that takes long.
pub(super) enum Work<P: Platform> {
    /// Opens the log.
    Open {
        /// The topic's name.
        topic: TopicName,
        /// How the log is kept.
        settings: LogSettings,
        /// In what state its files may be.
        left: Left,
    },
    /// Drops the log's end.
    Truncate(Box<Log<P>>, Offset),
    /// Drops the log's start.
    Trim(Box<Log<P>>, Offset),
    /// Takes a folder away, and says how long its files linger.
    Remove(PathBuf, i64),
    /// Puts on disk what is written.
    Sync(Box<SyncSet<FileOf<P>>>),
    /// Puts what compaction has made in its place.
    Swap(Arc<View>, Box<Swap>),
    /// Keeps a snapshot.
    Snapshot(Box<SnapshotWork<FileOf<P>>>),
}

/// What came of it.
pub(super) enum Outcome<P: Platform> {
    /// The log, and what to tell.
    Returned(Box<Log<P>>, StorageDone),
    /// A log was recovered.
    Opened(Box<Log<P>>, Box<Recovered>),
    /// A folder is gone, or could not be taken away.
    Removed(Result<(), StorageError>),
    /// All up to here is on disk.
    Synced(Covered),
    /// What compaction has made has taken its place; none if the log was not what it had been.
    Swapped(Option<Vec<SealedSegment>>),
    /// A snapshot is on disk, and perhaps batches that were not.
    SnapshotKept(Offset, Option<Covered>),
}

/// What a snapshot is made of.
#[derive(Debug)]
pub(super) struct SnapshotWork<F> {
    pub(super) folder: PathBuf,
    pub(super) upto: Offset,
    pub(super) producers: Bytes,
    pub(super) segments: Vec<Segment>,
    pub(super) epochs: Epochs,
    pub(super) epochs_changed: bool,
    /// Batches that have to be synced first.
    pub(super) batches: Option<SyncSet<F>>,
    /// Indexes that have to be synced first.
    pub(super) indexes: Vec<F>,
}

/// Works until the store stops.
pub(super) async fn run<P: Platform>(task: DiskTask<P>, mut jobs: UnboundedReceiver<KeeperJob<P>>) {
    while let Some(job) = jobs.recv().await {
        match job {
            KeeperJob::Log { id, work, writer } => {
                let outcome = carry_out(&task, id, work).await;
                // The writer ends last, but for a node that is torn down.
                let _ = writer.send(WriterJob::FromKeeper(id, outcome));
            }
            KeeperJob::RemoveOthers(known) => {
                if let Err(error) = remove_others(&task, &known.into_iter().collect()).await {
                    tracing::warn!(%error, "could not remove what deleted topics left behind");
                }
                task.shared.tell(StorageDone::OthersRemoved);
            }
            KeeperJob::KeepMetadataSnapshot(id, content) => task.shared.tell(match metadata_snapshots::keep(&task.disk, id, content).await {
                Ok(()) => StorageDone::MetadataSnapshotKept { id },
                Err(error) => StorageDone::MetadataSnapshotNotKept { id, error },
            }),
            KeeperJob::LoadMetadataSnapshots => task.shared.tell(match metadata_snapshots::load(&task.disk).await {
                Ok((found, latest)) => StorageDone::MetadataSnapshots { found, latest },
                Err(error) => StorageDone::Failed { log: LogId::Metadata, error },
            }),
            KeeperJob::MarkClean(folders, done) => {
                if let Err(error) = clean::keep(&task.disk, &folders).await {
                    tracing::warn!(%error, "could not mark the stop as a clean one: the next start reads more");
                }
                let _ = done.send(());
            }
            KeeperJob::Stop => return,
        }
    }
}

async fn carry_out<P: Platform>(task: &DiskTask<P>, id: LogId, work: Work<P>) -> Result<Outcome<P>, StorageError> {
    match work {
        Work::Open { topic, settings, left } => {
            let (log, recovered) = recovery::open(task, id, &topic, settings, left).await?;
            Ok(Outcome::Opened(Box::new(log), Box::new(recovered)))
        }
        Work::Truncate(mut log, to) => {
            let generation = cut::truncate(task, &mut log, to).await?;
            let end_offset = log.end_offset;
            Ok(Outcome::Returned(log, StorageDone::Truncated { log: id, end_offset, generation }))
        }
        Work::Trim(mut log, log_start) => {
            cut::trim(task, &mut log, log_start).await?;
            let log_start = log.view.lock().log_start;
            Ok(Outcome::Returned(log, StorageDone::Trimmed { log: id, log_start }))
        }
        Work::Remove(folder, delay_ms) => Ok(Outcome::Removed(remove(task, id, &folder, delay_ms).await)),
        Work::Swap(view, swap) => swap::swap(task, &view, &swap).await.map(Outcome::Swapped),
        Work::Sync(set) => set.carry_out(task).await.map(Outcome::Synced),
        Work::Snapshot(work) => keep_snapshot(task, *work).await,
    }
}

/// Takes a log's folder away, unless it is another's.
async fn remove<P: Platform>(task: &DiskTask<P>, id: LogId, folder: &Path, delay_ms: i64) -> Result<(), StorageError> {
    let _alone = task.shared.folders.lock().await;
    let metadata = folder.join(checkpoint::PARTITION_METADATA);
    let is_its = |topic| matches!(id, LogId::Partition(partition) if partition.topic == topic);
    let expected = |content: &[u8]| checkpoint::decode_partition_metadata(content).is_some_and(is_its);
    let content = checkpoint::read_until(&task.disk, &metadata, expected).await.map_err(|error| failure::from_io(&error))?;
    match content.as_deref().and_then(checkpoint::decode_partition_metadata) {
        Some(topic) if !is_its(topic) => Ok(()),
        Some(_) | None => cut::remove(task, folder, delay_ms).await,
    }
}

/// Takes away the folders of partitions that are neither known nor open.
async fn remove_others<P: Platform>(task: &DiskTask<P>, known: &BTreeSet<LogId>) -> Result<(), StorageError> {
    let names = task.disk.list(paths::root()).await.map_err(|error| failure::from_io(&error))?;
    for folder in names {
        let Some(partition) = paths::parse_partition_folder(&folder) else { continue };
        let _alone = task.shared.folders.lock().await;
        let metadata = folder.join(checkpoint::PARTITION_METADATA);
        let log_in = |content: &[u8]| {
            let topic = checkpoint::decode_partition_metadata(content)?;
            Some(LogId::Partition(TopicPartition { topic, partition }))
        };
        let is_known = |content: &[u8]| log_in(content).is_some_and(|log| known.contains(&log));
        let content = checkpoint::read_until(&task.disk, &metadata, is_known).await;
        let content = content.map_err(|error| failure::from_io(&error))?.unwrap_or_default();
        let Some(log) = log_in(&content) else { continue };
        // One that was created since is open.
        if !known.contains(&log) && task.shared.view(log).is_none() {
            tracing::info!(%log, folder = %folder.display(), "removing a log whose topic is gone");
            cut::remove(task, &folder, 0).await?;
        }
    }
    Ok(())
}

async fn keep_snapshot<P: Platform>(task: &DiskTask<P>, work: SnapshotWork<FileOf<P>>) -> Result<Outcome<P>, StorageError> {
    let SnapshotWork { folder, upto, producers, mut segments, mut epochs, epochs_changed, batches, indexes } = work;
    let covered = match batches {
        Some(set) => Some(set.carry_out(task).await?),
        None => None,
    };
    for file in &indexes {
        sync_file(task, file).await?;
    }
    if epochs_changed {
        let content = epochs.to_checkpoint();
        let kept = checkpoint::replace(&task.disk, &folder, checkpoint::LEADER_EPOCHS.as_ref(), content).await;
        kept.map_err(|error| failure::from_io(&error))?;
    } else {
        // The indexes may be new files.
        cut::sync_folder(task, &folder).await?;
    }
    if segments.last().is_some_and(|last| last.end_offset < upto) {
        // The log is to begin anew there: it is of nothing that it holds, and believed only once the log starts there.
        segments.clear();
        epochs = Epochs::default();
    }
    let behind =
        segments.iter().position(|segment| segment.base_offset >= upto && segment.base_offset > Offset::ZERO).unwrap_or(segments.len());
    segments.truncate(behind);
    let (base_offset, position, max_timestamp) = match segments.pop() {
        Some(last) => place_of(task, &folder, last, upto).await?,
        None => (upto, 0, Timestamp::NONE),
    };
    epochs.truncate_to(upto);
    let snapshot = Snapshot {
        upto,
        sealed: segments.iter().map(Segment::sealed).collect(),
        base_offset,
        position,
        max_timestamp,
        epochs: epochs.starts().to_vec(),
        producers,
    };
    let name = paths::snapshot_file(Path::new(""), upto);
    checkpoint::replace(&task.disk, &folder, &name, snapshot.encode()).await.map_err(|error| failure::from_io(&error))?;
    remove_old_snapshots(task, &folder).await.map_err(|error| failure::from_io(&error))?;
    Ok(Outcome::SnapshotKept(upto, covered))
}

/// The segment's base offset, where in it the batch starts that begins at `upto`, and the largest timestamp before.
async fn place_of<P: Platform>(
    task: &DiskTask<P>,
    folder: &Path,
    segment: Segment,
    upto: Offset,
) -> Result<(Offset, u64, Timestamp), StorageError> {
    let mut place = (segment.base_offset, segment.bytes, segment.max_timestamp);
    if upto < segment.end_offset {
        let reader = SegmentReader::open(task, folder, segment).await?;
        let position = reader.position_of(upto).await?;
        place = (segment.base_offset, position, max_timestamp(&reader, segment.base_offset, upto).await?);
        // Recovery will rely on it.
        match CheckedBatches::new(&task.disk, reader.file(), position, segment.bytes).next().await? {
            Found::Batch { header, .. } if header.base_offset == upto => {}
            Found::Batch { .. } | Found::End | Found::Bad(_) => return Err(reader.corrupt(format!("no batch begins at offset {upto}"))),
        }
    }
    Ok(place)
}

/// The largest timestamp of a segment's batches below `upto`. Neither headers alone nor an index's entries have a checksum: they are believed once
/// they have been read the same twice, for the snapshot would keep for good what was misread.
async fn max_timestamp<P: Platform>(reader: &SegmentReader<'_, P>, from: Offset, upto: Offset) -> Result<Timestamp, StorageError> {
    let mut last = reader.max_timestamp(from, upto).await?;
    for _ in 0..READS_MAX {
        let again = reader.max_timestamp(from, upto).await?;
        if again == last {
            return Ok(again.unwrap_or(Timestamp::NONE));
        }
        last = again;
    }
    Err(reader.corrupt(format!("the batches below offset {upto} read differently each time")))
}

async fn remove_old_snapshots<P: Platform>(task: &DiskTask<P>, folder: &Path) -> std::io::Result<()> {
    let mut kept: Vec<Offset> = task.disk.list(folder).await?.iter().filter_map(|name| paths::parse_snapshot_file(name)).collect();
    kept.sort_unstable();
    for &upto in kept.iter().rev().skip(snapshot::KEPT) {
        checkpoint::remove_if_there(&task.disk, &paths::snapshot_file(folder, upto)).await?;
    }
    Ok(())
}
