//! Which brokers are alive, as far as the controller hears. Not in the log: a new controller gives everyone a session's time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::time::{Monotonic, Wait};

/// When each broker that is not fenced was last heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    ends: BTreeMap<NodeId, Monotonic>,
    /// When sessions would end that were shortened.
    doubted: BTreeMap<NodeId, Monotonic>,
}

impl Sessions {
    /// A broker lives.
    pub(super) fn renew(&mut self, node: NodeId, now: Monotonic, timeout: Wait) {
        self.ends.insert(node, now.after(timeout));
        self.doubted.remove(&node);
    }

    /// A broker may be gone: it has until `at` to show that it is not.
    pub(super) fn shorten(&mut self, node: NodeId, at: Monotonic) {
        if let Some(end) = self.ends.get_mut(&node) {
            self.doubted.entry(node).or_insert(*end);
            *end = at.min(*end);
        }
    }

    /// Another run of a broker asks for its place: it has until `at` to show by a heartbeat that it lives. Whatever else is heard may be from
    /// the other.
    pub(super) fn challenge(&mut self, node: NodeId, at: Monotonic) {
        if let Some(end) = self.ends.get_mut(&node) {
            *end = at.min(*end);
            self.doubted.remove(&node);
        }
    }

    /// Gives a broker that may be gone some time more: the controller was late itself to look. False if it had none to give.
    pub(super) fn look_again(&mut self, node: NodeId, at: Monotonic) -> bool {
        let (Some(end), Some(whole)) = (self.ends.get_mut(&node), self.doubted.get(&node)) else { return false };
        let has_time = at < *whole;
        *end = at.min(*whole);
        has_time
    }

    /// When a broker's session ends.
    pub(super) fn end_of(&self, node: NodeId) -> Option<Monotonic> {
        self.ends.get(&node).copied()
    }

    /// A broker that might have been gone has said something: its session is as long as it was.
    pub(super) fn restore(&mut self, node: NodeId) {
        if let (Some(end), Some(before)) = (self.ends.get_mut(&node), self.doubted.remove(&node)) {
            *end = before;
        }
    }

    /// A broker is fenced.
    pub(super) fn end(&mut self, node: NodeId) {
        self.ends.remove(&node);
        self.doubted.remove(&node);
    }

    /// Brokers whose sessions have ended.
    pub(super) fn ended(&self, now: Monotonic) -> Vec<NodeId> {
        self.ends.iter().filter(|(_, end)| **end <= now).map(|(node, _)| *node).collect()
    }

    /// The session that ends first, but for that of the controller's own node.
    pub(super) fn next_end(&self, me: NodeId) -> Option<Monotonic> {
        self.ends.iter().filter(|(node, _)| **node != me).map(|(_, end)| *end).min()
    }

    /// Gives everyone more time: the controller has not been able to hear anybody.
    pub(super) fn extend(&mut self, now: Monotonic, timeout: Wait) {
        self.doubted.clear();
        self.ends.values_mut().for_each(|end| *end = now.after(timeout));
    }
}
