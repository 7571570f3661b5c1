//! A producer as the Java client is by default: sequences, acks=all, several requests in flight, each of one batch or several, and retries under
//! the same sequences for as long as it does not know what became of a batch. Behind a batch that was refused it sends nothing new to that
//! partition until it has sent that one again (KAFKA-5494): a broker knows a retry by its last five batches.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::ids::{ProducerId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchProducer, Codec};
use gracchus_net::client::{Acks, PartitionBatch, ProducedPartition, WireError, produce_request, produced_partitions};
use kafka_wire::{InitProducerIdRequest, ProduceRequest};
use madsim::time::sleep;

use super::leaders::Left;
use super::{Client, Lost, Outcome, PRODUCE_PATIENCE, PRODUCE_TIMEOUT_MS, Topic, TopicKind, Wire, client_time, codec_at};
use crate::checkers::{Asked, Checkers, Question, SessionKind, Subject};
use crate::history::{Batch, RecordId, Session};

const OUT_OF_ORDER_SEQUENCE_NUMBER: WireError = WireError(45);
/// Chance in a million, whenever the connection is lost, that the producer is given up and another takes its place.
const REPLACED_PER_MILLION: u32 = 150_000;
/// Chance in a million that a batch joins the request of the one before it.
const JOINS_PER_MILLION: u32 = 400_000;

pub(super) struct IdempotentProducer {
    client: Client,
    in_flight_max: usize,
    records_max: u32,
    codec: Codec,
    producer: Option<Producer>,
    /// Batches without an outcome, in the order in which they were made.
    open: VecDeque<Open>,
    /// Requests in the order in which they went out on the connection at hand, each its batches by their first records.
    awaited: VecDeque<Vec<RecordId>>,
}

/// An id that the node has given, and what was made under it.
struct Producer {
    id: ProducerId,
    epoch: ProducerEpoch,
    session: Session,
    /// How often the power had been lost when it was given.
    power_losses: u32,
    next_sequences: BTreeMap<TopicPartition, i32>,
}

struct Open {
    batch: Batch,
    topic: Topic,
    partition: i32,
    producer: BatchProducer,
    stage: Stage,
    /// What was known when it was sent last.
    asked: Option<Asked>,
    /// How long it was then.
    sent_bytes: usize,
}

/// Where it is, on the connection at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Made,
    UnderWay,
    /// It is to be sent again.
    Refused,
}

impl Open {
    fn is_of_same_partition(&self, other: &Self) -> bool {
        self.topic.partition(self.partition) == other.topic.partition(other.partition)
    }
}

/// What becomes of a batch that was refused.
enum Verdict {
    Again,
    /// Its topic has gone.
    GivenUp,
    SessionBroken,
}

