use super::*;
use crate::ids::{LogId, TopicPartition};

#[test]
fn a_flushed_produce_is_answered_only_once_it_is_on_disk() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("durability", "flushed")]);
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    for (acks, end_offset) in [(Acks::Leader, Offset(1)), (Acks::All, Offset(2))] {
        let id = node.produce("t", plain(1), acks);
        node.step(Input::Storage(StorageDone::Written { log, leader_epoch: LeaderEpoch(0), end_offset }));
        assert_eq!(node.produced(id), None);
        let synced = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(synced));
        assert!(node.produced(id).unwrap().is_ok());
    }
}

#[test]
fn the_store_is_told_that_nobody_copies_what_it_appends() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    assert_eq!(node.shelf.is_followed(), Some(false));
}

#[test]
fn a_replicated_produce_is_answered_once_it_is_written() {
    let mut node = Node::serving();
    node.create("t", &[("durability", "replicated")]);
    let id = node.produce("t", plain(1), Acks::All);
    assert_eq!(node.produced(id), None);
    let written = node.shelf.finish_one().unwrap();
    node.step(Input::Storage(written));
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn acks_0_is_answered_at_once() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = node.produce("t", plain(1), Acks::None);
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn a_retry_gets_the_first_offset_and_waits_for_its_commit() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let first = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
    let retry = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
    assert_eq!((node.produced(first), node.shelf.waiting_appends()), (None, 1));
    assert_eq!(node.produced(retry), None, "the first append may still be lost");
    node.settle();
    assert_eq!(node.produced(first), Some(Ok(Offset(0))));
    assert_eq!(node.produced(retry), Some(Ok(Offset(0))));
}

#[test]
fn gaps_and_zombies_are_refused() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", idempotent(7, 1, 0, 2), Acks::All);
    let gap = node.produce("t", idempotent(7, 1, 3, 1), Acks::All);
    let zombie = node.produce("t", idempotent(7, 0, 2, 1), Acks::All);
    assert_eq!(node.produced(gap), Some(Err(ErrorCode::OutOfOrderSequenceNumber)));
    assert_eq!(node.produced(zombie), Some(Err(ErrorCode::InvalidProducerEpoch)));
}

#[test]
fn a_fetch_sees_nothing_above_the_high_watermark() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(2), Acks::All);
    let early = node.fetch("t", 0, 0, 0);
    assert_eq!(node.fetched(early).unwrap().slice, None);
    node.settle();
    let late = node.fetch("t", 0, 0, 0);
    let slice = node.fetched(late).unwrap().slice.unwrap();
    assert_eq!((slice.from, slice.upto), (Offset(0), Offset(2)));
}

#[test]
fn a_fetch_waits_for_its_minimum_and_wakes_at_the_commit() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let bytes = i32::try_from(plain(1).payload.length()).unwrap();
    let id = node.fetch("t", 0, bytes + 1, 1000);
    node.produce("t", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.fetched(id), None, "one batch is less than the minimum");
    node.produce("t", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.fetched(id).unwrap().slice.unwrap().upto, Offset(2));
}

#[test]
fn a_fetch_that_waits_in_vain_is_answered_in_time() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = node.fetch("t", 0, 1, 500);
    node.pass(499);
    assert_eq!(node.fetched(id), None);
    node.pass(1);
    let answer = node.fetched(id).unwrap();
    assert_eq!((answer.error, answer.slice, answer.high_watermark), (None, None, Offset(0)));
}

#[test]
fn a_fetch_out_of_range_is_told_at_once() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    node.settle();
    for offset in [-1, 2] {
        let id = node.fetch("t", offset, 1, 500);
        assert_eq!(node.fetched(id).unwrap().error, Some(ErrorCode::OffsetOutOfRange));
    }
}

#[test]
fn a_produce_that_is_not_committed_in_time_says_so_and_no_more() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = node.produce("t", plain(1), Acks::All);
    node.pass(5000);
    assert_eq!(node.produced(id), Some(Err(ErrorCode::RequestTimedOut)));
    node.settle();
    assert_eq!(node.produced(id), None);
}

#[test]
fn a_produce_without_patience_still_waits_for_the_disk() {
    let mut node = Node::serving();
    node.create("t", &[]);
    for timeout_ms in [0, -1] {
        let partitions = vec![ProducePartition { partition: PartitionIndex(0), batch: Ok(plain(1)) }];
        let topics = vec![ProduceTopic { topic: TopicRef::Name("t".into()), partitions }];
        let id = node.ask(Request::Produce(ProduceRequest { transactional_id: None, acks: Ok(Acks::All), timeout_ms, topics }));
        node.pass(1);
        node.settle();
        assert!(node.produced(id).unwrap().is_ok());
    }
}

