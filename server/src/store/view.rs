//! What readers see of a log: its segments and the places of its last batches, behind a lock that is held for microseconds.
//!
//! Only what is written is in a view, so a reader never meets a byte that is still on its way. The places of the last batches let a read
//! of fresh data be resolved without touching the disk.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};

use gracchus_core::boundary::{Generation, LogSlice, SealedSegment, Void};
use gracchus_core::offset::Offset;
use gracchus_core::time::Timestamp;

use super::files::SegmentNumber;

/// Segments that one read spans at most.
const SEGMENTS_PER_READ_MAX: usize = 64;

/// A segment as far as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Names its files among the open ones.
    pub(super) number: SegmentNumber,
    /// Offset of its first record.
    pub(super) base_offset: Offset,
    /// Behind its last record.
    pub(super) end_offset: Offset,
    /// Bytes of its batches.
    pub(super) bytes: u64,
    /// The largest timestamp of its batches.
    pub(super) max_timestamp: Timestamp,
}

impl Segment {
    /// The segment as the core knows it.
    pub(super) fn sealed(&self) -> SealedSegment {
        let Self { number: _, base_offset, end_offset, bytes, max_timestamp } = *self;
        SealedSegment { base_offset, end_offset, bytes, max_timestamp }
    }
}

/// The place of a batch near a log's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TailBatch {
    /// Offset of its first record.
    pub(super) base_offset: Offset,
    /// Where it starts in its segment's file.
    pub(super) position: u32,
    /// Its length.
    pub(super) bytes: u32,
}

/// A part of a segment's file.
pub(super) type SegmentRange = (Segment, Range<u64>);

/// A log for its readers.
#[derive(Debug)]
pub(super) struct View {
    /// The log's folder.
    pub(super) folder: PathBuf,
    /// Held by whoever looks for files by the names of segments, so that none is swapped for another meanwhile.
    pub(super) swaps: tokio::sync::RwLock<()>,
    /// Counts the swaps: who looks long does not hold them up, and looks again if there was one.
    pub(super) swaps_seen: AtomicU64,
    state: Mutex<State>,
}

/// What changes as the log does.
#[derive(Debug)]
pub(super) struct State {
    /// Counts truncations; none once the log is out of service.
    pub(super) generation: Option<Generation>,
    /// The first offset.
    pub(super) log_start: Offset,
    /// All segments, oldest first. The last may be growing.
    pub(super) segments: Vec<Segment>,
    tail: VecDeque<TailBatch>,
}

/// How a slice is to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// These parts of files hold it.
    Ranges(Vec<SegmentRange>),
    /// It lies before the batches whose places are known: these segments, of which the last may reach past the slice, have to be searched.
    Search(Vec<Segment>),
    /// The log is not as it was when the slice was decided.
    Void(Void),
}

impl View {
    /// A log as recovery found it.
    pub(super) fn new(folder: PathBuf, generation: Generation, log_start: Offset, segments: Vec<Segment>) -> Arc<Self> {
        let state = State { generation: Some(generation), log_start, segments, tail: VecDeque::new() };
        Arc::new(Self { folder, swaps: tokio::sync::RwLock::new(()), swaps_seen: AtomicU64::new(0), state: Mutex::new(state) })
    }

    /// The state, locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic happens under this lock")
    }

    /// Where a slice's batches are: of those that may be sent as many as `bytes_max` allows, or one if `at_least_one`.
    pub(super) fn resolve(&self, slice: &LogSlice, bytes_max: u64, at_least_one: bool) -> Resolution {
        let state = self.lock();
        if let Some(void) = state.voids(slice.generation, slice.from) {
            return Resolution::Void(void);
        }
        let upto = slice.upto.min(state.end_offset());
        if slice.from >= upto || (bytes_max == 0 && !at_least_one) {
            return Resolution::Ranges(Vec::new());
        }
        state
            .in_tail(slice.from, upto, bytes_max, at_least_one)
            .map_or_else(|| Resolution::Search(state.overlapping(slice.from, upto, bytes_max)), Resolution::Ranges)
    }

    /// Why a read from `from` on that was decided in `generation` can't be carried out any more; `None` if it can.
    pub(super) fn voids(&self, generation: Generation, from: Offset) -> Option<Void> {
        self.lock().voids(generation, from)
    }
}

impl State {
    /// Behind the last record that is written.
    pub(super) fn end_offset(&self) -> Offset {
        self.segments.last().map_or(self.log_start, |segment| segment.end_offset.max(self.log_start))
    }

    /// How many batches' places are kept.
    pub(super) fn tail_batches(&self) -> usize {
        self.tail.len()
    }

    /// Takes the log out of service: what was decided before is void.
    pub(super) fn close(&mut self) {
        self.generation = None;
        self.segments = Vec::new();
        self.tail = VecDeque::new();
    }

    /// Forgets the places of batches.
    pub(super) fn forget_tail(&mut self) {
        self.tail = VecDeque::new();
    }

    /// Forgets the places of batches below `offset`, and says of how many.
    pub(super) fn forget_tail_below(&mut self, offset: Offset) -> usize {
        let below = self.tail.partition_point(|batch| batch.base_offset < offset);
        self.tail.drain(..below).count()
    }

    /// The last segment has grown by these batches.
    pub(super) fn grow(&mut self, grown: Segment, batches: &[TailBatch], tail_batches_max: usize) {
        *self.segments.last_mut().expect("what grows was begun") = grown;
        self.tail.extend(batches);
        let excess = self.tail.len().saturating_sub(tail_batches_max);
        self.tail.drain(..excess);
    }

