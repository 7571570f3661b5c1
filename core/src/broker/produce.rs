//! Produce: a batch a partition, answered together when each is kept as the client asked.

use super::Broker;
use super::join::Join;
use super::timers::Timer;
use crate::boundary::{
    Acks, Batch, Effects, Mark, ProduceFailure, ProducePartition, ProduceRequest, ProduceResponse, Produced, ProducedPartition, Reply,
    RequestContext, Response, StorageOp, TopicRef,
};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{LogId, PartitionIndex, RequestId, TopicId, TopicPartition};
use crate::limits::FREE_BYTES_RESERVE;
use crate::offset::Offset;
use crate::partition::{AppendError, Appended, Leader, Partition};
use crate::producer::ProducerError;
use crate::time::Wait;

/// The client that Kafka lets write to the brokers' own topics.
const ADMIN_CLIENT: &str = "__admin_client";

pub(super) type ProduceJoin = Join<TopicRef, ProducedPartition>;

impl Broker {
    pub(super) fn produce(&mut self, id: RequestId, context: &RequestContext, request: ProduceRequest, effects: &mut Effects) {
        let mut join = ProduceJoin::new(request.topics.len());
        let refusal = self.produce_refusal(&request);
        let acks = request.acks.unwrap_or(Acks::None);
        let may_write_all = context.client_id.as_deref() == Some(ADMIN_CLIENT);
        for topic in request.topics {
            let topic_id = self.writable_topic(&topic.topic, may_write_all);
            join.begin_topic(topic.topic, topic.partitions.len());
            for part in topic.partitions {
                let outcome = match &refusal {
                    Some(error) => Err(error.clone().into()),
                    None => topic_id.clone().map_err(Into::into).and_then(|topic| self.append_part(topic, &part, acks, effects)),
                };
                self.await_part(id, acks, part.partition, outcome, &mut join);
            }
        }
        if join.is_complete() {
            reply(id, join, effects);
        } else {
            // Without any patience a client waits for no other replica, but still for the leader, which has no time of its own.
            let waits_for_others = join.waiting().any(|(_, place)| self.has_followers(place.id));
            if acks == Acks::All && (request.timeout_ms > 0 || waits_for_others) {
                let patience = Wait::from_ms(i64::from(request.timeout_ms.max(1)));
                self.timers.set(Timer::Produce(id), self.now.monotonic.after(patience));
            }
            self.produces.insert(id, join);
        }
    }

    fn has_followers(&self, id: TopicPartition) -> bool {
        self.partitions.get(&id).and_then(|partition| partition.leader().ok()).is_some_and(|leader| leader.isr().replicas().len() > 1)
    }

    /// A topic that is there, and not the brokers' own unless the client may write to all.
    fn writable_topic(&self, topic: &TopicRef, may_write_all: bool) -> Result<TopicId, ApiError> {
        let id = self.topic_id(topic)?;
        match self.image.topics.get(&id) {
            Some(found) if found.name.is_internal() && !may_write_all => {
                Err(ApiError::new(ErrorCode::InvalidTopicException, format!("Cannot append to internal topic {}", found.name)))
            }
            Some(_) | None => Ok(id),
        }
    }

    /// Why a whole request is refused, if it is.
    fn produce_refusal(&self, request: &ProduceRequest) -> Option<ApiError> {
        if request.acks.is_err() {
            return Some(ErrorCode::InvalidRequiredAcks.into());
        }
        if request.transactional_id.is_some() {
            return Some(ApiError::new(ErrorCode::InvalidTxnState, "This broker has no transactions yet."));
        }
        if self.is_stopping() {
            return Some(ErrorCode::NotLeaderOrFollower.into());
        }
        None
    }

