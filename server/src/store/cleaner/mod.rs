//! Compaction: of records with one key only the latest stays (KIP-534 for those without a value).
//!
//! A compaction first notes the latest record of each key between where the log is clean and where it is to be, as far as the memory allows that it
//! may use. Then it goes through the closed segments from the log's start to there, some together where they fit into one, and writes what stays
//! of each to a new one, which takes their place at once and durably ([`swap`](super::swap)). Nothing is changed before that, so that an end at any
//! moment leaves the log as it was or with some parts compacted; the next compaction begins where the log is known to be clean.
//!
//! A batch keeps its first and its last offset. Where whole batches go, one without records stands for all of them: what reads a log finds a batch
//! for every offset. It reads as fast as the disk gives, or as it is allowed.

mod counters;
mod keys;
mod output;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gracchus_core::boundary::{Compaction, Generation, StorageDone, StorageError};
use gracchus_core::ids::LogId;
use gracchus_core::offset::Offset;
use gracchus_core::time::{Monotonic, Wait};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

pub use self::counters::CompactionCounters;
use self::keys::Keys;
use self::output::Output;
use self::sweep::{Left, Sweep};
use super::batches::{CheckedBatches, Found};
use super::lookup::SegmentReader;
use super::paths::{self, FileKind};
use super::swap::Swap;
use super::task::DiskTask;
use super::view::{Segment, View};
use super::writer::WriterJob;
use super::{checkpoint, failure};
use crate::platform::Platform;

/// Work for the cleaner.
pub(super) enum CleanerJob<P: Platform> {
    /// A log is to be compacted.
    Compact {
        /// Which.
        log: LogId,
        /// How.
        compaction: Box<Compaction>,
        /// Its writer, which has what was made take its place.
        writer: UnboundedSender<WriterJob<P>>,
    },
    /// The store stops.
    Stop,
}

/// Why a compaction ended early.
enum Halt {
    /// The log is not what it was, or the store stops.
    Changed,
    /// What was made may have taken its place, or not.
    Interrupted,
    /// The disk, or what is on it.
    Failed(StorageError),
}

impl From<StorageError> for Halt {
    fn from(error: StorageError) -> Self {
        Self::Failed(error)
    }
}

/// Works until the store stops.
pub(super) async fn run<P: Platform>(task: DiskTask<P>, mut jobs: UnboundedReceiver<CleanerJob<P>>) {
    while let Some(CleanerJob::Compact { log, compaction, writer }) = jobs.recv().await {
        let (platform, counters) = (&task.shared.platform, &task.shared.compactions);
        let began = platform.now().monotonic;
        let cleaned = match task.shared.view(log) {
            Some(view) => clean(&task, log, &view, &compaction, &writer).await,
            None => Err(Halt::Changed),
        };
        counters.ended(platform.now().monotonic.since(began).0, matches!(cleaned, Err(Halt::Failed(_))));
        let clean_upto = match cleaned {
            Ok(upto) => Ok(Some(upto)),
            Err(Halt::Changed | Halt::Interrupted) => Ok(None),
            Err(Halt::Failed(error)) => Err(error),
        };
        let generation = compaction.generation;
        task.shared.tell(StorageDone::Compacted { log, generation, clean_upto });
    }
}

/// Compacts a log and says how far it is clean.
async fn clean<P: Platform>(
    task: &DiskTask<P>,
    id: LogId,
    view: &Arc<View>,
    compaction: &Compaction,
    writer: &UnboundedSender<WriterJob<P>>,
) -> Result<Offset, Halt> {
    let (generation, segments) = {
        let state = view.lock();
        let generation = state.generation.filter(|generation| *generation == compaction.generation).ok_or(Halt::Changed)?;
        // The last one is written to.
        let closed = state.segments.split_last().map(|(_, closed)| closed).unwrap_or_default();
        let segments: Vec<Segment> = closed.iter().filter(|segment| segment.end_offset <= compaction.upto).copied().collect();
        (generation, segments)
    };
    let mut cleaning = Cleaning {
        task,
        id,
        view,
        generation,
        compaction,
        writer,
        pace: Pace::new(compaction.bytes_per_second_max, task.shared.platform.now().monotonic),
    };
    match cleaning.run(&segments).await {
        // What was read may have been cut off meanwhile.
        Err(Halt::Failed(error)) if cleaning.is_outdated() => {
            tracing::debug!(log = %id, ?error, "a log changed while it was compacted");
            Err(Halt::Changed)
        }
        cleaned => cleaned,
    }
}

struct Cleaning<'a, P: Platform> {
    task: &'a DiskTask<P>,
    id: LogId,
    view: &'a Arc<View>,
    generation: Generation,
    compaction: &'a Compaction,
    writer: &'a UnboundedSender<WriterJob<P>>,
    pace: Pace,
}

