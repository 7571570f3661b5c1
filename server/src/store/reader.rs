//! Reading: which parts of which files hold what was asked for, and, for internal logs, the batches themselves.
//!
//! Fresh data is resolved where it is asked for, from memory. What is older, or in a file that is not open, is resolved by tasks that own a
//! disk, so that nobody else waits for one.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{LogSlice, ReadFailure, SearchId, StorageDone, StorageError, TimeTarget, Void};
use gracchus_core::ids::LogId;
use gracchus_core::metadata::SnapshotId;
use gracchus_core::offset::Offset;
use gracchus_core::record::{CorruptBatch, HEADER_BYTES};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex, oneshot};

use super::batches::{CheckedBatches, Found};
use super::lookup::SegmentReader;
use super::paths::FileKind;
use super::task::{DiskTask, Shared};
use super::view::{Resolution, Segment, SegmentRange, View};
use super::{failure, find, metadata_snapshots};
use crate::platform::{FileOf, Platform};

/// Parts of files, in order.
pub(super) type FileRanges<P> = Vec<(FileOf<P>, Range<u64>)>;

/// Where slices are, each for itself.
pub(super) type Resolved<P> = Vec<Result<FileRanges<P>, ReadFailure>>;

/// Work for a reader.
pub(super) enum ReadJob<P: Platform> {
    /// Slices that can't be resolved from memory.
    Resolve {
        /// The slices, in order.
        slices: Vec<LogSlice>,
        /// How much they may have.
        share: Share,
        /// Takes the answer.
        answer: oneshot::Sender<Resolved<P>>,
    },
    /// A search by time.
    Find {
        /// The log.
        log: LogId,
        /// Names the search.
        search: SearchId,
        /// What is wanted.
        target: TimeTarget,
        /// Records from here on are not looked at.
        upto: Offset,
    },
    /// A piece of a snapshot of the cluster's metadata.
    MetadataSnapshot {
        /// Which.
        id: SnapshotId,
        /// Bytes before the piece.
        position: u64,
        /// Bytes of it at most.
        bytes_max: u32,
    },
    /// The store stops.
    Stop,
}

/// Jobs for whichever reader is free next, so that a long search holds up nobody while another reader idles.
pub(super) struct Queue<T> {
    jobs: Mutex<UnboundedReceiver<T>>,
}

impl<T> Queue<T> {
    /// A queue, and where it is filled.
    pub(super) fn new() -> (UnboundedSender<T>, Arc<Self>) {
        let (sender, jobs) = mpsc::unbounded_channel();
        (sender, Arc::new(Self { jobs: Mutex::new(jobs) }))
    }

    /// Waits for the next job; none once nobody can send one.
    async fn next(&self) -> Option<T> {
        // One of those that are free waits for the job, the others for their turn.
        self.jobs.lock().await.recv().await
    }
}

/// Reads until the store stops.
pub(super) async fn run<P: Platform>(task: DiskTask<P>, jobs: Arc<Queue<ReadJob<P>>>) {
    while let Some(job) = jobs.next().await {
        match job {
            ReadJob::Resolve { slices, share, answer } => {
                let resolved = resolve_from_disk(&task, &slices, share).await;
                // Who asked may have gone: its connection has closed.
                let _ = answer.send(resolved);
            }
            ReadJob::Find { log, search, target, upto } => {
                let found = match task.shared.view(log) {
                    Some(view) => find::find(&task, &view, target, upto).await,
                    None => Err(ReadFailure::Void(Void::Closed)),
                };
                task.shared.tell(StorageDone::Found { log, search, found });
            }
            ReadJob::MetadataSnapshot { id, position, bytes_max } => {
                let piece = metadata_snapshots::read(&task.disk, id, position, bytes_max).await.unwrap_or_else(|error| {
                    tracing::warn!(%id, ?error, "a snapshot of the cluster's metadata could not be read for another node");
                    None
                });
                task.shared.tell(StorageDone::MetadataSnapshotRead { id, position, piece });
            }
            ReadJob::Stop => return,
        }
    }
}

/// How much slices may have that are read together.
#[derive(Clone, Copy, Debug)]
pub enum Share {
    /// So many bytes; and the first that has a batch gets one, however large, as a client's fetch does.
    First(u32),
    /// As many as they ask for. Each gets a batch, however large, but for those behind so many bytes.
    Each(u32),
}

/// How many bytes slices may still have.
struct Allowance {
    share: Share,
    taken: u64,
}

impl Allowance {
    fn new(share: Share) -> Self {
        Self { share, taken: 0 }
    }

    /// The bytes that a slice may have, and whether it gets a batch that has more.
    fn of(&self, slice: &LogSlice) -> (u64, bool) {
        let wanted = u64::from(slice.bytes_max);
        match self.share {
            Share::First(bytes_max) => (u64::from(bytes_max).saturating_sub(self.taken).min(wanted), self.taken == 0),
            Share::Each(bytes_max) if self.taken < u64::from(bytes_max) => (wanted, true),
            Share::Each(_) => (0, false),
        }
    }

    fn take(&mut self, bytes: u64) {
        self.taken += bytes;
    }
}

