//! The memory of idempotent producers against a model that remembers everything.

use std::collections::BTreeMap;

use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::ProducerId;
use gracchus_core::offset::Offset;
use gracchus_core::producer::{ProducerStates, Verdict};
use gracchus_core::record::{BatchBuilder, BatchHeader, BatchProducer};
use gracchus_core::time::Timestamp;
use gracchus_proptests::producers::ProducersModel;
use proptest::collection::vec;
use proptest::prelude::*;

const EXPIRATION_MS: i64 = 1_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn producers_are_remembered_as_by_a_model_without_bounds(actions in vec(action(), 1..80)) {
        let mut partition = Partition::new();
        for action in actions {
            partition.act(action)?;
        }
    }

    #[test]
    fn random_bytes_never_panic_and_what_is_read_of_them_is_sound(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(states) = ProducerStates::from_snapshot(&bytes) {
            prop_assert_eq!(ProducerStates::from_snapshot(&states.to_snapshot()), Ok(states));
        }
    }

    #[test]
    fn a_mangled_snapshot_never_panics(
        actions in vec(action(), 1..80),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut partition = Partition::new();
        for action in actions {
            partition.act(action)?;
        }
        let mut bytes = partition.states.to_snapshot().to_vec();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(mut states) = ProducerStates::from_snapshot(&bytes) {
            for id in 0..3 {
                let producer = BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence: 0 };
                let _ = states.check(&header_at(Offset::ZERO, Some(producer), 1, false));
            }
            states.expire(Timestamp(i64::MAX), EXPIRATION_MS);
            prop_assert!(states.is_empty());
        }
    }
}

/// Something that happens to a partition.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// A producer sends a batch.
    Send { id: i64, epoch: EpochChoice, sequence: SequenceChoice, records: i32 },
    /// A transaction ends.
    Mark { id: i64, epoch: EpochChoice },
    /// Somebody sends a batch who is no idempotent producer.
    SendPlain { records: i32 },
    /// Time passes, and the idle are forgotten.
    Expire { after_ms: i64 },
    /// A snapshot is taken.
    Snapshot,
    /// The last snapshot and what came since have to give the same state.
    Replay,
}

#[derive(Clone, Copy, Debug)]
enum EpochChoice {
    Same,
    Next,
    Older,
}

#[derive(Clone, Copy, Debug)]
enum SequenceChoice {
    /// The one that the producer would send.
    Next,
    /// The one that it sent so many batches ago, with as many records.
    Retry(usize),
    /// The one that it sent so many batches ago, with records as drawn.
    Mangled(usize),
    Any(i32),
}

fn action() -> impl Strategy<Value = Action> {
    let epoch = || prop_oneof![20 => Just(EpochChoice::Same), 2 => Just(EpochChoice::Next), 1 => Just(EpochChoice::Older)];
    let sequence = prop_oneof![
        10 => Just(SequenceChoice::Next),
        5 => (1..8usize).prop_map(SequenceChoice::Retry),
        1 => (1..8usize).prop_map(SequenceChoice::Mangled),
        1 => prop_oneof![Just(0), Just(1), i32::MAX - 5..=i32::MAX].prop_map(SequenceChoice::Any),
    ];
    let records = || prop_oneof![10 => 1..5i32, 1 => Just(i32::MAX)];
    prop_oneof![
        30 => (0..3i64, epoch(), sequence, records())
            .prop_map(|(id, epoch, sequence, records)| Action::Send { id, epoch, sequence, records }),
        1 => (0..3i64, epoch()).prop_map(|(id, epoch)| Action::Mark { id, epoch }),
        2 => records().prop_map(|records| Action::SendPlain { records }),
        2 => (0..EXPIRATION_MS).prop_map(|after_ms| Action::Expire { after_ms }),
        1 => Just(Action::Snapshot),
        1 => Just(Action::Replay),
    ]
}

/// A partition, and the model beside it.
struct Partition {
    states: ProducerStates,
    model: ProducersModel,
    wall: Timestamp,
    snapshot: ProducerStates,
    since_snapshot: Vec<Since>,
    /// What each producer knows that it has sent: batches with their number of records.
    sent: BTreeMap<i64, Vec<(BatchProducer, i32)>>,
}

enum Since {
    Appended(BatchHeader, Timestamp),
    Expired(Timestamp),
}

impl Partition {
    fn new() -> Self {
        let states = ProducerStates::new(Offset::ZERO);
        Self {
            snapshot: states.clone(),
            states,
            model: ProducersModel::default(),
            wall: Timestamp(1_000),
            since_snapshot: Vec::new(),
            sent: BTreeMap::new(),
        }
    }

