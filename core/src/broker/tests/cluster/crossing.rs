//! Wants of a follower and the leader's answers: what crosses on the way, and how many it takes.

use super::*;
use crate::replica::Positions;

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

/// Messages of two followers until everyone knows that a record is committed, and has it on disk.
fn fetches_for_a_record(durability: &str, records: i32) -> usize {
    let (mut cluster, leader) = replicated(&[("durability", durability)]);
    let before = cluster.carried_fetches;
    cluster.produce(leader, plain(records));
    for node in [NodeId(1), NodeId(2), NodeId(3)] {
        assert_eq!(cluster.log_of_t(node), (Offset(i64::from(records)), Offset(i64::from(records))));
    }
    cluster.carried_fetches - before
}

#[test]
fn a_follower_says_in_one_message_that_little_is_written_and_what_it_wants_next() {
    assert_eq!(fetches_for_a_record("replicated", 1), 2 * 2, "that it is written, and later that it is on disk");
}

#[test]
fn a_follower_wants_more_while_much_is_written_or_little_is_flushed() {
    assert_eq!(fetches_for_a_record("replicated", 20_000), 2 * 3);
    assert_eq!(fetches_for_a_record("flushed", 1), 2 * 2, "what it wants next, and that it is on disk");
}

#[test]
fn a_want_knows_what_was_told_while_it_was_on_its_way() {
    let want = |epoch, fetch, high_watermark| WantedPartition {
        id: TopicPartition { topic: TopicId(Uuid([1; 16])), partition: PartitionIndex(0) },
        leader_epoch: LeaderEpoch(epoch),
        at: Positions { fetch_offset: Offset(fetch), ..Positions::default() },
        last_fetched_epoch: None,
        high_watermark: Offset(high_watermark),
        log_start: Offset(0),
        start_heard: Offset(0),
        bytes_max: 1,
    };
    let mut told = want(1, 10, 5);
    told.tell(Offset(12), Offset(11));
    assert_eq!((told.high_watermark, told.start_heard), (Offset(10), Offset(0)), "it holds no more, and hears of no start behind that");
    told.tell(Offset(12), Offset(7));
    assert_eq!(told.start_heard, Offset(7));
    assert_eq!(want(1, 11, 5).knowing(&told).high_watermark, Offset(10));
    assert_eq!(want(2, 11, 5).knowing(&told).high_watermark, Offset(5), "of another leader");
    assert_eq!(want(1, 9, 5).knowing(&told).high_watermark, Offset(5), "its log was cut");
}
