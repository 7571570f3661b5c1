//! Where batches lie in a log, in bytes: enough to say whether there are as many as a fetch waits for.
//!
//! Always true: positions ascend with offsets, and the memory is bounded however long the log is. Among the last batches the count is
//! exact. Further back a few positions are kept, spread evenly, and an offset between two of them is taken to lie where it would with
//! records of equal size. Byte 0 is wherever the log started when it was opened: only differences mean anything.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::boundary::{Recovered, SealedSegment};
use crate::limits::{RECENT_POSITIONS_MAX, SPARSE_POSITIONS_MAX};
use crate::offset::Offset;

/// The positions of one log's batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    start: Position,
    /// Some batches behind the start and before all of `recent`, ascending.
    sparse: VecDeque<Position>,
    /// The last batches without a gap, ascending.
    recent: VecDeque<Position>,
    end: Position,
}

/// An offset, and where its batch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    offset: Offset,
    byte: u64,
}

impl Positions {
    /// Of a log that starts at `start_offset` and holds nothing.
    #[must_use]
    pub fn new(start_offset: Offset) -> Self {
        let start = Position { offset: start_offset, byte: 0 };
        Self { start, sparse: VecDeque::new(), recent: VecDeque::new(), end: start }
    }

    /// Of a log that was opened: nothing is known of its batches beyond the sizes of its segments.
    #[must_use]
    pub fn recovered(recovered: &Recovered) -> Self {
        // The oldest segment may start before the log does.
        let first = recovered.sealed.first().map_or(recovered.log_start, |segment| segment.base_offset.min(recovered.log_start));
        let mut positions = Self::new(first);
        for segment in &recovered.sealed {
            positions.append_segment(segment.end_offset, segment.bytes);
        }
        positions.append_segment(recovered.log_end, recovered.active_bytes);
        positions.trim(recovered.log_start);
        positions
    }

    /// Takes note of the next batch of the log, `bytes` long and up to `next_offset`.
    ///
    /// # Panics
    /// When `next_offset` is not behind the log's end.
    pub fn append(&mut self, next_offset: Offset, bytes: u32) {
        assert!(next_offset > self.end.offset, "a batch is appended at the end");
        self.recent.push_back(self.end);
        self.end = Position { offset: next_offset, byte: self.end.byte + u64::from(bytes) };
        if self.recent.len() > RECENT_POSITIONS_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.keep_sparsely(oldest);
        }
    }

    /// How many bytes a reader gets from the batch that holds `from` up to the one that holds `upto`, without the latter. Exact among the
    /// last batches, about right before them.
    #[must_use]
    pub fn bytes_between(&self, from: Offset, upto: Offset) -> u64 {
        self.byte_of(upto).saturating_sub(self.byte_of(from))
    }

    /// About how many bytes the log holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end.byte - self.start.byte
    }

    /// Follows a truncation: the log ends at `log_end_offset`.
    ///
    /// # Panics
    /// Below the log's start: then it is another log.
    pub fn truncate(&mut self, log_end_offset: Offset) {
        assert!(log_end_offset >= self.start.offset, "a log does not end before its start");
        if log_end_offset >= self.end.offset {
            return;
        }
        self.end = Position { offset: log_end_offset, byte: self.byte_of(log_end_offset) };
        self.sparse.retain(|position| position.offset < log_end_offset);
        self.recent.retain(|position| position.offset < log_end_offset);
    }

    /// Follows a trim: the log starts at `log_start_offset`.
    ///
    /// # Panics
    /// Behind the log's end: then it is another log.
    pub fn trim(&mut self, log_start_offset: Offset) {
        assert!(log_start_offset <= self.end.offset, "a log does not start behind its end");
        if log_start_offset <= self.start.offset {
            return;
        }
        let is_recent = self.recent.front().is_some_and(|oldest| oldest.offset <= log_start_offset) && log_start_offset < self.end.offset;
        self.start = Position { offset: log_start_offset, byte: self.byte_of(log_start_offset) };
        self.sparse.retain(|position| position.offset > log_start_offset);
        self.recent.retain(|position| position.offset > log_start_offset);
        if is_recent {
            // What is left of the batch that holds the start: it is still read whole.
            self.recent.push_front(self.start);
        }
    }

    /// Follows a compaction: what lies between the first of these segments and the last is as long as they say.
    pub fn compact(&mut self, segments: &[SealedSegment]) {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
        let (from, upto) = (first.base_offset.max(self.start.offset), last.end_offset.min(self.end.offset));
        if from >= upto {
            return;
        }
        let (from_byte, upto_byte) = (self.byte_of(from), self.byte_of(upto));
        let is_between = |position: &Position| position.offset > from && position.offset < upto;
        let (mut byte, mut ends) = (from_byte, Vec::new());
        for segment in segments {
            byte += segment.bytes;
            ends.push(Position { offset: segment.end_offset, byte });
        }
        self.sparse.retain(|position| !is_between(position));
        self.recent.retain(|position| !is_between(position));
        for position in self.sparse.iter_mut().chain(&mut self.recent).chain([&mut self.end]).filter(|position| position.offset >= upto) {
            position.byte = byte + (position.byte - upto_byte);
        }
        let place = self.sparse.partition_point(|position| position.offset <= from);
        for (place, end) in (place..).zip(ends.into_iter().filter(is_between)) {
            self.sparse.insert(place, end);
        }
        while self.sparse.len() > SPARSE_POSITIONS_MAX
            && let Some(place) = self.most_crowded()
        {
            self.sparse.remove(place);
        }
    }

    /// The next batches of the log, of which only their size together is known. Only before there are recent ones.
    fn append_segment(&mut self, next_offset: Offset, bytes: u64) {
        if next_offset > self.end.offset {
            if self.end.offset > self.start.offset {
                self.keep_sparsely(self.end);
            }
            self.end = Position { offset: next_offset, byte: self.end.byte + bytes };
        }
    }

    fn keep_sparsely(&mut self, position: Position) {
        if position.offset > self.start.offset {
            self.sparse.push_back(position);
        }
        if self.sparse.len() > SPARSE_POSITIONS_MAX
            && let Some(place) = self.most_crowded()
        {
            self.sparse.remove(place);
        }
    }

    /// The sparse position whose neighbours lie closest together: the one that is missed least. The last one has to stay, since the gap
    /// behind it is still open.
    fn most_crowded(&self) -> Option<usize> {
        let before = std::iter::once(&self.start).chain(&self.sparse);
        let after = self.sparse.iter().skip(1);
        let gaps = before.zip(after).map(|(before, after)| after.byte - before.byte);
        gaps.enumerate().min_by_key(|&(_, gap)| gap).map(|(place, _)| place)
    }

    fn byte_of(&self, offset: Offset) -> u64 {
        if offset >= self.end.offset {
            return self.end.byte;
        }
        let behind = self.recent.partition_point(|position| position.offset <= offset);
        if let Some(batch) = behind.checked_sub(1).and_then(|place| self.recent.get(place)) {
            return batch.byte;
        }
        let behind = self.sparse.partition_point(|position| position.offset <= offset);
        let before = behind.checked_sub(1).and_then(|place| self.sparse.get(place)).unwrap_or(&self.start);
        let after = self.sparse.get(behind).or(self.recent.front()).unwrap_or(&self.end);
        interpolate(before, after, offset)
    }
}

