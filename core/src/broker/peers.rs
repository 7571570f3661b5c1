//! What other nodes say.

use super::Broker;
use crate::boundary::{Effects, PeerMessage};
use crate::ids::NodeId;
use crate::limits::LOST_BROKER_MS;
use crate::time::Wait;

impl Broker {
    pub(super) fn peer_said(&mut self, from: NodeId, message: PeerMessage, effects: &mut Effects) {
        match message {
            PeerMessage::Quorum(message) => self.quorum_said(from, message, effects),
            PeerMessage::FetchMetadata(fetch) => self.metadata_wanted(from, fetch, effects),
            PeerMessage::Metadata(fetched) => self.metadata_came(from, fetched, effects),
            PeerMessage::Call(call) => self.called(from, call, effects),
            PeerMessage::Decided(decision) => self.decision_came(decision, effects),
            PeerMessage::FetchPartitions(_) | PeerMessage::Partitions(_) => {}
        }
    }

    /// The connection to a node is gone, and messages with it.
    pub(super) fn peer_lost(&mut self, node: NodeId, effects: &mut Effects) {
        self.quorum_connection_lost(node, effects);
        self.calls_lost(node);
        if let Some(controller) = &mut self.controller {
            controller.connection_lost(node, Wait::from_ms(LOST_BROKER_MS), self.now.monotonic);
            self.watch_sessions();
        }
    }
}
