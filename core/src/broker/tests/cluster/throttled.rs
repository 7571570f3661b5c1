//! Replicas that catch up at a rate (KIP-73).

use super::*;
use crate::limits::REPLICA_FETCH_BYTES;

#[test]
fn a_throttled_leader_sends_at_its_rate_and_no_slower() {
    a_throttled_replica_waits_for_its_rate("leader");
}

#[test]
fn a_throttled_follower_fetches_at_its_rate_and_no_slower() {
    a_throttled_replica_waits_for_its_rate("follower");
}

fn a_throttled_replica_waits_for_its_rate(side: &str) {
    let (mut cluster, leader) = replicated(&[(&format!("{side}.replication.throttled.replicas"), "*")]);
    let follower = *cluster.others(leader).iter().find(|node| !cluster.leaders().contains(node)).unwrap();
    let set = |value: &str| ConfigChange {
        name: format!("{side}.replication.throttled.rate"),
        operation: ConfigOperation::Set,
        value: Some(value.to_owned()),
    };
    let alter = |cluster: &mut Cluster, value: &str| {
        let resources = vec![(ConfigResource::Broker(None), vec![set(value)])];
        cluster.node(leader).ask(Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false }));
        cluster.pass_for(100);
    };
    alter(&mut cluster, "1");
    cluster.isolate(follower);
    cluster.pass_until(|cluster| !cluster.isr().contains(&follower));
    // More than one answer holds: a follower does not know beforehand how much it will be sent.
    let batch = plain(4_000);
    for _ in 0..=REPLICA_FETCH_BYTES / batch.header.batch_bytes {
        cluster.produce(leader, batch.clone());
    }
    cluster.isolated.clear();
    // It knows that it is not in sync before it fetches.
    cluster.restart(follower, false);
    cluster.pass_for(3_000);
    assert!(!cluster.isr().contains(&follower), "a byte a second");
    assert!([leader, follower].iter().any(|node| cluster.node(*node).marks.contains(&Mark::ReplicaThrottled)));
    alter(&mut cluster, "1000000");
    cluster.pass_until(|cluster| cluster.isr().contains(&follower));
}
