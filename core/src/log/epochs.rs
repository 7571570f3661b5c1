//! Where each leader epoch starts in a log (KIP-101): what a leader and a follower compare to find where their logs part.
//!
//! Always true: a higher epoch starts at a higher offset, so that every offset of the log has one epoch. An epoch without records leaves no
//! entry once a later one starts where it did.
//!
//! Entries are as many as the leaders that wrote what the log holds: trimming the log's start drops them.

use serde::{Deserialize, Serialize};

use crate::boundary::EpochStart;
use crate::epoch::LeaderEpoch;
use crate::offset::Offset;

/// The leader epochs of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochCache {
    /// Ascending in both fields.
    starts: Vec<EpochStart>,
}

impl EpochCache {
    /// Of a log without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As the store found it.
    ///
    /// # Panics
    /// When the epochs or their offsets do not ascend.
    #[must_use]
    pub fn recovered(starts: Vec<EpochStart>) -> Self {
        let mut cache = Self::new();
        for start in starts {
            let latest = cache.latest();
            assert!(latest.is_none_or(|latest| latest.leader_epoch < start.leader_epoch), "the store gives epochs in order");
            cache.assign(start.leader_epoch, start.start_offset);
        }
        cache
    }

    /// Takes note that `leader_epoch` writes from `start_offset` on; nothing happens if it is the latest already.
    ///
    /// # Panics
    /// For an epoch below the latest, or an offset below the latest epoch's start.
    pub fn assign(&mut self, leader_epoch: LeaderEpoch, start_offset: Offset) {
        assert!(leader_epoch >= LeaderEpoch::FIRST, "what is in a log has an epoch");
        if let Some(latest) = self.latest() {
            assert!(leader_epoch >= latest.leader_epoch, "epoch {leader_epoch} after {}", latest.leader_epoch);
            assert!(start_offset >= latest.start_offset, "epoch {leader_epoch} starts before {}", latest.leader_epoch);
            if leader_epoch == latest.leader_epoch {
                return;
            }
            if start_offset == latest.start_offset {
                self.starts.pop();
            }
        }
        self.starts.push(EpochStart { leader_epoch, start_offset });
    }

    /// The latest epoch, none without any.
    #[must_use]
    pub fn latest(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    /// All of them, ascending.
    #[must_use]
    pub fn starts(&self) -> &[EpochStart] {
        &self.starts
    }

    /// Which epoch wrote `offset`; the latest for offsets yet to come, none for those before the first.
    #[must_use]
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.starts.partition_point(|start| start.start_offset <= offset);
        self.before(after).map(|start| start.leader_epoch)
    }

    /// Where `requested` ends in this log, as OffsetForLeaderEpoch and diverging fetches are answered: the highest epoch that is not above
    /// it, and the offset behind that one's records. `log_end_offset` for the latest; none for one above that, or without any. Below the
    /// first the answer is `requested` itself, ending where the first starts.
    #[must_use]
    pub fn end_of(&self, requested: LeaderEpoch, log_end_offset: Offset) -> Option<(LeaderEpoch, Offset)> {
        if requested < LeaderEpoch::FIRST {
            return None;
        }
        let after = self.starts.partition_point(|start| start.leader_epoch <= requested);
        let floor = self.before(after).map(|start| start.leader_epoch);
        match self.starts.get(after) {
            Some(next) => Some((floor.unwrap_or(requested), next.start_offset)),
            None => floor.filter(|&latest| latest == requested).map(|latest| (latest, log_end_offset)),
        }
    }

    /// Follows a truncation: drops the epochs that start at `log_end_offset` or behind it.
    pub fn truncate_from_end(&mut self, log_end_offset: Offset) {
        let kept = self.starts.partition_point(|start| start.start_offset < log_end_offset);
        self.starts.truncate(kept);
    }

    /// Follows a trim: drops the epochs that end at `log_start_offset` or before it. The one that holds it starts there from then on.
    pub fn trim_from_start(&mut self, log_start_offset: Offset) {
        let after = self.starts.partition_point(|start| start.start_offset <= log_start_offset);
        self.starts.drain(..after.saturating_sub(1));
        if after > 0
            && let Some(first) = self.starts.first_mut()
        {
            first.start_offset = log_start_offset;
        }
    }