/// Resolves slices without a disk; `None` if that takes one.
pub(super) fn resolve_from_memory<P: Platform>(shared: &Shared<P>, slices: &[LogSlice], share: Share) -> Option<Resolved<P>> {
    let mut allowance = Allowance::new(share);
    let mut resolved = Vec::with_capacity(slices.len());
    for slice in slices {
        let (bytes_max, at_least_one) = allowance.of(slice);
        let resolution = shared.view(slice.log).map_or(Resolution::Void(Void::Closed), |view| view.resolve(slice, bytes_max, at_least_one));
        resolved.push(match resolution {
            Resolution::Void(void) => Err(ReadFailure::Void(void)),
            Resolution::Search(_) => return None,
            Resolution::Ranges(ranges) => {
                allowance.take(length(&ranges));
                let open = |(segment, range): SegmentRange| Some((shared.files.get((segment.number, FileKind::Log))?, range));
                Ok(ranges.into_iter().map(open).collect::<Option<_>>()?)
            }
        });
    }
    Some(resolved)
}

async fn resolve_from_disk<P: Platform>(task: &DiskTask<P>, slices: &[LogSlice], share: Share) -> Resolved<P> {
    let mut allowance = Allowance::new(share);
    let mut resolved = Vec::with_capacity(slices.len());
    for slice in slices {
        let (bytes_max, at_least_one) = allowance.of(slice);
        let ranges = match task.shared.view(slice.log) {
            Some(view) => resolve_one(task, &view, slice, bytes_max, at_least_one).await,
            None => Err(ReadFailure::Void(Void::Closed)),
        };
        if let Ok(ranges) = &ranges {
            allowance.take(ranges.iter().map(|(_, range)| range.end - range.start).sum());
        }
        resolved.push(ranges);
    }
    resolved
}

async fn resolve_one<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    slice: &LogSlice,
    bytes_max: u64,
    at_least_one: bool,
) -> Result<FileRanges<P>, ReadFailure> {
    let _unswapped = view.swaps.read().await;
    let found = look_up(task, view, slice, bytes_max, at_least_one).await;
    // Files are found by name here: only if nothing was cut meanwhile are they those that were meant, or missed.
    view.voids(slice.generation, slice.from).map_or(found, |void| Err(ReadFailure::Void(void)))
}

async fn look_up<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    slice: &LogSlice,
    bytes_max: u64,
    at_least_one: bool,
) -> Result<FileRanges<P>, ReadFailure> {
    let ranges = match view.resolve(slice, bytes_max, at_least_one) {
        Resolution::Void(void) => return Err(ReadFailure::Void(void)),
        Resolution::Ranges(ranges) => ranges,
        Resolution::Search(segments) => search(task, view, &segments, slice, bytes_max, at_least_one).await?,
    };
    let mut files = Vec::with_capacity(ranges.len());
    for (segment, range) in ranges {
        files.push((task.segment_file(&view.folder, &segment, FileKind::Log).await?, range));
    }
    Ok(files)
}

async fn search<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    segments: &[Segment],
    slice: &LogSlice,
    bytes_max: u64,
    at_least_one: bool,
) -> Result<Vec<SegmentRange>, StorageError> {
    let mut ranges = Vec::new();
    let mut taken = 0;
    for segment in segments {
        let reader = SegmentReader::open(task, &view.folder, *segment).await?;
        let range = reader.range(slice.from, slice.upto, bytes_max.saturating_sub(taken), at_least_one && taken <= HEADER_BYTES as u64).await?;
        let is_whole = range.end == segment.bytes;
        if range.start < range.end {
            taken += range.end - range.start;
            ranges.push((*segment, range));
        }
        if !is_whole || segment.end_offset >= slice.upto {
            break;
        }
    }
    Ok(ranges)
}

fn length(ranges: &[SegmentRange]) -> u64 {
    ranges.iter().map(|(_, range)| range.end - range.start).sum()
}

/// The whole batches from the one that holds `from` up to `upto`, as many as `bytes_max` allows but at least one, each checked.
pub(super) async fn read_batches<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    from: Offset,
    upto: Offset,
    bytes_max: u32,
) -> Result<Vec<Bytes>, ReadFailure> {
    let (log, generation) = (LogId::Metadata, view.lock().generation.ok_or(ReadFailure::Void(Void::Closed))?);
    let slice = LogSlice { log, generation, from, upto, bytes_max };
    let mut read = Vec::new();
    for (file, range) in resolve_one(task, view, &slice, u64::from(bytes_max), true).await? {
        let mut batches = CheckedBatches::new(&task.disk, &file, range.start, range.end);
        while batches.position() < range.end {
            let error = match batches.next().await? {
                Found::Batch { bytes, .. } => {
                    read.push(bytes);
                    continue;
                }
                Found::End => CorruptBatch::Length(0),
                Found::Bad(error) => error,
            };
            return Err(failure::corrupt(format!("{} at byte {}: {error:?}", view.folder.display(), batches.position())).into());
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_go_to_whoever_is_free() {
        let (sender, queue) = Queue::new();
        let free = Arc::clone(&queue);
        let took = tokio::spawn(async move { [free.next().await, free.next().await] });
        tokio::task::yield_now().await;
        // Another waits too, and gets the third.
        let third = tokio::spawn(async move { queue.next().await });
        (1..=3).for_each(|job| sender.send(job).unwrap());
        let mut taken: Vec<_> = took.await.unwrap().into_iter().chain([third.await.unwrap()]).flatten().collect();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3]);
    }
}
