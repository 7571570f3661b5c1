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
    fn a_batch_may_span_the_wrap() {
        assert_eq!(plus(i32::MAX - 2, 2), i32::MAX);
        assert_eq!(plus(i32::MAX - 2, 3), 0);
        assert_eq!(plus(i32::MAX - 2, 10), 7);
        assert_eq!(plus(i32::MAX, i32::MAX), i32::MAX - 1);
    }
}
