//! A producer as the Java client is by default: sequences, acks=all, several batches in flight, and retries under the same sequences for as long
//! as it does not know what became of a batch.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gracchus_core::epoch::ProducerEpoch;
use gracchus_core::ids::{ProducerId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::BatchProducer;
use gracchus_net::client::{Acks, PartitionBatch, ProducedPartition, WireError, produce_request, produced_partitions};
use kafka_wire::{InitProducerIdRequest, ProduceRequest};
use madsim::time::sleep;

use super::{Client, Lost, Outcome, Topic, Wire, client_time};
use crate::checkers::SessionKind;
use crate::history::{Batch, RecordId, Session};

const OUT_OF_ORDER_SEQUENCE_NUMBER: WireError = WireError(45);

pub(super) struct IdempotentProducer {
    client: Client,
    in_flight_max: usize,
    records_max: u32,
    producer: Option<Producer>,
    /// Batches without an outcome, in the order in which they were made.
    open: VecDeque<Open>,
    /// Batches by their first records, in the order in which they went out on the connection at hand.
    awaited: VecDeque<RecordId>,
}

/// An id that the node has given, and what was made under it.
struct Producer {
    id: ProducerId,
    epoch: ProducerEpoch,
    session: Session,
    next_sequences: BTreeMap<TopicPartition, i32>,
}

struct Open {
    batch: Batch,
    topic: Topic,
    partition: i32,
    producer: BatchProducer,
    /// Whether it is under way on the connection at hand.
    is_sent: bool,
    /// How often the power had been lost when it was sent last.
    power_losses: u32,
}

/// What becomes of a batch that was answered.
enum Verdict {
    Done(Option<Offset>),
    Again,
    SessionBroken,
}

impl IdempotentProducer {
    pub(super) fn new(client: Client, in_flight_max: u32, records_max: u32) -> Self {
        let in_flight_max = usize::try_from(in_flight_max).expect("few");
        Self { client, in_flight_max, records_max, producer: None, open: VecDeque::new(), awaited: VecDeque::new() }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            let Err(Lost) = self.work(&mut wire).await else { return };
            self.client.surroundings.count("produce", Outcome::Unknown);
            self.awaited.clear();
            self.open.iter_mut().for_each(|open| open.is_sent = false);
        }
    }

    /// Works until told to stop, or the connection is lost.
    async fn work(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        while !self.client.surroundings.is_stopping() {
            if self.producer.is_none() && wire.in_flight() == 0 {
                self.init(wire).await?;
                continue;
            }
            if self.producer.is_some() {
                self.fill().await;
                self.send_open(wire).await?;
            }
            let response = wire.receive::<ProduceRequest>().await?;
            let produced = produced_partitions(response).next().expect("an answer to one batch is about one partition");
            self.answered(&produced);
            if wire.in_flight() == 0 && self.open.iter().any(|open| open.is_sent) {
                sleep(Duration::from_millis(10 + self.client.draw.below(100))).await;
                self.open.iter_mut().for_each(|open| open.is_sent = false);
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
        let response = wire.ask(wire.version::<InitProducerIdRequest>()?, &request).await?;
        if WireError(response.error_code) != WireError::NONE {
            self.client.surroundings.count("init producer id", Outcome::Refused);
            sleep(Duration::from_millis(50)).await;
            return Ok(());
        }
        self.client.surroundings.count("init producer id", Outcome::Done);
        let opened = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.open_session(SessionKind::Idempotent)));
        self.producer = opened.map(|session| Producer {
            id: ProducerId(response.producer_id),
            epoch: ProducerEpoch(response.producer_epoch),
            session,
            next_sequences: BTreeMap::new(),
        });
        Ok(())
    }

    /// Makes batches until there are as many under way as may be, or so many as chance wants.
    async fn fill(&mut self) {
        if self.open.len() < self.in_flight_max {
            self.client.rest().await;
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
        let Some(first) = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.write(session, partition, count))) else { return };
        let next = producer.next_sequences.entry(partition).or_default();
        let base_sequence = *next;
        *next += i32::try_from(count).expect("few");
        let producer = BatchProducer { id: producer.id, epoch: producer.epoch, base_sequence };
        let batch = Batch { first, count, timestamp: client_time() };
        self.open.push_back(Open { batch, topic, partition: index, producer, is_sent: false, power_losses: 0 });
    }

    async fn send_open(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let version = wire.old_version::<ProduceRequest>()?;
        let power_losses = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.power_losses())).unwrap_or_default();
        for open in self.open.iter_mut().filter(|open| !open.is_sent) {
            let batch =
                PartitionBatch { topic: open.topic.key.clone(), partition: open.partition, batch: open.batch.build(Some(open.producer)) };
            open.is_sent = true;
            self.awaited.push_back(open.batch.first);
            open.power_losses = power_losses;
            wire.send(version, &produce_request(Acks::All, 5_000, [batch])).await?;
        }
        Ok(())
    }

    /// Answers come in the order of sending.
    fn answered(&mut self, produced: &ProducedPartition) {
        let first = self.awaited.pop_front().expect("what is answered was sent");
        // A batch of a session that has broken since is of no interest.
        let Some(at) = self.open.iter().position(|open| open.batch.first == first) else { return };
        match self.judge(at, produced) {
            Verdict::Done(base_offset) => {
                let open = self.open.remove(at).expect("it was found there");
                self.client.surroundings.count("produce", Outcome::Done);
                if let Some(base_offset) = base_offset {
                    let partition = open.topic.partition(open.partition);
                    let told =
                        |checkers: &mut crate::checkers::Checkers| checkers.acked(partition, &open.batch, base_offset, open.power_losses);
                    self.client.surroundings.recorder.tell(told);
                }
            }
            Verdict::Again => self.client.surroundings.count("produce", Outcome::Refused),
            Verdict::SessionBroken => {
                self.client.surroundings.count("produce", Outcome::Refused);
                self.producer = None;
                self.open.clear();
            }
        }
    }

    fn judge(&self, at: usize, produced: &ProducedPartition) -> Verdict {
        match produced.error {
            WireError::NONE => Verdict::Done(Some(Offset(produced.base_offset))),
            WireError::DUPLICATE_SEQUENCE_NUMBER => Verdict::Done(None),
            // Behind a batch of the partition that has to be sent again.
            OUT_OF_ORDER_SEQUENCE_NUMBER if self.has_earlier(at) => Verdict::Again,
            error if error.is_retriable() => Verdict::Again,
            _ => Verdict::SessionBroken,
        }
    }

    fn has_earlier(&self, at: usize) -> bool {
        let Some(open) = self.open.get(at) else { return false };
        let partition = open.topic.partition(open.partition);
        self.open.iter().take(at).any(|earlier| earlier.topic.partition(earlier.partition) == partition)
    }
}
