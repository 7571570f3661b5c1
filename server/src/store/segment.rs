//! The segment that a log grows in.

use gracchus_core::boundary::{LogSettings, StorageError};
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchHeader;
use gracchus_core::time::Timestamp;
use std::path::Path;

use super::failure;
use super::files::SegmentNumber;
use super::index::{self, IndexTail, OffsetEntry, TimeEntry};
use super::lookup::SegmentReader;
use super::paths::{self, FileKind};
use super::room::SetAside;
use super::task::DiskTask;
use super::view::Segment;
use crate::platform::{Disk, FileOf, Platform};

/// Index entries are written into their files once this many wait, so that a reader has few headers to walk.
const INDEX_ENTRIES_WAITING_MAX: usize = 64;

/// The segment at a log's end: where the next batch goes, and what its indexes are to say.
#[derive(Debug)]
pub(super) struct ActiveSegment {
    /// The segment, with the batches that were noted.
    segment: Segment,
    /// Bytes of its file behind those that are written.
    set_aside: Option<SetAside>,
    /// None are set aside before it has grown to this many bytes: there was no room for them.
    set_aside_from: u64,
    created: Timestamp,
    /// The first batch's largest timestamp.
    first_timestamp: Option<Timestamp>,
    /// The last offset of the first batch that has the largest timestamp.
    max_timestamp_offset: Offset,
    bytes_since_entry: u64,
    offsets: IndexTail<OffsetEntry>,
    times: IndexTail<TimeEntry>,
    last_time_entry: Option<Timestamp>,
}

impl ActiveSegment {
    /// A segment without batches.
    pub(super) fn begin(number: SegmentNumber, base_offset: Offset, created: Timestamp) -> Self {
        Self {
            segment: Segment { number, base_offset, end_offset: base_offset, bytes: 0, max_timestamp: Timestamp::NONE },
            set_aside: None,
            set_aside_from: 0,
            created,
            first_timestamp: None,
            max_timestamp_offset: base_offset,
            bytes_since_entry: 0,
            offsets: IndexTail::new(0),
            times: IndexTail::new(0),
            last_time_entry: None,
        }
    }

    /// Goes on with a segment whose batches are those of `segment`: what its indexes say beyond those is cut.
    pub(super) async fn resume<P: Platform>(task: &DiskTask<P>, folder: &Path, segment: Segment) -> Result<Self, StorageError> {
        let path = |kind| paths::segment_file(folder, segment.base_offset, kind);
        let within = |last_offset: Offset| last_offset < segment.end_offset;
        let (offsets, _) = index::cut::<_, OffsetEntry>(&task.disk, &path(FileKind::OffsetIndex), segment.base_offset, |entry| {
            within(entry.last_offset) && u64::from(entry.position) < segment.bytes
        })
        .await?;
        let (times, last_time) =
            index::cut::<_, TimeEntry>(&task.disk, &path(FileKind::TimeIndex), segment.base_offset, |entry| within(entry.last_offset)).await?;
        let mut active = Self::begin(segment.number, segment.base_offset, task.shared.platform.now().wall);
        if segment.bytes > 0 {
            let reader = SegmentReader::open(task, folder, segment).await?;
            active.first_timestamp = reader.first().await?.map(|header| header.max_timestamp);
            active.max_timestamp_offset = last_time.map_or(segment.base_offset, |entry| entry.last_offset);
        }
        active.segment = segment;
        active.offsets = IndexTail::new(offsets);
        active.times = IndexTail::new(times);
        active.last_time_entry = last_time.map(|entry| entry.max_timestamp);
        Ok(active)
    }

    /// The segment, with the batches that were noted.
    pub(super) fn segment(&self) -> Segment {
        self.segment
    }

    /// Its batches are in another file from here on.
    pub(super) fn move_to(&mut self, number: SegmentNumber) {
        self.segment.number = number;
    }

    /// Whether the segment has to be closed before this batch.
    pub(super) fn must_roll(&self, header: &BatchHeader, settings: &LogSettings, wall: Timestamp) -> bool {
        if self.segment.bytes == 0 {
            return false;
        }
        // As Kafka has it: the age is that of the first batch as the new one's timestamp shows it, or that of the file by the clock.
        let age_ms = match self.first_timestamp.filter(|first| first.0 >= 0) {
            Some(first) => header.max_timestamp.0.saturating_sub(first.0),
            None => wall.0.saturating_sub(self.created.0),
        };
        self.segment.bytes + u64::from(header.batch_bytes) > u64::from(settings.segment_bytes_max)
            || age_ms > settings.segment_age_max_ms
            || header.last_offset().since(self.segment.base_offset) > i64::from(i32::MAX)
    }

    /// Takes note of a batch at the segment's end and says where it goes.
    pub(super) fn note(&mut self, header: &BatchHeader, index_interval_bytes: u32) -> u32 {
        let position = u32::try_from(self.segment.bytes).expect("a segment is closed before it outgrows its index");
        self.first_timestamp.get_or_insert(header.max_timestamp);
        if header.max_timestamp > self.segment.max_timestamp {
            self.segment.max_timestamp = header.max_timestamp;
            self.max_timestamp_offset = header.last_offset();
        }
        if self.bytes_since_entry > u64::from(index_interval_bytes) {
            self.bytes_since_entry = 0;
            self.offsets.push(OffsetEntry { last_offset: header.last_offset(), position });
            self.note_time();
        }
        self.bytes_since_entry += u64::from(header.batch_bytes);
        self.segment.bytes += u64::from(header.batch_bytes);
        self.segment.end_offset = header.next_offset();
        position
    }

