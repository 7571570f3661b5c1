//! A producer's batches behind one that is to be sent again.

use super::*;

#[test]
fn a_gap_behind_what_was_to_be_sent_again_is_to_be_sent_again_too() {
    let (mut cluster, first) = replicated(&[("min.insync.replicas", "1")]);
    let taken = cluster.produce(first, idempotent(7, 0, 0, 3));
    assert_eq!(cluster.node(first).produced(taken), Some(Ok(Offset(0))));
    let next = *cluster.state_of_t().replicas.iter().find(|node| **node != first).unwrap();
    // It comes to the next leader before that one leads.
    let early = cluster.produce(next, idempotent(7, 0, 3, 2));
    assert_eq!(cluster.node(next).produced(early), Some(Err(ErrorCode::NotLeaderOrFollower)));
    cluster.isolate(first);
    cluster.pass_until(|cluster| cluster.leader_of_t() == Some(next) && cluster.isr().len() == 2);
    let behind = cluster.produce(next, idempotent(7, 0, 5, 1));
    assert_eq!(cluster.node(next).produced(behind), Some(Err(ErrorCode::NotLeaderOrFollower)), "librdkafka takes a gap for the end");
    let again = cluster.produce(next, idempotent(7, 0, 3, 2));
    cluster.pass_for(1_000);
    assert_eq!(cluster.node(next).produced(again), Some(Ok(Offset(3))));
    let gap = cluster.produce(next, idempotent(7, 0, 9, 1));
    assert_eq!(cluster.node(next).produced(gap), Some(Err(ErrorCode::OutOfOrderSequenceNumber)), "nothing before it was refused");
}
