//! Other nodes: connections to them and from them.
//!
//! What this node says goes over a [`link`](links) of its own for each node and lane, made when there is first something to say; what others
//! say comes in by the listeners, over the links that they make ([`incoming`]). So each connection carries messages one way, in their order.
//!
//! What is always true:
//! - A message is lost only with its connection or when too many wait for one, and then the turn loop is told [`FromPeer::Lost`] after it.
//! - No message of a connection comes behind one of the connection that took its place.
//! - Both ends send a beat whenever they have sent nothing for a second, and give the other up when nothing came for three. TCP's keepalive
//!   would not notice a process that stands still while its kernel answers, nor does it look while sent bytes wait to be acknowledged; and
//!   the simulated network has none.
//!
//! | a link is | goes on when | to |
//! | --- | --- | --- |
//! | at rest | there is a message | connecting |
//! | connecting | the other node has answered the handshake | up |
//! | connecting, up | the connection fails, is refused, is closed or is silent | paused: what waits is dropped, and the node is told lost |
//! | paused | the pause is over, and the link was up | connecting, so that a process that is gone is known at once |
//! | paused | the pause is over, which doubles while connecting fails | at rest |
//! | up | the node ends, and what waits has left | gone |
//! | any other | the node ends | gone |

mod addresses;
mod discovery;
mod incoming;
mod links;
mod outgoing;
mod records;
mod visitors;

use gracchus_core::boundary::PeerMessage;
use gracchus_core::ids::{IncarnationId, NodeId};
use gracchus_core::time::Wait;

use super::activity::Activity;
use super::shared::Shared;
use crate::config::HostPort;
use crate::platform::Platform;

pub(super) use self::addresses::Addresses;
pub(super) use self::discovery::find_controllers;
pub(super) use self::incoming::receive;
pub(super) use self::links::Links;
pub(super) use self::visitors::Visitors;

/// How long an end may send nothing before it sends a beat.
const BEAT_MS: i64 = 1_000;

/// How long an end may be silent before the other gives it up.
const SILENCE_MS_MAX: i64 = 3_000;

/// How late this node may be to look until it counts as having stood still itself, and can't judge others.
const LATE_MS_MAX: i64 = 500;

/// What other nodes say that waits for the turn loop, before it waits in the sockets.
pub(super) const QUEUED_FROM_PEERS_MAX: usize = 256;

/// What other nodes know this one by.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) cluster_id: String,
    pub(super) node: NodeId,
    pub(super) incarnation: IncarnationId,
    /// Where they reach it.
    pub(super) at: Option<HostPort>,
}

/// What the turn loop is told of other nodes.
#[derive(Debug)]
pub(super) enum FromPeer {
    /// A node has said something.
    Said { from: NodeId, message: PeerMessage },
    /// A connection to or from a node is gone, and what was said last may be lost.
    Lost(NodeId),
    /// As lost, and nobody listens where the node was.
    Refused(NodeId),
    /// A controller has said who the controllers are.
    Found(Vec<NodeId>),
}

/// Waits until the other end has been silent for too long.
async fn unheard<P: Platform>(shared: &Shared<P>, activity: &Activity) {
    loop {
        let deadline = activity.last().after(Wait::from_ms(SILENCE_MS_MAX));
        shared.platform.sleep_until(deadline).await;
        let now = shared.platform.now().monotonic;
        if now >= deadline.after(Wait::from_ms(LATE_MS_MAX)) {
            // What the other end has said meanwhile is still to be read.
            activity.note(now);
        } else if now >= activity.last().after(Wait::from_ms(SILENCE_MS_MAX)) {
            return;
        }
    }
}
