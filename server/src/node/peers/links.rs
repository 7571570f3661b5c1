//! The links to other nodes, as the turn loop has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gracchus_core::boundary::{Lane, PeerMessage, ToPeer};
use gracchus_core::ids::NodeId;
use tokio::sync::mpsc;

use super::super::shared::Shared;
use super::outgoing::Link;
use crate::platform::Platform;

/// Messages that wait for a connection. A node that makes thousands of partitions says something of each.
const QUEUED_MESSAGES_MAX: usize = 16 << 10;

/// A queue for each node and lane. When they are dropped, what is in them still leaves where there is a connection.
pub(in super::super) struct Links<P: Platform> {
    shared: Arc<Shared<P>>,
    queues: BTreeMap<(NodeId, Lane), mpsc::Sender<PeerMessage>>,
}

impl<P: Platform> Links<P> {
    pub(in super::super) fn new(shared: Arc<Shared<P>>) -> Self {
        Self { shared, queues: BTreeMap::new() }
    }

    /// Sends a message, or drops it: false if too many wait before it.
    pub(in super::super) fn send(&mut self, ToPeer { to, message }: ToPeer) -> bool {
        let lane = message.lane();
        let shared = &self.shared;
        let queue = self.queues.entry((to, lane)).or_insert_with(|| {
            let (queue, messages) = mpsc::channel(QUEUED_MESSAGES_MAX);
            shared.platform.spawn("link", Link::new(Arc::clone(shared), to, lane, messages).run());
            queue
        });
        queue.try_send(message).is_ok()
    }
}