#[test]
fn a_failed_disk_is_told_to_all_who_wait() {
    let mut node = Node::serving();
    let topic = node.create("t", &[]);
    let fetch = node.fetch("t", 0, 1, 500);
    let produce = node.produce("t", plain(1), Acks::All);
    let failed = node.shelf.fail_one(LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) }));
    node.step(Input::Storage(failed));
    assert_eq!(node.produced(produce), Some(Err(ErrorCode::KafkaStorageError)));
    assert_eq!(node.fetched(fetch).unwrap().error, Some(ErrorCode::KafkaStorageError));
    let after = node.produce("t", plain(1), Acks::All);
    assert_eq!(node.produced(after), Some(Err(ErrorCode::KafkaStorageError)));
}

#[test]
fn a_nearly_full_disk_refuses_before_an_offset_is_given() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1, total_bytes: 100 }));
    let id = node.produce("t", plain(1), Acks::All);
    assert_eq!(node.produced(id), Some(Err(ErrorCode::KafkaStorageError)));
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1 << 40, total_bytes: 1 << 41 }));
    let id = node.produce("t", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn a_nearly_full_disk_refuses_no_retry_of_what_the_log_holds() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", idempotent(7, 0, 0, 3), Acks::All);
    node.settle();
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1, total_bytes: 100 }));
    let [retry, new] = [0, 3].map(|base_sequence| node.produce("t", idempotent(7, 0, base_sequence, 3), Acks::All));
    assert_eq!(node.produced(retry), Some(Ok(Offset(0))));
    assert_eq!(node.produced(new), Some(Err(ErrorCode::KafkaStorageError)));
}

#[test]
fn a_new_producer_is_not_let_in_behind_its_refused_batch() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1, total_bytes: 100 }));
    let refused = [(0, 3), (3, 2)].map(|(base_sequence, records)| node.produce("t", idempotent(7, 0, base_sequence, records), Acks::All));
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1 << 40, total_bytes: 1 << 41 }));
    let overtaking = node.produce("t", idempotent(7, 0, 5, 1), Acks::All);
    let forgotten = node.produce("t", idempotent(8, 0, 5, 1), Acks::All);
    node.settle();
    assert_eq!(refused.map(|id| node.produced(id)), [Some(Err(ErrorCode::KafkaStorageError)), Some(Err(ErrorCode::KafkaStorageError))]);
    assert_eq!(node.produced(overtaking), Some(Err(ErrorCode::OutOfOrderSequenceNumber)));
    assert_eq!(node.produced(forgotten), Some(Ok(Offset(0))), "nothing of that one was refused (KIP-360)");
    let again = [(0, 3), (3, 2), (5, 1)].map(|(base_sequence, records)| node.produce("t", idempotent(7, 0, base_sequence, records), Acks::All));
    node.settle();
    assert_eq!(again.map(|id| node.produced(id)), [Some(Ok(Offset(1))), Some(Ok(Offset(4))), Some(Ok(Offset(6)))]);
}

#[test]
fn a_new_producer_starts_in_a_new_epoch_without_what_was_refused_before() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1, total_bytes: 100 }));
    node.produce("t", idempotent(7, 0, 0, 3), Acks::All);
    node.step(Input::Storage(StorageDone::Space { free_bytes: 1 << 40, total_bytes: 1 << 41 }));
    let id = node.produce("t", idempotent(7, 1, 0, 1), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn a_stale_completion_is_ignored() {
    let mut node = Node::serving();
    let topic = node.create("t", &[]);
    let id = node.produce("t", plain(1), Acks::All);
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    for (leader_epoch, end_offset) in [(LeaderEpoch(9), Offset(1)), (LeaderEpoch(0), Offset(2))] {
        node.step(Input::Storage(StorageDone::Synced { log, leader_epoch, end_offset }));
        assert_eq!(node.effects.marks, [Mark::StaleCompletionIgnored]);
    }
    assert_eq!(node.produced(id), None);
}

#[test]
fn a_client_that_is_gone_is_not_answered() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let fetch = node.fetch("t", 0, 1, 500);
    let produce = node.produce("t", plain(1), Acks::All);
    node.step(Input::Disconnected(ConnectionId(1)));
    node.settle();
    node.pass(10_000);
    assert!(node.answer(fetch).is_none() && node.answer(produce).is_none());
    assert_eq!(node.broker.view().waiting_requests(), (0, 0));
}

