//! What other nodes say.

use serde::{Deserialize, Serialize};

use super::Broker;
use crate::boundary::{Effects, Mark, PeerMessage};
use crate::ids::NodeId;
use crate::limits::{DOUBT_MS, LOST_BROKER_MS};
use crate::time::{Monotonic, Wait};

/// A node that is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Absence {
    /// When a connection to it was lost last.
    since: Monotonic,
    /// Whether nobody listens where it was.
    is_gone: bool,
}

impl Broker {
    pub(super) fn peer_said(&mut self, from: NodeId, message: PeerMessage, effects: &mut Effects) {
        if self.lost.remove(&from).is_some()
            && let Some(controller) = &mut self.controller
        {
            controller.heard_again(from);
            self.watch_sessions();
        }
        self.settle_doubtful_metadata(effects);
        match message {
            PeerMessage::Quorum(message) => self.quorum_said(from, message, effects),
            PeerMessage::FetchMetadata(fetch) => self.metadata_wanted(from, fetch, effects),
            PeerMessage::Metadata(fetched) => self.metadata_came(from, fetched, effects),
            PeerMessage::Call(call) => self.called(from, call, effects),
            PeerMessage::Decided(decision) => self.decision_came(decision, effects),
            PeerMessage::FetchPartitions(fetch) => self.partitions_wanted(from, fetch, effects),
            PeerMessage::Partitions(fetched) => self.partitions_came(from, fetched, effects),
            PeerMessage::MetadataInSnapshot(told) => self.metadata_in_snapshot(from, told, effects),
            PeerMessage::FetchMetadataSnapshot(fetch) => self.snapshot_wanted(from, fetch, effects),
            PeerMessage::MetadataSnapshot(came) => self.snapshot_came(from, came, effects),
        }
    }

    /// The connection to a node is gone, and messages with it.
    pub(super) fn peer_lost(&mut self, node: NodeId, effects: &mut Effects) {
        let now = self.now.monotonic;
        self.lost.entry(node).or_insert(Absence { since: now, is_gone: false }).since = now;
        self.quorum_connection_lost(node, effects);
        self.calls_lost(node);
        self.following.lost(node);
        self.leading.lost(node);
        if self.quorum.leader() == Some(node) {
            self.show_that_it_lives(effects);
        }
        self.doubt_lost_brokers();
    }

    /// Nobody listens where a node was. One that was lost before has not just failed to be there yet: it is gone.
    pub(super) fn peer_refused(&mut self, node: NodeId, effects: &mut Effects) {
        if let Some(absence) = self.lost.get_mut(&node)
            && !std::mem::replace(&mut absence.is_gone, true)
            && self.controller.is_some()
        {
            effects.mark(Mark::BrokerGone);
        }
        self.peer_lost(node, effects);
    }

    /// Whether a broker is about to be fenced, as far as this node can tell: what it leads will be led by another in a moment.
    pub(super) fn is_doubted(&self, node: NodeId) -> bool {
        self.lost.get(&node).is_some_and(|absence| self.now.monotonic.since(absence.since) < Wait::from_ms(DOUBT_MS))
    }

    /// Gives brokers little time to show that they live, that the controller has lost the connection to and not heard of since: none to those
    /// that are gone.
    pub(super) fn doubt_lost_brokers(&mut self) {
        if let Some(controller) = &mut self.controller {
            for (node, absence) in &self.lost {
                let patience = if absence.is_gone { Wait::default() } else { Wait::from_ms(LOST_BROKER_MS) };
                controller.connection_lost(*node, patience, self.now.monotonic);
            }
            self.watch_sessions();
        }
    }
}