impl<P: Platform> Cleaning<'_, P> {
    async fn run(&mut self, segments: &[Segment]) -> Result<Offset, Halt> {
        let Compaction { clean_upto, upto, bytes_per_second_max: _, keys_bytes_max, .. } = *self.compaction;
        let records = u64::try_from(upto.since(clean_upto)).unwrap_or_default();
        let mut secret = [0; 16];
        for (secret, random) in secret.iter_mut().zip(self.task.shared.platform.entropy()) {
            *secret = random;
        }
        let mut keys = Keys::new(records, keys_bytes_max, &secret);
        let noted_upto = match self.note_keys(&mut keys, segments).await {
            // Trimmed meanwhile.
            Err(Halt::Failed(_)) if !self.has_all(segments) => return Err(Halt::Changed),
            noted => noted?,
        };
        let (buffer_bytes, used_bytes) = keys.bytes();
        self.task.shared.compactions.noted(buffer_bytes, used_bytes);
        let now = self.task.shared.platform.now().wall;
        let sweep =
            Sweep { keys: &keys, kept_batches: &self.compaction.kept_batches, now, delete_retention_ms: self.compaction.delete_retention_ms };
        let concerned = segments.partition_point(|segment| segment.base_offset < noted_upto);
        for group in groups(segments.get(..concerned).unwrap_or_default(), self.compaction.settings.segment_bytes_max) {
            self.rewrite_what_is_left(group, &sweep, noted_upto).await?;
        }
        if self
            .hand_over(Swap {
                generation: self.generation,
                replaced: Vec::new(),
                made: None,
                clean_upto: Some(noted_upto),
                file_delete_delay_ms: 0,
            })
            .await?
        {
            Ok(noted_upto)
        } else {
            Err(Halt::Changed)
        }
    }

    /// Notes the keys of what is not clean, as many as there is room for, and says where it had to end.
    async fn note_keys(&mut self, keys: &mut Keys, segments: &[Segment]) -> Result<Offset, Halt> {
        let clean_upto = self.compaction.clean_upto;
        for segment in segments.iter().filter(|segment| segment.end_offset > clean_upto) {
            let reader = SegmentReader::open(self.task, &self.view.folder, *segment).await?;
            let start = reader.position_of(clean_upto).await?;
            let mut batches = CheckedBatches::new(&self.task.disk, reader.file(), start, segment.bytes);
            while batches.position() < segment.bytes {
                self.check_goes_on()?;
                let Found::Batch { header, bytes } = batches.next().await? else {
                    return Err(reader.corrupt(format!("no batch at byte {}", batches.position())).into());
                };
                let records = usize::try_from(header.record_count).unwrap_or_default();
                if !keys.has_room_for(records) {
                    return Ok(header.base_offset);
                }
                sweep::note(keys, &header, &bytes, clean_upto)?;
                self.task.shared.compactions.read(u64::from(header.batch_bytes));
                self.took(u64::from(header.batch_bytes)).await?;
            }
        }
        // The last segment may have been one that was still written to.
        Ok(segments.last().map_or(clean_upto, |last| last.end_offset.max(clean_upto)))
    }

    /// The same as [`rewrite`](Self::rewrite) for those of the segments that are not trimmed meanwhile. Leaves no file that is not wanted.
    async fn rewrite_what_is_left(&mut self, group: &[Segment], sweep: &Sweep<'_>, noted_upto: Offset) -> Result<(), Halt> {
        let mut left = group;
        loop {
            while let Some((first, behind)) = left.split_first()
                && !self.has_all(std::slice::from_ref(first))
            {
                left = behind;
            }
            let Some(first) = left.first() else { return Ok(()) };
            let rewritten = self.rewrite(left, sweep, noted_upto).await;
            if !matches!(rewritten, Ok(true) | Err(Halt::Interrupted)) {
                self.drop_files(first.base_offset).await;
            }
            match rewritten {
                Ok(_) => return Ok(()),
                Err(_) if !self.is_outdated() && !self.has_all(left) => {}
                Err(halt) => return Err(halt),
            }
        }
    }

    /// Writes what stays of these segments to one that takes their place, if anything goes. Says whether it did.
    async fn rewrite(&mut self, group: &[Segment], sweep: &Sweep<'_>, noted_upto: Offset) -> Result<bool, Halt> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(false) };
        let mut output = Output::begin(self.task, &self.view.folder, first.base_offset, &self.compaction.settings).await?;
        let mut has_changed = group.len() > 1;
        for segment in group {
            let reader = SegmentReader::open(self.task, &self.view.folder, *segment).await?;
            let mut batches = CheckedBatches::new(&self.task.disk, reader.file(), 0, segment.bytes);
            while batches.position() < segment.bytes {
                self.check_goes_on()?;
                let Found::Batch { header, bytes } = batches.next().await? else {
                    return Err(reader.corrupt(format!("no batch at byte {}", batches.position())).into());
                };
                let left = if header.base_offset < noted_upto { sweep.apply(&header, &bytes)? } else { Left::Unchanged };
                let read = u64::from(header.batch_bytes);
                let wrote = match left {
                    Left::Unchanged => {
                        output.push(&header, bytes).await?;
                        read
                    }
                    Left::Changed(header, bytes) => {
                        has_changed = true;
                        output.push(&header, bytes).await?;
                        u64::from(header.batch_bytes)
                    }
                    Left::Nothing => {
                        has_changed |= !header.is_filler();
                        output.skip(&header).await?;
                        0
                    }
                };
                self.task.shared.compactions.read(read);
                self.took(read + wrote).await?;
            }
        }
        let made = output.finish().await?;
        if made.end_offset != last.end_offset {
            return Err(failure::corrupt(format!("{}: a segment ends at {} and not at {}", self.id, made.end_offset, last.end_offset)).into());
        }
        let bytes_before: u64 = group.iter().map(|segment| segment.bytes).sum();
        has_changed |= made.bytes < bytes_before;
        let removed_bytes = bytes_before.saturating_sub(made.bytes);
        if !has_changed {
            return Ok(false);
        }
        let swap = Swap {
            generation: self.generation,
            replaced: group.to_vec(),
            made: Some(made),
            clean_upto: None,
            file_delete_delay_ms: self.compaction.settings.file_delete_delay_ms,
        };
        if !self.hand_over(swap).await? {
            return Err(Halt::Changed);
        }
        self.task.shared.compactions.removed(removed_bytes);
        Ok(true)
    }

    /// Has the log's owner put what was made in its place. False if the log is not what it was, and nothing was touched.
    async fn hand_over(&self, swap: Swap) -> Result<bool, Halt> {
        let (answer, swapped) = oneshot::channel();
        // Without its task the node is stopping.
        let _ = self.writer.send(WriterJob::Swap(self.id, Box::new(swap), answer));
        // One that fails in the middle is finished when the log is opened, with the files that are there.
        swapped.await.map_err(|_| Halt::Interrupted)
    }

    /// Whether the log still has all of these segments.
    fn has_all(&self, group: &[Segment]) -> bool {
        let state = self.view.lock();
        let is_there = |segment: &Segment| state.segments.iter().any(|present| present.number == segment.number);
        group.iter().all(is_there)
    }

    /// Removes what was made and is not wanted. What is left of it goes when the log is opened the next time.
    async fn drop_files(&self, base_offset: Offset) {
        for kind in FileKind::ALL {
            let path = paths::cleaned_file(&self.view.folder, base_offset, kind);
            if let Err(error) = checkpoint::remove_if_there(&self.task.disk, &path).await {
                tracing::warn!(path = %path.display(), %error, "could not remove what compaction has left");
            }
        }
    }

    /// So many bytes were read or written: waits until that is no more than is allowed.
    async fn took(&mut self, bytes: u64) -> Result<(), Halt> {
        let platform = &self.task.shared.platform;
        let Some(due) = self.pace.took(bytes) else { return Ok(()) };
        loop {
            self.check_goes_on()?;
            let now = platform.now().monotonic;
            if now >= due {
                // What was not used is not saved up.
                self.pace.due = now;
                return Ok(());
            }
            platform.sleep_until(due.min(now.after(Wait::from_ms(PACE_MS)))).await;
        }
    }

    fn check_goes_on(&self) -> Result<(), Halt> {
        if self.is_outdated() { Err(Halt::Changed) } else { Ok(()) }
    }

    fn is_outdated(&self) -> bool {
        self.task.shared.stopping.load(Ordering::Relaxed) || self.view.lock().generation != Some(self.generation)
    }
}

