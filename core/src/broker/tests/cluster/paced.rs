//! Followers that catch up beside clients.

use super::*;
use crate::limits::REPLICA_FETCH_BYTES;

/// A follower is away while three rounds' worth is written, and comes back; messages take a millisecond each. Whether it was paced, while
/// clients wrote so often.
fn is_paced(ms_between_writes: usize) -> bool {
    let (mut cluster, leader) = replicated(&[("min.insync.replicas", "1")]);
    let follower = *cluster.others(leader).iter().find(|node| !cluster.leaders().contains(node)).unwrap();
    cluster.isolate(follower);
    cluster.pass_until(|cluster| !cluster.isr().contains(&follower));
    let batch = plain(4_000);
    for _ in 0..3 * REPLICA_FETCH_BYTES / batch.header.batch_bytes {
        cluster.produce(leader, batch.clone());
    }
    cluster.pass_for(2_000);
    cluster.isolated.clear();
    // It knows that it is not in sync before it fetches.
    cluster.restart(follower, false);
    for ms in 1..10_000 {
        if cluster.isr().contains(&follower) {
            return cluster.node(leader).marks.contains(&Mark::CatchUpPaced);
        }
        if ms % ms_between_writes == 0 {
            cluster.offer(leader, plain(1));
        }
        cluster.deliver_one();
        for node in cluster.nodes.values_mut() {
            node.pass(1);
        }
    }
    panic!("it never catches up");
}

#[test]
fn who_is_behind_is_sent_rounds_while_clients_write() {
    assert!(is_paced(20));
}

#[test]
fn who_is_behind_is_sent_all_while_nobody_writes() {
    assert!(!is_paced(usize::MAX));
}
