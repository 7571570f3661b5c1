use super::*;
use crate::epoch::LeaderEpoch;
use crate::ids::ProducerId;
use crate::record::{BatchBuilder, BatchProducer, ControlRecord, EndTransaction};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const NEW: Result<Verdict, ProducerError> = Ok(Verdict::New { was_forgotten: false });

/// A log that appends what its producers let through.
struct Log {
    states: ProducerStates,
    wall: Timestamp,
}

impl Log {
    fn new() -> Self {
        Self { states: ProducerStates::new(Offset::ZERO), wall: Timestamp(1_000_000) }
    }

    fn send(&mut self, id: i64, epoch: i16, base_sequence: i32, records: i32) -> Result<Verdict, ProducerError> {
        let header = data(self.states.end_offset(), id, epoch, base_sequence, records);
        let verdict = self.states.check(&header)?;
        match verdict {
            Verdict::New { .. } => self.states.apply(&header, self.wall),
            Verdict::Duplicate(_) => {}
        }
        Ok(verdict)
    }

    fn mark_end_of_transaction(&mut self, id: i64, epoch: i16) {
        let producer = BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: -1 };
        let mut builder = BatchBuilder::new(self.states.end_offset(), LeaderEpoch::FIRST).producer(producer).control().transactional();
        let (key, value) = ControlRecord::Commit(EndTransaction { coordinator_epoch: 0 }).encode();
        builder.append(Timestamp(0), Some(&key), Some(&value), &[]);
        let header = BatchHeader::parse(&builder.build()).unwrap();
        self.states.check(&header).unwrap();
        self.states.apply(&header, self.wall);
    }
}

fn data(base_offset: Offset, id: i64, epoch: i16, base_sequence: i32, records: i32) -> BatchHeader {
    let producer = BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence };
    let mut builder = BatchBuilder::new(base_offset, LeaderEpoch::FIRST).producer(producer);
    builder.append(Timestamp(0), None, None, &[]);
    // The header alone counts here, and a batch of 2^31-1 records would be long.
    BatchHeader { last_offset_delta: records - 1, record_count: records, ..BatchHeader::parse(&builder.build()).unwrap() }
}

fn duplicate(base_offset: i64, last_offset: i64) -> Result<Verdict, ProducerError> {
    let appended = AppendedBatch { base_offset: Offset(base_offset), last_offset: Offset(last_offset), log_append_time: None };
    Ok(Verdict::Duplicate(appended))
}

#[test]
fn batches_in_sequence_are_new() {
    let mut log = Log::new();
    assert_eq!(log.send(1, 0, 0, 3), NEW);
    assert_eq!(log.send(1, 0, 3, 1), NEW);
    assert_eq!(log.send(2, 0, 0, 1), NEW);
    assert_eq!(log.send(1, 0, 4, 1), NEW);
    assert_eq!(log.states.len(), 2);
    assert_eq!(log.states.end_offset(), Offset(6));
}

#[test]
fn a_batch_without_a_producer_is_always_new_and_moves_the_end() {
    let mut states = ProducerStates::new(Offset(10));
    let header = BatchHeader { producer: None, ..data(Offset(12), 0, 0, 0, 3) };
    assert_eq!(states.check(&header), NEW);
    states.apply(&header, Timestamp(0));
    assert!(states.is_empty());
    assert_eq!(states.end_offset(), Offset(15));
}

#[test]
fn a_retry_of_any_of_the_last_five_batches_gets_its_first_offset() {
    let mut log = Log::new();
    for batch in 0..6 {
        log.send(1, 0, batch * 2, 2).unwrap();
    }
    for batch in 1..6 {
        let base_offset = i64::from(batch) * 2;
        assert_eq!(log.send(1, 0, batch * 2, 2), duplicate(base_offset, base_offset + 1));
    }
    assert_eq!(log.send(1, 0, 0, 2), Err(ProducerError::OutOfOrder { expected: 12, found: 0 }));
    assert_eq!(log.states.end_offset(), Offset(12));
}

