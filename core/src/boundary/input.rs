//! What a step is told.

use serde::{Deserialize, Serialize};

use super::peer::PeerMessage;
use super::request::Request;
use super::storage::StorageDone;
use crate::ids::{ConnectionId, NodeId, RequestId};

/// One event. The driver hands them to [`Broker::step`](crate::broker::Broker::step) one at a time, in any order that the world produces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The node has started. The first input of every run.
    Start,
    /// A client asks. Answered by exactly one [`Reply`](super::Reply) with the same id, unless the connection closes first.
    Request {
        /// What the reply will name.
        id: RequestId,
        /// Who asks, and over which door.
        context: RequestContext,
        /// What is asked.
        request: Request,
    },
    /// A connection is gone: what waits on its behalf is dropped.
    Disconnected(ConnectionId),
    /// Another node says something.
    Peer {
        /// The node.
        from: NodeId,
        /// What it says.
        message: PeerMessage,
    },
    /// The connection to another node is gone: a hint that the node may be.
    PeerLost(NodeId),
    /// As [`PeerLost`](Self::PeerLost), and nobody listens any longer where the other node did: its process is gone, or has never been there.
    PeerRefused(NodeId),
    /// Nodes that may know who leads the metadata quorum, though nobody has said yet that they vote in it
    /// (`controller.quorum.bootstrap.servers`, KIP-853).
    ControllersFound(Vec<NodeId>),
    /// The store has finished something.
    Storage(StorageDone),
    /// The time of [`Broker::next_deadline`](crate::broker::Broker::next_deadline) has come.
    Deadline,
    /// The node is asked to stop: what can be answered is answered, the logs are synced, and [`Effects::stopped`](super::Effects::stopped) ends it.
    Stop,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// What clients ask of brokers.
    Brokers,
    /// What operators may ask of controllers directly (KIP-919).
    Controllers,
}

/// What the core knows of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestContext {
    /// Name of the listener that the connection came in by: answers that name brokers name their endpoint on it.
    pub listener: std::sync::Arc<str>,
    /// What that listener serves.
    pub door: Door,
    /// Where the client is, as an address.
    pub host: std::sync::Arc<str>,
    /// The client's own name for itself, from the request header.
    pub client_id: Option<std::sync::Arc<str>>,
}
