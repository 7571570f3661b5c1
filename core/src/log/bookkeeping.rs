//! One log's bookkeeping: the offsets that bound it, how far it is written and synced, its epochs, its sizes.
//!
//! Always: `log_start <= log_end`, `synced <= written <= log_end`. All but the start only go back by truncation.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{EpochCache, Positions};
use crate::boundary::{Durability, Generation, Recovered, SealedSegment};
use crate::epoch::LeaderEpoch;
use crate::offset::Offset;
use crate::record::BatchHeader;
use crate::time::Timestamp;

/// A log as the core knows it: everything but the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    start: Offset,
    end: Offset,
    written: Offset,
    synced: Offset,
    generation: Generation,
    epochs: EpochCache,
    positions: Positions,
    sealed: VecDeque<SealedSegment>,
    active_bytes: u64,
    active_max_timestamp: Option<Timestamp>,
    unkept_bytes: u64,
    /// A snapshot of everything below is on disk.
    kept_upto: Offset,
    /// A compaction has left no two records of one key below.
    clean_upto: Offset,
    /// A trim under way that takes the segment that is written to: where to, and what was appended behind it since.
    whole_trim: Option<(Offset, u64)>,
}

/// What of a log a compaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirt {
    /// Below no two records have one key.
    pub clean_upto: Offset,
    /// What is to be compacted ends here.
    pub upto: Offset,
    /// Bytes of segments that are compacted.
    pub clean_bytes: u64,
    /// Bytes of those that are not, and are to be.
    pub dirty_bytes: u64,
    /// The largest timestamp of the first of those.
    pub oldest: Option<Timestamp>,
}

