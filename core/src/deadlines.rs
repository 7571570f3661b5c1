//! Deadlines, each under a key that says what it is for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Monotonic;

/// A set of deadlines with at most one for each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines<K: Ord> {
    by_time: BTreeSet<(Monotonic, K)>,
    by_key: BTreeMap<K, Monotonic>,
}

impl<K: Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    /// Sets the deadline of `key`, in place of an earlier one.
    pub fn set(&mut self, key: K, at: Monotonic) {
        self.cancel(&key);
        self.by_time.insert((at, key.clone()));
        self.by_key.insert(key, at);
    }

    /// Takes the deadline of `key` back, if it has one.
    pub fn cancel(&mut self, key: &K) {
        if let Some((key, at)) = self.by_key.remove_entry(key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Whether `key` has a deadline.
    #[must_use]
    pub fn is_set(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    /// The time of the next deadline.
    #[must_use]
    pub fn next(&self) -> Option<Monotonic> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline that has come by `now`.
    pub fn pop_due(&mut self, now: Monotonic) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_keys_come_in_order_of_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set("late", Monotonic(30));
        deadlines.set("soon", Monotonic(10));
        deadlines.set("moved", Monotonic(5));
        deadlines.set("moved", Monotonic(20));
        deadlines.set("gone", Monotonic(1));
        deadlines.cancel(&"gone");
        assert_eq!(deadlines.next(), Some(Monotonic(10)));
        assert_eq!(deadlines.pop_due(Monotonic(9)), None);
        assert_eq!(deadlines.pop_due(Monotonic(20)), Some("soon"));
        assert_eq!(deadlines.pop_due(Monotonic(20)), Some("moved"));
        assert_eq!(deadlines.pop_due(Monotonic(20)), None);
    }
}