    fn append_part(
        &mut self,
        topic: TopicId,
        part: &ProducePartition,
        acks: Acks,
        effects: &mut Effects,
    ) -> Result<(TopicPartition, Appended, Offset), ProduceFailure> {
        let id = TopicPartition { topic, partition: part.partition };
        let batch = part.batch.as_ref().map_err(|rejected| ProduceFailure {
            error: ApiError::new(rejected.error, rejected.message.clone()),
            records: rejected.records.clone(),
            log_start: None,
            current_leader: None,
        })?;
        self.append_batch(id, batch, acks, effects).map(|(appended, log_start)| (id, appended, log_start))
    }

    /// Appends a batch where its partition is led.
    pub(super) fn append_batch(
        &mut self,
        id: TopicPartition,
        batch: &Batch,
        acks: Acks,
        effects: &mut Effects,
    ) -> Result<(Appended, Offset), ProduceFailure> {
        let is_cut_off = self.is_cut_off && acks == Acks::All;
        let absent = self.absence(id);
        let partition = self.partitions.get_mut(&id).ok_or(absent)?;
        if batch.header.is_transactional {
            return Err(ErrorCode::InvalidTxnState.into());
        }
        let has_space = self.free_bytes.is_none_or(|free| free >= FREE_BYTES_RESERVE);
        let now = self.now.monotonic;
        let appended = partition.append(batch, acks == Acks::All, is_cut_off, has_space, self.now.wall).map_err(|error| {
            let error = match error {
                // A producer takes the loss of a batch for final. It may be another leader that has it.
                AppendError::Producer(ProducerError::OutOfOrder { .. }) if !partition.leader().is_ok_and(|leader| leader.is_followed(now)) => {
                    AppendError::NotLed(ErrorCode::NotLeaderOrFollower)
                }
                // Or this one refused it before it led, and the producer had sent both by then: librdkafka gives up where it is told of a gap.
                AppendError::Producer(ProducerError::OutOfOrder { expected, .. })
                    if partition.leader().is_ok_and(Leader::has_followers) && partition.awaits_before(&batch.header, expected) =>
                {
                    effects.mark(Mark::RefusedBehindRefused);
                    AppendError::NotLed(ErrorCode::NotLeaderOrFollower)
                }
                AppendError::Producer(_) | AppendError::NotLed(_) | AppendError::DiskNearlyFull | AppendError::NotEnoughReplicas { .. } => {
                    error
                }
            };
            mark_refusal(&error, effects);
            ProduceFailure { log_start: log_start_told(partition, &error), ..refused(error).into() }
        })?;
        let leader = partition.leader_mut()?;
        if appended.was_producer_forgotten {
            effects.mark(Mark::UnknownProducerStarted);
        }
        let log = LogId::Partition(id);
        match appended.placed {
            Some(header) => {
                let (payload, has_followers) = (batch.payload.clone(), leader.has_followers());
                self.leading.client_wrote(header.batch_bytes, now);
                effects.storage.push(StorageOp::Append { log, header, payload, has_followers });
            }
            None => effects.mark(Mark::DuplicateBatchAnswered),
        }
        if leader.log().unkept_bytes() >= self.bounds.snapshot_interval_bytes
            && let Some((upto, producers)) = leader.keep_producers()
        {
            effects.storage.push(StorageOp::KeepSnapshot { log, upto, producers });
        }
        Ok((appended, leader.log().start()))
    }

    /// Adds a part's outcome to the join, and lets it wait for what `acks` asks.
    fn await_part(
        &mut self,
        request: RequestId,
        acks: Acks,
        partition: PartitionIndex,
        outcome: Result<(TopicPartition, Appended, Offset), ProduceFailure>,
        join: &mut ProduceJoin,
    ) {
        let (id, appended, log_start) = match outcome {
            Ok(appended) => appended,
            Err(failure) => return join.push(ProducedPartition { partition, result: Err(failure) }),
        };
        let produced = Produced { base_offset: appended.base_offset, log_append_time: appended.log_append_time, log_start };
        join.push(ProducedPartition { partition, result: Ok(produced) });
        let Some(Ok(leader)) = self.partitions.get_mut(&id).map(|partition| partition.leader_mut()) else { return };
        let upto = appended.end_offset;
        let (reached, waiting) = match acks {
            Acks::None => return,
            Acks::Leader => (leader.kept(), &mut leader.waiting_for_leader),
            Acks::All => (leader.committed_as_promised(), &mut leader.waiting_for_commit),
        };
        if reached < upto {
            waiting.add(upto, (request, join.wait(id, upto)));
        }
    }