/// Segments that go into one: as many as fit.
fn groups(segments: &[Segment], segment_bytes_max: u32) -> Vec<&[Segment]> {
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = |segment: &&Segment| {
            bytes += segment.bytes;
            bytes <= u64::from(segment_bytes_max) && segment.end_offset.since(first.base_offset) <= i64::from(i32::MAX)
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (group, behind) = rest.split_at(count);
        groups.push(group);
        rest = behind;
    }
    groups
}

/// Keeps to a rate.
#[derive(Clone, Copy, Debug)]
struct Pace {
    bytes_per_second_max: u64,
    /// When all that was taken so far is no more than is allowed.
    due: Monotonic,
    taken: u64,
}

/// What it is ahead by before it waits, and how long it waits at once: it may have to end.
const PACE_MS: i64 = 20;

impl Pace {
    fn new(bytes_per_second_max: u64, now: Monotonic) -> Self {
        Self { bytes_per_second_max: bytes_per_second_max.max(1), due: now, taken: 0 }
    }

    /// So many bytes were read or written. When it may go on, if that is not yet.
    fn took(&mut self, bytes: u64) -> Option<Monotonic> {
        if self.bytes_per_second_max == u64::MAX {
            return None;
        }
        self.taken += bytes;
        let nanoseconds = u128::from(self.taken) * 1_000_000_000 / u128::from(self.bytes_per_second_max);
        let wait = Wait(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        if wait < Wait::from_ms(PACE_MS) {
            return None;
        }
        self.taken = 0;
        self.due = self.due.after(wait);
        Some(self.due)
    }
}