impl Dirt {
    /// The share of the whole that is not compacted, from 0 to 1.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let whole = self.clean_bytes + self.dirty_bytes;
        if whole == 0 { 0.0 } else { bytes_as_real(self.dirty_bytes) / bytes_as_real(whole) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn bytes_as_real(bytes: u64) -> f64 {
    bytes as f64
}

/// A completion speaks of something that the log has since contradicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleCompletion;

impl Log {
    /// The log that the store has opened. `now` stands for the age of what bears no timestamp.
    #[must_use]
    pub fn recovered(recovered: &Recovered, now: Timestamp) -> Self {
        let tail_bytes = recovered.tail.iter().map(|header| u64::from(header.batch_bytes)).sum();
        Self {
            start: recovered.log_start,
            end: recovered.log_end,
            written: recovered.log_end,
            synced: recovered.log_end,
            generation: recovered.generation,
            epochs: EpochCache::recovered(recovered.epochs.clone()),
            positions: Positions::recovered(recovered),
            sealed: dated_by_neighbours(&recovered.sealed, None, now).collect(),
            active_bytes: recovered.active_bytes,
            active_max_timestamp: recovered.active_max_timestamp.map(|timestamp| or_else(timestamp, now)),
            unkept_bytes: tail_bytes,
            kept_upto: recovered.snapshot.as_ref().map_or(recovered.log_start, |(upto, _)| *upto),
            clean_upto: recovered.clean_upto,
            whole_trim: None,
        }
    }

    fn empty(start: Offset) -> Self {
        Self {
            start,
            end: start,
            written: start,
            synced: start,
            generation: Generation::default(),
            epochs: EpochCache::new(),
            positions: Positions::new(start),
            sealed: VecDeque::new(),
            active_bytes: 0,
            active_max_timestamp: None,
            unkept_bytes: 0,
            kept_upto: start,
            clean_upto: start,
            whole_trim: None,
        }
    }

    /// Puts a batch at the log's end and returns its header with the offset and the epoch that it got.
    pub fn append(&mut self, header: &BatchHeader, leader_epoch: LeaderEpoch, now: Timestamp) -> BatchHeader {
        let placed = BatchHeader { base_offset: self.end, leader_epoch, ..*header };
        self.append_placed(&placed, now);
        placed
    }

    /// Whether a batch with its place may come next: it begins at the log's end; or the log is empty and starts inside it, as a log does whose
    /// records were deleted up to there.
    #[must_use]
    pub fn may_append(&self, placed: &BatchHeader) -> bool {
        placed.base_offset == self.end || (self.start == self.end && placed.base_offset < self.end && placed.next_offset() > self.end)
    }

    /// Puts a batch that has its place at the log's end.
    ///
    /// # Panics
    /// When its epoch is older than that of the log's last record.
    pub fn append_placed(&mut self, placed: &BatchHeader, now: Timestamp) {
        if self.start == self.end {
            // Of what was trimmed nothing is left that a record of an older epoch could contradict.
            self.epochs.truncate_from_end(self.start);
        }
        self.epochs.assign(placed.leader_epoch, placed.base_offset.max(self.start));
        self.positions.append(placed.next_offset(), placed.batch_bytes);
        self.active_bytes += u64::from(placed.batch_bytes);
        self.unkept_bytes += u64::from(placed.batch_bytes);
        if let Some((_, appended_bytes)) = &mut self.whole_trim {
            *appended_bytes += u64::from(placed.batch_bytes);
        }
        self.active_max_timestamp = self.active_max_timestamp.max(Some(or_else(placed.max_timestamp, now)));
        self.end = placed.next_offset();
    }

    /// Begins a leader's epoch at the log's end, also if nothing is ever appended in it: who asks where it ends gets an answer.
    pub fn begin_epoch(&mut self, leader_epoch: LeaderEpoch) {
        self.epochs.assign(leader_epoch, self.end);
    }

    /// Forgets an epoch that was [begun](Self::begin_epoch) and in which nothing was appended: another leader's log may hold there what is older.
    pub fn forget_empty_epoch(&mut self) {
        self.epochs.truncate_from_end(self.end);
    }

    /// Takes that all below `end_offset` is written; says whether that is news.
    ///
    /// # Errors
    /// The log holds nothing of that epoch up to there.
    pub fn written_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.check_holds(leader_epoch, end_offset)?;
        let is_news = end_offset > self.written;
        self.written = self.written.max(end_offset);
        Ok(is_news)
    }

    /// Takes that all below `end_offset` is on disk; says whether that is news.
    ///
    /// # Errors
    /// The log holds nothing of that epoch up to there.
    pub fn synced_to(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<bool, StaleCompletion> {
        self.written_to(leader_epoch, end_offset)?;
        let is_news = end_offset > self.synced;
        self.synced = self.synced.max(end_offset);
        Ok(is_news)
    }

    fn check_holds(&self, leader_epoch: LeaderEpoch, end_offset: Offset) -> Result<(), StaleCompletion> {
        let last = Offset(end_offset.0.saturating_sub(1));
        if end_offset > self.end || (last >= self.start && self.epochs.epoch_of(last) != Some(leader_epoch)) {
            return Err(StaleCompletion);
        }
        Ok(())
    }

    /// Takes that a segment was closed.
    pub fn rolled(&mut self, sealed: SealedSegment, now: Timestamp) {
        if sealed.end_offset > self.end {
            // It was closed before a truncation that this log has seen already.
            return;
        }
        self.active_bytes = self.active_bytes.saturating_sub(sealed.bytes);
        if self.active_bytes == 0 {
            self.active_max_timestamp = None;
        }
        self.sealed.push_back(dated(sealed, now));
    }

    /// Takes that a snapshot of all below `upto` is on disk.
    pub fn snapshot_kept(&mut self, upto: Offset) {
        self.kept_upto = self.kept_upto.max(upto.min(self.end));
    }

    /// Takes that closed segments were replaced by these.
    pub fn segments_compacted(&mut self, segments: &[SealedSegment], now: Timestamp) {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
        if last.end_offset > self.end || last.end_offset <= self.start {
            // It was cut since, and this log has seen that already.
            return;
        }
        self.positions.compact(segments);
        let from = self.sealed.partition_point(|segment| segment.end_offset <= first.base_offset);
        let upto = self.sealed.partition_point(|segment| segment.end_offset <= last.end_offset);
        let behind = self.sealed.split_off(upto);
        let replaced = self.sealed.iter().skip(from).map(|segment| segment.max_timestamp).max();
        self.sealed.truncate(from);
        let before = self.sealed.back().map(|segment| segment.max_timestamp).or(replaced);
        let present: Vec<SealedSegment> = segments.iter().filter(|segment| segment.end_offset > self.start).copied().collect();
        self.sealed.extend(dated_by_neighbours(&present, before, now));
        self.sealed.extend(behind);
    }

    /// Takes that no two records of one key are left below `upto`; says whether that is news.
    pub fn compacted_to(&mut self, upto: Offset) -> bool {
        let is_news = upto.min(self.end) > self.clean_upto;
        self.clean_upto = self.clean_upto.max(upto.min(self.end));
        is_news
    }

    /// What of the log's closed segments below `upto` is not compacted, leaving out those that hold anything younger than `age_min_ms`.
    #[must_use]
    pub fn dirt(&self, now: Timestamp, age_min_ms: i64, upto: Offset) -> Dirt {
        let mut dirt =
            Dirt { clean_upto: self.clean_upto.max(self.start), upto: self.clean_upto, clean_bytes: 0, dirty_bytes: 0, oldest: None };
        for segment in self.sealed.iter().take_while(|segment| segment.end_offset <= upto) {
            if segment.end_offset <= self.clean_upto {
                dirt.clean_bytes += segment.bytes;
                continue;
            }
            if age_min_ms > 0 && now.0.saturating_sub(segment.max_timestamp.0) <= age_min_ms {
                break;
            }
            dirt.dirty_bytes += segment.bytes;
            dirt.upto = segment.end_offset;
            dirt.oldest = dirt.oldest.or(Some(segment.max_timestamp));
        }
        dirt
    }

    /// Whether a closed segment is not compacted.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.sealed.back().is_some_and(|segment| segment.end_offset > self.clean_upto)
    }

    /// A snapshot of all below is on disk.
    #[must_use]
    pub fn kept_upto(&self) -> Offset {
        self.kept_upto
    }

    /// Takes that the store is asked to move the log's start to `log_start`. If that is the log's end, the segment that is written to goes with
    /// all before it, and what is appended from here on begins another.
    pub fn trimming_to(&mut self, log_start: Offset) {
        if log_start == self.end {
            self.whole_trim = Some((log_start, 0));
        }
    }

    /// Takes that the store is asked to drop everything from `to` on.
    ///
    /// # Panics
    /// Outside the log.
    pub fn truncate_to(&mut self, to: Offset) {
        assert!(to >= self.start && to <= self.end, "a log is truncated inside itself");
        let sealed_bytes = |sealed: &VecDeque<SealedSegment>| sealed.iter().map(|segment| segment.bytes).sum::<u64>();
        self.end = to;
        self.written = self.written.min(to);
        self.synced = self.synced.min(to);
        self.epochs.truncate_from_end(to);
        self.positions.truncate(to);
        while self.sealed.back().is_some_and(|segment| segment.end_offset > to) {
            self.sealed.pop_back();
        }
        // What is left of the last segment is written to again.
        self.active_bytes = self.positions.bytes().saturating_sub(sealed_bytes(&self.sealed));
        self.unkept_bytes = self.unkept_bytes.max(1);
        self.kept_upto = self.kept_upto.min(to);
        self.clean_upto = self.clean_upto.min(to);
    }

    /// Drops all that it holds and begins anew at `start`: what lies below is on disk in another form.
    pub fn begin_anew(&mut self, start: Offset) {
        let generation = self.generation;
        *self = Self { generation, ..Self::empty(start) };
    }

    /// Takes that the store has truncated the log: slices of an older generation are void.
    pub fn truncated(&mut self, generation: Generation) {
        self.generation = self.generation.max(generation);
    }

    /// Moves the log's start up to `log_start`; a lower one changes nothing.
    pub fn trim_to(&mut self, log_start: Offset) {
        self.start = self.start.max(log_start.min(self.end));
        self.epochs.trim_from_start(self.start);
        self.positions.trim(self.start);
        while self.sealed.front().is_some_and(|segment| segment.end_offset <= self.start) {
            self.sealed.pop_front();
        }
        if let Some((_, appended_bytes)) = self.whole_trim.take_if(|(to, _)| *to == log_start) {
            self.active_bytes = appended_bytes;
        }
        if self.start == self.end {
            self.active_bytes = 0;
            self.active_max_timestamp = None;
        }
    }

    /// How far it is kept, by the topic's measure.
    #[must_use]
    pub fn kept(&self, durability: Durability) -> Offset {
        match durability {
            Durability::Flushed => self.synced,
            Durability::Replicated => self.written,
        }
    }

    /// Bytes of records from `from` up to `upto`; of old ones, roughly.
    #[must_use]
    pub fn bytes_between(&self, from: Offset, upto: Offset) -> u64 {
        self.positions.bytes_between(from, upto)
    }

    /// Bytes appended since the state of producers was last kept.
    #[must_use]
    pub fn unkept_bytes(&self) -> u64 {
        self.unkept_bytes
    }

    /// Takes that the state of producers is about to be kept.
    pub fn keeping(&mut self) {
        self.unkept_bytes = 0;
    }

    /// Where the log's start belongs by age and size: behind every closed segment that may go. None when nothing may.
    ///
    /// `upto` bounds it: nothing from there on goes. The segment that is written to goes only whole, and only for its age.
    #[must_use]
    pub fn retained_from(&self, now: Timestamp, age_max_ms: Option<i64>, bytes_max: Option<u64>, upto: Offset) -> Option<Offset> {
        let is_old = |timestamp: Timestamp| age_max_ms.is_some_and(|age| now.0.saturating_sub(timestamp.0) > age);
        let mut bytes = self.bytes();
        let mut start = None;
        for segment in self.sealed.iter().take_while(|segment| segment.end_offset <= upto) {
            let left = bytes.saturating_sub(segment.bytes);
            // By size a segment goes only if what is left is still as much as is to be kept.
            let is_surplus = bytes_max.is_some_and(|most| left >= most);
            if !is_surplus && !is_old(segment.max_timestamp) {
                return start;
            }
            bytes = left;
            start = Some(segment.end_offset);
        }
        let are_all_sealed_gone = start.unwrap_or(self.start) >= self.sealed.back().map_or(self.start, |last| last.end_offset);
        match self.active_max_timestamp {
            Some(timestamp) if are_all_sealed_gone && self.end <= upto && is_old(timestamp) => Some(self.end),
            Some(_) | None => start,
        }
    }

    /// Bytes of its records.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sealed.iter().map(|segment| segment.bytes).sum::<u64>() + self.active_bytes
    }

