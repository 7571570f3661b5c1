//! KIP-392: consumers read from the closest replica.

use super::*;

const RACK_AWARE: (&str, &str) = ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");

/// Three nodes, each in a rack of its own, with a topic of three replicas; and who leads it.
fn racks() -> (Cluster, NodeId) {
    replicated_on(Cluster::with(3, &[RACK_AWARE]), &[])
}

/// A fetch of a consumer in the rack of `near`, from `from` on.
fn fetch_near(cluster: &mut Cluster, at: NodeId, near: NodeId, from: i64, wait_ms_max: i32) -> RequestId {
    cluster.node(at).fetch_from_rack("t", wanted_from(from), (1, wait_ms_max, 1 << 20), Some(&format!("rack {near}")))
}

#[test]
fn a_consumer_is_told_of_the_replica_in_its_rack() {
    let (mut cluster, leader) = racks();
    cluster.produce(leader, plain(3));
    cluster.pass_for(100);
    let near = cluster.others(leader)[0];
    let id = fetch_near(&mut cluster, leader, near, 0, 500);
    let told = cluster.node(leader).fetched(id).expect("whoever is to read elsewhere does not wait");
    assert_eq!((told.error, told.preferred_read_replica, told.slice), (None, Some(near), None));
    let id = fetch_near(&mut cluster, leader, leader, 0, 0);
    let read = cluster.node(leader).fetched(id).unwrap();
    assert_eq!((read.preferred_read_replica, read.slice.is_some()), (None, true), "the leader is as near");
}

#[test]
fn a_replica_that_is_not_in_sync_is_not_named() {
    let (mut cluster, leader) = racks();
    let near = cluster.others(leader)[0];
    cluster.isolate(near);
    cluster.pass_until(|cluster| !cluster.isr().contains(&near));
    cluster.produce(leader, plain(3));
    cluster.pass_for(100);
    let id = fetch_near(&mut cluster, leader, near, 0, 0);
    assert_eq!(cluster.node(leader).fetched(id).unwrap().preferred_read_replica, None);
}

#[test]
fn a_replica_that_lacks_what_is_wanted_is_not_named() {
    let (mut cluster, leader) = racks();
    let near = cluster.others(leader)[0];
    cluster.isolate(near);
    cluster.produce(leader, plain(3));
    cluster.settle();
    assert!(cluster.isr().contains(&near));
    let named = |cluster: &mut Cluster, from| {
        let id = fetch_near(cluster, leader, near, from, 0);
        cluster.node(leader).fetched(id).unwrap().preferred_read_replica
    };
    assert_eq!((named(&mut cluster, 0), named(&mut cluster, 2)), (Some(near), None), "it has nothing yet");
    cluster.isolated.clear();
    cluster.pass_for(2_000);
    assert_eq!(named(&mut cluster, 2), Some(near));
    let topics = vec![("t".into(), vec![(PartitionIndex(0), Offset(2))])];
    cluster.node(leader).ask(Request::DeleteRecords(DeleteRecordsRequest { topics, timeout_ms: 1000 }));
    cluster.pass_for(2_000);
    let replica = cluster.node(leader).broker.partitions.values().next().unwrap().leader().unwrap();
    assert_eq!(replica.isr().holds(near), Some(Offset(2)..=Offset(3)), "its log starts there too");
}

#[test]
fn a_follower_serves_what_is_committed_and_wakes_who_waits_for_it() {
    let (mut cluster, leader) = racks();
    let follower = cluster.others(leader)[0];
    let id = fetch_near(&mut cluster, follower, follower, 0, 60_000);
    assert_eq!(cluster.node(follower).fetched(id), None, "there is nothing yet");
    cluster.produce(leader, plain(3));
    cluster.pass_for(1_000);
    let read = cluster.node(follower).fetched(id).expect("it has been replicated and committed");
    assert_eq!((read.error, read.high_watermark, read.slice.map(|slice| slice.upto)), (None, Offset(3), Some(Offset(3))));
    assert!(cluster.node(follower).marks.contains(&Mark::FollowerRead));
}

#[test]
fn a_follower_holds_back_what_is_not_committed() {
    let (mut cluster, leader) = racks();
    let others = cluster.others(leader);
    // One follower has the records, the other is in sync and has yet to fetch them.
    cluster.isolate(others[1]);
    cluster.produce(leader, plain(3));
    cluster.settle();
    assert_eq!(cluster.log_of_t(others[0]), (Offset(3), Offset(0)));
    let id = fetch_near(&mut cluster, others[0], others[0], 0, 0);
    let read = cluster.node(others[0]).fetched(id).unwrap();
    assert_eq!((read.error, read.high_watermark, read.slice), (None, Offset(0), None));
}

#[test]
fn who_can_read_from_the_leader_alone_is_refused_by_a_follower() {
    let (mut cluster, leader) = racks();
    let follower = cluster.others(leader)[0];
    let id = cluster.node(follower).fetch("t", 0, 1, 0);
    assert_eq!(cluster.node(follower).fetched(id).unwrap().error, Some(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn who_waits_at_a_follower_hears_of_a_new_leader() {
    let (mut cluster, leader) = racks();
    let follower = cluster.others(leader)[0];
    let id = fetch_near(&mut cluster, follower, follower, 0, 60_000);
    cluster.isolate(leader);
    cluster.pass_for(10_000);
    assert!(cluster.node(follower).fetched(id).is_some());
}
