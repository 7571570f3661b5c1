//! A link: one lane to one node, with a connection while there is something to say and somebody to hear it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{Lane, PeerMessage};
use gracchus_core::ids::NodeId;
use gracchus_core::time::Wait;
use gracchus_net::frame::{FrameError, FrameReader};
use gracchus_net::limits::PEER_HANDSHAKE_BYTES_MAX;
use gracchus_net::peer::{Answer, BEAT, Hello, PeerError, Refusal};
use thiserror::Error;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::super::activity::{Activity, Watched};
use super::super::shared::Shared;
use super::records::Gathered;
use super::{BEAT_MS, FromPeer, SILENCE_MS_MAX, unheard};
use crate::platform::{Part, Platform};

/// How long a connection may take to be made and answered.
const CONNECT_MS_MAX: i64 = 2_000;

/// The pause before a connection is made anew; it doubles while that fails.
const PAUSE_MS_MIN: i64 = 20;
const PAUSE_MS_MAX: i64 = 500;

/// Bytes that are gathered before they leave, though more is there to be said.
const GATHERED_BYTES_MAX: u64 = 256 << 10;

/// A link. Its task ends when the turn loop has dropped the other end of the queue.
pub(super) struct Link<P: Platform> {
    shared: Arc<Shared<P>>,
    to: NodeId,
    lane: Lane,
    queue: mpsc::Receiver<PeerMessage>,
    pause_ms: i64,
    /// Whether the other node has answered since the link last failed.
    is_up: bool,
    _here: Option<OwnedSemaphorePermit>,
}

/// Why a link has no connection.
#[derive(Debug, Error)]
enum Failure {
    #[error("its address is not known")]
    Unknown,
    #[error("it can't be connected: {0}")]
    Connect(io::Error),
    #[error("it did not answer within {CONNECT_MS_MAX} ms")]
    Slow,
    #[error("it lets this node not in: {0}")]
    Refused(Refusal),
    #[error("it closed the connection")]
    Left,
    #[error("nothing was heard of it for {SILENCE_MS_MAX} ms")]
    Silent,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Answer(#[from] PeerError),
    #[error("nothing can be sent to it: {0}")]
    Send(io::Error),
    #[error("this node ends")]
    Ends,
}

impl<P: Platform> Link<P> {
    pub(super) fn new(shared: Arc<Shared<P>>, to: NodeId, lane: Lane, queue: mpsc::Receiver<PeerMessage>) -> Self {
        let here = shared.links.enter();
        Self { shared, to, lane, queue, pause_ms: PAUSE_MS_MIN, is_up: false, _here: here }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut was_up = false;
        loop {
            // A link that was up is made anew unasked: whether somebody still listens there is worth knowing at once.
            let first = if std::mem::take(&mut was_up) { None } else { Some(self.queue.recv().await) };
            if first == Some(None) {
                return;
            }
            let Err(failure) = self.connect_and_send(first.flatten()).await else { return };
            self.report(&failure);
            if std::mem::take(&mut self.is_up) {
                self.pause_ms = PAUSE_MS_MIN;
                was_up = true;
            }
            while self.queue.try_recv().is_ok() {}
            let is_refused = matches!(&failure, Failure::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused);
            let told = if is_refused { FromPeer::Refused(self.to) } else { FromPeer::Lost(self.to) };
            // It fails when the turn loop has ended, which needs no other node.
            let _ = shared.from_peers.send(told).await;
            let until = shared.platform.now().monotonic.after(Wait::from_ms(self.pause_ms));
            self.pause_ms = (self.pause_ms * 2).min(PAUSE_MS_MAX);
            select! {
                biased;
                () = shared.ended.given() => return,
                () = shared.platform.sleep_until(until) => {}
            }
        }
    }

    /// Says in the log that a connection is lost; of attempts that fail only the first is worth a line.
    fn report(&self, failure: &Failure) {
        let Self { to, lane, .. } = self;
        let is_news = self.is_up || self.pause_ms == PAUSE_MS_MIN;
        match failure {
            Failure::Ends => {}
            Failure::Refused(_) | Failure::Answer(_) => {
                let now = self.shared.platform.now().monotonic;
                self.shared.complaints.write(now, || format!("no connection to node {to} ({lane:?}): {failure}"));
            }
            Failure::Unknown | Failure::Connect(_) | Failure::Slow | Failure::Left | Failure::Silent | Failure::Frame(_) | Failure::Send(_) => {
                if is_news {
                    tracing::info!("no connection to node {to} ({lane:?}): {failure}");
                }
            }
        }
    }

