//! Everything that a node is told before it starts.

use std::path::PathBuf;

use gracchus_core::broker::BrokerSettings;

use crate::store::StoreSettings;

/// A node's settings, complete and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// What the core is told. Its endpoints are empty: the node fills them in once its listeners are bound, since port 0 is known only then.
    pub broker: BrokerSettings,
    /// Where the node listens.
    pub listeners: Vec<ListenerSettings>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// What connections may use.
    pub limits: ConnectionLimits,
    /// What the store may use.
    pub store: StoreSettings,
    /// Whether record bytes are copied to sockets through memory instead of sent by `sendfile` (`socket.send.copy`).
    pub send_by_copy: bool,
    /// Where metrics and health are served over HTTP, `host:port`; nowhere if there is none (`http.listen`).
    pub http: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Its name, as `listeners` and `listener.security.protocol.map` write it.
    pub name: String,
    /// What is bound, `host:port`: an empty host is 0.0.0.0, port 0 any free port.
    pub bind: String,
    /// What clients are told, if not what was bound.
    pub advertised: Option<(String, u16)>,
    /// Whether it is one of `controller.listener.names`: bound like the others, told to no client of a broker.
    pub is_controller: bool,
}

/// Bounds on what connections use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at one time: one more is closed at once (`max.connections`).
    pub connections_max: u32,
    /// Bytes of one request: a frame that says more ends its connection (`socket.request.max.bytes`).
    pub request_bytes_max: u32,
    /// Requests of one connection that wait for their answers; further ones wait in the socket.
    pub in_flight_requests_max: u32,
    /// Bytes of requests held in memory over all connections; reading waits while there are more (`queued.max.request.bytes`).
    pub queued_bytes_max: u64,
    /// A connection that is silent for this long in milliseconds is closed; never, if negative (`connections.max.idle.ms`).
    pub idle_ms_max: i64,
}
