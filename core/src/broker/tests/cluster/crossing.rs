//! Wants of a follower that cross the leader's answers on the way.

use super::*;

#[test]
fn records_are_sent_to_a_follower_once() {
    let (mut cluster, leader) = replicated(&[]);
    let before = cluster.carried_batches;
    for _ in 0..20 {
        cluster.offer(leader, plain(3));
        // The followers say what they have written while the next batch is on its way to them.
        for _ in 0..3 {
            cluster.deliver_one();
        }
    }
    cluster.settle();
    assert!(cluster.node(leader).marks.contains(&Mark::WantCrossedAnswer));
    assert_eq!(cluster.carried_batches - before, 2 * 20, "each of 20 batches to each of two followers");
}

#[test]
fn a_follower_that_said_how_far_it_is_meanwhile_hears_of_what_comes_next() {
    let (mut cluster, leader) = replicated(&[]);
    let mut last = None;
    for _ in 0..20 {
        last = Some(cluster.offer(leader, plain(1)));
        cluster.deliver_one();
    }
    // Without a tick of the clock.
    cluster.settle();
    assert_eq!(cluster.node(leader).produced(last.unwrap()), Some(Ok(Offset(19))));
}
