//! Fetch: answered at once if there is enough, or after a wait.

use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Effects, FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Mark, Reply, Response, TopicRef};
use crate::error::ErrorCode;
use crate::ids::{LogId, NodeId, RequestId, TopicPartition};
use crate::offset::Offset;
use crate::partition::{Partition, ReadError, Readable};
use crate::time::Wait;

/// A fetch that waits for data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ParkedFetch {
    wish: FetchRequest,
    parts: Vec<ParkedPart>,
    bytes: u64,
}

/// A partition that a parked fetch waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ParkedPart {
    id: TopicPartition,
    wanted: FetchPartition,
    bytes: u64,
    upto: Offset,
}

/// What a look at a partition says of a fetch.
struct Look {
    parts: Vec<ParkedPart>,
    bytes: u64,
    must_answer: bool,
}

impl Broker {
    pub(super) fn fetch(&mut self, id: RequestId, wish: FetchRequest, effects: &mut Effects) {
        if let Some(error) = session_error(&wish) {
            return reply(id, whole_error(error), effects);
        }
        let look = self.look(&wish);
        let bytes_min = self.bytes_min(&wish);
        if look.must_answer || look.bytes >= bytes_min || wish.wait_ms_max <= 0 || look.parts.is_empty() || self.is_stopping() {
            let response = self.answer_fetch(&wish, effects);
            return reply(id, response, effects);
        }
        for (part, slot) in look.parts.iter().zip(0..) {
            self.await_data(part, (id, slot));
        }
        self.timers.set(Timer::Fetch(id), self.now.monotonic.after(Wait::from_ms(i64::from(wish.wait_ms_max))));
        self.fetches.insert(id, ParkedFetch { wish, parts: look.parts, bytes: look.bytes });
    }

    /// Looks at every partition of a fetch: how much there is, and whether anything must be told at once.
    fn look(&self, wish: &FetchRequest) -> Look {
        let mut look = Look { parts: Vec::new(), bytes: 0, must_answer: false };
        for topic in &wish.topics {
            let topic_id = self.topic_id(&topic.topic);
            for wanted in &topic.partitions {
                let Ok(id) = topic_id.map(|topic| TopicPartition { topic, partition: wanted.partition }) else {
                    look.must_answer = true;
                    continue;
                };
                match self.readable(id, wanted, wish) {
                    Ok(readable) => {
                        look.must_answer |= readable.diverging.is_some() || self.preferred_replica(id, wanted, wish).is_some();
                        let bytes = wanted_bytes(&readable, wanted);
                        look.bytes = look.bytes.saturating_add(bytes);
                        look.parts.push(ParkedPart { id, wanted: *wanted, bytes, upto: readable.end.plus(1) });
                    }
                    Err(_) => look.must_answer = true,
                }
            }
        }
        look
    }

    /// How much there must be for an answer: never more than one may hold.
    fn bytes_min(&self, wish: &FetchRequest) -> u64 {
        u64::try_from(wish.bytes_min.min(wish.bytes_max)).unwrap_or(0).min(self.bounds.fetch_bytes_max.into())
    }

    fn readable(&self, id: TopicPartition, wanted: &FetchPartition, wish: &FetchRequest) -> Result<Readable, Unreadable> {
        let partition = self.partitions.get(&id).ok_or_else(|| Unreadable::Error(self.absence(id)))?;
        // As in Kafka a client that could be told of a replica may read from any (KIP-392).
        let reading = partition.reading(wish.rack.is_some()).map_err(Unreadable::Error)?;
        reading.read(LogId::Partition(id), wanted, wish.read_committed).map_err(|error| Unreadable::Refused {
            error,
            high_watermark: reading.high_watermark(),
            log_start: reading.log_start(),
        })
    }