    /// A part of a produce is kept as its client asked, or has failed.
    pub(super) fn produce_part_done(&mut self, (request, slot): (RequestId, u32), failure: Option<ErrorCode>, effects: &mut Effects) {
        let Some(join) = self.produces.get_mut(&request) else { return };
        if let Some(part) = join.done(slot)
            && let Some(code) = failure
        {
            part.result = Err(code.into());
        }
        if join.is_complete()
            && let Some(join) = self.produces.remove(&request)
        {
            self.timers.cancel(&Timer::Produce(request));
            reply(request, join, effects);
        }
    }

    /// The time of a produce is up: what still waits was not committed in time, though it may be later.
    pub(super) fn produce_timed_out(&mut self, request: RequestId, effects: &mut Effects) {
        for slot in self.forget_produce_waits(request) {
            self.produce_part_done((request, slot), Some(ErrorCode::RequestTimedOut), effects);
        }
    }

    /// Drops a produce whose client is gone. What it appended stays.
    pub(super) fn abandon_produce(&mut self, request: RequestId) {
        self.forget_produce_waits(request);
        self.timers.cancel(&Timer::Produce(request));
        self.produces.remove(&request);
    }

    fn forget_produce_waits(&mut self, request: RequestId) -> Vec<u32> {
        let waits: Vec<_> = self.produces.get(&request).map(|join| join.waiting().collect()).unwrap_or_default();
        self.forget_waits(request, waits)
    }
}

fn reply(id: RequestId, join: ProduceJoin, effects: &mut Effects) {
    let response = ProduceResponse { topics: join.topics, endpoints: Vec::new() };
    effects.replies.push(Reply { id, response: Response::Produce(response) });
}

fn refused(error: AppendError) -> ApiError {
    match error {
        AppendError::NotLed(code) => code.into(),
        AppendError::DiskNearlyFull => ApiError::new(ErrorCode::KafkaStorageError, "The broker's disk is nearly full."),
        AppendError::Producer(error) => ErrorCode::from(error).into(),
        AppendError::NotEnoughReplicas { isr, needed } => {
            ApiError::new(ErrorCode::NotEnoughReplicas, format!("The ISR has {isr} members and min.insync.replicas asks for {needed}."))
        }
    }
}

fn mark_refusal(error: &AppendError, effects: &mut Effects) {
    match error {
        AppendError::Producer(ProducerError::Fenced { .. }) => effects.mark(Mark::ProducerFenced),
        AppendError::Producer(ProducerError::OutOfOrder { .. }) => effects.mark(Mark::OutOfOrderSequence),
        AppendError::DiskNearlyFull => effects.mark(Mark::ProduceRefusedForSpace),
        AppendError::NotLed(_) | AppendError::NotEnoughReplicas { .. } => {}
    }
}

/// Where the log starts, for a client that may have been left behind by it.
fn log_start_told(partition: &Partition, error: &AppendError) -> Option<Offset> {
    match error {
        AppendError::Producer(_) | AppendError::NotEnoughReplicas { .. } => partition.leader().ok().map(|leader| leader.log().start()),
        AppendError::NotLed(_) | AppendError::DiskNearlyFull => None,
    }
}

impl From<ApiError> for ProduceFailure {
    fn from(error: ApiError) -> Self {
        Self { error, records: Vec::new(), log_start: None, current_leader: None }
    }
}

impl From<ErrorCode> for ProduceFailure {
    fn from(code: ErrorCode) -> Self {
        ApiError::from(code).into()
    }
}
