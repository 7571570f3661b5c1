//! DeleteRecords waits for every replica that lives or is in sync, as Kafka's does.

use super::*;

/// Three records that everyone has; and who leads.
fn with_records() -> (Cluster, NodeId) {
    let (mut cluster, leader) = replicated(&[("min.insync.replicas", "1")]);
    cluster.produce(leader, plain(1));
    cluster.produce(leader, plain(2));
    cluster.pass_for(1_000);
    (cluster, leader)
}

/// The same, and who of the others is cut off from then on.
fn with_one_late() -> (Cluster, NodeId, NodeId) {
    let (mut cluster, leader) = with_records();
    let late = cluster.others(leader)[0];
    cluster.isolate(late);
    (cluster, leader, late)
}

/// Asks for the first record to be deleted.
fn delete_first(cluster: &mut Cluster, leader: NodeId, timeout_ms: i32) -> RequestId {
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(1))])];
    cluster.node(leader).ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms }))
}

fn answer(cluster: &mut Cluster, leader: NodeId, id: RequestId) -> Option<Result<Offset, ErrorCode>> {
    let Response::DeleteRecords(answer) = cluster.node(leader).answer(id)? else { panic!("it answers what was asked") };
    Some(answer.topics[0].1[0].1)
}

fn start_at(cluster: &Cluster, node: NodeId) -> Offset {
    cluster.nodes[&node].broker.partitions.values().next().unwrap().replica().unwrap().log().start()
}

#[test]
fn it_is_answered_once_all_logs_start_there() {
    let (mut cluster, leader, late) = with_one_late();
    let id = delete_first(&mut cluster, leader, 60_000);
    cluster.pass_for(200);
    assert_eq!(start_at(&cluster, leader), Offset(1));
    assert!(cluster.isr().contains(&late));
    assert_eq!(answer(&mut cluster, leader, id), None);
    cluster.isolated.clear();
    cluster.pass_until(|cluster| cluster.nodes[&leader].replies.contains_key(&id));
    assert_eq!(answer(&mut cluster, leader, id), Some(Ok(Offset(1))));
    for node in [1, 2, 3] {
        assert_eq!(start_at(&cluster, NodeId(node)), Offset(1), "no record came that could have told it");
    }
}

#[test]
fn who_is_fenced_and_has_left_the_isr_is_not_waited_for() {
    let (mut cluster, leader, gone) = with_one_late();
    let id = delete_first(&mut cluster, leader, 600_000);
    cluster.pass_until(|cluster| cluster.nodes[&leader].replies.contains_key(&id));
    assert!(!cluster.isr().contains(&gone));
    assert_eq!(answer(&mut cluster, leader, id), Some(Ok(Offset(1))));
}

#[test]
fn it_waits_no_longer_than_its_client_does() {
    let (mut cluster, leader, late) = with_one_late();
    let id = delete_first(&mut cluster, leader, 100);
    cluster.pass_for(80);
    assert_eq!(answer(&mut cluster, leader, id), None);
    cluster.pass_for(80);
    assert!(cluster.isr().contains(&late));
    assert_eq!(answer(&mut cluster, leader, id), Some(Err(ErrorCode::RequestTimedOut)));
    cluster.isolated.clear();
    cluster.pass_until(|cluster| start_at(cluster, late) == Offset(1));
    let again = delete_first(&mut cluster, leader, 0);
    cluster.settle();
    assert_eq!(answer(&mut cluster, leader, again), Some(Ok(Offset(1))), "there is nothing to wait for");
}

#[test]
fn what_is_deleted_already_is_not_waited_for() {
    let (mut cluster, leader) = with_records();
    let id = delete_first(&mut cluster, leader, 60_000);
    cluster.pass_until(|cluster| cluster.nodes[&leader].replies.contains_key(&id));
    let late = cluster.others(leader)[0];
    cluster.isolate(late);
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(3))])];
    let further = cluster.node(leader).ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 60_000 }));
    cluster.pass_for(80);
    assert_eq!(start_at(&cluster, leader), Offset(3));
    let again = delete_first(&mut cluster, leader, 60_000);
    assert_eq!(answer(&mut cluster, leader, again), Some(Ok(Offset(1))), "one replica still starts there");
    assert_eq!(answer(&mut cluster, leader, further), None);
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind() {
    let (mut cluster, leader, _) = with_one_late();
    delete_first(&mut cluster, leader, 60_000);
    cluster.pass_for(80);
    let waiting =
        |cluster: &Cluster| cluster.nodes[&leader].broker.partitions.values().next().unwrap().leader().unwrap().waiting_for_trim.len();
    assert_eq!(waiting(&cluster), 1);
    cluster.node(leader).step(Input::Disconnected(ConnectionId(1)));
    assert_eq!(waiting(&cluster), 0);
    assert!(cluster.node(leader).broker.deletions.is_empty());
}

#[test]
fn a_leader_that_is_cut_off_takes_none() {
    let (mut cluster, leader) = with_records();
    cluster.isolate(leader);
    let waits = delete_first(&mut cluster, leader, 600_000);
    cluster.pass_until(|cluster| cluster.nodes[&leader].replies.contains_key(&waits));
    assert_eq!(answer(&mut cluster, leader, waits), Some(Err(ErrorCode::NotLeaderOrFollower)));
    let late = delete_first(&mut cluster, leader, 600_000);
    assert_eq!(answer(&mut cluster, leader, late), Some(Err(ErrorCode::NotLeaderOrFollower)));
}
