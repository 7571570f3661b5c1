//! Several brokers, their disks, and a network between them that a schedule drives: nothing happens by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use gracchus_core::boundary::*;
use gracchus_core::broker::{Broker, BrokerSettings, Endpoint};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::*;
use gracchus_core::metadata::PartitionRegistration;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader, Voter};
use gracchus_core::time::{Monotonic, Now, Timestamp, Wait};

use crate::checks::Checks;
use crate::disk::Disk;

/// The one topic, of one partition with a replica on every node.
pub(crate) const TOPIC: &str = "t";

pub(crate) struct Node {
    pub(crate) broker: Broker,
    pub(crate) disk: Disk,
    now: Now,
    is_up: bool,
    next_request: u64,
}

/// Something that a schedule has happen. The numbers choose among what is possible.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A message is delivered, the first of the link that is chosen.
    Deliver(u16),
    /// A disk finishes an operation.
    Finish(u8, u8),
    /// Time passes for everyone.
    Pass(u16),
    /// A record is sent to a node, whether it leads or not.
    Produce(u8),
    /// The connection between two nodes breaks, with what is under way.
    Break(u8, u8),
    /// A node dies, or its machine loses its power, and starts again.
    Restart(u8, bool),
    /// A node reaches nobody from here on, or everybody again.
    Isolate(u8),
    /// A node is asked to make another one a voter, or none if it is one by what the first one knows.
    ChangeVoters(u8, u8),
}

pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    links: BTreeMap<(NodeId, NodeId, Lane), VecDeque<PeerMessage>>,
    isolated: BTreeSet<NodeId>,
    runs: u8,
    /// Records that were sent, by the request that carries them.
    sent: BTreeMap<(NodeId, RequestId), Bytes>,
    pub(crate) checks: Checks,
    records: u64,
    min_insync: u8,
}

