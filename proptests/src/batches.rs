//! Batches as clients might send them.

use bytes::Bytes;
use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::ProducerId;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchProducer};
use gracchus_core::time::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// What a batch says, before it is bytes.
#[derive(Clone, Debug)]
pub struct BatchContent {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// Who produced it, if it is idempotent.
    pub producer: Option<BatchProducer>,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// Whether it is a control batch.
    pub is_control: bool,
    /// At least one.
    pub records: Vec<RecordContent>,
}

/// What a record says.
#[derive(Clone, Debug)]
pub struct RecordContent {
    /// Its own timestamp, not a delta.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers. Keys differ, since not every codec can tell two of the same apart.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl BatchContent {
    /// Its bytes, uncompressed, as the core builds them.
    #[must_use]
    pub fn build(&self) -> Bytes {
        self.builder().build()
    }

    /// A builder that holds all of it.
    #[must_use]
    pub fn builder(&self) -> BatchBuilder {
        let mut builder = BatchBuilder::new(self.base_offset, self.leader_epoch);
        if let Some(producer) = self.producer {
            builder = builder.producer(producer);
        }
        if self.is_transactional {
            builder = builder.transactional();
        }
        if self.is_control {
            builder = builder.control();
        }
        for record in &self.records {
            let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        builder
    }
}

/// Any batch that a broker might hold.
pub fn batch() -> impl Strategy<Value = BatchContent> {
    let place = (0..1i64 << 40, 0..i32::MAX);
    // Equal timestamps are rare unless there are few to choose from.
    let records = prop_oneof![vec(record(timestamp()), 1..20), vec(record(0..3i64), 1..20)];
    (place, option::of(producer()), any::<bool>(), any::<bool>(), records).prop_map(
        |((base_offset, leader_epoch), producer, is_transactional, is_control, records)| BatchContent {
            base_offset: Offset(base_offset),
            leader_epoch: LeaderEpoch(leader_epoch),
            producer,
            is_transactional,
            is_control,
            records,
        },
    )
}

fn producer() -> impl Strategy<Value = BatchProducer> {
    let base_sequence = prop_oneof![0..1_000, i32::MAX - 1_000..=i32::MAX];
    (0..i64::MAX, 0..i16::MAX, base_sequence).prop_map(|(id, epoch, base_sequence)| BatchProducer {
        id: ProducerId(id),
        epoch: ProducerEpoch(epoch),
        base_sequence,
    })
}

fn record(timestamp: impl Strategy<Value = i64>) -> impl Strategy<Value = RecordContent> {
    let headers = btree_map("[a-z]{0,3}", option::of(vec(any::<u8>(), 0..10)), 0..4);
    (timestamp, option::of(payload()), option::of(payload()), headers).prop_map(|(timestamp, key, value, headers)| RecordContent {
        timestamp: Timestamp(timestamp),
        key,
        value,
        headers: headers.into_iter().collect(),
    })
}

fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![Just(-1), 0..1_000i64, 1_700_000_000_000..1_800_000_000_000i64, 0..1i64 << 60]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 60..70), vec(any::<u8>(), 8_185..8_200)]
}
