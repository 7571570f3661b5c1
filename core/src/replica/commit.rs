//! Commit rules: how far a log is committed, given how far each member holds it.

use crate::offset::Offset;

/// The metadata log's rule (Raft §5.3, KIP-595): what a majority of the voters holds on disk. `held` has one position a voter.
///
/// None without voters.
#[must_use]
pub fn majority(held: &[Offset]) -> Option<Offset> {
    let mut descending = held.to_vec();
    descending.sort_unstable_by(|left, right| right.cmp(left));
    // With n voters a majority is n/2 + 1: the lowest position among that many best ones.
    descending.get(held.len() / 2).copied()
}

/// A data partition's rule (KIP-966): what every member of the maximal ISR holds, and only while the committed ISR has
/// `min(min.insync.replicas, replicas)` members. None while it has fewer: the high watermark stays.
#[must_use]
pub fn maximal_isr(
    held: impl IntoIterator<Item = Offset>,
    committed_isr: usize,
    min_insync_replicas: usize,
    replicas: usize,
) -> Option<Offset> {
    if committed_isr < min_insync_replicas.min(replicas) {
        return None;
    }
    held.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offsets: &[i64]) -> Vec<Offset> {
        offsets.iter().map(|&offset| Offset(offset)).collect()
    }

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!(majority(&at(&[])), None);
        assert_eq!(majority(&at(&[7])), Some(Offset(7)));
        assert_eq!(majority(&at(&[7, 3])), Some(Offset(3)));
        assert_eq!(majority(&at(&[1, 9, 5])), Some(Offset(5)));
        assert_eq!(majority(&at(&[1, 9, 5, 6, 2])), Some(Offset(5)));
    }

    #[test]
    fn the_slowest_member_decides() {
        assert_eq!(maximal_isr(at(&[9, 4, 7]), 3, 2, 3), Some(Offset(4)));
    }

    #[test]
    fn nothing_commits_under_the_minimum() {
        assert_eq!(maximal_isr(at(&[9]), 1, 2, 3), None);
    }

    #[test]
    fn the_minimum_never_exceeds_the_replicas() {
        assert_eq!(maximal_isr(at(&[9]), 1, 2, 1), Some(Offset(9)));
    }
}
