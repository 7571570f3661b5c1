//! Answers of the controller that come before this node knows what they speak of.

use super::*;

const PATIENCE_MS: i32 = 1_000;

/// A node that has the controller's answer to a CreateTopics, and nothing of the metadata behind it.
fn told_early() -> (Cluster, NodeId, RequestId) {
    let mut cluster = Cluster::serving(3);
    let leader = cluster.leaders()[0];
    let node = cluster.others(leader)[0];
    cluster.isolate(node);
    let topic = NewTopic { name: "t".into(), partition_count: 1, replication_factor: 1, assignments: Vec::new(), configs: Vec::new() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: PATIENCE_MS, validate_only: false };
    let asked = cluster.node(node).ask(Request::CreateTopics(request));
    let called = |told: &ToPeer| {
        let PeerMessage::Call(ControllerCall { id, incarnation, command }) = &told.message else { return None };
        matches!(command, ControllerCommand::CreateTopics(_)).then_some((*id, *incarnation))
    };
    let (id, incarnation) = cluster.node(node).sent.iter().find_map(called).unwrap();
    let created = CreateTopicsResponse { topics: vec![("t".into(), Err(ErrorCode::PolicyViolation.into()))] };
    let answer = Some(ControllerAnswer::Response(Box::new(Response::CreateTopics(created))));
    let decision = ControllerDecision { id, incarnation, upto: Offset(1_000_000), answer };
    cluster.node(node).step(Input::Peer { from: leader, message: PeerMessage::Decided(decision) });
    (cluster, node, asked)
}

#[test]
fn it_waits_for_the_metadata_and_no_longer_than_the_client() {
    let (mut cluster, node, asked) = told_early();
    cluster.node(node).pass(i64::from(PATIENCE_MS) - 1);
    assert_eq!(cluster.created(node, asked), None);
    cluster.node(node).pass(1);
    assert_eq!(cluster.created(node, asked), Some(Err(ErrorCode::PolicyViolation)), "what was decided, not that nobody knows");
}

#[test]
fn a_node_that_stops_does_not_wait_for_the_metadata() {
    let (mut cluster, node, asked) = told_early();
    cluster.node(node).step(Input::Stop);
    assert_eq!(cluster.created(node, asked), Some(Err(ErrorCode::PolicyViolation)));
}
