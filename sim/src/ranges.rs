//! A set of numbers that lie close together: its ranges.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Numbers, as ranges. Ascending, with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges {
    ranges: Vec<Range<u64>>,
}

impl Ranges {
    /// No number.
    pub const NONE: Self = Self { ranges: Vec::new() };

    /// Whether a number is one of them.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        let behind = self.ranges.partition_point(|range| range.end <= number);
        self.ranges.get(behind).is_some_and(|range| range.contains(&number))
    }

    /// Adds a number, and joins the ranges that it joins.
    pub fn insert(&mut self, number: u64) {
        if self.has(number) {
            return;
        }
        let at = self.ranges.partition_point(|range| range.end < number);
        match self.ranges.get_mut(at) {
            Some(range) if range.end == number => range.end += 1,
            Some(range) if range.start == number + 1 => range.start = number,
            Some(_) | None => self.ranges.insert(at, number..number + 1),
        }
        if let Some([left, right]) = self.ranges.get_mut(at..at + 2)
            && left.end == right.start
        {
            left.end = right.end;
            self.ranges.remove(at + 1);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<T: IntoIterator<Item = u64>>(numbers: T) -> Self {
        let mut ranges = Self::default();
        numbers.into_iter().for_each(|number| ranges.insert(number));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_hold_what_was_put_in(numbers in proptest::collection::vec(0_u64..60, 0..80)) {
            let ranges: Ranges = numbers.iter().copied().collect();
            for number in 0..61 {
                prop_assert_eq!(ranges.has(number), numbers.contains(&number));
            }
            prop_assert_eq!(ranges.count(), numbers.iter().collect::<BTreeSet<_>>().len() as u64);
            prop_assert!(ranges.ranges.is_sorted_by(|left, right| left.end < right.start));
        }
    }
}