    /// A replica in the consumer's own rack that has what it wants, where the leader stands in another (KIP-392).
    fn preferred_replica(&self, id: TopicPartition, wanted: &FetchPartition, wish: &FetchRequest) -> Option<NodeId> {
        let rack = wish.rack.as_deref().filter(|rack| self.bounds.selects_by_rack && !rack.is_empty())?;
        if self.settings.rack.as_deref() == Some(rack) {
            return None;
        }
        let leader = self.partitions.get(&id)?.leader().ok()?;
        let is_near =
            |node: &NodeId| self.image.brokers.get(node).is_some_and(|broker| !broker.is_fenced && broker.rack.as_deref() == Some(rack));
        let reach = |node: &NodeId| {
            let held = leader.isr().holds(*node).filter(|held| held.contains(&wanted.fetch_offset));
            held.map(|held| (*held.end(), *node))
        };
        leader.isr().committed().iter().filter(|node| is_near(node)).filter_map(reach).max().map(|(_, node)| node)
    }

    fn await_data(&mut self, part: &ParkedPart, slot: (RequestId, u32)) {
        if let Some(replica) = self.partitions.get_mut(&part.id).and_then(Partition::replica_mut) {
            replica.waiting_for_data.add(part.upto, slot);
        }
    }

    /// There is more in a partition that a fetch waits on.
    pub(super) fn fetch_part_grew(&mut self, (request, slot): (RequestId, u32), effects: &mut Effects) {
        let Some(mut fetch) = self.fetches.remove(&request) else { return };
        let at = usize::try_from(slot).unwrap_or(usize::MAX);
        let Some(part) = fetch.parts.get_mut(at) else { return };
        match self.readable(part.id, &part.wanted, &fetch.wish) {
            Ok(readable) => {
                let bytes = wanted_bytes(&readable, &part.wanted);
                fetch.bytes = fetch.bytes.saturating_sub(part.bytes).saturating_add(bytes);
                part.bytes = bytes;
                part.upto = readable.end.plus(1);
            }
            Err(_) => return self.finish_fetch(request, fetch, effects),
        }
        if fetch.bytes >= self.bytes_min(&fetch.wish) {
            effects.mark(Mark::FetchWokenByAppend);
            return self.finish_fetch(request, fetch, effects);
        }
        let part = *part;
        self.await_data(&part, (request, slot));
        self.fetches.insert(request, fetch);
    }

    /// A partition that a fetch waits on has an error to tell.
    pub(super) fn fetch_part_failed(&mut self, request: RequestId, effects: &mut Effects) {
        if let Some(fetch) = self.fetches.remove(&request) {
            self.finish_fetch(request, fetch, effects);
        }
    }

    pub(super) fn fetch_timed_out(&mut self, request: RequestId, effects: &mut Effects) {
        if let Some(fetch) = self.fetches.remove(&request) {
            effects.mark(Mark::FetchTimedOut);
            self.finish_fetch(request, fetch, effects);
        }
    }

    /// Drops a fetch whose client is gone.
    pub(super) fn abandon_fetch(&mut self, request: RequestId) {
        if let Some(fetch) = self.fetches.remove(&request) {
            self.forget_fetch_waits(request, &fetch);
        }
    }

    fn finish_fetch(&mut self, request: RequestId, fetch: ParkedFetch, effects: &mut Effects) {
        self.forget_fetch_waits(request, &fetch);
        let response = self.answer_fetch(&fetch.wish, effects);
        reply(request, response, effects);
    }

    fn forget_fetch_waits(&mut self, request: RequestId, fetch: &ParkedFetch) {
        self.timers.cancel(&Timer::Fetch(request));
        for (part, slot) in fetch.parts.iter().zip(0..) {
            if let Some(replica) = self.partitions.get_mut(&part.id).and_then(Partition::replica_mut) {
                replica.waiting_for_data.remove(part.upto, (request, slot));
            }
        }
    }