    fn before(&self, place: usize) -> Option<&EpochStart> {
        place.checked_sub(1).and_then(|place| self.starts.get(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(starts: &[(i32, i64)]) -> EpochCache {
        let mut cache = EpochCache::new();
        for &(leader_epoch, start_offset) in starts {
            cache.assign(LeaderEpoch(leader_epoch), Offset(start_offset));
        }
        cache
    }

    fn end_of(cache: &EpochCache, requested: i32) -> Option<(i32, i64)> {
        cache.end_of(LeaderEpoch(requested), Offset(100)).map(|(epoch, end)| (epoch.0, end.0))
    }

    #[test]
    fn an_epoch_starts_with_the_first_batch_that_bears_it() {
        assert_eq!(cache(&[(1, 0), (1, 5), (3, 10), (3, 11)]), cache(&[(1, 0), (3, 10)]));
    }

    #[test]
    fn an_epoch_without_records_leaves_no_entry() {
        assert_eq!(cache(&[(1, 0), (2, 10), (3, 10)]), cache(&[(1, 0), (3, 10)]));
    }

    #[test]
    fn the_latest_epoch_ends_at_the_log_end() {
        assert_eq!(end_of(&cache(&[(1, 0), (3, 10)]), 3), Some((3, 100)));
    }

    #[test]
    fn an_epoch_above_all_has_no_end() {
        assert_eq!(end_of(&cache(&[(1, 0), (3, 10)]), 4), None);
        assert_eq!(end_of(&EpochCache::new(), 0), None);
    }

    #[test]
    fn no_epoch_has_no_end() {
        assert_eq!(end_of(&cache(&[(1, 0)]), -1), None);
    }

    #[test]
    fn an_epoch_below_all_ends_where_the_first_starts() {
        assert_eq!(end_of(&cache(&[(5, 20), (7, 30)]), 2), Some((2, 20)));
    }

    #[test]
    fn an_earlier_epoch_ends_where_the_next_starts() {
        let cache = cache(&[(1, 0), (3, 10), (6, 40)]);
        assert_eq!(end_of(&cache, 1), Some((1, 10)));
        assert_eq!(end_of(&cache, 3), Some((3, 40)));
    }

    #[test]
    fn an_epoch_that_wrote_nothing_is_answered_with_the_one_before_it() {
        let cache = cache(&[(1, 0), (3, 10), (6, 40)]);
        assert_eq!(end_of(&cache, 2), Some((1, 10)));
        assert_eq!(end_of(&cache, 5), Some((3, 40)));
    }

    #[test]
    fn every_offset_has_the_epoch_that_wrote_it() {
        let cache = cache(&[(1, 5), (3, 10)]);
        let epoch_of = |offset| cache.epoch_of(Offset(offset)).map(|epoch| epoch.0);
        assert_eq!((epoch_of(4), epoch_of(5), epoch_of(9), epoch_of(10), epoch_of(99)), (None, Some(1), Some(1), Some(3), Some(3)));
    }

    #[test]
    fn truncation_drops_the_epochs_whose_records_are_gone() {
        for (to, left) in [(41, &[(1, 0), (3, 10), (6, 40)][..]), (40, &[(1, 0), (3, 10)]), (11, &[(1, 0), (3, 10)]), (10, &[(1, 0)]), (0, &[])]
        {
            let mut truncated = cache(&[(1, 0), (3, 10), (6, 40)]);
            truncated.truncate_from_end(Offset(to));
            assert_eq!(truncated, cache(left), "truncated to {to}");
        }
    }

    #[test]
    fn a_trim_moves_the_first_epochs_start() {
        let cases = [
            (0, &[(1, 0), (3, 10), (6, 40)][..]),
            (9, &[(1, 9), (3, 10), (6, 40)]),
            (10, &[(3, 10), (6, 40)]),
            (12, &[(3, 12), (6, 40)]),
            (90, &[(6, 90)]),
        ];
        for (to, left) in cases {
            let mut trimmed = cache(&[(1, 0), (3, 10), (6, 40)]);
            trimmed.trim_from_start(Offset(to));
            assert_eq!(trimmed, cache(left), "trimmed to {to}");
        }
    }

    #[test]
    fn a_trim_before_the_first_epoch_changes_nothing() {
        let mut trimmed = cache(&[(1, 5)]);
        trimmed.trim_from_start(Offset(3));
        assert_eq!(trimmed, cache(&[(1, 5)]));
    }

    #[test]
    fn what_the_store_found_is_taken_as_it_is() {
        let cache = cache(&[(1, 0), (3, 10)]);
        assert_eq!(EpochCache::recovered(cache.starts().to_vec()), cache);
        assert_eq!(cache.latest(), Some(EpochStart { leader_epoch: LeaderEpoch(3), start_offset: Offset(10) }));
    }

    #[test]
    #[should_panic(expected = "epoch 2 after 3")]
    fn an_older_epoch_is_not_assigned() {
        cache(&[(3, 0), (2, 10)]);
    }

    #[test]
    #[should_panic(expected = "epoch 4 starts before 3")]
    fn an_epoch_does_not_start_before_an_older_one() {
        cache(&[(3, 10), (4, 9)]);
    }
}
