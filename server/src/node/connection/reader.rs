//! Reads requests and hands them to the turn loop.

use std::future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use gracchus_core::boundary::{Door, Request, RequestContext, Response};
use gracchus_core::ids::RequestId;
use gracchus_core::time::{Timestamp, Wait};
use gracchus_net::frame::{FrameReader, kept_bytes};
use gracchus_net::kafka::{Api, DecodeError, Decoded, decode_request};
use gracchus_net::records::Effort;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::super::activity::{Activity, Watched, silent_for};
use super::super::shared::Shared;
use super::super::turn::FromConnection;
use super::{End, Origin, Slot};
use crate::platform::Platform;

/// Requests up to this long are read before they take their share of the node's memory.
const SMALL_REQUEST_BYTES_MAX: u32 = 64 << 10;

/// How long a large request, which has taken its share already, may keep its next bytes back.
const STALL_MS_MAX: i64 = 10_000;

/// While others wait for the share of a large request, it has to bring this many bytes within [`HURRY_MS`].
const HURRY_BYTES_MIN: u64 = 128 << 10;
const HURRY_MS: i64 = 2_000;

/// Bytes that say which request a frame is.
const API_KEY_BYTES: usize = 2;

pub(super) struct RequestReader<'a, P: Platform> {
    shared: &'a Shared<P>,
    origin: &'a Origin,
    activity: &'a Activity,
    turn: &'a mpsc::Sender<FromConnection>,
    frames: FrameReader<Watched<'a, P>>,
    next_sequence: u64,
}

/// The bytes of a Produce with their share of the node's memory, which is given back when the last slice of them is dropped: a batch is held
/// until the store has written it, long after its request was decoded. Of other requests no bytes outlast their decoding, but what was decoded
/// stays until they are answered, and their share with it.
struct Counted {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'a, P: Platform> RequestReader<'a, P> {
    pub(super) fn new(
        shared: &'a Shared<P>,
        origin: &'a Origin,
        activity: &'a Activity,
        turn: &'a mpsc::Sender<FromConnection>,
        frames: FrameReader<Watched<'a, P>>,
    ) -> Self {
        Self { shared, origin, activity, turn, frames, next_sequence: 0 }
    }

    /// Reads until there is a reason to end.
    pub(super) async fn run(mut self, slots: mpsc::Sender<Slot>) -> End {
        let shared = self.shared;
        let idle = idle(shared, self.activity);
        let mut idle = pin!(idle);
        let mut closing = pin!(shared.closing.given());
        let mut reading = pin!(self.read_all(&slots));
        select! {
            biased;
            () = &mut closing => End::Stopping,
            end = &mut reading => end,
            () = &mut idle => End::Idle,
        }
    }

    async fn read_all(&mut self, slots: &mpsc::Sender<Slot>) -> End {
        loop {
            if let Err(end) = self.read_one(slots).await {
                return end;
            }
        }
    }

    async fn read_one(&mut self, slots: &mpsc::Sender<Slot>) -> Result<(), End> {
        // Only a writer that has ended drops the other half, and then the whole connection ends with its reason.
        let Ok(slot) = slots.reserve().await else { return future::pending().await };
        let length = self.frames.length().await?.ok_or(End::Left)?;
        let (frame, room) = self.read_body(length).await?;
        let now = self.shared.platform.now();
        self.shared.counters.bytes_in.add(u64::from(length));

        match decode(self.shared, self.origin.door, frame, now.wall).await? {
            Decoded::Request { header, request, is_answered } => {
                let context = RequestContext {
                    listener: Arc::clone(&self.origin.listener),
                    door: self.origin.door,
                    host: Arc::clone(&self.origin.host),
                    client_id: header.client_id.clone(),
                };
                let (sender, answer) = oneshot::channel();
                let is_read_ahead_of = matches!(header.api, Api::Produce | Api::Fetch);
                let (alone, answered) = (!is_read_ahead_of).then(oneshot::channel).unzip();
                slot.send(Slot::Asked { header, received: now.monotonic, is_answered, answer, room, alone });
                self.submit(context, *request, sender).await;
                if let Some(answered) = answered {
                    // Nothing is sent: the other end is dropped.
                    let _ = answered.await;
                }
            }
            Decoded::Answer(frame) => slot.send(Slot::Answered(frame)),
        }
        Ok(())
    }

    /// A small request takes its share of the node's memory once it is there: until then the connection's own buffer has room for it, and
    /// one that is held back half sent keeps nobody waiting. A large one takes its share first, and gives it back when it does not come.
    async fn read_body(&mut self, length: u32) -> Result<(Bytes, Option<OwnedSemaphorePermit>), End> {
        let (bytes, room) = if length <= SMALL_REQUEST_BYTES_MAX {
            let bytes = self.frames.body(length).await?;
            (bytes, self.shared.room_for_small(kept_bytes(length)).await)
        } else {
            let room = self.shared.room_for_large(length).await;
            // What came while there was no room is no sign of life, and its absence no sign of death.
            self.activity.note(self.shared.platform.now().monotonic);
            let bytes = select! {
                biased;
                bytes = self.frames.body(length) => bytes?,
                () = stalled(self.shared, self.activity) => return Err(End::Stalled(length)),
            };
            (bytes, room)
        };
        let is_produce = bytes.first_chunk::<API_KEY_BYTES>().map(|key| i16::from_be_bytes(*key)) == Some(Api::Produce.key());
        Ok(if is_produce { (Bytes::from_owner(Counted { bytes, _room: room }), None) } else { (bytes, Some(room)) })
    }

    async fn submit(&mut self, context: RequestContext, request: Request, answer: oneshot::Sender<Response>) {
        let id = RequestId { connection: self.origin.id, sequence: self.next_sequence };
        self.next_sequence += 1;
        // When the turn loop has ended, the answer's sender is dropped with the message, and the writer sees that.
        let _ = self.turn.send(FromConnection::Request { id, context, request, answer }).await;
    }
}

/// Decodes a request; where batches have to be decompressed for it, beside all others.
async fn decode<P: Platform>(shared: &Shared<P>, door: Door, frame: Bytes, wall: Timestamp) -> Result<Decoded, DecodeError> {
    let topics = shared.topics();
    match decode_request(frame.clone(), door, &topics, wall, Effort::Light) {
        Err(DecodeError::Laborious) => shared.platform.compute(move || decode_request(frame, door, &topics, wall, Effort::FULL)).await,
        decoded => decoded,
    }
}

/// Waits until nothing has come or left for too long.
pub(super) async fn idle<P: Platform>(shared: &Shared<P>, activity: &Activity) {
    match shared.limits.idle_ms_max {
        ..0 => future::pending().await,
        idle_ms_max => silent_for(shared, activity, Wait::from_ms(idle_ms_max)).await,
    }
}

/// Waits until a large request has kept its bytes back for too long: any, or a few while others wait for its share of the node's memory.
async fn stalled<P: Platform>(shared: &Shared<P>, activity: &Activity) {
    loop {
        let before = activity.received_bytes();
        let now = shared.platform.now().monotonic;
        shared.platform.sleep_until(now.after(Wait::from_ms(HURRY_MS))).await;
        let has_hurried = activity.received_bytes() - before >= HURRY_BYTES_MIN;
        let is_silent = activity.last().after(Wait::from_ms(STALL_MS_MAX)) <= shared.platform.now().monotonic;
        if is_silent || (!has_hurried && shared.is_large_room_wanted()) {
            return;
        }
    }
}
