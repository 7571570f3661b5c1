//! A connection that another node has made: its messages go to the turn loop.

use std::io;

use bytes::Bytes;
use gracchus_core::time::Wait;
use gracchus_net::frame::{FrameError, FrameReader};
use gracchus_net::limits::{PEER_FRAME_BYTES_MAX, PEER_HANDSHAKE_BYTES_MAX};
use gracchus_net::peer::{Answer, BEAT, Frame, Hello, MAGIC, PeerError, Refusal, decode_frame};
use thiserror::Error;
use tokio::select;

use super::super::activity::{Activity, Watched};
use super::super::connection::Origin;
use super::super::shared::Shared;
use super::{BEAT_MS, FromPeer, SILENCE_MS_MAX, unheard};
use crate::platform::{Part, Platform};

/// Why a connection ends.
#[derive(Debug, Error)]
enum End {
    #[error("the node closed it")]
    Left,
    #[error("nothing was heard of the node for {SILENCE_MS_MAX} ms")]
    Silent,
    #[error("another connection has taken its place")]
    Replaced,
    #[error("this node ends")]
    Ends,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("what the node says makes no sense: {0}")]
    Senseless(#[from] PeerError),
    #[error("the node is not let in: it means cluster {} and node {}", .0.cluster_id, .0.to)]
    Refused(Box<Hello>),
    #[error("nothing can be sent to the node: {0}")]
    Send(io::Error),
}

/// Takes in what another node says, to the end of its connection.
pub(in super::super) async fn receive<P: Platform>(
    shared: &Shared<P>,
    origin: &Origin,
    activity: &Activity,
    frames: FrameReader<Watched<'_, P>>,
    mut writer: P::Writer,
) {
    let (reader, buffer) = frames.into_parts();
    let mut frames = FrameReader::from_parts(reader, buffer, PEER_HANDSHAKE_BYTES_MAX);
    let greeted = select! {
        biased;
        () = shared.ended.given() => Err(End::Ends),
        greeted = greet(shared, &mut frames, &mut writer) => greeted,
        () = unheard(shared, activity) => Err(End::Silent),
    };
    let hello = match greeted {
        Ok(hello) => hello,
        Err(end) => return report(shared, origin, &end),
    };
    let visit = shared.visitors.enter(&hello).await;
    activity.note(shared.platform.now().monotonic);
    let (reader, buffer) = frames.into_parts();
    let mut frames = FrameReader::from_parts(reader, buffer, PEER_FRAME_BYTES_MAX);
    let end = select! {
        biased;
        () = shared.ended.given() => End::Ends,
        () = visit.replaced.given() => End::Replaced,
        end = take_all(shared, activity, &mut frames, &hello) => end,
        error = answer_and_beat(shared, &mut writer) => End::Send(error),
    };
    if !matches!(end, End::Ends) {
        tracing::debug!("the connection from node {} ({:?}) ended: {end}", hello.from, hello.lane);
        // It fails when the turn loop has ended, which needs no other node.
        let _ = shared.from_peers.send(FromPeer::Lost(hello.from)).await;
    }
    shared.visitors.leave(&hello, &visit);
    report(shared, origin, &end);
}

/// Learns who connects, and whether it may.
async fn greet<P: Platform>(shared: &Shared<P>, frames: &mut FrameReader<Watched<'_, P>>, writer: &mut P::Writer) -> Result<Hello, End> {
    let magic = frames.take_word().await?;
    assert_eq!(magic, Some(MAGIC), "the connection was seen to begin with it");
    let length = frames.length().await?.ok_or(End::Left)?;
    let hello = Hello::decode(&frames.body(length).await?)?;
    let identity = &shared.identity;
    let refusal = if hello.cluster_id != identity.cluster_id {
        Refusal::OtherCluster(identity.cluster_id.clone())
    } else if hello.to != identity.node || hello.from == identity.node {
        Refusal::OtherNode(identity.node)
    } else {
        return Ok(hello);
    };
    // Whoever is refused may have left.
    let _ = shared.platform.send(writer, vec![Part::Bytes(Answer::Refused(refusal).encode())]).await;
    Err(End::Refused(Box::new(hello)))
}

/// Hands messages on until there are no more, or nothing comes for too long.
async fn take_all<P: Platform>(shared: &Shared<P>, activity: &Activity, frames: &mut FrameReader<Watched<'_, P>>, hello: &Hello) -> End {
    loop {
        let read = select! {
            biased;
            read = read_frame(frames) => read,
            () = unheard(shared, activity) => Err(End::Silent),
        };
        match read {
            Ok(Frame::Beat) => {}
            Ok(Frame::Message(message)) => {
                if shared.from_peers.send(FromPeer::Said { from: hello.from, message: *message }).await.is_err() {
                    return End::Ends;
                }
                // What came while the turn loop was busy is no sign of life, and its absence no sign of death.
                activity.note(shared.platform.now().monotonic);
            }
            Err(end) => return end,
        }
    }
}

async fn read_frame<P: Platform>(frames: &mut FrameReader<Watched<'_, P>>) -> Result<Frame, End> {
    let length = frames.length().await?.ok_or(End::Left)?;
    Ok(decode_frame(&frames.body(length).await?)?)
}

/// Lets the node in, and tells it now and then that this one lives. Returns why it can't be told.
async fn answer_and_beat<P: Platform>(shared: &Shared<P>, writer: &mut P::Writer) -> io::Error {
    let mut next = Answer::Welcome.encode();
    loop {
        if let Err(error) = shared.platform.send(writer, vec![Part::Bytes(next)]).await {
            return error;
        }
        next = Bytes::from_static(&BEAT);
        shared.platform.sleep_until(shared.platform.now().monotonic.after(Wait::from_ms(BEAT_MS))).await;
    }
}

/// Says in the log why a connection ended, if somebody should look into it.
fn report<P: Platform>(shared: &Shared<P>, origin: &Origin, end: &End) {
    match end {
        End::Left | End::Silent | End::Replaced | End::Ends | End::Send(_) | End::Frame(FrameError::Io(_) | FrameError::Truncated) => {
            tracing::debug!("connection of a node from {origin} ended: {end}");
        }
        End::Frame(FrameError::Negative(_) | FrameError::TooLarge { .. }) | End::Senseless(_) | End::Refused(_) => {
            shared.counters.connections_broken.increment();
            let now = shared.platform.now().monotonic;
            shared.complaints.write(now, || format!("closed the connection of a node from {origin}: {end}"));
        }
    }
}