    fn answer_fetch(&self, wish: &FetchRequest, effects: &mut Effects) -> FetchResponse {
        let mut topics = Vec::with_capacity(wish.topics.len());
        for topic in &wish.topics {
            let topic_id = self.topic_id(&topic.topic);
            let answer = |wanted: &FetchPartition| {
                let id = topic_id.map(|topic| TopicPartition { topic, partition: wanted.partition });
                let found = id.map_err(Unreadable::Error).and_then(|id| self.readable(id, wanted, wish));
                let is_of_follower = found.as_ref().is_ok_and(|readable| !readable.is_of_leader);
                let mut part = fetched(wanted, found, wish.read_committed, effects);
                part.preferred_read_replica = id.ok().filter(|_| part.error.is_none()).and_then(|id| self.preferred_replica(id, wanted, wish));
                if part.preferred_read_replica.is_some() {
                    effects.mark(Mark::PreferredReplicaNamed);
                    part.slice = None;
                }
                if part.slice.is_some() && is_of_follower {
                    effects.mark(Mark::FollowerRead);
                }
                part
            };
            topics.push((topic.topic.clone(), topic.partitions.iter().map(answer).collect()));
        }
        let bytes_max = u32::try_from(wish.bytes_max).unwrap_or(0).min(self.bounds.fetch_bytes_max);
        FetchResponse { error: None, session_id: 0, bytes_max, topics, endpoints: Vec::new() }
    }
}

/// Why a partition has nothing for a fetch.
enum Unreadable {
    Error(ErrorCode),
    Refused { error: ReadError, high_watermark: Offset, log_start: Offset },
}

/// Sessions are refused as Kafka's protocol allows: a new one is answered with id 0, which tells the client that it has none (KIP-227).
fn session_error(wish: &FetchRequest) -> Option<ErrorCode> {
    // Epoch 0 asks for a session and -1 for none; any other belongs to one, and there are none.
    match wish.session_epoch {
        -1 | 0 => None,
        _ => Some(ErrorCode::FetchSessionIdNotFound),
    }
}

/// Bytes that a fetch could get of a partition.
fn wanted_bytes(readable: &Readable, wanted: &FetchPartition) -> u64 {
    readable.bytes.min(u64::try_from(wanted.partition_bytes_max).unwrap_or(0).max(1))
}

fn fetched(wanted: &FetchPartition, found: Result<Readable, Unreadable>, read_committed: bool, effects: &mut Effects) -> FetchedPartition {
    let unknown = Offset(-1);
    let mut part = FetchedPartition {
        partition: wanted.partition,
        error: None,
        high_watermark: unknown,
        last_stable_offset: unknown,
        log_start: unknown,
        diverging: None,
        current_leader: None,
        aborted: read_committed.then(Vec::new),
        preferred_read_replica: None,
        slice: None,
    };
    match found {
        Ok(readable) => {
            part.high_watermark = readable.high_watermark;
            part.last_stable_offset = readable.last_stable_offset;
            part.log_start = readable.log_start;
            part.diverging = readable.diverging;
            part.slice = readable.slice;
        }
        Err(Unreadable::Error(code)) => part.error = Some(code),
        Err(Unreadable::Refused { error, high_watermark, log_start }) => {
            part.error = Some(error.into());
            part.high_watermark = high_watermark;
            part.log_start = log_start;
            match error {
                ReadError::BelowLogStart => effects.mark(Mark::FetchBelowLogStart),
                ReadError::AboveLogEnd => effects.mark(Mark::FetchAboveLogEnd),
                ReadError::FencedLeaderEpoch | ReadError::UnknownLeaderEpoch | ReadError::LastFetchedEpochUnknown => {}
            }
        }
    }
    part
}

fn whole_error(error: ErrorCode) -> FetchResponse {
    FetchResponse { error: Some(error), session_id: 0, bytes_max: 0, topics: Vec::<(TopicRef, _)>::new(), endpoints: Vec::new() }
}

fn reply(id: RequestId, response: FetchResponse, effects: &mut Effects) {
    effects.replies.push(Reply { id, response: Response::Fetch(response) });
}