    /// Its first offset.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The next offset to be assigned.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// All below is in the page cache.
    #[must_use]
    pub fn written(&self) -> Offset {
        self.written
    }

    /// All below is on disk.
    #[must_use]
    pub fn synced(&self) -> Offset {
        self.synced
    }

    /// Counts its truncations.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Where its epochs start.
    #[must_use]
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// Whether anything was appended since the state of producers was last kept.
    #[must_use]
    pub fn has_unkept(&self) -> bool {
        self.unkept_bytes > 0
    }
}

/// A record need not bear a timestamp. Kafka then goes by the file's time; here it counts as of when this node first saw it.
fn or_else(timestamp: Timestamp, now: Timestamp) -> Timestamp {
    if timestamp < Timestamp(0) { now } else { timestamp }
}

/// Segments of which one that compaction has left without records, and so without a timestamp, is as old as the one before it.
fn dated_by_neighbours(segments: &[SealedSegment], before: Option<Timestamp>, now: Timestamp) -> impl Iterator<Item = SealedSegment> + use<'_> {
    let first = segments.iter().map(|segment| segment.max_timestamp).find(|timestamp| *timestamp >= Timestamp(0));
    let mut age = before.or(first).unwrap_or(now);
    segments.iter().map(move |segment| {
        age = or_else(segment.max_timestamp, age);
        SealedSegment { max_timestamp: age, ..*segment }
    })
}

