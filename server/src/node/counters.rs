//! What a node counts while it runs: plain numbers, read by whoever exports them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gracchus_core::boundary::{StorageDone, StorageOp};
use gracchus_core::error::ErrorCode;
use gracchus_core::time::Wait;
use gracchus_net::kafka::Api;

use crate::store::CompactionCounters;

/// Upper bounds of the buckets of [`Latencies`] in microseconds. Above the last one there is a bucket more.
pub const LATENCY_BOUNDS_US: [u64; 18] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
    30_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All that a node counts.
#[derive(Debug)]
pub struct Counters {
    /// Connections taken in.
    pub connections_opened: Counter,
    /// Connections that have ended.
    pub connections_closed: Counter,
    /// Connections closed at once, because there were too many.
    pub connections_refused: Counter,
    /// Connections closed for what came over them.
    pub connections_broken: Counter,
    /// Bytes of requests.
    pub bytes_in: Counter,
    /// Bytes of answers.
    pub bytes_out: Counter,
    /// Batches handed to the store.
    pub appended_batches: Counter,
    /// Bytes of these batches.
    pub appended_bytes: Counter,
    /// Records in these batches.
    pub appended_records: Counter,
    /// Reports that a log is on disk up to some offset: appended batches a report are the size of a group commit.
    pub syncs: Counter,
    /// What the store's compactions come to.
    pub compactions: Arc<CompactionCounters>,
    /// Answers by API, and how long they took.
    answered: BTreeMap<Api, Latencies>,
    errors: Mutex<BTreeMap<(Api, ErrorCode), u64>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            connections_opened: Counter::default(),
            connections_closed: Counter::default(),
            connections_refused: Counter::default(),
            connections_broken: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            appended_batches: Counter::default(),
            appended_bytes: Counter::default(),
            appended_records: Counter::default(),
            syncs: Counter::default(),
            compactions: Arc::default(),
            answered: Api::SERVED.into_iter().map(|api| (api, Latencies::default())).collect(),
            errors: Mutex::default(),
        }
    }
}

impl Counters {
    /// Nothing counted yet, beside a store that counts its compactions.
    pub(super) fn new(compactions: Arc<CompactionCounters>) -> Self {
        Self { compactions, ..Self::default() }
    }

    /// Counts an answer that left `took` after its request had been read.
    ///
    /// # Panics
    /// Never: there is a row for every API.
    pub fn answered(&self, api: Api, took: Wait) {
        self.answered.get(&api).expect("every API has a row").record(took);
    }

    /// Counts an error in an answer.
    pub fn failed(&self, api: Api, error: ErrorCode) {
        *self.errors.lock().unwrap_or_else(PoisonError::into_inner).entry((api, error)).or_default() += 1;
    }

    /// Counts work for the store.
    pub(super) fn submitted(&self, op: &StorageOp) {
        if let StorageOp::Append { header, .. } = op {
            self.appended_batches.increment();
            self.appended_bytes.add(header.batch_bytes.into());
            self.appended_records.add(u64::try_from(header.last_offset_delta).unwrap_or(0) + 1);
        }
    }

    /// Counts what the store has done.
    pub(super) fn completed(&self, done: &StorageDone) {
        if let StorageDone::Synced { .. } = done {
            self.syncs.increment();
        }
    }

    /// The APIs that were answered at all, with their latencies.
    pub fn latencies(&self) -> impl Iterator<Item = (Api, &Latencies)> {
        self.answered.iter().map(|(&api, latencies)| (api, latencies)).filter(|(_, latencies)| latencies.count() > 0)
    }

    /// Errors answered, by API and name.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<(Api, ErrorCode), u64> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long things took: how many there were in each bucket of [`LATENCY_BOUNDS_US`], and their sum.
#[derive(Debug, Default)]
pub struct Latencies {
    buckets: [Counter; LATENCY_BOUNDS_US.len() + 1],
    sum_us: Counter,
}

impl Latencies {
    fn record(&self, took: Wait) {
        let took_us = took.0 / 1_000;
        let at = LATENCY_BOUNDS_US.partition_point(|&bound| bound < took_us);
        self.buckets.get(at).expect("there is a bucket above the last bound").increment();
        self.sum_us.add(took_us);
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::get).sum()
    }

    /// The sum of all in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us.get()
    }

    /// How many are in each bucket alone.
    pub fn buckets(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(Counter::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let counters = Counters::default();
        for took_us in [0, 50, 51, 30_000_000, 30_000_001] {
            counters.answered(Api::ApiVersions, Wait(took_us * 1_000));
        }
        let (api, latencies) = counters.latencies().next().unwrap();
        let buckets: Vec<_> = latencies.buckets().collect();
        assert_eq!((api, latencies.count()), (Api::ApiVersions, 5));
        assert_eq!([buckets[0], buckets[1], buckets[17], buckets[18]], [2, 1, 1, 1]);
        assert_eq!(latencies.sum_us(), 60_000_102);
    }
}
