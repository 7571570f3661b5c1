//! A follower whose log has to begin anew, behind what the leader has deleted meanwhile.

use super::*;
use crate::ids::LogId;

/// Has producer 7 write three records that are deleted while a follower is away, which begins anew and leads then; and who that is.
fn led_by_one_who_began_anew() -> (Cluster, NodeId) {
    let (mut cluster, leader) = replicated(&[("min.insync.replicas", "1")]);
    let next = *cluster.state_of_t().replicas.iter().find(|node| **node != leader).unwrap();
    let refused = cluster.produce(next, idempotent(7, 0, 0, 3));
    assert_eq!(cluster.node(next).produced(refused), Some(Err(ErrorCode::NotLeaderOrFollower)));
    cluster.isolate(next);
    cluster.pass_until(|cluster| !cluster.isr().contains(&next));
    let taken = cluster.produce(leader, idempotent(7, 0, 0, 3));
    cluster.pass_for(100);
    assert_eq!(cluster.node(leader).produced(taken), Some(Ok(Offset(0))));
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(3))])];
    cluster.node(leader).ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    cluster.pass_for(100);
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.isr().contains(&next));
    assert!(cluster.node(next).marks.contains(&Mark::FollowerBeganAnew));
    cluster.isolate(leader);
    cluster.pass_until(|cluster| cluster.leader_of_t() == Some(next));
    (cluster, next)
}

#[test]
fn a_retry_is_not_stored_twice() {
    let (mut cluster, leader) = led_by_one_who_began_anew();
    let retry = cluster.produce(leader, idempotent(7, 0, 0, 3));
    cluster.pass_for(2_000);
    assert_eq!(cluster.node(leader).produced(retry), Some(Ok(Offset(0))), "as it was answered the first time");
    assert_eq!(cluster.log_of_t(leader).0, Offset(3));
}

#[test]
fn a_producer_goes_on_though_it_was_refused_here_before() {
    let (mut cluster, leader) = led_by_one_who_began_anew();
    let following = cluster.produce(leader, idempotent(7, 0, 3, 1));
    cluster.pass_for(2_000);
    assert_eq!(cluster.node(leader).produced(following), Some(Ok(Offset(3))));
}

#[test]
fn a_gap_is_still_refused() {
    let (mut cluster, leader) = led_by_one_who_began_anew();
    let ahead = cluster.produce(leader, idempotent(7, 0, 4, 1));
    assert_eq!(cluster.node(leader).produced(ahead), Some(Err(ErrorCode::OutOfOrderSequenceNumber)));
}

#[test]
fn one_that_is_in_sync_holds_all_that_is_committed_meanwhile() {
    let (mut cluster, first) = replicated(&[("min.insync.replicas", "1")]);
    let taken = cluster.produce(first, plain(3));
    assert_eq!(cluster.node(first).produced(taken), Some(Ok(Offset(0))));
    cluster.isolate(first);
    cluster.pass_until(|cluster| cluster.leader_of_t().is_some_and(|node| node != first) && cluster.isr().len() == 2);
    let leader = cluster.leader_of_t().unwrap();
    let follower = *cluster.isr().iter().find(|node| **node != leader).unwrap();
    // The leader knows of no epoch but its own then.
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(3))])];
    cluster.node(leader).ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    cluster.pass_for(200);
    assert!(cluster.node(follower).marks.contains(&Mark::FollowerBeganAnew));
    assert!(cluster.isr().contains(&follower));
    let log = *cluster.nodes[&follower].broker.partitions.keys().next().unwrap();
    assert_eq!(cluster.nodes[&follower].shelf.least_end(LogId::Partition(log)), Some(Offset(3)));
    let more = cluster.produce(leader, plain(1));
    assert_eq!(cluster.node(leader).produced(more), Some(Ok(Offset(3))));
    assert_eq!(cluster.log_of_t(follower).0, Offset(4));
}
