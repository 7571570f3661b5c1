//! Where each leader epoch starts in a log (KIP-101).

use std::fmt::Write;

use bytes::Bytes;
use gracchus_core::boundary::EpochStart;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;

/// The epochs of a log's batches, ascending in epoch and in offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    starts: Vec<EpochStart>,
}

impl Epochs {
    /// As they were kept.
    pub(super) fn new(starts: Vec<EpochStart>) -> Self {
        Self { starts }
    }

    /// The epochs, ascending.
    pub(super) fn starts(&self) -> &[EpochStart] {
        &self.starts
    }

    /// The last batch's epoch.
    pub(super) fn latest(&self) -> Option<LeaderEpoch> {
        self.starts.last().map(|start| start.leader_epoch)
    }

    /// Takes note of a batch at the end. Says whether its epoch is a new one.
    pub(super) fn note(&mut self, leader_epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if self.latest().is_some_and(|latest| latest >= leader_epoch) {
            return false;
        }
        self.starts.push(EpochStart { leader_epoch, start_offset });
        true
    }

    /// Forgets what starts at `end` or later.
    pub(super) fn truncate_to(&mut self, end: Offset) {
        self.starts.retain(|start| start.start_offset < end);
    }

    /// Forgets what ends at `log_start` or earlier; the epoch that `log_start` lies in starts there from now on. A log that ends there has none:
    /// what comes next may be another leader's, and of an older one.
    pub(super) fn trim_to(&mut self, log_start: Offset, end: Offset) {
        let behind = self.starts.partition_point(|start| start.start_offset <= log_start);
        self.starts.drain(..behind.saturating_sub(1));
        if let Some(first) = self.starts.first_mut() {
            first.start_offset = first.start_offset.max(log_start);
        }
        self.truncate_to(end);
    }

    /// Kafka's `leader-epoch-checkpoint`: a version, a count, and an epoch with its start offset a line.
    pub(super) fn to_checkpoint(&self) -> Bytes {
        let mut text = format!("0\n{}\n", self.starts.len());
        for start in &self.starts {
            writeln!(text, "{} {}", start.leader_epoch, start.start_offset).expect("a string takes every write");
        }
        Bytes::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(starts: &[(i32, i64)]) -> Epochs {
        let start = |&(epoch, offset)| EpochStart { leader_epoch: LeaderEpoch(epoch), start_offset: Offset(offset) };
        Epochs::new(starts.iter().map(start).collect())
    }

    #[test]
    fn only_a_newer_epoch_starts_anew() {
        let mut held = epochs(&[]);
        assert!(held.note(LeaderEpoch(2), Offset(0)));
        assert!(!held.note(LeaderEpoch(2), Offset(5)));
        assert!(held.note(LeaderEpoch(4), Offset(9)));
        assert_eq!(held, epochs(&[(2, 0), (4, 9)]));
    }

    #[test]
    fn trimming_keeps_the_epoch_that_the_start_lies_in() {
        let mut held = epochs(&[(1, 0), (2, 10), (3, 20)]);
        held.trim_to(Offset(15), Offset(40));
        assert_eq!(held, epochs(&[(2, 15), (3, 20)]));
        held.trim_to(Offset(20), Offset(40));
        assert_eq!(held, epochs(&[(3, 20)]));
        held.trim_to(Offset(30), Offset(40));
        assert_eq!(held, epochs(&[(3, 30)]));
    }

    #[test]
    fn a_log_that_is_trimmed_to_its_end_has_no_epoch() {
        let mut held = epochs(&[(1, 0), (2, 10)]);
        held.trim_to(Offset(40), Offset(40));
        assert_eq!(held, epochs(&[]));
    }

    #[test]
    fn truncation_drops_epochs_that_start_at_the_end_or_later() {
        let mut held = epochs(&[(1, 0), (2, 10), (3, 20)]);
        held.truncate_to(Offset(20));
        assert_eq!(held, epochs(&[(1, 0), (2, 10)]));
    }

    #[test]
    fn the_checkpoint_is_kafkas() {
        assert_eq!(epochs(&[(1, 0), (2, 10)]).to_checkpoint(), "0\n2\n1 0\n2 10\n");
    }
}