/// Where `offset` lies if all records between two positions are of one size. Before the first of them nothing lies.
fn interpolate(before: &Position, after: &Position, offset: Offset) -> u64 {
    let records = u128::try_from(offset.since(before.offset)).unwrap_or(0);
    let records_all = u128::try_from(after.offset.since(before.offset)).unwrap_or(0).max(1);
    let bytes = u128::from(after.byte - before.byte) * records / records_all;
    before.byte + u64::try_from(bytes).expect("a part of the bytes is no more than all of them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Generation;
    use crate::time::Timestamp;

    fn between(positions: &Positions, from: i64, upto: i64) -> u64 {
        positions.bytes_between(Offset(from), Offset(upto))
    }

    /// Batches of one size, 10 records each, from offset 0.
    fn log(batches: i64) -> Positions {
        let mut positions = Positions::new(Offset::ZERO);
        for batch in 1..=batches {
            positions.append(Offset(batch * 10), 100);
        }
        positions
    }

    fn recent() -> i64 {
        i64::try_from(RECENT_POSITIONS_MAX).unwrap()
    }

    #[test]
    fn bytes_between_recent_batches_are_exact() {
        let mut positions = Positions::new(Offset(5));
        for (next_offset, bytes) in [(6, 70), (16, 1_000), (17, 71), (40, 5)] {
            positions.append(Offset(next_offset), bytes);
        }
        assert_eq!(between(&positions, 5, 40), 1_146);
        assert_eq!(between(&positions, 6, 17), 1_071);
        assert_eq!(between(&positions, 17, 40), 5);
        assert_eq!(positions.bytes(), 1_146);
    }

    #[test]
    fn a_fetch_from_inside_a_batch_gets_the_whole_batch() {
        let positions = log(3);
        assert_eq!(between(&positions, 15, 30), 200);
        assert_eq!(between(&positions, 19, 20), 100);
    }

    #[test]
    fn nothing_lies_at_the_end_or_behind_it_or_before_the_start() {
        let positions = log(3);
        assert_eq!(between(&positions, 30, 30), 0);
        assert_eq!(between(&positions, 90, 99), 0);
        assert_eq!(between(&positions, 20, 10), 0);
        assert_eq!(between(&positions, -5, 0), 0);
    }

    #[test]
    fn a_compaction_shortens_what_lies_below_and_leaves_what_lies_behind() {
        let mut positions = log(recent() * 3);
        let end = recent() * 30;
        let sealed = |base_offset, end_offset| SealedSegment { base_offset, end_offset, bytes: 500, max_timestamp: Timestamp(0) };
        let behind = end - 100;
        let before = between(&positions, behind, end);
        positions.compact(&[sealed(Offset(0), Offset(500)), sealed(Offset(500), Offset(behind))]);
        assert_eq!(between(&positions, behind, end), before);
        assert_eq!(between(&positions, 0, behind), 1_000);
        assert_eq!(between(&positions, 0, 500), 500);
        assert_eq!(positions.bytes(), 1_000 + before);
    }

    #[test]
    fn old_batches_are_counted_about_right_in_bounded_memory() {
        let batches = recent() * 100;
        let positions = log(batches);
        assert!(positions.recent.len() <= RECENT_POSITIONS_MAX && positions.sparse.len() <= SPARSE_POSITIONS_MAX);
        let end = batches * 10;
        for from in (0..end).step_by(333) {
            let exact = u64::try_from(end - from / 10 * 10).unwrap() * 10;
            assert!(between(&positions, from, end).abs_diff(exact) <= 100, "from {from}");
        }
    }

    #[test]
    fn old_batches_of_uneven_size_are_counted_to_within_the_gap_between_two_positions() {
        let mut positions = Positions::new(Offset::ZERO);
        let mut bytes = vec![0];
        for offset in 1..100_000 {
            // The first half is a hundred times as heavy.
            let batch = if offset < 50_000 { 10_000 } else { 100 };
            positions.append(Offset(offset), batch);
            bytes.push(bytes.last().unwrap() + u64::from(batch));
        }
        let gap_max = 2 * bytes.last().unwrap() / u64::try_from(SPARSE_POSITIONS_MAX / 2).unwrap();
        for from in (0..99_999).step_by(777) {
            let exact = bytes.last().unwrap() - bytes[from];
            let counted = between(&positions, i64::try_from(from).unwrap(), 99_999);
            assert!(counted.abs_diff(exact) <= gap_max, "from {from}: {counted} for {exact}");
        }
    }

    #[test]
    fn bytes_ascend_with_offsets() {
        let positions = log(recent() * 3);
        let end = recent() * 30;
        let mut before = u64::MAX;
        for from in 0..=end {
            let bytes = between(&positions, from, end);
            assert!(bytes <= before);
            before = bytes;
        }
    }

    #[test]
    fn what_is_appended_after_a_truncation_is_exact_again() {
        for to in [35, 40, recent() * 15 + 3] {
            let mut positions = log(recent() * 2);
            positions.truncate(Offset(to));
            assert_eq!(between(&positions, to, to + 100), 0);
            positions.append(Offset(to + 4), 11);
            positions.append(Offset(to + 5), 12);
            assert_eq!(between(&positions, to, to + 5), 23);
            assert_eq!(between(&positions, to + 4, to + 5), 12);
        }
    }

    #[test]
    fn a_log_that_is_truncated_to_its_start_is_empty() {
        let mut positions = log(recent() * 2);
        positions.truncate(Offset::ZERO);
        assert_eq!(positions, Positions::new(Offset::ZERO));
    }

    #[test]
    fn a_trim_takes_the_bytes_before_the_start() {
        let mut positions = log(10);
        positions.trim(Offset(35));
        assert_eq!(positions.bytes(), 700);
        assert_eq!(between(&positions, 0, 100), 700);
        // The batch that holds the start is read whole.
        assert_eq!(between(&positions, 37, 100), 700);
        assert_eq!(between(&positions, 40, 100), 600);
        positions.trim(Offset(100));
        assert_eq!(positions.bytes(), 0);
        positions.append(Offset(110), 9);
        assert_eq!(between(&positions, 100, 110), 9);
    }

    #[test]
    fn a_trim_far_back_leaves_what_is_recent_exact() {
        let mut positions = log(recent() * 4);
        positions.trim(Offset(recent() * 10 + 5));
        let end = recent() * 40;
        assert_eq!(between(&positions, end - 20, end), 200);
        let exact = u64::try_from(recent()).unwrap() * 300;
        assert!(positions.bytes().abs_diff(exact) <= 100);
    }

    #[test]
    fn a_recovered_log_is_known_by_its_segments() {
        let sealed = |base_offset, end_offset, bytes| SealedSegment {
            base_offset: Offset(base_offset),
            end_offset: Offset(end_offset),
            bytes,
            max_timestamp: Timestamp::NONE,
        };
        let recovered = Recovered {
            log_start: Offset(50),
            log_end: Offset(300),
            epochs: Vec::new(),
            sealed: vec![sealed(0, 100, 1_000), sealed(100, 200, 8_000)],
            active_bytes: 500,
            active_max_timestamp: None,
            snapshot: None,
            tail: Vec::new(),
            clean_upto: Offset::ZERO,
            torn_bytes: 0,
            damaged: false,
            generation: Generation(0),
        };
        let mut positions = Positions::recovered(&recovered);
        assert_eq!(positions.bytes(), 9_000);
        assert_eq!(between(&positions, 100, 200), 8_000);
        assert_eq!(between(&positions, 150, 300), 4_500);
        positions.append(Offset(301), 7);
        assert_eq!(between(&positions, 300, 301), 7);

        let empty = Recovered { log_start: Offset(9), log_end: Offset(9), sealed: Vec::new(), active_bytes: 0, ..recovered };
        assert_eq!(Positions::recovered(&empty), Positions::new(Offset(9)));
    }
}
