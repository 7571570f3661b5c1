//! AssignedCopies: a node has copies of those partitions alone that its committed metadata names, also when it has leapt to a snapshot's.

use gracchus_core::broker::View;
use gracchus_core::ids::NodeId;

use crate::checkers::Violation;

pub(super) fn check(node: NodeId, view: &View<'_>) -> Result<(), Violation> {
    match view.partitions().find(|partition| view.image().partition(partition.id).is_none()) {
        Some(partition) => {
            let what = format!("node {node} has a copy of {}-{} ({}), which is gone", partition.topic, partition.id.partition, partition.id);
            Err(Violation::safety("AssignedCopies", what))
        }
        None => Ok(()),
    }
}