    fn note_time(&mut self) {
        let max_timestamp = self.segment.max_timestamp;
        // An entry that says nothing would be zeros, which stand for none.
        let is_news = max_timestamp > Timestamp(0) || self.max_timestamp_offset > self.segment.base_offset;
        if is_news && max_timestamp >= Timestamp(0) && self.last_time_entry.is_none_or(|last| max_timestamp > last) {
            self.last_time_entry = Some(max_timestamp);
            self.times.push(TimeEntry { max_timestamp, last_offset: self.max_timestamp_offset });
        }
    }

    /// Whether enough index entries wait to be written.
    pub(super) fn wants_index_write(&self) -> bool {
        self.offsets.pending() >= INDEX_ENTRIES_WAITING_MAX
    }

    /// Writes the index entries that wait, and returns the index files that the segment has.
    pub(super) async fn write_indexes<P: Platform>(&mut self, task: &DiskTask<P>, folder: &Path) -> Result<Vec<FileOf<P>>, StorageError> {
        let (segment, mut files) = (self.segment, Vec::new());
        if !self.offsets.is_empty() {
            let file = open_or_create(task, folder, &segment, FileKind::OffsetIndex).await?;
            if self.offsets.pending() > 0 {
                self.offsets.write(&task.disk, &file, segment.base_offset).await?;
            }
            files.push(file);
        }
        if !self.times.is_empty() {
            let file = open_or_create(task, folder, &segment, FileKind::TimeIndex).await?;
            if self.times.pending() > 0 {
                self.times.write(&task.disk, &file, segment.base_offset).await?;
            }
            files.push(file);
        }
        Ok(files)
    }

    /// Writes all index entries into files that hold none.
    pub(super) async fn finish_indexes<P: Platform>(
        &mut self,
        task: &DiskTask<P>,
        offsets: &FileOf<P>,
        times: &FileOf<P>,
    ) -> Result<(), StorageError> {
        self.note_time();
        if self.offsets.pending() > 0 {
            self.offsets.write(&task.disk, offsets, self.segment.base_offset).await?;
        }
        if self.times.pending() > 0 {
            self.times.write(&task.disk, times, self.segment.base_offset).await?;
        }
        Ok(())
    }

    /// Closes the segment: its indexes are complete, and its file is as long as its batches. Returns the index files.
    pub(super) async fn seal<P: Platform>(&mut self, task: &DiskTask<P>, folder: &Path) -> Result<Vec<FileOf<P>>, StorageError> {
        self.note_time();
        let files = self.write_indexes(task, folder).await?;
        self.give_back(task, folder).await?;
        Ok(files)
    }

    /// Whether bytes are set aside that are not written.
    pub(super) fn has_set_aside(&self) -> bool {
        self.set_aside.is_some()
    }

    /// Gives back what was set aside on disk and is not written.
    pub(super) async fn give_back<P: Platform>(&mut self, task: &DiskTask<P>, folder: &Path) -> Result<(), StorageError> {
        if self.set_aside.take().is_some() {
            let file = task.segment_file(folder, &self.segment, FileKind::Log).await?;
            task.disk.truncate(&file, self.segment.bytes).await.map_err(|error| failure::from_io(&error))?;
        }
        Ok(())
    }

    /// Sets bytes aside on disk, from those on that are about to be written at `from`, if the segment is busy and they outgrow what it has: a
    /// sync then has no length to write, nor has a write to look for room. A segment gets as much again as it has grown to, so that many that
    /// grow little take little. A disk that is nearly full keeps its room for what is written.
    pub(super) async fn set_aside<P: Platform>(&mut self, task: &DiskTask<P>, file: &FileOf<P>, from: u64, settings: &LogSettings) {
        let (store, grown) = (&task.shared.settings, self.segment.bytes);
        let had = self.set_aside.as_ref().map_or(0, SetAside::bytes);
        if store.preallocate_bytes == 0 || grown < store.preallocate_from_bytes.max(self.set_aside_from) || grown <= from + had {
            return;
        }
        let wanted = grown.saturating_add(store.preallocate_bytes.min(grown)).min(u64::from(settings.segment_bytes_max));
        if wanted <= grown {
            return;
        }
        let range = from + had..wanted;
        let bytes = range.end - range.start;
        if task.shared.room.try_use(bytes) {
            match task.disk.allocate(file, range).await {
                Ok(()) => {
                    // Those from before are in it.
                    self.set_aside = None;
                    self.set_aside = Some(task.shared.room.set_aside(had + bytes));
                    return;
                }
                // A disk that has no room for it, or can't, is no reason not to write. What it has set aside all the same goes back.
                Err(error) => {
                    tracing::debug!(%error, "could not set bytes aside");
                    let _ = task.disk.truncate(file, from + had).await;
                }
            }
        }
        self.set_aside_from = wanted;
    }

    /// So many bytes were written behind those that were before. Says how many of them were not set aside.
    pub(super) fn note_written(&mut self, bytes: u64) -> u64 {
        let Some(set_aside) = &mut self.set_aside else { return bytes };
        let left = set_aside.bytes().saturating_sub(bytes);
        let written = bytes - (set_aside.bytes() - left);
        set_aside.shrink_to(left);
        if left == 0 {
            self.set_aside = None;
        }
        written
    }
}

async fn open_or_create<P: Platform>(task: &DiskTask<P>, folder: &Path, segment: &Segment, kind: FileKind) -> Result<FileOf<P>, StorageError> {
    if let Some(file) = task.index_file(folder, segment, kind).await? {
        return Ok(file);
    }
    let file = task.disk.create(&paths::segment_file(folder, segment.base_offset, kind)).await.map_err(|error| failure::from_io(&error))?;
    task.shared.files.insert((segment.number, kind), file.clone());
    Ok(file)
}