    fn act(&mut self, action: Action) -> Result<(), TestCaseError> {
        match action {
            Action::Send { id, epoch, sequence, records } => {
                let (producer, records) = self.draw(id, epoch, sequence, records);
                self.offer(Some(producer), records, false)
            }
            Action::Mark { id, epoch } => {
                let (producer, _) = self.draw(id, epoch, SequenceChoice::Next, 1);
                self.offer(Some(BatchProducer { base_sequence: -1, ..producer }), 1, true)
            }
            Action::SendPlain { records } => self.offer(None, records, false),
            Action::Expire { after_ms } => {
                self.expire(after_ms);
                Ok(())
            }
            Action::Snapshot => self.take_snapshot(),
            Action::Replay => self.replay(),
        }
    }

    fn offer(&mut self, producer: Option<BatchProducer>, records: i32, is_control: bool) -> Result<(), TestCaseError> {
        let header = header_at(self.states.end_offset(), producer, records, is_control);
        let verdict = self.states.check(&header);
        prop_assert_eq!(verdict, self.model.check(&header));
        if !matches!(verdict, Ok(Verdict::New { .. })) {
            return Ok(());
        }
        self.states.apply(&header, self.wall);
        prop_assert_eq!(self.states.end_offset(), header.next_offset());
        self.model.append(&header, self.wall.0);
        self.since_snapshot.push(Since::Appended(header, self.wall));
        if let Some(producer) = producer.filter(|_| !is_control) {
            self.sent.entry(producer.id.0).or_default().push((producer, records));
        }
        Ok(())
    }

    fn expire(&mut self, after_ms: i64) {
        self.wall.0 += after_ms;
        self.states.expire(self.wall, EXPIRATION_MS);
        self.model.expire(self.wall.0, EXPIRATION_MS);
        self.since_snapshot.push(Since::Expired(self.wall));
    }

    fn take_snapshot(&mut self) -> Result<(), TestCaseError> {
        self.snapshot = ProducerStates::from_snapshot(&self.states.to_snapshot()).expect("our own snapshot is sound");
        self.since_snapshot.clear();
        prop_assert_eq!(&self.snapshot, &self.states);
        Ok(())
    }

    fn replay(&self) -> Result<(), TestCaseError> {
        let mut replayed = self.snapshot.clone();
        for since in &self.since_snapshot {
            match since {
                Since::Appended(header, wall) => replayed.apply(header, *wall),
                Since::Expired(wall) => {
                    replayed.expire(*wall, EXPIRATION_MS);
                }
            }
        }
        prop_assert_eq!(&replayed, &self.states);
        Ok(())
    }

    /// What a producer sends, going by what it sent before.
    fn draw(&self, id: i64, epoch: EpochChoice, sequence: SequenceChoice, records: i32) -> (BatchProducer, i32) {
        let sent = self.sent.get(&id).map(Vec::as_slice).unwrap_or_default();
        let ago = |batches: usize| sent.len().checked_sub(batches).and_then(|place| sent.get(place)).copied();
        let (last_epoch, next_sequence) = ago(1).map_or((0, 0), |(last, count)| {
            let next = (i64::from(last.base_sequence) + i64::from(count)) % (1 << 31);
            (last.epoch.0, i32::try_from(next).expect("sequences have 31 bits"))
        });
        let (epoch, next_sequence) = match epoch {
            EpochChoice::Same => (last_epoch, next_sequence),
            EpochChoice::Next => (last_epoch + 1, 0),
            EpochChoice::Older => ((last_epoch - 1).max(0), next_sequence),
        };
        let (base_sequence, records) = match sequence {
            SequenceChoice::Next => (next_sequence, records),
            SequenceChoice::Retry(batches) => ago(batches).map_or((next_sequence, records), |(sent, count)| (sent.base_sequence, count)),
            SequenceChoice::Mangled(batches) => ago(batches).map_or((next_sequence, records), |(sent, _)| (sent.base_sequence, records)),
            SequenceChoice::Any(base_sequence) => (base_sequence, records),
        };
        (BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence }, records)
    }
}

fn header_at(base_offset: Offset, producer: Option<BatchProducer>, records: i32, is_control: bool) -> BatchHeader {
    let mut builder = BatchBuilder::new(base_offset, LeaderEpoch::FIRST);
    builder.append(Timestamp(0), None, None, &[]);
    let (header, _) = builder.finish();
    BatchHeader { producer, is_control, record_count: records, last_offset_delta: records - 1, ..header }
}
