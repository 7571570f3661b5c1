//! The broker driven through its one door, over a store that does what it is told, when it is told.

mod cluster;
mod compaction;
mod consumer_groups;
mod groups;
mod lifecycle;
mod produce_and_fetch;
mod repeats;
mod shelf;
mod snapshots;
mod topics;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::shelf::Shelf;
use super::*;
use crate::boundary::*;
use crate::epoch::{LeaderEpoch, ProducerEpoch};
use crate::ids::{PartitionIndex, ProducerId, Uuid};
use crate::offset::Offset;
use crate::record::{BatchBuilder, BatchHeader, BatchProducer};
use crate::time::{Timestamp, Wait};

/// A node with a store.
struct Node {
    broker: Broker,
    shelf: Shelf,
    now: Now,
    replies: BTreeMap<RequestId, Response>,
    effects: Effects,
    sequence: u64,
    client_id: Option<Arc<str>>,
    sent: Vec<ToPeer>,
    marks: BTreeSet<Mark>,
    notices: Vec<Notice>,
}

impl Node {
    /// A node that serves, on an empty disk.
    fn serving() -> Self {
        let mut node = Self::on(Shelf::default(), 1);
        node.settle();
        assert!(node.broker.view().is_serving());
        node
    }

    /// A node that has just been told to start, on a disk that another may have written.
    fn on(shelf: Shelf, incarnation: u8) -> Self {
        Self::with(settings(incarnation), shelf, Now { monotonic: Monotonic(0), wall: Timestamp(1_000_000) })
    }

    fn with(settings: BrokerSettings, shelf: Shelf, now: Now) -> Self {
        let mut node = Self {
            broker: Broker::new(settings),
            shelf,
            now,
            replies: BTreeMap::new(),
            effects: Effects::default(),
            sequence: 0,
            client_id: None,
            sent: Vec::new(),
            marks: BTreeSet::new(),
            notices: Vec::new(),
        };
        node.step(Input::Start);
        node
    }

    /// The same disk under a new process; what was not synced is lost with `power`.
    fn restarted(mut self, incarnation: u8, power: bool) -> Self {
        self.shelf.restart(power);
        let mut node = Self::on(self.shelf, incarnation);
        node.settle();
        node
    }

    fn step(&mut self, input: Input) {
        self.effects.clear();
        self.broker.step(self.now, input, &mut self.effects);
        for reply in self.effects.replies.drain(..) {
            assert!(self.replies.insert(reply.id, reply.response).is_none(), "a request is answered once");
        }
        self.sent.append(&mut self.effects.peers);
        self.marks.extend(self.effects.marks.iter().copied());
        self.notices.append(&mut self.effects.notices);
        self.effects.storage.drain(..).for_each(|op| self.shelf.submit(op));
    }

    /// Lets the store finish everything.
    fn settle(&mut self) {
        while let Some(done) = self.shelf.finish_one() {
            self.step(Input::Storage(done));
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now.monotonic = self.now.monotonic.after(Wait::from_ms(ms));
        self.now.wall = Timestamp(self.now.wall.0 + ms);
        self.step(Input::Deadline);
    }

    fn ask(&mut self, request: Request) -> RequestId {
        let id = RequestId { connection: ConnectionId(1), sequence: self.sequence };
        self.sequence += 1;
        let context =
            RequestContext { listener: "PLAINTEXT".into(), door: Door::Brokers, client_id: self.client_id.clone(), host: "127.0.0.1".into() };
        self.step(Input::Request { id, context, request });
        id
    }

    fn answer(&mut self, id: RequestId) -> Option<Response> {
        self.replies.remove(&id)
    }

    fn create(&mut self, name: &str, configs: &[(&str, &str)]) -> TopicId {
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let topic = NewTopic { name: name.into(), partition_count: 1, replication_factor: 1, assignments: Vec::new(), configs };
        let id = self.ask(Request::CreateTopics(CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: false }));
        self.settle();
        match self.answer(id) {
            Some(Response::CreateTopics(answer)) => answer.topics[0].1.as_ref().unwrap().id,
            other => panic!("{other:?}"),
        }
    }

    fn produce(&mut self, topic: &str, batch: Batch, acks: Acks) -> RequestId {
        let partitions = vec![ProducePartition { partition: PartitionIndex(0), batch: Ok(batch) }];
        let topics = vec![ProduceTopic { topic: TopicRef::Name(topic.into()), partitions }];
        self.ask(Request::Produce(ProduceRequest { transactional_id: None, acks: Ok(acks), timeout_ms: 5000, topics }))
    }

