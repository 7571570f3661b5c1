//! Snapshots of the cluster's metadata (KIP-630): when they are made, what a start makes of them, and how a member catches up from one.

use super::cluster::Cluster;
use super::*;
use crate::metadata::{FoundSnapshots, Image, MetadataSnapshot, SnapshotId};

/// A snapshot after every commit, in pieces that are too small for one.
const EAGER: [(&str, &str); 2] =
    [("metadata.log.max.record.bytes.between.snapshots", "1"), ("controller.quorum.fetch.snapshot.max.bytes", "100")];

fn eager(shelf: Shelf, incarnation: u8) -> Node {
    let configs = EAGER.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let settings = BrokerSettings { configs, ..settings(incarnation) };
    Node::with(settings, shelf, Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) })
}

fn restarted(mut node: Node, power: bool) -> Node {
    node.shelf.restart(power);
    eager(node.shelf, 2)
}

fn topics_of(node: &Node) -> BTreeSet<String> {
    node.broker.view().image().topic_ids.keys().map(ToString::to_string).collect()
}

fn metadata_start(node: &Node) -> Offset {
    node.broker.view().metadata_log().unwrap().start()
}

#[test]
fn a_node_makes_snapshots_as_its_log_grows_and_starts_from_the_last() {
    let mut node = eager(Shelf::default(), 1);
    node.settle();
    for name in ["a", "b", "c"] {
        node.create(name, &[]);
    }
    let kept = node.shelf.metadata_snapshots();
    assert_eq!(kept.len(), 2);
    assert_eq!(metadata_start(&node), kept[0].end_offset, "the log begins where the older one ends");
    assert_eq!(node.broker.view().metadata_high_watermark(), Some(kept[1].end_offset));
    assert!(node.marks.contains(&Mark::MetadataSnapshotTaken) && node.marks.contains(&Mark::MetadataTrimmed));

    let before = topics_of(&node);
    let mut node = restarted(node, true);
    node.settle();
    assert!(node.marks.contains(&Mark::MetadataSnapshotLoaded));
    assert_eq!(topics_of(&node), before);
    assert!(node.broker.view().is_serving() && node.broker.view().partitions().count() == 3);
    let id = node.produce("b", plain(1), Acks::All);
    node.settle();
    assert_eq!(node.produced(id), Some(Ok(Offset(0))));
}

#[test]
fn the_log_is_not_trimmed_before_a_snapshot_of_it_is_kept() {
    let mut node = eager(Shelf::default(), 1);
    let is_keep = |op: &StorageOp| matches!(op, StorageOp::KeepMetadataSnapshot { .. });
    node.settle();
    node.create("a", &[]);
    let (start, kept) = (metadata_start(&node), node.shelf.metadata_snapshots());
    let topic = NewTopic { name: "b".into(), partition_count: 1, replication_factor: 1, assignments: Vec::new(), configs: Vec::new() };
    node.ask(Request::CreateTopics(CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: false }));
    while let Some(done) = node.shelf.finish_before(is_keep) {
        node.step(Input::Storage(done));
    }
    assert_eq!((metadata_start(&node), node.shelf.metadata_snapshots()), (start, kept), "the next one waits to be kept");
    node.settle();
    assert!(metadata_start(&node) > start);
}

#[test]
fn a_snapshot_that_can_not_be_kept_is_tried_again_when_the_log_has_grown() {
    let mut node = eager(Shelf::default(), 1);
    node.settle();
    node.create("a", &[]);
    let id = *node.shelf.metadata_snapshots().last().unwrap();
    node.step(Input::Storage(StorageDone::MetadataSnapshotNotKept { id, error: StorageError::NoSpace }));
    node.create("b", &[]);
    assert!(*node.shelf.metadata_snapshots().last().unwrap() > id);
    assert!(node.broker.view().is_serving());
}

#[test]
fn a_snapshot_is_made_in_time_though_the_log_grows_little() {
    let mut node = Node::serving();
    node.create("a", &[]);
    assert_eq!(node.shelf.metadata_snapshots(), []);
    node.pass(3_600_000);
    node.settle();
    let kept = node.shelf.metadata_snapshots();
    assert_eq!(kept.len(), 1);
    node.pass(3_600_000);
    node.settle();
    assert_eq!(node.shelf.metadata_snapshots(), kept, "nothing was committed since");
}

