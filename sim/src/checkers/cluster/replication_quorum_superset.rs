//! ReplicationQuorumSuperset: a leader that is not stale, and whose ISR has the minimum, waits for everyone whom the controller takes for in sync
//! or eligible.

use gracchus_core::ids::{NodeId, TopicPartition};

use super::held::{HeldAs, Nodes};
use super::registry::Registry;
use crate::checkers::Violation;

pub(super) fn check(node: NodeId, id: TopicPartition, nodes: &Nodes, registry: &Registry) -> Result<(), Violation> {
    let (Some(held), Some(registered)) = (nodes.get(node, id), registry.get(id)) else { return Ok(()) };
    let HeldAs::Leader { leader_epoch, maximal, .. } = &held.role else { return Ok(()) };
    let state = &registered.state;
    if *leader_epoch != state.leader_epoch || state.isr.len() < registered.min_insync {
        return Ok(());
    }
    match registered.candidates().find(|candidate| !maximal.contains(candidate)) {
        Some(candidate) => {
            let what = format!("{id}: node {node} does not wait for {candidate}, but for {maximal:?}, and {state:?} is registered");
            Err(Violation::safety("ReplicationQuorumSuperset", what))
        }
        None => Ok(()),
    }
}
