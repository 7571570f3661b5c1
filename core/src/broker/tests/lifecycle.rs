use super::*;
use crate::ids::{LogId, TopicPartition};
use crate::quorum::Role;

#[test]
fn an_empty_disk_becomes_a_quorum_of_one_that_serves() {
    let node = Node::serving();
    let view = node.broker.view();
    assert!(matches!(view.quorum().0, Role::Leader(_)));
    assert_eq!(view.image().features.get("metadata.version"), Some(&29));
    assert!(!view.image().brokers[&NodeId(1)].is_fenced);
}

#[test]
fn nothing_is_served_before_the_vote_is_on_disk() {
    let mut node = Node::on(Shelf::default(), 1);
    // The vote is read, snapshots are looked for and the metadata log opened; the vote for itself is written but not finished.
    for _ in 0..3 {
        let done = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(done));
    }
    assert!(matches!(node.broker.view().quorum().0, Role::Candidate(_)));
    assert_eq!(node.shelf.waiting_appends(), 0);
}

#[test]
fn topics_and_records_are_there_after_a_restart_under_a_new_leader_epoch() {
    let mut node = Node::serving();
    let topic = node.create("t", &[]);
    let id = node.produce("t", plain(3), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));

    let mut node = node.restarted(2, true);
    let (partition, name, leader) = node.broker.view().leaders().next().unwrap();
    assert_eq!((partition.topic, name.as_str()), (topic, "t"));
    assert_eq!(leader.high_watermark(), Offset(3));
    assert_eq!(leader.leader_epoch(), LeaderEpoch(2), "one as it was registered anew, one as it was unfenced");
    let id = node.produce("t", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(3))));
}

#[test]
fn producers_are_known_after_a_clean_stop_and_after_a_crash() {
    for is_clean in [true, false] {
        let mut node = Node::serving();
        node.create("t", &[]);
        let first = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
        node.settle();
        assert_eq!(node.produced(first), Some(Ok(Offset(0))));
        if is_clean {
            node.step(Input::Stop);
            node.settle();
            assert_eq!(node.broker.view().stage(), &Stage::Stopped);
        }
        let mut node = node.restarted(2, true);
        let retry = node.produce("t", idempotent(7, 0, 0, 2), Acks::All);
        let next = node.produce("t", idempotent(7, 0, 2, 1), Acks::All);
        node.settle();
        assert_eq!(node.produced(retry), Some(Ok(Offset(0))));
        assert_eq!(node.produced(next), Some(Ok(Offset(2))));
    }
}

#[test]
fn a_stop_waits_for_producers_that_wait() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = node.produce("t", plain(1), Acks::All);
    node.step(Input::Stop);
    assert!(!node.effects.stopped);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
    assert_eq!(node.broker.view().stage(), &Stage::Stopped);
}

#[test]
fn a_broken_metadata_log_stops_the_node() {
    let mut node = Node::serving();
    node.ask(Request::InitProducerId(InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 0, producer: None }));
    let failed = node.shelf.fail_one(LogId::Metadata);
    node.step(Input::Storage(failed));
    assert!(node.effects.stopped);
}

#[test]
fn a_state_that_was_written_and_read_back_goes_on_as_it_was() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    let bytes = postcard::to_stdvec(&node.broker).unwrap();
    let copy: Broker = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(postcard::to_stdvec(&copy).unwrap(), bytes);
}

#[test]
fn a_partition_serves_only_under_an_epoch_of_this_run() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    node.settle();
    node.shelf.restart(true);
    let mut node = Node::on(node.shelf, 2);
    while !matches!(node.broker.view().stage(), Stage::Unfencing) {
        let done = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(done));
    }
    let id = node.produce("t", plain(1), Acks::All);
    assert_eq!(node.produced(id), Some(Err(ErrorCode::NotLeaderOrFollower)));
}

#[test]
fn the_end_of_an_epoch_that_left_nothing_is_told() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(10), Acks::All);
    node.settle();
    let mut node = node.restarted(2, true).restarted(3, true);
    let question = EpochQuestion { partition: PartitionIndex(0), current_leader_epoch: None, leader_epoch: LeaderEpoch(1) };
    let request = OffsetForLeaderEpochRequest { topics: vec![("t".into(), vec![question])] };
    let id = node.ask(Request::OffsetForLeaderEpoch(request));
    let Some(Response::OffsetForLeaderEpoch(answer)) = node.answer(id) else { panic!("it is answered at once") };
    assert_eq!(answer.topics[0].1[0].result, Ok((LeaderEpoch(0), Offset(10))));
}