impl Cluster {
    /// A cluster in which everyone serves and the topic is there.
    pub(crate) fn serving(count: i32, min_insync: u8) -> Self {
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            isolated: BTreeSet::new(),
            runs: 0,
            sent: BTreeMap::new(),
            checks: Checks::default(),
            records: 0,
            min_insync,
        };
        for node in 1..=count {
            cluster.start(NodeId(node), Disk::default(), count, Now { monotonic: Monotonic(1), wall: Timestamp(1_000_000) });
        }
        cluster.settle_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().is_serving()));
        cluster.create_topic();
        cluster
    }

    fn create_topic(&mut self) {
        let configs = vec![("min.insync.replicas".to_owned(), Some(self.min_insync.to_string()))];
        let replication_factor = i16::try_from(self.nodes.len()).unwrap();
        let topic = NewTopic { name: TOPIC.into(), partition_count: 1, replication_factor, assignments: Vec::new(), configs };
        let request = Request::CreateTopics(CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, validate_only: false });
        self.ask(NodeId(1), request);
        self.settle_until(|cluster| cluster.nodes.values().all(|node| node.broker.view().image().topic_named(&TOPIC.into()).is_some()));
    }

    fn start(&mut self, node: NodeId, disk: Disk, voters: i32, now: Now) {
        self.runs = self.runs.wrapping_add(1);
        // The settings name only the node's own folder: the others are pinned.
        let folder = |voter| if voter == node { directory(voter) } else { DirectoryId::default() };
        let voters = (1..=voters).map(|voter| Voter { node: NodeId(voter), directory: folder(NodeId(voter)) });
        let settings = BrokerSettings {
            node,
            cluster_id: "cluster".into(),
            directory: directory(node),
            incarnation: IncarnationId(Uuid([self.runs; 16])),
            rack: None,
            is_broker: true,
            endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }],
            controllers: BTreeMap::new(),
            configs: [
                ("replica.lag.time.max.ms", "2000"),
                ("metadata.log.max.record.bytes.between.snapshots", if self.min_insync == 1 { "1" } else { "600" }),
                ("controller.quorum.fetch.snapshot.max.bytes", "150"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            log_directory: "data".into(),
            was_unclean: true,
            voters: voters.collect(),
            features: BTreeMap::from([("metadata.version".to_owned(), 29), ("eligible.leader.replicas.version".to_owned(), 1)]),
            seed: [self.runs; 32],
        };
        let started = Node { broker: Broker::new(settings), disk, now, is_up: true, next_request: 0 };
        self.nodes.insert(node, started);
        self.step(node, Input::Start);
    }

    fn step(&mut self, id: NodeId, input: Input) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.is_up) else { return };
        let mut effects = Effects::default();
        node.broker.step(node.now, input, &mut effects);
        let Effects { replies, peers, storage, notices, stopped, .. } = effects;
        for notice in notices {
            assert!(notice.severity == Severity::Info || notice.text.contains("controller"), "{id}: {}", notice.text);
        }
        assert!(!stopped, "nobody asked it to");
        storage.into_iter().for_each(|op| node.disk.submit(op));
        for ToPeer { to, message } in peers {
            let message = self.carried(id, message);
            self.links.entry((id, to, message.lane())).or_default().push_back(message);
        }
        for reply in replies {
            self.answered(id, reply);
        }
        self.checks.after_step(id, &self.nodes);
    }

    /// A message as it arrives: with its records, which are sent from the files as they are by then.
    fn carried(&self, from: NodeId, mut message: PeerMessage) -> PeerMessage {
        let is_metadata = matches!(message, PeerMessage::Metadata(_));
        let disk = &self.nodes[&from].disk;
        for records in message.records_mut() {
            let Records::Slice(slice) = records else { continue };
            let batches = slice.map_or_else(Vec::new, |slice| disk.resolve(&slice));
            let parse = |bytes: Bytes| Batch { header: BatchHeader::parse(&bytes).unwrap(), payload: Payload::new(bytes) };
            *records = if is_metadata { Records::Metadata(batches) } else { Records::Data(batches.into_iter().map(parse).collect()) };
        }
        message
    }

    fn answered(&mut self, node: NodeId, reply: Reply) {
        let Some(record) = self.sent.remove(&(node, reply.id)) else { return };
        let Response::Produce(answer) = reply.response else { panic!("a produce is answered as one") };
        if let Ok(produced) = &answer.topics[0].1[0].result {
            self.checks.acknowledged(produced.base_offset, record, &self.nodes);
        }
    }

    fn ask(&mut self, node: NodeId, request: Request) -> RequestId {
        let asked = self.nodes.get_mut(&node).unwrap();
        let id = RequestId { connection: ConnectionId(1), sequence: asked.next_request };
        asked.next_request += 1;
        let context = RequestContext { listener: "PLAINTEXT".into(), door: Door::Brokers, host: "127.0.0.1".into(), client_id: None };
        self.step(node, Input::Request { id, context, request });
        id
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(choice) => self.deliver(choice.into()),
            Event::Finish(node, choice) => {
                let id = self.choose(node);
                if let Some(done) = self.nodes.get_mut(&id).and_then(|node| node.disk.finish_one(choice.into())) {
                    self.step(id, Input::Storage(done));
                }
            }
            Event::Pass(ms) => self.pass(i64::from(ms)),
            Event::Produce(node) => self.produce(self.choose(node)),
            Event::Break(one, other) => self.break_link(self.choose(one), self.choose(other)),
            Event::Restart(node, power) => self.restart(self.choose(node), power),
            Event::Isolate(node) => {
                let node = self.choose(node);
                if !self.isolated.remove(&node) {
                    self.isolated.insert(node);
                }
            }
            Event::ChangeVoters(through, whom) => self.change_voters(self.choose(through), self.choose(whom)),
        }
    }

    fn choose(&self, number: u8) -> NodeId {
        let at = usize::from(number) % self.nodes.len();
        *self.nodes.keys().nth(at).unwrap()
    }

    fn deliver(&mut self, choice: usize) {
        self.links.retain(|_, messages| !messages.is_empty());
        let Some(at) = choice.checked_rem(self.links.len()) else { return };
        let (from, to, lane) = *self.links.keys().nth(at).unwrap();
        let message = self.links.get_mut(&(from, to, lane)).and_then(VecDeque::pop_front).unwrap();
        if !self.isolated.contains(&from) && !self.isolated.contains(&to) {
            self.step(to, Input::Peer { from, message });
        } else {
            // What is lost with a silent network is lost with its connection, sooner or later.
            self.break_link(from, to);
        }
    }

    fn pass(&mut self, ms: i64) {
        let all: Vec<NodeId> = self.nodes.keys().copied().collect();
        for node in self.nodes.values_mut() {
            node.now.monotonic = node.now.monotonic.after(Wait::from_ms(ms));
            node.now.wall = Timestamp(node.now.wall.0 + ms);
        }
        all.into_iter().for_each(|node| self.step(node, Input::Deadline));
    }

    fn produce(&mut self, node: NodeId) {
        self.records += 1;
        let record = Bytes::from(format!("record {}", self.records));
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
        builder.append(Timestamp(1_000_000), None, Some(&record), &[]);
        let bytes = builder.build();
        let batch = Batch { header: BatchHeader::parse(&bytes).unwrap(), payload: Payload::new(bytes) };
        let partitions = vec![ProducePartition { partition: PartitionIndex(0), batch: Ok(batch) }];
        let topics = vec![ProduceTopic { topic: TopicRef::Name(TOPIC.into()), partitions }];
        let request = Request::Produce(ProduceRequest { transactional_id: None, acks: Ok(Acks::All), timeout_ms: 600_000, topics });
        let id = RequestId { connection: ConnectionId(1), sequence: self.nodes[&node].next_request };
        self.sent.insert((node, id), record);
        self.ask(node, request);
    }

    fn change_voters(&mut self, through: NodeId, whom: NodeId) {
        let voter = Voter { node: whom, directory: directory(whom) };
        let request = if self.nodes[&through].broker.view().voters().contain(voter) {
            Request::RemoveRaftVoter(RemoveRaftVoterRequest { cluster_id: None, voter })
        } else {
            let endpoints = vec![Endpoint { listener: "PLAINTEXT".into(), host: "localhost".into(), port: 9092 }];
            let timeout_ms = 2_000;
            Request::AddRaftVoter(AddRaftVoterRequest { cluster_id: None, timeout_ms, voter, endpoints, ack_when_committed: true })
        };
        self.ask(through, request);
    }

    fn break_link(&mut self, one: NodeId, other: NodeId) {
        if one == other {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            for lane in [Lane::Control, Lane::Records, Lane::Metadata] {
                self.links.remove(&(from, to, lane));
            }
            self.step(to, Input::PeerLost(from));
        }
    }

    fn restart(&mut self, node: NodeId, power: bool) {
        let voters = i32::try_from(self.nodes.len()).unwrap();
        let mut gone = self.nodes.remove(&node).unwrap();
        gone.disk.restart(power);
        self.sent.retain(|(asked, _), _| *asked != node);
        let others: Vec<NodeId> = self.nodes.keys().copied().collect();
        self.checks.restarted(node);
        self.start(node, gone.disk, voters, gone.now);
        for other in others {
            self.links.retain(|(from, to, _), _| *from != node && *to != node);
            self.step(other, Input::PeerLost(node));
        }
    }

    /// Lets everything happen that can, and time pass, until it has come so far.
    pub(crate) fn settle_until(&mut self, is_reached: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            self.settle();
            if is_reached(self) {
                return;
            }
            self.pass(20);
        }
        for (id, node) in &self.nodes {
            let view = node.broker.view();
            println!("{id}: {:?} {:?} {:?}", view.stage(), view.quorum(), view.metadata_high_watermark());
            println!("   {:?}", view.image().topic_named(&TOPIC.into()).map(|(_, topic)| &topic.partitions));
            println!("   {:?} {:?}", view.registered_voters(), view.metadata_log().map(|log| (log.start(), log.end(), log.synced())));
            println!("   {:?}", view.image().brokers.iter().map(|(node, broker)| (node, broker.is_fenced)).collect::<Vec<_>>());
            println!("   {:?}", view.partitions().map(|partition| &partition.role).collect::<Vec<_>>());
        }
        panic!("it does not come to that in a minute");
    }

    fn settle(&mut self) {
        for _ in 0..20_000 {
            let busy: Vec<NodeId> = self.nodes.iter().filter(|(_, node)| !node.disk.is_idle()).map(|(id, _)| *id).collect();
            let has_messages = self.links.values().any(|messages| !messages.is_empty());
            if busy.is_empty() && !has_messages {
                return;
            }
            for id in busy {
                if let Some(done) = self.nodes.get_mut(&id).and_then(|node| node.disk.finish_one(0)) {
                    self.step(id, Input::Storage(done));
                }
            }
            self.deliver(0);
        }
        panic!("the nodes never come to rest");
    }

    /// The node that leads, where all know it.
    fn leader(&self) -> Option<NodeId> {
        let state = self.nodes.values().filter_map(state_of_topic).max_by_key(|state| state.partition_epoch)?;
        let leader = state.leader?;
        self.nodes[&leader].broker.view().leaders().any(|(_, _, led)| led.leader_epoch() == state.leader_epoch).then_some(leader)
    }

    /// Heals everything and waits for the cluster to be whole.
    pub(crate) fn heal(&mut self) {
        self.isolated.clear();
        let count = self.nodes.len();
        self.settle_until(|cluster| {
            let states: Vec<_> = cluster.nodes.values().filter(|node| node.broker.view().is_serving()).filter_map(state_of_topic).collect();
            let is_whole = states.len() == count && states.iter().all(|state| *state == states[0] && state.isr.len() == count);
            is_whole && cluster.leader().is_some()
        });
        // A write is answered.
        let before = self.checks.acknowledged_count();
        for _ in 0..20 {
            // A fault that is noticed late may still depose the leader: clients try again.
            if let Some(leader) = self.leader() {
                self.produce(leader);
            }
            (0..50).for_each(|_| {
                self.settle();
                self.pass(20);
            });
            if self.checks.acknowledged_count() > before {
                break;
            }
        }
        assert!(self.checks.acknowledged_count() > before, "a whole cluster acknowledges nothing");
        self.settle_until(|cluster| cluster.checks.are_whole(&cluster.nodes));
    }
}

fn state_of_topic(node: &Node) -> Option<PartitionRegistration> {
    node.broker.view().image().topic_named(&TOPIC.into()).map(|(_, topic)| topic.partitions[&PartitionIndex(0)].clone())
}

fn directory(node: NodeId) -> DirectoryId {
    DirectoryId(Uuid([u8::try_from(node.0).unwrap(); 16]))
}
