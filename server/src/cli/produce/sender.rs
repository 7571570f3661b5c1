//! Batches on their way to leaders.
//!
//! Several requests are in flight to each leader while all goes well. When one fails, the rest is drained, and what was not acknowledged is
//! sent again in order, one request at a time; producer ids and sequences make that harmless. Without them one request is in flight at most,
//! so that a retry can't reorder.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
use gracchus_core::ids::ProducerId;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchProducer, Codec};
use gracchus_core::time::Timestamp;
use gracchus_net::client::{Acks, PartitionBatch, ProducedPartition, WireError, produce_request, produced_partitions};
use kafka_wire::{InitProducerIdRequest, InitProducerIdResponse, ProduceRequest};

use super::super::batch::seal;
use super::super::cluster::{Cluster, Refusal, Retry, TopicLayout};
use super::super::error::CliError;
use super::super::link::{Link, LinkError};
use super::input::InputRecord;
use super::partitioner::Partitioner;

/// Requests in flight to each leader: as many batches as brokers remember of a producer.
const IN_FLIGHT_MAX: usize = 5;

/// How to send.
#[derive(Clone, Debug)]
pub(super) struct SenderOptions {
    pub(super) acks: Acks,
    pub(super) codec: Codec,
    pub(super) idempotent: bool,
    pub(super) batch_bytes: usize,
}

/// What was written, by partition.
pub(super) type Produced = BTreeMap<i32, ProducedCount>;

/// What was written to a partition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProducedCount {
    /// How many records.
    pub(super) records: u64,
    /// First and last offset, where the broker tells.
    pub(super) offsets: Option<(i64, i64)>,
}

/// Sends records to a topic.
#[derive(Debug)]
pub(super) struct Sender {
    cluster: Cluster,
    topic: String,
    layout: TopicLayout,
    options: SenderOptions,
    producer: Option<(ProducerId, ProducerEpoch)>,
    partitioner: Partitioner,
    open: BTreeMap<i32, BatchBuilder>,
    next_sequence: BTreeMap<i32, i32>,
    links: BTreeMap<i32, Link>,
    in_flight: VecDeque<(i32, SealedBatch)>,
    produced: Produced,
}

/// A batch as it is sent, however often.
#[derive(Clone, Debug)]
struct SealedBatch {
    partition: i32,
    records: i32,
    bytes: Bytes,
}

impl Sender {
    /// Finds the topic, which the broker may make, and gets a producer id.
    pub(super) async fn new(mut cluster: Cluster, topic: String, options: SenderOptions) -> Result<Self, CliError> {
        let layout = cluster.topic(&topic, true).await?;
        let producer = if options.idempotent { Some(producer_id(&mut cluster).await?) } else { None };
        let partitions = i32::try_from(layout.leaders.len()).expect("partitions are numbered in 31 bits");
        Ok(Self {
            cluster,
            topic,
            partitioner: Partitioner::new(partitions),
            layout,
            options,
            producer,
            open: BTreeMap::new(),
            next_sequence: BTreeMap::new(),
            links: BTreeMap::new(),
            in_flight: VecDeque::new(),
            produced: Produced::new(),
        })
    }