#[test]
fn a_retry_must_have_the_same_first_and_last_sequence() {
    let mut log = Log::new();
    log.send(1, 0, 0, 4).unwrap();
    for (base_sequence, records) in [(0, 3), (0, 5), (1, 3), (3, 1)] {
        assert_eq!(
            log.send(1, 0, base_sequence, records),
            Err(ProducerError::OutOfOrder { expected: 4, found: base_sequence }),
            "{base_sequence} and {records} records"
        );
    }
}

#[test]
fn a_retry_of_a_batch_with_append_time_gets_that_time() {
    let mut states = ProducerStates::new(Offset::ZERO);
    let header = BatchHeader {
        timestamp_type: crate::record::TimestampType::LogAppendTime,
        max_timestamp: Timestamp(99),
        ..data(Offset::ZERO, 1, 0, 0, 1)
    };
    states.apply(&header, Timestamp(100));
    let retry = BatchHeader { timestamp_type: crate::record::TimestampType::CreateTime, ..header };
    let expected = AppendedBatch { base_offset: Offset(0), last_offset: Offset(0), log_append_time: Some(Timestamp(99)) };
    assert_eq!(states.check(&retry), Ok(Verdict::Duplicate(expected)));
}

#[test]
fn a_gap_is_refused() {
    let mut log = Log::new();
    log.send(1, 0, 0, 2).unwrap();
    assert_eq!(log.send(1, 0, 3, 1), Err(ProducerError::OutOfOrder { expected: 2, found: 3 }));
    assert_eq!(log.send(1, 0, 2, 1), NEW);
}

#[test]
fn sequences_wrap_after_the_largest() {
    let mut log = Log::new();
    log.send(1, 0, i32::MAX, 1).unwrap();
    assert_eq!(log.send(1, 0, 0, 1), NEW);
    log.send(2, 0, i32::MAX - 1, 5).unwrap();
    assert_eq!(log.send(2, 0, 3, 1), NEW);
    assert_eq!(log.send(2, 0, i32::MAX - 1, 5), duplicate(2, 6));
}

#[test]
fn zombie_producer_is_fenced_after_a_newer_epoch_has_appended() {
    let mut log = Log::new();
    log.send(1, 0, 0, 1).unwrap();
    log.send(1, 1, 0, 1).unwrap();
    let fenced = Err(ProducerError::Fenced { held: ProducerEpoch(1), claimed: ProducerEpoch(0) });
    assert_eq!(log.send(1, 0, 1, 1), fenced);
    // Not even for a batch that the older epoch did append.
    assert_eq!(log.send(1, 0, 0, 1), fenced);
}

#[test]
fn a_new_epoch_of_a_known_producer_starts_at_0() {
    let mut log = Log::new();
    log.send(1, 3, 0, 5).unwrap();
    assert_eq!(log.send(1, 4, 5, 1), Err(ProducerError::OutOfOrder { expected: 0, found: 5 }));
    assert_eq!(log.send(1, 4, 0, 5), NEW);
    assert_eq!(log.send(1, 4, 0, 5), duplicate(5, 9));
}

#[test]
fn a_marker_raises_the_epoch_and_fences() {
    let mut log = Log::new();
    log.send(1, 0, 0, 1).unwrap();
    log.mark_end_of_transaction(1, 1);
    assert_eq!(log.send(1, 0, 1, 1), Err(ProducerError::Fenced { held: ProducerEpoch(1), claimed: ProducerEpoch(0) }));
    assert_eq!(log.send(1, 1, 1, 1), Err(ProducerError::OutOfOrder { expected: 0, found: 1 }));
    assert_eq!(log.send(1, 1, 0, 1), NEW);
}

