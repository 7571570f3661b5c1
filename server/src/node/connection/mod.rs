//! A client's connection.
//!
//! One that another node opens comes in by the same listeners; its first bytes tell it, and it goes to [`peers`]. Nodes are let in before this
//! one serves, since without each other none of them would; clients wait for that.
//!
//! Requests are read, decoded and handed to the turn loop as they come, a bounded number of them; answers leave in the order of the requests,
//! whatever order they were decided in. The [`reader`] puts a [`Slot`] in the connection's queue for each request, the [`writer`] waits for
//! the slots in turn. Only Produce and Fetch, whose answers are small or are files, are read ahead of their answers: behind any other request
//! the next one waits until that one's answer has left, so that a client that does not read makes nothing pile up.
//!
//! A connection ends when the client leaves or is silent for too long, when it sends what can't be understood, when an answer can't be sent,
//! and when the node stops; in that last case what was asked is still answered.

mod errors;
mod reader;
mod writer;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{Door, Response};
use gracchus_core::ids::ConnectionId;
use gracchus_core::time::Monotonic;
use gracchus_net::frame::{FrameError, FrameReader};
use gracchus_net::kafka::{DecodeError, EncodeError, RequestHeader};
use gracchus_net::peer::MAGIC;
use thiserror::Error;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use self::reader::{RequestReader, idle};
use self::writer::AnswerWriter;
use super::activity::{Activity, Watched};
use super::peers;
use super::shared::Shared;
use super::turn::FromConnection;
use crate::platform::Platform;

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) id: ConnectionId,
    pub(super) peer: SocketAddr,
    /// The client's address as text.
    pub(super) host: Arc<str>,
    /// Name of the listener that took it in.
    pub(super) listener: Arc<str>,
    /// What that listener serves.
    pub(super) door: Door,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.peer, self.listener)
    }
}

/// A request's place among the answers of its connection.
enum Slot {
    /// The broker answers.
    Asked {
        header: RequestHeader,
        /// When the request had been read.
        received: Monotonic,
        /// Whether the client waits for an answer: not with acks=0, where an error ends the connection instead.
        is_answered: bool,
        answer: oneshot::Receiver<Response>,
        /// The request's share of the node's memory, unless its records have it.
        room: Option<OwnedSemaphorePermit>,
        /// Dropped when the answer has left, if the reader waits for that.
        alone: Option<oneshot::Sender<()>>,
    },
    /// The decoder has answered: a whole frame.
    Answered(Bytes),
}

/// Why a connection ends.
#[derive(Debug, Error)]
enum End {
    /// The client has left.
    #[error("the client left")]
    Left,
    #[error("the client was silent for too long")]
    Idle,
    /// The node stops: answers still leave.
    #[error("the node stops")]
    Stopping,
    #[error("a request of {0} bytes stopped coming")]
    Stalled(u32),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Request(#[from] DecodeError),
    #[error("the answer could not be sent: {0}")]
    Send(io::Error),
    #[error("the answer could not be encoded: {0}")]
    Encode(#[from] EncodeError),
    #[error("a batch sent with acks=0 was refused")]
    Refused,
}

/// Serves a connection to its end: a client's, or another node's, which its first bytes tell.
pub(super) async fn serve<P: Platform>(
    shared: Arc<Shared<P>>,
    origin: Origin,
    reader: P::Reader,
    writer: P::Writer,
    turn: mpsc::Sender<FromConnection>,
) {
    shared.counters.connections_opened.increment();
    let activity = Activity::new(shared.platform.now().monotonic);
    let mut frames = FrameReader::new(Watched::new(reader, &shared, &activity), shared.limits.request_bytes_max);
    match opening(&shared, &activity, &mut frames).await {
        Ok(Opening::Client) => serve_client(&shared, &origin, &activity, frames, writer, &turn).await,
        Ok(Opening::Peer) => peers::receive(&shared, &origin, &activity, frames, writer).await,
        Err(end) => report(&shared, &origin, &end),
    }
    shared.counters.connections_closed.increment();
}

/// Who opens a connection.
enum Opening {
    Client,
    Peer,
}

/// Waits for the first bytes, which tell another node from a client. A client waits until the node serves.
async fn opening<P: Platform>(shared: &Shared<P>, activity: &Activity, frames: &mut FrameReader<Watched<'_, P>>) -> Result<Opening, End> {
    let opening = async {
        let first = frames.first_word().await?.ok_or(End::Left)?;
        if first == MAGIC {
            return Ok(Opening::Peer);
        }
        shared.serving.given().await;
        Ok(Opening::Client)
    };
    select! {
        biased;
        () = shared.closing.given() => Err(End::Stopping),
        opening = opening => opening,
        () = idle(shared, activity) => Err(End::Idle),
    }
}

async fn serve_client<P: Platform>(
    shared: &Shared<P>,
    origin: &Origin,
    activity: &Activity,
    frames: FrameReader<Watched<'_, P>>,
    writer: P::Writer,
    turn: &mpsc::Sender<FromConnection>,
) {
    // The slot that the writer has in hand counts too.
    let queued_max = usize::try_from(shared.limits.in_flight_requests_max).unwrap_or(usize::MAX).saturating_sub(1);
    let (slots, queue) = mpsc::channel(queued_max.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));

    let end = {
        let mut reading = pin!(RequestReader::new(shared, origin, activity, turn, frames).run(slots));
        let mut writing = pin!(AnswerWriter::new(shared, activity, writer).run(queue));
        let (first, writer_has_ended) = select! {
            biased;
            end = &mut writing => (end, true),
            end = &mut reading => (end, false),
        };
        // The reader has dropped its end of the queue: the writer ends once what is in it has been answered, and may have by now.
        if matches!(first, End::Stopping) && !writer_has_ended { writing.await } else { first }
    };

    report(shared, origin, &end);
    // It fails when the turn loop has ended, which needs nothing from a connection.
    let _ = turn.send(FromConnection::Closed(origin.id)).await;
}

/// Says in the log why a connection ended, if that is worth a line.
fn report<P: Platform>(shared: &Shared<P>, origin: &Origin, end: &End) {
    match end {
        End::Left | End::Idle | End::Stopping | End::Send(_) | End::Frame(FrameError::Io(_)) => {
            tracing::debug!("connection from {origin} ended: {end}");
        }
        End::Frame(FrameError::Negative(_) | FrameError::TooLarge { .. } | FrameError::Truncated)
        | End::Stalled(_)
        | End::Request(_)
        | End::Refused
        | End::Encode(_) => {
            shared.counters.connections_broken.increment();
            let now = shared.platform.now().monotonic;
            shared.complaints.write(now, || format!("closed the connection from {origin}: {end}"));
        }
    }
}
