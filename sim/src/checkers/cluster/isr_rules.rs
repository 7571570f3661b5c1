//! IsrRules: fenced brokers are in no ISR, nobody is in ISR and ELR both, an ISR of the minimum leaves the ELR empty, and the leader is in sync.

use gracchus_core::metadata::Image;

use super::registry::Registry;
use crate::checkers::Violation;

pub(super) fn check(registry: &Registry, image: &Image) -> Result<(), Violation> {
    for (id, registered) in registry.all() {
        let state = &registered.state;
        let is_fenced = |node| image.brokers.get(node).is_none_or(|broker| broker.is_fenced);
        let broken = if state.leader.is_some_and(|leader| !state.isr.contains(&leader)) {
            "its leader is not in sync"
        } else if state.isr.iter().any(is_fenced) {
            "a fenced broker is in sync"
        } else if state.isr.iter().any(|member| state.elr.contains(member)) {
            "a broker is in sync and eligible both"
        } else if state.isr.len() >= registered.min_insync && !state.elr.is_empty() {
            "enough are in sync, and others are eligible"
        } else {
            continue;
        };
        return Err(Violation::safety("IsrRules", format!("{id}: {broken}: {state:?}")));
    }
    Ok(())
}
