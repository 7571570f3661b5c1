//! After healing: a leader everywhere, all replicas in sync, and none behind.

use gracchus_core::ids::TopicPartition;

use super::held::{HeldAs, Nodes};
use super::registry::Registry;

/// What is missing, if anything is.
pub(super) fn what_is_not(nodes: &Nodes, registry: &Registry, is_given_up: impl Fn(TopicPartition) -> bool) -> Option<String> {
    for (id, registered) in registry.all().filter(|(id, _)| !is_given_up(*id)) {
        let (state, topic) = (&registered.state, &registered.topic);
        let what = format!("{topic}-{} ({id})", id.partition);
        let Some(leader) = state.leader else { return Some(format!("{what} has no leader: {state:?}")) };
        let led = nodes.get(leader, id);
        let leads = led.is_some_and(|held| matches!(held.role, HeldAs::Leader { leader_epoch, .. } if leader_epoch == state.leader_epoch));
        let Some(led) = led.filter(|_| leads) else { return Some(format!("node {leader} does not lead {what}: {state:?}")) };
        if state.isr.len() != state.replicas.len() {
            return Some(format!("not everyone is in sync with {what}: {state:?}"));
        }
        for replica in &state.replicas {
            let held = nodes.get(*replica, id).map(|held| (held.log_end, held.high_watermark));
            if held != Some((led.log_end, led.log_end)) {
                return Some(format!("node {replica} holds {what} to {held:?}, and its leader {leader} to {}", led.log_end));
            }
        }
    }
    None
}