    /// Makes a connection and sends what there is to say, until the turn loop has nothing more.
    async fn connect_and_send(&mut self, first: Option<PeerMessage>) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let activity = Activity::new(shared.platform.now().monotonic);
        let deadline = shared.platform.now().monotonic.after(Wait::from_ms(CONNECT_MS_MAX));
        let (mut frames, mut writer) = select! {
            biased;
            () = shared.ended.given() => return Err(Failure::Ends),
            opened = open(&shared, &activity, self.to, self.lane) => opened?,
            () = shared.platform.sleep_until(deadline) => return Err(Failure::Slow),
        };
        self.is_up = true;
        tracing::debug!("connected to node {} ({:?})", self.to, self.lane);
        activity.note(shared.platform.now().monotonic);
        select! {
            biased;
            failure = listen(&mut frames) => Err(failure),
            sent = self.send_all(first, &mut writer) => sent,
            () = unheard(&shared, &activity) => Err(Failure::Silent),
        }
    }

    async fn send_all(&mut self, first: Option<PeerMessage>, writer: &mut P::Writer) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let mut next = match first {
            Some(first) => Some(first),
            None => self.next(writer).await?,
        };
        while let Some(message) = next {
            let mut gathered = Gathered::new();
            gathered.push(&shared, message).await;
            while gathered.bytes < GATHERED_BYTES_MAX
                && let Ok(message) = self.queue.try_recv()
            {
                gathered.push(&shared, message).await;
            }
            shared.platform.send(writer, gathered.parts).await.map_err(Failure::Send)?;
            next = self.next(writer).await?;
        }
        Ok(())
    }

    /// Waits for the next message, with beats meanwhile; none when the turn loop has ended.
    async fn next(&mut self, writer: &mut P::Writer) -> Result<Option<PeerMessage>, Failure> {
        loop {
            let beat_at = self.shared.platform.now().monotonic.after(Wait::from_ms(BEAT_MS));
            select! {
                biased;
                message = self.queue.recv() => return Ok(message),
                () = self.shared.platform.sleep_until(beat_at) => {}
            }
            let beat = vec![Part::Bytes(Bytes::from_static(&BEAT))];
            self.shared.platform.send(writer, beat).await.map_err(Failure::Send)?;
        }
    }
}

/// Connects and is let in.
async fn open<'a, P: Platform>(
    shared: &'a Shared<P>,
    activity: &'a Activity,
    to: NodeId,
    lane: Lane,
) -> Result<(FrameReader<Watched<'a, P>>, P::Writer), Failure> {
    // What a node says of itself is newer than where it was registered.
    let address = shared.addresses.of_controller(to).or_else(|| shared.addresses.of_voter(to));
    let address = address.or_else(|| shared.visitors.address_of(to)).or_else(|| shared.addresses.of_broker(to));
    let address = address.ok_or(Failure::Unknown)?;
    let (reader, mut writer) = shared.platform.connect(&address.to_string()).await.map_err(Failure::Connect)?;
    let identity = shared.identity.clone();
    let at = identity.at.map(|at| (at.host, at.port));
    let hello = Hello { cluster_id: identity.cluster_id, from: identity.node, incarnation: identity.incarnation, to, lane, at };
    shared.platform.send(&mut writer, vec![Part::Bytes(hello.encode())]).await.map_err(Failure::Send)?;
    let mut frames = FrameReader::new(Watched::new(reader, shared, activity), PEER_HANDSHAKE_BYTES_MAX);
    let length = frames.length().await?.ok_or(Failure::Left)?;
    match Answer::decode(&frames.body(length).await?)? {
        Answer::Welcome => Ok((frames, writer)),
        Answer::Refused(refusal) => Err(Failure::Refused(refusal)),
    }
}

/// Reads the other end's beats until there are no more.
async fn listen<P: Platform>(frames: &mut FrameReader<Watched<'_, P>>) -> Failure {
    loop {
        match frames.length().await {
            Ok(Some(length)) => {
                if let Err(error) = frames.body(length).await {
                    return error.into();
                }
            }
            Ok(None) => return Failure::Left,
            Err(error) => return error.into(),
        }
    }
}