#[test]
fn a_marker_of_the_same_epoch_leaves_the_sequence() {
    let mut log = Log::new();
    log.send(1, 0, 0, 1).unwrap();
    log.mark_end_of_transaction(1, 0);
    assert_eq!(log.send(1, 0, 0, 1), duplicate(0, 0));
    assert_eq!(log.send(1, 0, 1, 1), NEW);
}

mod kip_360 {
    use super::*;

    #[test]
    fn an_unknown_producer_may_start_at_any_sequence() {
        let mut log = Log::new();
        assert_eq!(log.send(1, 0, 0, 1), NEW);
        assert_eq!(log.send(2, 7, 1_000, 2), Ok(Verdict::New { was_forgotten: true }));
        assert_eq!(log.send(2, 7, 1_002, 1), NEW);
    }
}

#[test]
fn a_producer_that_was_idle_for_too_long_is_forgotten() {
    let mut log = Log::new();
    log.send(1, 0, 0, 1).unwrap();
    log.send(2, 0, 0, 1).unwrap();
    log.wall.0 += DAY_MS - 1;
    assert_eq!(log.states.expire(log.wall, DAY_MS), 0);
    log.send(1, 0, 1, 1).unwrap();
    log.wall.0 += 1;
    assert_eq!(log.states.expire(log.wall, DAY_MS), 1);
    assert_eq!(log.send(1, 0, 2, 1), NEW);
    assert_eq!(log.send(2, 0, 1, 1), Ok(Verdict::New { was_forgotten: true }));
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_producers_for_ever() {
    let mut log = Log::new();
    let right = log.wall;
    log.wall.0 += 1_000 * DAY_MS;
    log.send(1, 0, 0, 1).unwrap();
    log.wall = right;
    log.send(2, 0, 0, 1).unwrap();
    assert_eq!(log.states.expire(log.wall, DAY_MS), 0);
    log.wall.0 += DAY_MS;
    assert_eq!(log.states.expire(log.wall, DAY_MS), 2);
    assert!(log.states.is_empty());
}

#[test]
fn with_too_many_producers_the_one_that_appended_longest_ago_is_forgotten() {
    let mut log = Log::new();
    let most = i64::try_from(PRODUCERS_PER_PARTITION_MAX).unwrap();
    for id in 0..most {
        log.send(id, 0, 0, 1).unwrap();
    }
    log.send(0, 0, 1, 1).unwrap();
    log.send(most, 0, 0, 1).unwrap();
    assert_eq!(log.states.len(), PRODUCERS_PER_PARTITION_MAX);
    assert_eq!(log.send(0, 0, 2, 1), NEW);
    assert_eq!(log.send(1, 0, 1, 1), Ok(Verdict::New { was_forgotten: true }));
}

fn busy_log() -> Log {
    let mut log = Log::new();
    for round in 0..7 {
        for id in 0..4 {
            log.send(id, 0, round * 3, 3).unwrap();
        }
    }
    log.send(2, 1, 0, 1).unwrap();
    log.mark_end_of_transaction(3, 1);
    log
}

#[test]
fn a_snapshot_gives_back_the_state_and_the_offset_that_it_covers() {
    let log = busy_log();
    let snapshot = log.states.to_snapshot();
    let restored = ProducerStates::from_snapshot(&snapshot).unwrap();
    assert_eq!(restored, log.states);
    assert_eq!(restored.end_offset(), Offset(86));
    assert_eq!(restored.to_snapshot(), snapshot);
}

#[test]
fn a_snapshot_and_the_headers_behind_it_give_the_same_state_as_the_whole_log() {
    let headers: Vec<_> = (0..10).map(|at| data(Offset(i64::from(at) * 2), 1 + i64::from(at % 2), 0, at / 2 * 2, 2)).collect();
    let wall = Timestamp(5);
    let mut whole = ProducerStates::new(Offset::ZERO);
    headers.iter().for_each(|header| whole.apply(header, wall));
    for cut in 0..=headers.len() {
        let mut states = ProducerStates::new(Offset::ZERO);
        headers[..cut].iter().for_each(|header| states.apply(header, wall));
        let mut states = ProducerStates::from_snapshot(&states.to_snapshot()).unwrap();
        headers[cut..].iter().for_each(|header| states.apply(header, wall));
        assert_eq!(states, whole, "snapshot after {cut} batches");
    }
}

#[test]
fn what_lies_below_a_logs_start_and_its_headers_give_the_same_state_as_the_whole_log() {
    let headers: Vec<_> = (0..14).map(|at| data(Offset(i64::from(at) * 2), 1 + i64::from(at % 2), 0, at / 2 * 2, 2)).collect();
    let wall = Timestamp(5);
    let mut whole = ProducerStates::new(Offset::ZERO);
    headers.iter().for_each(|header| whole.apply(header, wall));
    for log_start in (0..=28).map(Offset) {
        let mut states = ProducerStates::from_snapshot(&whole.below(log_start).to_snapshot()).unwrap();
        assert_eq!(states.end_offset(), log_start);
        headers.iter().filter(|header| header.next_offset() > log_start).for_each(|header| states.apply(header, wall));
        assert_eq!(states, whole, "a log that starts at {log_start}");
    }
}

#[test]
fn a_snapshot_that_is_cut_off_or_goes_on_is_refused() {
    let snapshot = busy_log().states.to_snapshot();
    for length in 0..snapshot.len() {
        assert_eq!(ProducerStates::from_snapshot(&snapshot[..length]), Err(CorruptSnapshot), "{length} bytes");
    }
    assert_eq!(ProducerStates::from_snapshot(&[&snapshot[..], &[0]].concat()), Err(CorruptSnapshot));
}

#[test]
fn a_snapshot_that_no_log_can_have_led_to_is_refused() {
    let mut beyond_the_end = busy_log().states;
    beyond_the_end.end_offset = Offset(85);
    assert_eq!(ProducerStates::from_snapshot(&beyond_the_end.to_snapshot()), Err(CorruptSnapshot));
    let mut twins = busy_log().states;
    let twin = twins.producers[&ProducerId(1)].clone();
    twins.producers.insert(ProducerId(9), twin);
    assert_eq!(ProducerStates::from_snapshot(&twins.to_snapshot()), Err(CorruptSnapshot));
}

/// What version 1 looks like on disk: it must be readable for as long as there are disks that hold it.
#[test]
fn snapshots_of_version_1_are_read() {
    let mut log = Log::new();
    log.send(5, 2, 300, 2).unwrap();
    #[rustfmt::skip]
    let golden = [
        0,                  // V1
        1,                  // one producer
        10,                 // id 5
        4,                  // epoch 2
        2,                  // last offset 1
        0x80, 0x89, 0x7a,   // last append 1,000,000
        1,                  // one batch
        0xd8, 0x04, 2, 0, 0, // sequence 300, last offset delta 1, base offset 0, no append time
        4,                  // end offset 2
    ];
    assert_eq!(log.states.to_snapshot(), golden[..]);
    assert_eq!(ProducerStates::from_snapshot(&golden), Ok(log.states));
}

#[test]
fn errors_have_kafkas_names() {
    let fenced = ProducerError::Fenced { held: ProducerEpoch(2), claimed: ProducerEpoch(1) };
    assert_eq!(ErrorCode::from(fenced), ErrorCode::InvalidProducerEpoch);
    let out_of_order = ProducerError::OutOfOrder { expected: 2, found: 1 };
    assert_eq!(ErrorCode::from(out_of_order), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(ApiError::from(out_of_order).message.unwrap(), "the batch starts at sequence 1, and 2 comes next");
}

#[test]
#[should_panic(expected = "in the order of the log")]
fn a_batch_that_was_applied_is_not_applied_again() {
    let mut states = ProducerStates::new(Offset::ZERO);
    let header = data(Offset::ZERO, 1, 0, 0, 1);
    states.apply(&header, Timestamp(0));
    states.apply(&header, Timestamp(0));
}
