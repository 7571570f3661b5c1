//! Which log is compacted, and when.

use super::*;
use crate::ids::LogId;

const BACKOFF_MS: i64 = 15_000;

/// Appends batches of 10 records to a topic.
fn fill(node: &mut Node, topic: &str, batches: usize) {
    for _ in 0..batches {
        node.produce(topic, plain(10), Acks::All);
    }
    node.settle();
}

/// Says that a segment of the topic was closed, with a largest timestamp so long ago.
fn close(node: &mut Node, topic: TopicId, base_offset: i64, end_offset: i64, age_ms: i64) {
    let log = LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) });
    let max_timestamp = Timestamp(node.now.wall.0 - age_ms);
    let sealed = SealedSegment { base_offset: Offset(base_offset), end_offset: Offset(end_offset), bytes: 100, max_timestamp };
    node.step(Input::Storage(StorageDone::Rolled { log, sealed }));
}

/// Lets the clock come to the next look, and says what was compacted: from where, up to where.
fn look(node: &mut Node) -> Vec<(i64, i64)> {
    node.pass(BACKOFF_MS);
    node.settle();
    node.shelf.take_compactions().iter().map(|(_, compaction)| (compaction.clean_upto.0, compaction.upto.0)).collect()
}

#[test]
fn a_log_is_compacted_once_a_snapshot_covers_what_has_closed() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("cleanup.policy", "compact")]);
    fill(&mut node, "t", 3);
    assert_eq!(look(&mut node), [], "nothing has closed");
    close(&mut node, topic, 0, 20, 0);
    assert_eq!(look(&mut node), [], "recovery would read it again");
    assert!((node.broker.view().dirty_ratio_max() - 1.0).abs() < f64::EPSILON);
    assert_eq!(look(&mut node), [(0, 20)]);
    assert!(node.broker.view().dirty_ratio_max() < f64::EPSILON);
    assert_eq!(look(&mut node), [], "it is clean");
}

#[test]
fn what_is_dirty_has_to_be_worth_it() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.6"), ("max.compaction.lag.ms", "100000")]);
    fill(&mut node, "t", 4);
    close(&mut node, topic, 0, 10, 0);
    look(&mut node);
    assert_eq!(look(&mut node), [(0, 10)]);
    close(&mut node, topic, 10, 20, 0);
    assert_eq!(look(&mut node), [], "it is half of the log");
    close(&mut node, topic, 20, 30, 0);
    assert_eq!(look(&mut node), [(10, 30)], "two thirds");
    close(&mut node, topic, 30, 40, 90_000);
    assert_eq!(look(&mut node), [(30, 40)], "a quarter, and too old to wait");
}

#[test]
fn young_records_are_left_alone_and_so_are_those_of_other_topics() {
    let mut node = Node::serving();
    let young = node.create("young", &[("cleanup.policy", "compact,delete"), ("min.compaction.lag.ms", "50000")]);
    let deleted = node.create("deleted", &[]);
    for (name, topic) in [("young", young), ("deleted", deleted)] {
        fill(&mut node, name, 2);
        close(&mut node, topic, 0, 20, 0);
    }
    for _ in 0..3 {
        assert_eq!(look(&mut node), []);
    }
    // By now it is 45 seconds old.
    look(&mut node);
    assert_eq!(look(&mut node), [(0, 20)]);
}

#[test]
fn the_dirtiest_comes_first_and_one_at_a_time() {
    let mut node = Node::serving();
    let topics: Vec<TopicId> = ["a", "b"].map(|name| node.create(name, &[("cleanup.policy", "compact")])).into();
    for (name, topic) in ["a", "b"].into_iter().zip(&topics) {
        fill(&mut node, name, 4);
        close(&mut node, *topic, 0, 10, 0);
        look(&mut node);
        assert_eq!(look(&mut node), [(0, 10)]);
    }
    // Of a two thirds are dirty, of b three quarters.
    for (topic, end) in topics.iter().zip([30, 40]) {
        for base in (10..end).step_by(10) {
            close(&mut node, *topic, base, base + 10, 0);
        }
    }
    node.pass(BACKOFF_MS);
    assert_eq!(node.shelf.take_compactions(), [], "the store has not begun");
    node.settle();
    let compacted = node.shelf.take_compactions();
    assert_eq!(compacted.iter().map(|(log, _)| *log).collect::<Vec<_>>(), [topics[1], topics[0]].map(log_of));
}

fn log_of(topic: TopicId) -> LogId {
    LogId::Partition(TopicPartition { topic, partition: PartitionIndex(0) })
}

#[test]
fn batches_that_tell_a_retry_are_to_stay() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("cleanup.policy", "compact")]);
    for sequence in 0..7 {
        node.produce("t", idempotent(1, 0, sequence, 1), Acks::All);
    }
    node.settle();
    close(&mut node, topic, 0, 6, 0);
    look(&mut node);
    node.pass(BACKOFF_MS);
    node.settle();
    let kept: Vec<i64> = node.shelf.take_compactions()[0].1.kept_batches.iter().map(|end| end.0).collect();
    assert_eq!(kept, [2, 3, 4, 5], "of the last five, the fifth is in the segment that is written to");
}

#[test]
fn what_the_store_could_not_compact_is_left_and_what_has_changed_is_not() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.1")]);
    fill(&mut node, "t", 2);
    close(&mut node, topic, 0, 10, 0);
    look(&mut node);
    let refuse = |node: &mut Node, clean_upto| {
        node.pass(BACKOFF_MS);
        node.shelf.drop_compaction();
        node.step(Input::Storage(StorageDone::Compacted { log: log_of(topic), generation: Generation(0), clean_upto }));
    };
    refuse(&mut node, Ok(None));
    refuse(&mut node, Ok(Some(Offset(0))));
    refuse(&mut node, Err(StorageError::NoSpace));
    assert_eq!(look(&mut node), [(0, 10)], "it is tried again");
    close(&mut node, topic, 10, 20, 0);
    refuse(&mut node, Err(StorageError::Corrupt("a bit has rotted".into())));
    assert_eq!(look(&mut node), []);
    assert!(node.notices.iter().any(|notice| notice.text.contains("can't be compacted")));
}

#[test]
fn sizes_follow_what_compaction_has_left() {
    let mut node = Node::serving();
    let topic = node.create("t", &[("cleanup.policy", "compact")]);
    fill(&mut node, "t", 4);
    for base in [0, 10, 20] {
        close(&mut node, topic, base, base + 10, 0);
    }
    let bytes = |node: &Node| node.broker.view().leaders().next().unwrap().2.log().bytes();
    let before = bytes(&node);
    let merged = SealedSegment { base_offset: Offset(0), end_offset: Offset(20), bytes: 30, max_timestamp: Timestamp(1) };
    node.step(Input::Storage(StorageDone::SegmentsCompacted { log: log_of(topic), sealed: vec![merged] }));
    assert_eq!(bytes(&node), before - 170);
    assert!(node.marks.contains(&Mark::SegmentsCompacted));
}
