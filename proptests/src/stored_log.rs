//! What a log on a disk has to be: a model of one log of the store.
//!
//! The model knows every batch that was submitted and what the store has promised of them. It is asked after each crash whether what
//! recovery found can have come of that, and goes on from there.

use bytes::Bytes;
use gracchus_core::boundary::{EpochStart, Recovered, StorageDone};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader};
use gracchus_core::time::Timestamp;

/// A batch as it has to be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its header.
    pub header: BatchHeader,
    /// All of it.
    pub bytes: Bytes,
}

/// A log, as it was asked to be and as it was promised to be.
#[derive(Clone, Debug, Default)]
pub struct StoredLog {
    /// All batches that were submitted and not truncated, from the first ever on.
    pub batches: Vec<StoredBatch>,
    /// The largest start that was asked for.
    pub start_asked: Offset,
    /// The start that was told.
    pub start_told: Offset,
    /// All below was told to be on disk, and no truncation below was asked for since.
    pub synced: Offset,
    /// The same, in the page cache.
    pub written: Offset,
    /// A truncation that was asked for and not told.
    pub truncating_to: Option<Offset>,
    /// Snapshots that were asked for and not truncated, each with whether it was told to be kept.
    pub snapshots: Vec<(Offset, Bytes, bool)>,
    /// The offset of the last snapshot that was asked for, unless it is answered: by itself or by a later one.
    pub snapshot_awaited: Option<Offset>,
    /// The epoch of the next batch.
    pub leader_epoch: i32,
    counter: u64,
}

