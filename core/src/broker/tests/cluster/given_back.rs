//! A partition that is taken from a node, and given back to it.

use super::*;

impl Cluster {
    /// Asks for the topic's one copy to be on this node alone.
    fn move_to(&mut self, node: NodeId) {
        let partitions = vec![("t".into(), vec![(PartitionIndex(0), Some(vec![node]))])];
        let request = AlterPartitionReassignmentsRequest { partitions, may_change_replication_factor: true, timeout_ms: 1_000 };
        self.node(NodeId(1)).ask(Request::AlterPartitionReassignments(request));
        self.settle();
    }
}

#[test]
fn a_log_that_is_given_back_is_opened_once_the_former_one_is_gone() {
    let mut cluster = Cluster::serving(3);
    let id = cluster.create(NodeId(1), "t");
    assert_eq!(cluster.created(NodeId(1), id), Some(Ok(())));
    let first = cluster.leader_of_t().unwrap();
    let second = cluster.others(first)[0];
    cluster.node(first).shelf.hold_removals();
    cluster.move_to(second);
    cluster.pass_until(|cluster| cluster.isr() == [second]);
    cluster.move_to(first);
    cluster.pass_for(1_000);
    assert_eq!(cluster.isr(), [second], "its new log is not there yet");
    assert_eq!(cluster.node(first).shelf.finish_removals(), 1);
    cluster.pass_until(|cluster| cluster.isr() == [first]);
}
