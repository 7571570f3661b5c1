use super::*;
use crate::quorum::Role;

#[test]
fn an_empty_disk_becomes_a_quorum_of_one_that_serves() {
    let node = Node::serving();
    let view = node.broker.view();
    assert_eq!(view.quorum().0, Role::Leader);
    assert_eq!(view.image().features.get("metadata.version"), Some(&29));
    assert!(!view.image().brokers[&NodeId(1)].is_fenced);
}

#[test]
fn nothing_is_served_before_the_vote_is_on_disk() {
    let mut node = Node::on(Shelf::default(), 1);
    // The vote is read and the metadata log opened; the vote for itself is written but not finished.
    for _ in 0..2 {
        let done = node.shelf.finish_one().unwrap();
        node.step(Input::Storage(done));
    }
    assert_eq!(node.broker.view().quorum().0, Role::Candidate);
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
    assert_eq!(leader.leader_epoch(), LeaderEpoch(1));
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

use crate::ids::LogId;
