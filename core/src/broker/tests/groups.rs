//! Groups through the broker's door: when they are answered, and what a coordinator knows of the one before it.

use super::*;
use crate::group::OFFSETS_TOPIC;

fn membership(generation: i32, member_id: &str) -> Membership {
    Membership { group: "readers".to_owned(), generation, member_id: member_id.to_owned(), instance_id: None }
}

fn commit(node: &mut Node, offset: i64) -> RequestId {
    let part = PartitionCommit { partition: PartitionIndex(0), offset: Offset(offset), leader_epoch: None, metadata: String::new() };
    let topics = vec![(TopicRef::Name("t".into()), vec![part])];
    node.ask(Request::from(GroupRequest::OffsetCommit(OffsetCommitRequest {
        member: membership(-1, ""),
        knows_member_epochs: true,
        retention_ms: None,
        topics,
    })))
}

fn committed(node: &mut Node, id: RequestId) -> Option<Option<ErrorCode>> {
    let Response::Group(GroupResponse::OffsetCommit(answer)) = node.answer(id)? else { panic!("another answer") };
    Some(answer.topics[0].1[0].1)
}

fn fetch(node: &mut Node) -> RequestId {
    let topics = Some(vec![(TopicRef::Name("t".into()), vec![PartitionIndex(0)])]);
    node.ask(Request::OffsetFetch(OffsetFetchRequest {
        groups: vec![OffsetsWanted { group: "readers".to_owned(), topics, member_id: None, member_epoch: -1 }],
        by_id: false,
        tells_each: false,
    }))
}

fn fetched(node: &mut Node, id: RequestId) -> Option<Result<Option<i64>, ErrorCode>> {
    let Response::Group(GroupResponse::OffsetFetch(mut answer)) = node.answer(id)? else { panic!("another answer") };
    Some(answer.groups.remove(0).1.map(|topics| {
        let part = topics[0].1[0].result.as_ref().unwrap();
        part.as_ref().map(|(offset, ..)| offset.0)
    }))
}

fn found(node: &mut Node) -> Result<NodeId, ErrorCode> {
    let keys = vec!["readers".to_owned()];
    let id = node.ask(Request::FindCoordinator(FindCoordinatorRequest { kind: CoordinatorKind::Group, keys }));
    let Response::FindCoordinator(answer) = node.answer(id).unwrap() else { panic!("another answer") };
    answer.coordinators[0].1.clone().map(|found| found.node).map_err(|error| error.code)
}

/// A node with a topic, that coordinates groups.
fn coordinating() -> Node {
    let mut settings = settings(1);
    settings.configs.insert("offsets.topic.replication.factor".to_owned(), "1".to_owned());
    let mut node = Node::with(settings, Shelf::default(), Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) });
    node.settle();
    node.create("t", &[]);
    assert_eq!(found(&mut node), Err(ErrorCode::CoordinatorNotAvailable));
    node.settle();
    node
}

#[test]
fn the_first_who_looks_for_a_coordinator_has_the_topic_made() {
    let mut node = coordinating();
    assert_eq!(found(&mut node), Ok(NodeId(1)));
    let topic = node.broker.view().image().topic_named(&OFFSETS_TOPIC.into()).unwrap().1;
    assert_eq!(topic.partitions.len(), 50);
}

#[test]
fn an_offset_is_told_once_it_is_on_disk() {
    let mut node = coordinating();
    let commit = commit(&mut node, 42);
    let fetch = fetch(&mut node);
    assert_eq!(committed(&mut node, commit), None);
    assert_eq!(fetched(&mut node, fetch), None, "what it saw may still be lost");
    node.settle();
    assert_eq!(committed(&mut node, commit), Some(None));
    assert_eq!(fetched(&mut node, fetch), Some(Ok(Some(42))));
    let view = node.broker.view();
    assert_eq!((view.groups().count(), view.group_tally().offset_commits), (1, 1));
}

#[test]
fn a_coordinator_loads_what_was_kept_before_it_answers() {
    let mut node = coordinating();
    commit(&mut node, 42);
    node.settle();
    node.shelf.restart(true);
    let mut node = Node::on(node.shelf, 2);
    let mut is_loading = false;
    while let Some(done) = node.shelf.finish_one() {
        node.step(Input::Storage(done));
        let id = fetch(&mut node);
        is_loading |= fetched(&mut node, id) == Some(Err(ErrorCode::CoordinatorLoadInProgress));
    }
    assert!(is_loading);
    let id = fetch(&mut node);
    assert_eq!(fetched(&mut node, id), Some(Ok(Some(42))));
    assert!(node.marks.contains(&Mark::GroupsLoaded));
}

#[test]
fn offsets_of_a_topic_go_with_it() {
    let mut node = coordinating();
    commit(&mut node, 42);
    node.settle();
    let topics = vec![TopicRef::Name("t".into())];
    node.ask(Request::DeleteTopics(DeleteTopicsRequest { topics, misnamed: Vec::new(), timeout_ms: 1_000 }));
    node.settle();
    node.create("t", &[]);
    let id = fetch(&mut node);
    assert_eq!(fetched(&mut node, id), Some(Ok(None)));
}

#[test]
fn who_waits_for_others_is_told_when_the_node_stops() {
    let mut node = coordinating();
    let join = JoinGroupRequest {
        group: "readers".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: String::new(),
        instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::new())],
        needs_member_id: false,
        may_skip_assignment: false,
    };
    let id = node.ask(Request::from(GroupRequest::JoinGroup(join)));
    assert_eq!(node.answer(id), None);
    node.step(Input::Stop);
    let Some(Response::Group(GroupResponse::JoinGroup(answer))) = node.answer(id) else { panic!("another answer") };
    assert_eq!(answer.result, Err(ErrorCode::NotCoordinator))
}

#[test]
fn a_group_of_another_node_is_refused() {
    let mut node = Node::serving();
    node.create("t", &[]);
    let id = commit(&mut node, 42);
    assert_eq!(committed(&mut node, id), Some(Some(ErrorCode::NotCoordinator)));
}

#[test]
fn an_operator_is_told_once_why_no_group_is_served() {
    let mut node = Node::serving();
    for _ in 0..3 {
        assert_eq!(found(&mut node), Err(ErrorCode::CoordinatorNotAvailable));
        node.settle();
    }
    let told = node.notices.iter().filter(|notice| notice.text.contains("offsets.topic.replication.factor")).count();
    assert_eq!(told, 1);
}