#[test]
fn a_node_whose_log_begins_behind_its_snapshots_does_not_start() {
    let mut node = eager(Shelf::default(), 1);
    node.settle();
    node.create("a", &[]);
    node.create("b", &[]);
    node.shelf.lose_metadata_snapshots();
    let mut node = restarted(node, true);
    node.settle();
    assert_eq!(node.broker.view().stage(), &Stage::Stopped);
}

#[test]
fn a_damaged_snapshot_is_done_without_only_where_the_log_holds_what_it_stood_for() {
    for (is_held, stage) in [(true, Stage::Serving), (false, Stage::Stopped)] {
        let mut node = Node::serving();
        node.create("a", &[]);
        let end_offset = node.broker.view().metadata_high_watermark().unwrap();
        let end_offset = if is_held { end_offset } else { end_offset.plus(7) };
        node.shelf.restart(false);
        let mut node = Node::on(node.shelf, 2);
        while let Some(done) = node.shelf.finish_one() {
            let damaged = vec![SnapshotId { end_offset, leader_epoch: LeaderEpoch(1) }];
            let rotten = StorageDone::MetadataSnapshots { found: FoundSnapshots { sound: Vec::new(), damaged }, latest: None };
            let done = if matches!(done, StorageDone::MetadataSnapshots { .. }) { rotten } else { done };
            node.step(Input::Storage(done));
        }
        assert_eq!(node.broker.view().stage(), &stage);
        assert!(node.marks.contains(&Mark::MetadataSnapshotRefused));
    }
}

/// The image of a node and where its committed metadata ends.
fn known(cluster: &Cluster, node: NodeId) -> (Option<Offset>, Image) {
    let view = cluster.nodes[&node].broker.view();
    (view.metadata_high_watermark(), view.image().clone())
}

fn has_caught_up(cluster: &Cluster, node: NodeId) -> bool {
    cluster.leaders().first().is_some_and(|leader| known(cluster, *leader) == known(cluster, node))
}

/// Three nodes, one of which was cut off while the others trimmed what it needs: topics "gone" and "kept" were there before, "new" came since.
fn cut_off_for_long() -> (Cluster, NodeId) {
    let mut cluster = Cluster::with(3, &EAGER);
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
    let node = cluster.others(cluster.leaders()[0])[0];
    for name in ["gone", "kept"] {
        cluster.create_with(NodeId(1), name, 3, &[]);
    }
    cluster.pass_until(|cluster| cluster.knows(node, "kept"));
    cluster.pass_for(1_000);
    cluster.isolate(node);
    let other = cluster.others(node)[0];
    let request = DeleteTopicsRequest { topics: vec![TopicRef::Name("gone".into())], misnamed: Vec::new(), timeout_ms: 5_000 };
    cluster.node(other).ask(Request::DeleteTopics(request));
    cluster.settle();
    for name in ["new", "newer"] {
        cluster.create_with(other, name, 2, &[]);
    }
    cluster.pass_for(12_000);
    let end = cluster.nodes[&node].broker.view().metadata_log().unwrap().end();
    assert!(cluster.leaders().iter().any(|leader| metadata_start(&cluster.nodes[leader]) > end), "the others have trimmed their logs");
    (cluster, node)
}

#[test]
fn a_member_that_was_away_for_long_catches_up_from_a_snapshot() {
    let (mut cluster, node) = cut_off_for_long();
    cluster.isolated.clear();
    cluster.pass_until(|cluster| has_caught_up(cluster, node));
    assert!(cluster.node(node).marks.contains(&Mark::CaughtUpFromSnapshot));
    let held: BTreeSet<String> = cluster.nodes[&node].broker.view().partitions().map(|partition| partition.topic.to_string()).collect();
    assert!(held.contains("kept") && !held.contains("gone"), "{held:?}");
    assert!(cluster.nodes[&node].broker.topic_directory().settings_of(&TopicRef::Name("gone".into())).is_none());
    assert!(cluster.nodes[&node].broker.topic_directory().settings_of(&TopicRef::Name("new".into())).is_some());
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
    cluster.create(node, "last");
    cluster.pass_until(|cluster| cluster.nodes.keys().all(|node| cluster.knows(*node, "last")));
}