impl IdempotentProducer {
    pub(super) fn new(client: Client, in_flight_max: u32, records_max: u32, codec: Codec) -> Self {
        let in_flight_max = usize::try_from(in_flight_max).expect("few");
        Self { client, in_flight_max, records_max, codec, producer: None, open: VecDeque::new(), awaited: VecDeque::new() }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            let worked = self.work(&mut wire).await;
            self.awaited.clear();
            self.send_again();
            match self.client.leave(worked).await {
                Left::ForGood => return,
                Left::ForAnother => continue,
                Left::Lost => {}
            }
            self.client.surroundings.count("produce", Outcome::Unknown);
            if self.client.draw.chance(REPLACED_PER_MILLION) {
                self.producer = None;
                self.open.clear();
            }
        }
    }

    /// Works until told to stop, or to go on at another node, or the connection is lost.
    async fn work(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() {
            if self.client.is_moving() && wire.in_flight() == 0 {
                return Ok(());
            }
            if self.producer.is_none() && wire.in_flight() == 0 {
                self.init(wire).await?;
                continue;
            }
            if self.producer.is_some() && !self.client.is_moving() {
                self.fill().await;
                self.send_open(wire).await?;
            }
            if wire.in_flight() == 0 {
                // What is open is for others to take.
                let first = self.open.front().map(|open| open.topic.partition(open.partition));
                self.client.move_on(first);
                return Ok(());
            }
            let response = wire.receive::<ProduceRequest>().await?;
            let produced: Vec<ProducedPartition> = produced_partitions(response).collect();
            self.answered(&produced);
            if wire.in_flight() == 0 && self.open.iter().any(|open| open.stage != Stage::Made) {
                sleep(Duration::from_millis(10 + self.client.draw.below(100))).await;
                self.send_again();
            }
        }
        Ok(())
    }

    async fn init(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let mut request = InitProducerIdRequest::default();
        request.transactional_id = None;
        request.transaction_timeout_ms = 60_000;
        request.producer_id = -1;
        request.producer_epoch = -1;
        let asked = self.client.surroundings.ask(wire, Subject::Topics);
        let response = wire.ask(wire.version::<InitProducerIdRequest>()?, &request).await?;
        let error = WireError(response.error_code);
        if error != WireError::NONE {
            self.client.surroundings.count("init producer id", Outcome::Refused);
            self.client.surroundings.refused(&asked, Question::InitProducerId, error);
            self.client.move_on(None);
            sleep(Duration::from_millis(50)).await;
            return Ok(());
        }
        self.client.surroundings.count("init producer id", Outcome::Done);
        let opened = self.client.surroundings.recorder.tell(|checkers| {
            let session = checkers.open_session(SessionKind::Idempotent);
            Ok((session, checkers.power_losses()))
        });
        self.producer = opened.map(|(session, power_losses)| Producer {
            id: ProducerId(response.producer_id),
            epoch: ProducerEpoch(response.producer_epoch),
            session,
            power_losses,
            next_sequences: BTreeMap::new(),
        });
        Ok(())
    }

    /// Makes batches until there are as many under way as may be, or so many as chance wants.
    async fn fill(&mut self) {
        if self.open.len() < self.in_flight_max && !self.client.rest().await {
            return;
        }
        while self.open.is_empty() || (self.open.len() < self.in_flight_max && self.client.draw.chance(700_000)) {
            self.make();
        }
    }

    fn make(&mut self) {
        let (topic, index) = self.client.pick_partition();
        let partition = topic.partition(index);
        let count = 1 + u32::try_from(self.client.draw.below(self.records_max.into())).expect("few");
        let Some(producer) = &mut self.producer else { return };
        let session = producer.session;
        let timestamp = client_time();
        let written = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.write(session, partition, count, timestamp)));
        let Some(first) = written else { return };
        let next = producer.next_sequences.entry(partition).or_default();
        let base_sequence = *next;
        *next += i32::try_from(count).expect("few");
        let producer = BatchProducer { id: producer.id, epoch: producer.epoch, base_sequence };
        let batch = Batch { first, count, timestamp, codec: self.codec };
        self.open.push_back(Open { batch, topic, partition: index, producer, stage: Stage::Made, asked: None, sent_bytes: 0 });
    }

    /// Sends what is not under way, in its order.
    async fn send_open(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while let Some(from) = self.open.iter().position(|open| self.may_send(open)) {
            let upto = self.end_of_request(from);
            let version = wire.version_about::<ProduceRequest>(self.open.range(from..upto).map(|open| &open.topic))?;
            let mut batches = Vec::new();
            for open in self.open.range_mut(from..upto) {
                // It stays what it was sent as: one that was refused for its size is not to pass when it comes again.
                open.batch.codec = codec_at(version, open.batch.codec);
                let batch = open.batch.build(Some(open.producer));
                open.stage = Stage::UnderWay;
                open.sent_bytes = batch.len();
                batches.push(PartitionBatch { topic: open.topic.key.clone(), partition: open.partition, batch });
                open.asked = Some(self.client.surroundings.ask(wire, open.topic.subject(open.partition)));
            }
            self.awaited.push_back(self.open.range(from..upto).map(|open| open.batch.first).collect());
            wire.send(version, &produce_request(Acks::All, PRODUCE_TIMEOUT_MS, batches)).await?;
        }
        Ok(())
    }

    /// Nothing is under way any longer: what is open is to be sent, in its order.
    fn send_again(&mut self) {
        for open in &mut self.open {
            open.stage = Stage::Made;
        }
    }

    fn may_send(&self, open: &Open) -> bool {
        let is_refused = |other: &Open| other.stage == Stage::Refused && other.is_of_same_partition(open);
        open.stage == Stage::Made && self.is_for_here(open) && !self.open.iter().any(is_refused)
    }

    /// Whether a batch is for the node at hand: one that nobody is known to lead may be sent to any.
    fn is_for_here(&self, open: &Open) -> bool {
        let partition = open.topic.partition(open.partition);
        self.client.is_led_here(partition) || self.client.leader_of(partition).is_none()
    }

    /// Where the request ends that begins with an open batch: chance wants more in it, and no partition is there twice.
    fn end_of_request(&mut self, from: usize) -> usize {
        let mut upto = from + 1;
        while self
            .open
            .get(upto)
            .is_some_and(|next| self.may_send(next) && self.open.range(from..upto).all(|open| !open.is_of_same_partition(next)))
            && self.client.draw.chance(JOINS_PER_MILLION)
        {
            upto += 1;
        }
        upto
    }

    /// Answers come in the order of sending.
    fn answered(&mut self, produced: &[ProducedPartition]) {
        for first in self.awaited.pop_front().expect("what is answered was sent") {
            // A batch of a session that has broken since is of no interest.
            let Some(at) = self.open.iter().position(|open| open.batch.first == first) else { continue };
            let open = self.open.get(at).expect("it was found there");
            let is_of = |produced: &&ProducedPartition| produced.partition == open.partition && open.topic.is_meant_by(&produced.topic);
            let produced = produced.iter().find(is_of).expect("what was asked is answered");
            self.settle(at, produced);
        }
    }

    fn settle(&mut self, at: usize, produced: &ProducedPartition) {
        if produced.error == WireError::NONE {
            let open = self.open.remove(at).expect("it was found there");
            self.client.surroundings.count("produce", Outcome::Done);
            let (partition, base_offset) = (open.topic.partition(open.partition), Offset(produced.base_offset));
            let power_losses = open.asked.expect("it was sent").power_losses;
            let told = |checkers: &mut Checkers| checkers.acked(partition, &open.batch, base_offset, power_losses, Acks::All);
            self.client.surroundings.recorder.tell(told);
            return;
        }
        self.client.surroundings.count("produce", Outcome::Refused);
        self.check_refusal(at, produced.error);
        self.client.heed(produced.error);
        match self.judge(at, produced.error) {
            Verdict::Again => self.open.get_mut(at).expect("it was found there").stage = Stage::Refused,
            Verdict::GivenUp => {
                let open = self.open.remove(at).expect("it was found there");
                self.client.surroundings.forget_passing(&open.topic);
            }
            Verdict::SessionBroken => {
                self.producer = None;
                self.open.clear();
            }
        }
    }

    /// A batch may be out of order behind one that is not answered yet, or that a power loss has taken.
    fn check_refusal(&self, at: usize, error: WireError) {
        let (Some(open), Some(producer)) = (self.open.get(at), &self.producer) else { return };
        let partition = open.topic.partition(open.partition);
        let is_outdated = |checkers: &mut Checkers| Ok(checkers.is_outdated(partition, producer.power_losses));
        let may_have_lost = self.client.surroundings.recorder.tell(is_outdated).unwrap_or_default();
        let is_behind_another = self.has_earlier(at) || may_have_lost || open.topic.kind == TopicKind::Passing;
        let question = Question::Produce { is_behind_another, batch_bytes: open.sent_bytes, patience: PRODUCE_PATIENCE };
        self.client.surroundings.refused(&open.asked.expect("it was sent"), question, error);
    }

    fn judge(&self, at: usize, error: WireError) -> Verdict {
        match error {
            WireError::UNKNOWN_TOPIC_ID | WireError::UNKNOWN_TOPIC_OR_PARTITION if self.is_passing(at) => Verdict::GivenUp,
            // Behind a batch of the partition that has to be sent again.
            OUT_OF_ORDER_SEQUENCE_NUMBER if self.has_earlier(at) => Verdict::Again,
            error if error.is_retriable() => Verdict::Again,
            _ => Verdict::SessionBroken,
        }
    }

    fn is_passing(&self, at: usize) -> bool {
        self.open.get(at).is_some_and(|open| open.topic.kind == TopicKind::Passing)
    }

    fn has_earlier(&self, at: usize) -> bool {
        let Some(open) = self.open.get(at) else { return false };
        self.open.iter().take(at).any(|earlier| earlier.is_of_same_partition(open))
    }
}