fn dated(segment: SealedSegment, now: Timestamp) -> SealedSegment {
    SealedSegment { max_timestamp: or_else(segment.max_timestamp, now), ..segment }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BatchBuilder;

    fn empty() -> Log {
        let recovered = Recovered {
            log_start: Offset::ZERO,
            log_end: Offset::ZERO,
            epochs: Vec::new(),
            sealed: Vec::new(),
            active_bytes: 0,
            active_max_timestamp: None,
            snapshot: None,
            tail: Vec::new(),
            clean_upto: Offset::ZERO,
            torn_bytes: 0,
            damaged: false,
            generation: Generation(0),
        };
        Log::recovered(&recovered, Timestamp(0))
    }

    fn append(log: &mut Log) -> u64 {
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch(0));
        builder.append(Timestamp(1), None, Some(&[0; 100]), &[]);
        let header = BatchHeader::parse(&builder.build()).unwrap();
        log.append(&header, LeaderEpoch(0), Timestamp(1)).batch_bytes.into()
    }

    #[test]
    fn what_a_trim_of_the_whole_log_takes_does_not_count_though_more_was_appended_meanwhile() {
        let mut log = empty();
        append(&mut log);
        log.trimming_to(log.end());
        let bytes = append(&mut log);
        log.trim_to(Offset(1));
        assert_eq!(log.bytes(), bytes);
        append(&mut log);
        let sealed = SealedSegment { base_offset: Offset(1), end_offset: Offset(2), bytes, max_timestamp: Timestamp(1) };
        log.rolled(sealed, Timestamp(1));
        assert_eq!(log.retained_from(Timestamp(1), None, Some(2 * bytes), log.end()), None);
    }

    #[test]
    fn a_trim_of_a_part_leaves_the_bytes_of_the_segment_that_is_written_to() {
        let mut log = empty();
        let bytes = append(&mut log) + append(&mut log);
        log.trimming_to(Offset(1));
        log.trim_to(Offset(1));
        assert_eq!(log.bytes(), bytes);
    }
}