#[test]
fn a_member_that_loses_its_power_while_it_catches_up_starts_from_the_snapshot_once_that_is_kept() {
    let (mut cluster, node) = cut_off_for_long();
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.nodes[&node].marks.contains(&Mark::CaughtUpFromSnapshot));
    cluster.restart(node, true);
    cluster.pass_until(|cluster| has_caught_up(cluster, node) && cluster.nodes[&node].broker.view().is_serving());
}

#[test]
fn a_snapshot_that_comes_damaged_is_fetched_again() {
    let (mut cluster, node) = cut_off_for_long();
    let leader = cluster.leaders().into_iter().find(|leader| *leader != node).unwrap();
    let quorum_epoch = cluster.nodes[&leader].broker.view().quorum().1;
    cluster.isolated.clear();
    let id = *cluster.nodes[&leader].shelf.metadata_snapshots().last().unwrap();
    let told = MetadataInSnapshot { quorum_epoch, id };
    let said = |message| Input::Peer { from: leader, message };
    let known = crate::quorum::Known { quorum_epoch, leader: Some(leader) };
    cluster.node(node).step(said(PeerMessage::Quorum(crate::quorum::QuorumMessage::Known(known))));
    cluster.node(node).step(said(PeerMessage::MetadataInSnapshot(told)));
    let mut piece = MetadataSnapshot::encode(id, &Image::default()).to_vec();
    piece[13] ^= 1;
    let snapshot_bytes = u64::try_from(piece.len()).unwrap();
    let came = FetchedMetadataSnapshot { quorum_epoch, id, position: 0, snapshot_bytes, piece: piece.into() };
    cluster.node(node).step(said(PeerMessage::MetadataSnapshot(came)));
    assert_ne!(topics_of(&cluster.nodes[&node]), BTreeSet::new());
    cluster.pass_until(|cluster| has_caught_up(cluster, node));
}

#[test]
fn a_member_with_an_empty_disk_catches_up_from_a_snapshot() {
    let mut cluster = Cluster::with(3, &EAGER);
    cluster.pass_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
    for name in ["a", "b"] {
        cluster.create_with(NodeId(1), name, 3, &[]);
    }
    cluster.pass_for(1_000);
    let node = cluster.others(cluster.leaders()[0])[0];
    cluster.node(node).shelf = Shelf::default();
    cluster.restart(node, true);
    cluster.pass_until(|cluster| has_caught_up(cluster, node) && cluster.nodes[&node].broker.view().is_serving());
    assert!(cluster.node(node).marks.contains(&Mark::CaughtUpFromSnapshot));
    assert_eq!(topics_of(&cluster.nodes[&node]).len(), 2);
}

#[test]
fn a_trimmed_log_still_tells_a_member_that_holds_another_history_apart() {
    let mut node = eager(Shelf::default(), 1);
    node.settle();
    node.create("a", &[]);
    node.create("b", &[]);
    let quorum_epoch = node.broker.view().quorum().1;
    let [older, latest] = node.shelf.metadata_snapshots()[..] else { panic!("there are two") };
    let mut answer = |fetch_offset: Offset, last_fetched_epoch: Option<i32>| {
        let fetch = FetchMetadata {
            quorum_epoch,
            directory: DirectoryId(Uuid([8; 16])),
            fetch_offset,
            last_fetched_epoch: last_fetched_epoch.map(LeaderEpoch),
            durable_offset: Offset(0),
            high_watermark: Offset(0),
        };
        node.sent.clear();
        node.step(Input::Peer { from: NodeId(2), message: PeerMessage::FetchMetadata(fetch) });
        let told = node.sent.pop().map(|sent| sent.message);
        matches!(told, Some(PeerMessage::MetadataInSnapshot(told)) if told.id == latest)
    };
    let epoch = older.leader_epoch.0;
    assert!(answer(Offset(0), None), "it holds nothing");
    assert!(answer(Offset(older.end_offset.0 - 1), Some(epoch)), "it is behind the log's start");
    assert!(answer(older.end_offset, Some(epoch - 1)), "its last record is another");
    assert!(answer(older.end_offset.plus(1), Some(epoch - 1)), "its log parts from this one before it begins");
    assert!(!answer(older.end_offset, Some(epoch)), "records help it");
}