#[test]
fn only_the_stops_own_snapshot_ends_it() {
    let mut node = Node::serving();
    let topic = node.create("t", &[]);
    node.produce("t", plain(1), Acks::None);
    node.step(Input::Stop);
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    node.step(Input::Storage(StorageDone::SnapshotKept { log, upto: Offset(0) }));
    assert!(!node.effects.stopped);
    node.settle();
    assert_eq!(node.broker.view().stage(), &Stage::Stopped);
}

#[test]
fn a_stop_is_reached_in_whatever_order_the_store_finishes() {
    let mut node = Node::serving();
    node.create("t", &[]);
    node.produce("t", plain(1), Acks::All);
    node.step(Input::Stop);
    let mut finished: Vec<_> = std::iter::from_fn(|| node.shelf.finish_one()).collect();
    finished.reverse();
    finished.into_iter().for_each(|done| node.step(Input::Storage(done)));
    assert_eq!(node.broker.view().stage(), &Stage::Stopped);
}

#[test]
fn a_stop_answers_commands_that_were_decided() {
    let mut node = Node::serving();
    let request = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 0, producer: None };
    let id = node.ask(Request::InitProducerId(request));
    node.step(Input::Stop);
    assert!(!node.effects.stopped);
    node.settle();
    assert!(node.answer(id).is_some());
    assert_eq!(node.broker.view().stage(), &Stage::Stopped);
}

#[test]
fn a_log_that_lost_what_its_producers_state_covers_is_not_led() {
    let mut node = Node::serving();
    let topic = node.create("t", &[]);
    node.produce("t", idempotent(7, 0, 0, 5), Acks::All);
    node.settle();
    node.step(Input::Stop);
    node.settle();
    node.shelf.lose_batches(LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) }));
    let mut node = node.restarted(2, true);
    let id = node.produce("t", plain(1), Acks::All);
    assert_eq!(node.produced(id), Some(Err(ErrorCode::KafkaStorageError)));
}

#[test]
fn a_lost_vote_leads_to_no_epoch_that_the_log_has() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let mut node = node.restarted(2, true).restarted(3, true);
    let before = node.broker.view().quorum().1;
    node.shelf.lose_vote();
    let node = node.restarted(4, true);
    assert!(node.broker.view().is_serving() && node.broker.view().quorum().1 > before);
}

#[test]
fn recovery_may_trust_the_metadata_log_up_to_where_it_was_read_and_up_to_a_stop() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let end = |node: &Node| node.broker.metadata.as_ref().unwrap().log().end();
    node.shelf.restart(false);
    let mut node = Node::on(node.shelf, 2);
    let found = loop {
        let done = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(done));
        if matches!(node.broker.view().quorum().0, Role::Candidate(_)) {
            break end(&node);
        }
    };
    node.settle();
    assert_eq!(node.shelf.kept_upto(LogId::Metadata), Some(found));
    node.step(Input::Stop);
    node.settle();
    assert!(end(&node) > found);
    assert_eq!(node.shelf.kept_upto(LogId::Metadata), Some(end(&node)));
}

#[test]
fn a_metadata_log_that_grows_is_kept_now_and_then() {
    let mut node = Node::serving();
    let before = node.shelf.kept_upto(LogId::Metadata);
    let topics = |from: usize| (from..from + 500).map(|number| format!("{number}-{}", "x".repeat(200)));
    for from in [0, 500] {
        for name in topics(from) {
            node.create(&name, &[]);
        }
    }
    assert!(node.shelf.kept_upto(LogId::Metadata) > before);
}

#[test]
fn logs_of_unknown_topics_are_left_alone_by_a_start_that_had_to_cut_the_metadata_log() {
    for is_torn in [false, true] {
        let mut node = Node::serving();
        node.create("t", &[]);
        if is_torn {
            node.shelf.tear(LogId::Metadata);
        }
        node.shelf.restart(true);
        let mut node = Node::on(node.shelf, 2);
        let mut removed = false;
        while !node.broker.view().is_serving() {
            let done = node.shelf.finish_one().unwrap();
            node.step(Input::Storage(done));
            removed |= node.shelf.removes_others();
        }
        assert_eq!(removed, !is_torn);
    }
}