    /// Adds a record to its partition's batch, and sends the batch if it is full.
    pub(super) async fn push(&mut self, record: &InputRecord) -> Result<(), CliError> {
        let partition = record.partition.unwrap_or_else(|| self.partitioner.partition(record.key.as_deref()));
        let partitions = self.partitioner.partitions();
        if !(0..partitions).contains(&partition) {
            return Err(CliError::failure(format!("topic {} has no partition {partition}, only 0 to {}", self.topic, partitions - 1)));
        }
        let record_bytes = record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
        let is_full = self.open.get(&partition).is_some_and(|batch| batch.batch_bytes() + record_bytes > self.options.batch_bytes);
        if is_full {
            self.partitioner.batch_is_full(partition);
            self.send_open(partition).await?;
        }
        let batch = self.open.entry(partition).or_insert_with(|| BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE));
        let headers: Vec<_> = record.headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
        batch.append(Timestamp(record.timestamp.unwrap_or_else(now_ms)), record.key.as_deref(), record.value.as_deref(), &headers);
        Ok(())
    }

    /// Sends what there is and waits until it is acknowledged.
    pub(super) async fn flush(&mut self) -> Result<(), CliError> {
        while let Some(&partition) = self.open.keys().next() {
            self.send_open(partition).await?;
        }
        while !self.in_flight.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Sends the rest and says where everything went.
    pub(super) async fn finish(mut self) -> Result<Produced, CliError> {
        self.flush().await?;
        Ok(self.produced)
    }

    async fn send_open(&mut self, partition: i32) -> Result<(), CliError> {
        let Some(builder) = self.open.remove(&partition) else { return Ok(()) };
        let batch = self.seal(partition, builder);
        let node = self.leader(partition)?;
        let in_flight_max = if self.producer.is_some() { IN_FLIGHT_MAX } else { 1 };
        while self.in_flight.iter().filter(|(leader, _)| *leader == node).count() >= in_flight_max {
            self.settle_one().await?;
        }
        match self.send(node, &batch).await {
            Ok(()) if self.options.acks == Acks::None => self.count(&batch, None),
            Ok(()) => self.in_flight.push_back((node, batch)),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Passing(_)) => {
                let mut unacknowledged = self.drain().await;
                unacknowledged.push_back(batch);
                self.resend(unacknowledged).await?;
            }
        }
        Ok(())
    }

    /// Numbers a batch, compresses it and gives it its bytes.
    fn seal(&mut self, partition: i32, mut builder: BatchBuilder) -> SealedBatch {
        let records = builder.record_count();
        if let Some((id, epoch)) = self.producer {
            let next = self.next_sequence.entry(partition).or_default();
            builder = builder.producer(BatchProducer { id, epoch, base_sequence: *next });
            // Sequences go round within 31 bits.
            *next = next.wrapping_add(records) & i32::MAX;
        }
        SealedBatch { partition, records, bytes: seal(builder, self.options.codec) }
    }

    /// Takes the earliest answer that is due, and starts over from there if it is a passing failure.
    async fn settle_one(&mut self) -> Result<(), CliError> {
        let Some((node, batch)) = self.in_flight.pop_front() else { return Ok(()) };
        match self.receive(node, &batch).await {
            Ok(base_offset) => self.count(&batch, base_offset),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Passing(_)) => {
                let mut unacknowledged = self.drain().await;
                unacknowledged.push_front(batch);
                self.resend(unacknowledged).await?;
            }
        }
        Ok(())
    }

    /// Takes every answer that is due, and says what is not acknowledged. What came behind a batch that failed is refused for no fault of its
    /// own, so no refusal is final here.
    async fn drain(&mut self) -> VecDeque<SealedBatch> {
        let mut unacknowledged = VecDeque::new();
        while let Some((node, batch)) = self.in_flight.pop_front() {
            match self.receive(node, &batch).await {
                Ok(base_offset) => self.count(&batch, base_offset),
                Err(Failed::Final(_) | Failed::Passing(_)) => unacknowledged.push_back(batch),
            }
        }
        unacknowledged
    }

    /// Sends batches one at a time, in order, to whoever leads by then.
    async fn resend(&mut self, batches: VecDeque<SealedBatch>) -> Result<(), CliError> {
        assert!(self.in_flight.is_empty(), "answers to earlier requests are taken first");
        for batch in batches {
            let mut retry = Retry::within(self.cluster.timeout());
            while let Err(failed) = self.send_alone(&batch).await {
                match failed {
                    Failed::Final(error) => return Err(error),
                    Failed::Passing(error) if !retry.pause().await => return Err(error),
                    Failed::Passing(_) => {}
                }
                self.links.clear();
                self.layout = self.cluster.topic(&self.topic, true).await?;
            }
        }
        Ok(())
    }

    async fn send_alone(&mut self, batch: &SealedBatch) -> Result<(), Failed> {
        let node = self.leader(batch.partition).map_err(Failed::Final)?;
        self.send(node, batch).await?;
        let base_offset = if self.options.acks == Acks::None { None } else { self.receive(node, batch).await? };
        self.count(batch, base_offset);
        Ok(())
    }

    async fn send(&mut self, node: i32, batch: &SealedBatch) -> Result<(), Failed> {
        let only = PartitionBatch { topic: self.layout.key.clone(), partition: batch.partition, batch: batch.bytes.clone() };
        let request = produce_request(self.options.acks, self.cluster.timeout_ms(), [only]);
        if !self.links.contains_key(&node) {
            let link = self.cluster.open(node).await?;
            self.links.insert(node, link);
        }
        let link = self.links.get_mut(&node).expect("it is there or was just opened");
        let sent = match self.options.acks {
            Acks::None => link.send_unanswered(&request).await,
            Acks::Leader | Acks::All => link.send(&request).await,
        };
        if sent.is_err() {
            self.links.remove(&node);
        }
        Ok(sent?)
    }

    /// The base offset of a batch, if the broker remembers it.
    async fn receive(&mut self, node: i32, batch: &SealedBatch) -> Result<Option<i64>, Failed> {
        let Some(link) = self.links.get_mut(&node) else {
            return Err(Failed::Passing(CliError::failure(format!("the connection to broker {node} is lost"))));
        };
        let response = match link.receive::<ProduceRequest>().await {
            Ok(response) => response,
            Err(error) => {
                self.links.remove(&node);
                return Err(error.into());
            }
        };
        let produced = produced_partitions(response).find(|produced| produced.partition == batch.partition);
        let produced = produced.ok_or_else(|| Failed::Final(CliError::failure("an answer to Produce leaves out its partition")))?;
        match produced.error {
            WireError::NONE => Ok(Some(produced.base_offset)),
            WireError::DUPLICATE_SEQUENCE_NUMBER => Ok(None),
            _ => Err(self.refused(batch, produced)),
        }
    }

    fn refused(&self, batch: &SealedBatch, produced: ProducedPartition) -> Failed {
        let refusal = Refusal { error: produced.error, message: produced.message };
        let what = format!("{} records for {}-{} were not written", batch.records, self.topic, batch.partition);
        let is_passing = refusal.error.is_retriable();
        let error = refusal.failed(&what);
        if is_passing { Failed::Passing(error) } else { Failed::Final(error) }
    }

    fn leader(&self, partition: i32) -> Result<i32, CliError> {
        let leader = self.layout.leader(partition).map(|leader| leader.node);
        leader.ok_or_else(|| CliError::failure(format!("topic {} has lost partition {partition} while it was written to", self.topic)))
    }

    fn count(&mut self, batch: &SealedBatch, base_offset: Option<i64>) {
        let counted = self.produced.entry(batch.partition).or_default();
        counted.records += u64::from(batch.records.unsigned_abs());
        if let Some(base_offset) = base_offset.filter(|&base_offset| base_offset >= 0) {
            let last = base_offset + i64::from(batch.records) - 1;
            counted.offsets = Some(counted.offsets.map_or((base_offset, last), |(first, _)| (first, last)));
        }
    }
}

/// Why a batch was not written.
#[derive(Debug)]
enum Failed {
    /// It may be at another time or place.
    Passing(CliError),
    /// It will not be.
    Final(CliError),
}

impl From<LinkError> for Failed {
    fn from(error: LinkError) -> Self {
        if error.is_passing() { Self::Passing(error.into()) } else { Self::Final(error.into()) }
    }
}

/// An id for a producer without transactions.
pub(crate) async fn producer_id(cluster: &mut Cluster) -> Result<(ProducerId, ProducerEpoch), CliError> {
    let mut request = InitProducerIdRequest::default();
    request.transactional_id = None;
    request.transaction_timeout_ms = i32::MAX;
    request.producer_id = -1;
    request.producer_epoch = -1;
    let read = |response: InitProducerIdResponse| {
        Refusal::check(response.error_code, None)?;
        Ok((ProducerId(response.producer_id), ProducerEpoch(response.producer_epoch)))
    };
    let answer = cluster.ask(&request, read).await?;
    answer.map_err(|refusal| refusal.failed("no producer id is to be had (--no-idempotence does without)"))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
