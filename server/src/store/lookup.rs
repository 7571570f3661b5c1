//! Finding places in a segment: by the index to somewhere before, then from header to header.

use std::ops::Range;
use std::path::Path;

use gracchus_core::boundary::StorageError;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, HEADER_BYTES};
use gracchus_core::time::Timestamp;

use super::batches::Headers;
use super::failure;
use super::index::{self, OffsetEntry, TimeEntry};
use super::paths::FileKind;
use super::task::DiskTask;
use super::view::Segment;
use crate::platform::{FileOf, Platform};

/// A segment to look something up in.
pub(super) struct SegmentReader<'a, P: Platform> {
    task: &'a DiskTask<P>,
    folder: &'a Path,
    segment: Segment,
    file: FileOf<P>,
}

impl<'a, P: Platform> SegmentReader<'a, P> {
    /// Opens the segment's file, or finds it open.
    pub(super) async fn open(task: &'a DiskTask<P>, folder: &'a Path, segment: Segment) -> Result<Self, StorageError> {
        let file = task.segment_file(folder, &segment, FileKind::Log).await?;
        Ok(Self { task, folder, segment, file })
    }

    /// The segment's file.
    pub(super) fn file(&self) -> &FileOf<P> {
        &self.file
    }

    /// Where the batch starts that holds `offset`, or the first behind it; the end of the segment if there is none.
    pub(super) async fn position_of(&self, offset: Offset) -> Result<u64, StorageError> {
        if offset >= self.segment.end_offset {
            return Ok(self.segment.bytes);
        }
        if offset <= self.segment.base_offset {
            return Ok(0);
        }
        let start = self.indexed_before(|entry| entry.last_offset < offset).await?;
        let mut headers = self.headers(start);
        while let Some((position, header)) = headers.next().await? {
            if header.last_offset() >= offset {
                return Ok(position);
            }
        }
        Ok(self.segment.bytes)
    }

    /// The whole batches from the one that holds `from` up to `upto`: as many as `bytes_max` allows, or one if `at_least_one`.
    pub(super) async fn range(&self, from: Offset, upto: Offset, bytes_max: u64, at_least_one: bool) -> Result<Range<u64>, StorageError> {
        let start = self.position_of(from).await?;
        let limit = start.saturating_add(bytes_max);
        if self.segment.end_offset <= upto && self.segment.bytes <= limit {
            return Ok(start..self.segment.bytes);
        }
        let known = self.indexed_before(|entry| entry.last_offset < upto && u64::from(entry.position) <= limit).await?;
        let mut end = start;
        let mut headers = self.headers(known.max(start));
        while let Some((position, header)) = headers.next().await? {
            if header.base_offset >= upto {
                return Ok(start..end.max(position));
            }
            let batch_end = position + u64::from(header.batch_bytes);
            // One that only stands for what compaction took is no answer: some clients would ask for the same for ever.
            if batch_end > limit && !(at_least_one && position - start <= HEADER_BYTES as u64) {
                return Ok(start..end.max(position));
            }
            end = batch_end;
        }
        Ok(start..end)
    }

    /// The largest timestamp of the batches that reach into `from..upto`; none without any.
    pub(super) async fn max_timestamp(&self, from: Offset, upto: Offset) -> Result<Option<Timestamp>, StorageError> {
        // The time index speaks of all batches from the segment's first one on.
        let entry = if from <= self.segment.base_offset { self.time_entry(|entry| entry.last_offset < upto).await? } else { None };
        let start = self.position_of(entry.map_or(from, |entry| entry.last_offset)).await?;
        let mut max = entry.map(|entry| entry.max_timestamp);
        let mut headers = self.headers(start);
        while let Some((_, header)) = headers.next().await? {
            if header.base_offset >= upto {
                break;
            }
            max = max.max(Some(header.max_timestamp));
        }
        Ok(max)
    }

    /// Where to start to look for the first batch that has a timestamp of at least `timestamp`: none before has one.
    pub(super) async fn position_before(&self, timestamp: Timestamp) -> Result<u64, StorageError> {
        match self.time_entry(|entry| entry.max_timestamp < timestamp).await? {
            Some(entry) => self.position_of(entry.last_offset).await,
            None => Ok(0),
        }
    }

    /// The headers from `position` on.
    pub(super) fn headers(&self, position: u64) -> Headers<'_, P::Disk> {
        Headers::new(&self.task.disk, &self.file, position, self.segment.bytes)
    }

    /// The header of the first batch.
    pub(super) async fn first(&self) -> Result<Option<BatchHeader>, StorageError> {
        Ok(self.headers(0).next().await?.map(|(_, header)| header))
    }

    /// The position in the last entry of the offset index for which `holds`; zero without one.
    async fn indexed_before(&self, holds: impl Fn(&OffsetEntry) -> bool) -> Result<u64, StorageError> {
        let Some(file) = self.task.index_file(self.folder, &self.segment, FileKind::OffsetIndex).await? else { return Ok(0) };
        // The file may have grown since the segment was looked at.
        let written = |entry: &OffsetEntry| u64::from(entry.position) < self.segment.bytes && entry.last_offset < self.segment.end_offset;
        let found = index::last_where(&self.task.disk, &file, self.segment.base_offset, |entry| written(entry) && holds(entry)).await?;
        let Some(entry) = found else { return Ok(0) };
        // An index is a hint: one that does not point at its batch is not believed.
        let position = u64::from(entry.position);
        match self.headers(position).next().await {
            Ok(Some((_, header))) if header.last_offset() == entry.last_offset => Ok(position),
            Ok(_) | Err(StorageError::Corrupt(_)) => Ok(0),
            Err(error @ (StorageError::NoSpace | StorageError::Io(_))) => Err(error),
        }
    }

    async fn time_entry(&self, holds: impl Fn(&TimeEntry) -> bool) -> Result<Option<TimeEntry>, StorageError> {
        let Some(file) = self.task.index_file(self.folder, &self.segment, FileKind::TimeIndex).await? else { return Ok(None) };
        let written = |entry: &TimeEntry| entry.last_offset < self.segment.end_offset;
        index::last_where(&self.task.disk, &file, self.segment.base_offset, |entry| written(entry) && holds(entry)).await
    }

    /// An error that says where.
    pub(super) fn corrupt(&self, what: impl std::fmt::Display) -> StorageError {
        failure::corrupt(format!("segment {} of {}: {what}", self.segment.base_offset, self.folder.display()))
    }
}