    fn produced(&mut self, id: RequestId) -> Option<Result<Offset, ErrorCode>> {
        let Response::Produce(answer) = self.answer(id)? else { panic!("a produce is answered as one") };
        Some(answer.topics[0].1[0].result.as_ref().map(|done| done.base_offset).map_err(|failure| failure.error.code))
    }

    fn fetch(&mut self, topic: &str, from: i64, bytes_min: i32, wait_ms_max: i32) -> RequestId {
        self.fetch_within(topic, from, bytes_min, wait_ms_max, 1 << 20)
    }

    fn fetch_within(&mut self, topic: &str, from: i64, bytes_min: i32, wait_ms_max: i32, bytes_max: i32) -> RequestId {
        self.fetch_as_wanted(topic, wanted_from(from), bytes_min, wait_ms_max, bytes_max)
    }

    /// A fetch by a reader that has read the epoch up to there.
    fn fetch_after(&mut self, topic: &str, from: i64, last_fetched_epoch: i32) -> RequestId {
        let wanted = FetchPartition { last_fetched_epoch: Some(LeaderEpoch(last_fetched_epoch)), ..wanted_from(from) };
        self.fetch_as_wanted(topic, wanted, 0, 0, 1 << 20)
    }

    fn fetch_as_wanted(&mut self, topic: &str, wanted: FetchPartition, bytes_min: i32, wait_ms_max: i32, bytes_max: i32) -> RequestId {
        self.fetch_from_rack(topic, wanted, (bytes_min, wait_ms_max, bytes_max), None)
    }

    fn fetch_from_rack(&mut self, topic: &str, wanted: FetchPartition, limits: (i32, i32, i32), rack: Option<&str>) -> RequestId {
        let (bytes_min, wait_ms_max, bytes_max) = limits;
        self.ask(Request::Fetch(FetchRequest {
            wait_ms_max,
            bytes_min,
            bytes_max,
            read_committed: false,
            session_id: 0,
            session_epoch: -1,
            topics: vec![FetchTopic { topic: TopicRef::Name(topic.into()), partitions: vec![wanted] }],
            forgotten: Vec::new(),
            rack: rack.map(str::to_owned),
        }))
    }

    fn fetched(&mut self, id: RequestId) -> Option<FetchedPartition> {
        let Response::Fetch(answer) = self.answer(id)? else { panic!("a fetch is answered as one") };
        Some(answer.topics[0].1[0].clone())
    }
}

/// What a reader wants that knows no epochs.
fn wanted_from(from: i64) -> FetchPartition {
    FetchPartition {
        partition: PartitionIndex(0),
        current_leader_epoch: None,
        fetch_offset: Offset(from),
        last_fetched_epoch: None,
        partition_bytes_max: 1 << 20,
    }
}

/// The settings of a node that is alone.
fn settings(incarnation: u8) -> BrokerSettings {
    let directory = DirectoryId(Uuid([9; 16]));
    BrokerSettings {
        node: NodeId(1),
        cluster_id: "cluster".into(),
        directory,
        incarnation: IncarnationId(Uuid([incarnation; 16])),
        rack: None,
        is_broker: true,
        endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }],
        controllers: BTreeMap::new(),
        configs: BTreeMap::new(),
        log_directory: "data".into(),
        was_unclean: false,
        voters: [Voter { node: NodeId(1), directory }].into_iter().collect(),
        features: BTreeMap::from([("metadata.version".to_owned(), 29), ("eligible.leader.replicas.version".to_owned(), 1)]),
        seed: [incarnation; 32],
    }
}

/// A batch of so many records, as a plain producer sends it.
fn plain(records: i32) -> Batch {
    batch(records, None)
}

/// A batch of an idempotent producer.
fn idempotent(id: i64, producer_epoch: i16, base_sequence: i32, records: i32) -> Batch {
    batch(records, Some(BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(producer_epoch), base_sequence }))
}

fn batch(records: i32, producer: Option<BatchProducer>) -> Batch {
    let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    for record in 0..records {
        builder.append(Timestamp(1_000_000), None, Some(record.to_string().as_bytes()), &[]);
    }
    let bytes: Bytes = builder.build();
    Batch { header: BatchHeader::parse(&bytes).unwrap(), payload: Payload::new(bytes) }
}
