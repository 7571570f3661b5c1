//! Sequences of a producer's records: from 0 to 2^31-1, and from 0 again.

/// The sequence `count` records on, `count` not being negative.
pub(super) fn plus(sequence: i32, count: i32) -> i32 {
    let sum = sequence.wrapping_add(count);
    // A sum past 2^31-1 wraps to a negative number 2^32 lower; sequences wrap by 2^31.
    sum & i32::MAX
}

/// The sequence that comes after.
pub(super) fn next(sequence: i32) -> i32 {
    plus(sequence, 1)
}

/// Whether a producer comes to `sequence` before it comes to `other`, the two being less than half of all sequences apart.
pub(super) fn precedes(sequence: i32, other: i32) -> bool {
    let ahead = other.wrapping_sub(sequence) & i32::MAX;
    ahead != 0 && ahead <= i32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_follows_the_largest_sequence() {
        assert_eq!(next(0), 1);
        assert_eq!(next(i32::MAX - 1), i32::MAX);
        assert_eq!(next(i32::MAX), 0);
    }

    #[test]
    fn a_sequence_before_the_wrap_precedes_one_behind_it() {
        assert!(precedes(0, 1) && !precedes(1, 0) && !precedes(1, 1));
        assert!(precedes(i32::MAX, 0) && !precedes(0, i32::MAX));
        assert!(precedes(i32::MAX - 5, 7) && !precedes(7, i32::MAX - 5));
    }

    #[test]
    fn a_batch_may_span_the_wrap() {
        assert_eq!(plus(i32::MAX - 2, 2), i32::MAX);
        assert_eq!(plus(i32::MAX - 2, 3), 0);
        assert_eq!(plus(i32::MAX - 2, 10), 7);
        assert_eq!(plus(i32::MAX, i32::MAX), i32::MAX - 1);
    }
}