    fn voids(&self, generation: Generation, from: Offset) -> Option<Void> {
        match self.generation {
            None => Some(Void::Closed),
            Some(_) if from < self.log_start => Some(Void::Trimmed { log_start: self.log_start }),
            Some(present) => (present != generation).then_some(Void::Truncated),
        }
    }

    /// The segment that `offset` lies in, as an index.
    pub(super) fn segment_of(&self, offset: Offset) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base_offset <= offset).checked_sub(1)
    }

    fn in_tail(&self, from: Offset, upto: Offset, bytes_max: u64, at_least_one: bool) -> Option<Vec<SegmentRange>> {
        let first = self.tail.partition_point(|batch| batch.base_offset <= from).checked_sub(1)?;
        let mut ranges: Vec<SegmentRange> = Vec::new();
        let mut taken = 0;
        for batch in self.tail.range(first..) {
            let more = u64::from(batch.bytes);
            if batch.base_offset >= upto || (taken + more > bytes_max && !(taken == 0 && at_least_one)) {
                break;
            }
            taken += more;
            let (start, end) = (u64::from(batch.position), u64::from(batch.position) + more);
            match ranges.last_mut() {
                Some((_, range)) if start > 0 => range.end = end,
                Some(_) | None => ranges.push((*self.segments.get(self.segment_of(batch.base_offset)?)?, start..end)),
            }
        }
        Some(ranges)
    }

    fn overlapping(&self, from: Offset, upto: Offset, bytes_max: u64) -> Vec<Segment> {
        let mut found = Vec::new();
        let mut behind_first = 0;
        for segment in self.segments.iter().skip(self.segment_of(from).unwrap_or(0)).take(SEGMENTS_PER_READ_MAX) {
            if segment.base_offset >= upto || behind_first >= bytes_max.max(1) {
                break;
            }
            if !found.is_empty() {
                behind_first += segment.bytes;
            }
            found.push(*segment);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::LogId;

    use super::*;

    /// Two segments of batches of 100 bytes and 10 records: offsets 0 to 30 and 30 to 50, of which all from 10 on are in the tail.
    fn two_segments() -> Arc<View> {
        let segment = |number, base, end: i64| Segment {
            number: SegmentNumber(number),
            base_offset: Offset(base),
            end_offset: Offset(end),
            bytes: u64::try_from(end - base).unwrap() * 10,
            max_timestamp: Timestamp::NONE,
        };
        let batch = |base: i64, position| TailBatch { base_offset: Offset(base), position, bytes: 100 };
        let view = View::new("t-0".into(), Generation(3), Offset(0), vec![segment(1, 0, 30)]);
        let mut state = view.lock();
        state.grow(segment(1, 0, 30), &[batch(0, 0), batch(10, 100), batch(20, 200)], 4);
        state.segments.push(segment(2, 30, 30));
        state.grow(segment(2, 30, 50), &[batch(30, 0), batch(40, 100)], 4);
        drop(state);
        view
    }

    fn slice(from: i64, upto: i64) -> LogSlice {
        LogSlice { log: LogId::Metadata, generation: Generation(3), from: Offset(from), upto: Offset(upto), bytes_max: u32::MAX }
    }

    fn ranges(resolution: Resolution) -> Vec<(u64, Range<u64>)> {
        match resolution {
            Resolution::Ranges(ranges) => ranges.into_iter().map(|(segment, range)| (segment.number.0, range)).collect(),
            other @ (Resolution::Search(_) | Resolution::Void(_)) => panic!("not resolved from memory: {other:?}"),
        }
    }

    #[test]
    fn a_read_from_inside_a_batch_gets_it_whole_and_goes_on_into_the_next_segment() {
        let view = two_segments();
        assert_eq!(ranges(view.resolve(&slice(15, 50), 1_000, true)), [(1, 100..300), (2, 0..200)]);
        assert_eq!(ranges(view.resolve(&slice(15, 40), 1_000, true)), [(1, 100..300), (2, 0..100)]);
        assert_eq!(ranges(view.resolve(&slice(30, 30), 1_000, true)), []);
    }

    #[test]
    fn only_the_first_batch_may_exceed_the_bytes_allowed() {
        let view = two_segments();
        assert_eq!(ranges(view.resolve(&slice(10, 50), 250, true)), [(1, 100..300)]);
        assert_eq!(ranges(view.resolve(&slice(10, 50), 1, true)), [(1, 100..200)]);
        assert_eq!(ranges(view.resolve(&slice(10, 50), 1, false)), []);
    }

    #[test]
    fn what_lies_before_the_tail_is_searched_for() {
        let Resolution::Search(segments) = two_segments().resolve(&slice(5, 50), 1, true) else { panic!("0 has left the tail") };
        assert_eq!(segments.iter().map(|segment| segment.number.0).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_slice_of_another_generation_or_below_the_start_is_void() {
        let view = two_segments();
        let of_before = LogSlice { generation: Generation(2), ..slice(10, 50) };
        assert_eq!(view.resolve(&of_before, 1_000, true), Resolution::Void(Void::Truncated));
        view.lock().log_start = Offset(12);
        let trimmed = Resolution::Void(Void::Trimmed { log_start: Offset(12) });
        assert_eq!(view.resolve(&slice(10, 50), 1_000, true), trimmed);
        assert_eq!(view.resolve(&of_before, 1_000, true), trimmed);
        view.lock().close();
        assert_eq!(view.resolve(&slice(20, 50), 1_000, true), Resolution::Void(Void::Closed));
    }
}