impl StoredLog {
    /// Behind the last batch that was submitted.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.batches.last().map_or(self.start_asked, |batch| batch.header.next_offset().max(self.start_asked))
    }

    /// Makes the next batch. Each has another content.
    pub fn append(&mut self, records: u8, value_bytes: u16) -> StoredBatch {
        let mut builder = BatchBuilder::new(self.end(), LeaderEpoch(self.leader_epoch));
        for _ in 0..records.max(1) {
            self.counter += 1;
            let mut value = self.counter.to_string().into_bytes();
            value.resize(value.len().max(usize::from(value_bytes)), b'.');
            let timestamp = i64::try_from(self.counter % 1_000).expect("below 1,000");
            builder.append(Timestamp(timestamp), None, Some(&value), &[]);
        }
        let bytes = builder.build();
        let batch = StoredBatch { header: BatchHeader::parse(&bytes).expect("just built"), bytes };
        self.batches.push(batch.clone());
        batch
    }

    /// The offset at which some batch starts, or the end: `numerator` of 256 of the way from the log's start.
    #[must_use]
    pub fn boundary(&self, numerator: u8) -> Offset {
        let from = self.batches.partition_point(|batch| batch.header.next_offset() <= self.start_asked);
        let at = from + (self.batches.len() - from) * usize::from(numerator) / 255;
        self.batches.get(at).map_or(self.end(), |batch| batch.header.base_offset.max(self.start_asked))
    }

    /// Bytes that stand for the state of producers: they name all content below `upto`.
    #[must_use]
    pub fn producers(&self, upto: Offset) -> Bytes {
        let below = self.batches.iter().take_while(|batch| batch.header.base_offset < upto);
        let crcs: Vec<u8> = below.flat_map(|batch| batch.header.crc.to_be_bytes()).collect();
        Bytes::from(crcs)
    }

    /// A truncation is asked for.
    pub fn truncate(&mut self, to: Offset) {
        self.truncating_to = Some(to);
        self.synced = self.synced.min(to);
        self.written = self.written.min(to);
        // Those above may be kept or gone until the truncation is told, and have pushed out those below.
        if self.snapshots.iter().any(|(upto, _, _)| *upto > to) {
            for (_, _, is_told) in &mut self.snapshots {
                *is_told = false;
            }
        }
    }

    /// Takes a completion into account. Says whether it was a failure.
    ///
    /// # Panics
    /// When it promises what was not asked for.
    pub fn hear(&mut self, done: &StorageDone) -> bool {
        match done {
            StorageDone::Written { end_offset, leader_epoch, .. } => {
                self.check_covered(*leader_epoch, *end_offset);
                self.written = self.written.max(self.bounded(*end_offset));
            }
            StorageDone::Synced { end_offset, leader_epoch, .. } => {
                self.check_covered(*leader_epoch, *end_offset);
                self.synced = self.synced.max(self.bounded(*end_offset));
                self.written = self.written.max(self.synced);
            }
            StorageDone::Trimmed { log_start, .. } => {
                assert!(*log_start <= self.start_asked, "trimmed further than was asked for");
                self.start_told = self.start_told.max(*log_start);
            }
            StorageDone::Truncated { end_offset, .. } => {
                assert_eq!(Some(*end_offset), self.truncating_to.take(), "truncated to another end than was asked for");
                self.cut(*end_offset);
                self.synced = *end_offset;
                self.written = *end_offset;
            }
            StorageDone::SnapshotKept { upto, .. } => {
                self.snapshot_awaited.take_if(|awaited| *awaited <= *upto);
                // While a truncation is under way it may be gone again.
                let is_kept = self.truncating_to.is_none();
                for snapshot in self.snapshots.iter_mut().filter(|(of, _, _)| of == upto) {
                    snapshot.2 = is_kept;
                }
            }
            StorageDone::Failed { .. } => return true,
            StorageDone::Opened { .. }
            | StorageDone::Rolled { .. }
            | StorageDone::SegmentsCompacted { .. }
            | StorageDone::Compacted { .. }
            | StorageDone::Read { .. }
            | StorageDone::Found { .. }
            | StorageDone::Removed { .. }
            | StorageDone::OthersRemoved
            | StorageDone::ElectionKept(_)
            | StorageDone::Election(_)
            | StorageDone::MetadataSnapshotKept { .. }
            | StorageDone::MetadataSnapshotNotKept { .. }
            | StorageDone::MetadataSnapshots { .. }
            | StorageDone::MetadataSnapshotRead { .. }
            | StorageDone::Space { .. } => {}
        }
        false
    }

    /// Checks what recovery found, and takes it for the truth. `cache_was_kept` says whether all that was written has to be there.
    ///
    /// # Panics
    /// When something that was promised is missing, or something is there that never was.
    pub fn recover(&mut self, recovered: &Recovered, cache_was_kept: bool) {
        let Recovered { log_start, log_end, .. } = recovered;
        let promised = if cache_was_kept { self.written } else { self.synced };
        assert!(!recovered.damaged, "nothing was damaged: {recovered:?}");
        assert!(*log_start >= self.start_told && *log_start <= self.start_asked, "start {log_start} of {self:?}");
        assert!(*log_end >= promised.max(*log_start), "end {log_end} is below the promised {promised}");
        assert!(*log_end <= self.end(), "end {log_end} is above {}", self.end());
        self.truncating_to = None;
        self.snapshot_awaited = None;
        self.start_asked = *log_start;
        self.start_told = *log_start;
        self.cut(*log_end);
        self.synced = *log_end;
        self.written = *log_end;
        assert!(self.end() == *log_end, "the end is where a batch ends");
        self.check_snapshot(recovered);
        self.check_segments(recovered);
        // The epoch of batches that are all trimmed may be known or not.
        let epochs = |mut epochs: Vec<EpochStart>| {
            epochs.retain(|start| start.start_offset < *log_end);
            epochs
        };
        assert_eq!(epochs(recovered.epochs.clone()), epochs(self.epochs(*log_start)));
    }

    fn check_snapshot(&mut self, recovered: &Recovered) {
        let log_end = recovered.log_end;
        // Of a log that nothing was ever appended to nothing is kept.
        let told = self.snapshots.iter().filter(|(upto, producers, is_told)| *is_told && *upto <= log_end && !producers.is_empty());
        let newest_told = told.map(|(upto, _, _)| *upto).max();
        let upto = recovered.snapshot.as_ref().map(|(upto, _)| *upto);
        assert!(upto >= newest_told, "a snapshot at {newest_told:?} was kept, and {upto:?} found");
        if let Some((upto, producers)) = &recovered.snapshot {
            assert!(self.snapshots.iter().any(|(of, bytes, _)| of == upto && bytes == producers), "an unknown snapshot at {upto}");
            assert!(*upto <= log_end);
            self.snapshots.retain(|(of, _, _)| of <= upto);
        } else {
            self.snapshots.clear();
        }
        // What lies below the start may be gone or not, as whole segments are.
        let behind = upto.unwrap_or_default();
        let tail: Vec<_> = self.batches.iter().map(|batch| batch.header).filter(|header| header.base_offset >= behind).collect();
        let found = recovered.tail.first().map_or(log_end, |first| first.base_offset);
        assert!(found <= behind.max(recovered.log_start), "the tail starts at {found}, behind {behind}");
        let expected: Vec<_> = tail.into_iter().filter(|header| header.base_offset >= found).collect();
        assert_eq!(recovered.tail, expected);
    }

    fn check_segments(&self, recovered: &Recovered) {
        let first = recovered.sealed.first().map(|sealed| sealed.base_offset);
        let mut end = first;
        for sealed in &recovered.sealed {
            assert_eq!(Some(sealed.base_offset), end, "segments follow on each other: {recovered:?}");
            end = Some(sealed.end_offset);
            let held: Vec<_> = self.headers_in(sealed.base_offset, sealed.end_offset).collect();
            assert_eq!(sealed.bytes, held.iter().map(|header| u64::from(header.batch_bytes)).sum::<u64>());
            assert_eq!(Some(sealed.max_timestamp), held.iter().map(|header| header.max_timestamp).max());
        }
        if let Some(end) = end {
            let active: u64 = self.headers_in(end, recovered.log_end).map(|header| u64::from(header.batch_bytes)).sum();
            assert_eq!(recovered.active_bytes, active);
        }
    }

    fn headers_in(&self, from: Offset, upto: Offset) -> impl Iterator<Item = &BatchHeader> {
        self.batches.iter().map(|batch| &batch.header).filter(move |header| (from..upto).contains(&header.base_offset))
    }

    fn epochs(&self, log_start: Offset) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        for header in self.batches.iter().map(|batch| &batch.header) {
            if epochs.last().is_none_or(|last| last.leader_epoch < header.leader_epoch) {
                epochs.push(EpochStart { leader_epoch: header.leader_epoch, start_offset: header.base_offset });
            }
        }
        let behind = epochs.partition_point(|start| start.start_offset <= log_start);
        epochs.drain(..behind.saturating_sub(1));
        if let Some(first) = epochs.first_mut() {
            first.start_offset = first.start_offset.max(log_start);
        }
        epochs
    }

    fn check_covered(&self, leader_epoch: LeaderEpoch, end_offset: Offset) {
        let last = self.batches.iter().rfind(|batch| batch.header.next_offset() == end_offset);
        if let Some(last) = last.filter(|_| end_offset > self.start_told) {
            assert_eq!(leader_epoch, last.header.leader_epoch, "the epoch of the last batch below {end_offset}");
        }
    }

    /// A promise does not reach into what is being truncated.
    fn bounded(&self, end_offset: Offset) -> Offset {
        self.truncating_to.map_or(end_offset, |to| end_offset.min(to))
    }

    fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| batch.header.next_offset() <= end);
        self.snapshots.retain(|(upto, _, _)| *upto <= end);
        self.start_asked = self.start_asked.min(end);
        self.start_told = self.start_told.min(end);
    }
}