#[test]
fn a_stricter_durability_holds_once_the_disk_has_caught_up() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("durability", "replicated")]);
    let first = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
    let written = node.shelf.finish_one().unwrap();
    node.step(Input::Storage(written));
    assert_eq!(node.produced(first), Some(Ok(Offset(0))));
    let synced = node.shelf.finish_one().unwrap();
    demand_flushed(&mut node, "t");
    node.settle();
    let second = node.produce("t", idempotent(7, 0, 2, 1), Acks::All);
    node.step(Input::Storage(synced));
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    node.step(Input::Storage(StorageDone::Written { log, leader_epoch: LeaderEpoch(0), end_offset: Offset(3) }));
    assert_eq!(node.produced(second), None, "written is not enough any more");
    node.settle();
    assert_eq!(node.produced(second), Some(Ok(Offset(2))));
}

#[test]
fn what_is_acknowledged_under_a_stricter_durability_is_on_disk() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("durability", "replicated")]);
    node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
    let written = node.shelf.finish_one().unwrap();
    node.step(Input::Storage(written));
    let late = node.shelf.finish_one().unwrap();
    demand_flushed(&mut node, "t");
    while !node.effects.marks.contains(&Mark::DurabilityRaised) {
        let done = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(done));
    }
    let by_leader = node.produce("t", plain(1), Acks::Leader);
    let retry = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    node.step(Input::Storage(StorageDone::Written { log, leader_epoch: LeaderEpoch(0), end_offset: Offset(3) }));
    assert_eq!((node.produced(by_leader), node.produced(retry)), (None, None), "what was committed before is not on disk either");
    node.step(Input::Storage(late));
    assert_eq!((node.produced(by_leader), node.produced(retry)), (None, Some(Ok(Offset(0)))));
    node.settle();
    assert_eq!(node.produced(by_leader), Some(Ok(Offset(2))));
}

fn demand_flushed(node: &mut Node, topic: &str) {
    let change = ConfigChange { name: "durability".into(), operation: ConfigOperation::Set, value: Some("flushed".into()) };
    let resources = vec![(ConfigResource::Topic(topic.into()), vec![change])];
    node.ask(Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false }));
}

#[test]
fn records_without_a_timestamp_are_as_old_as_their_arrival() {
    let mut node = Node::serving();
    node.now.wall = Timestamp(1_700_000_000_000);
    node.create("t", &[("retention.ms", "600000")]);
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    builder.append(Timestamp::NONE, None, Some(b"x"), &[]);
    let bytes = builder.build();
    node.produce("t", Batch { header: BatchHeader::parse(&bytes).unwrap(), payload: Payload::new(bytes) }, Acks::All);
    node.settle();
    let start = |node: &Node| node.broker.view().leaders().next().unwrap().2.log().start();
    node.pass(300_001);
    node.settle();
    assert_eq!(start(&node), Offset(0));
    node.pass(300_001);
    node.settle();
    assert_eq!(start(&node), Offset(1));
}

#[test]
fn a_minimum_above_the_maximum_counts_as_the_maximum() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    node.settle();
    let id = node.fetch_within("t", 0, 10_000, 500, 1);
    assert!(node.fetched(id).unwrap().slice.is_some());
}

#[test]
fn a_reader_of_an_unknown_epoch_or_of_what_is_gone_is_out_of_range() {
    let mut node = Node::serving();
    node.create("t", &[]);
    for _ in 0..3 {
        node.produce("t", plain(1), Acks::All);
    }
    node.settle();
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(2))])];
    node.ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    node.settle();
    for (fetch_offset, last_fetched_epoch, expected) in
        [(3, 0, None), (3, 9, Some(ErrorCode::OffsetOutOfRange)), (1, 0, Some(ErrorCode::OffsetOutOfRange)), (4, 0, None)]
    {
        let id = node.fetch_after("t", fetch_offset, last_fetched_epoch);
        let answer = node.fetched(id).unwrap();
        assert_eq!((answer.error, answer.diverging.is_some()), (expected, fetch_offset == 4), "{fetch_offset} after {last_fetched_epoch}");
    }
}
