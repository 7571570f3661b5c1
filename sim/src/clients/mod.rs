//! The clients of a run: they speak Kafka through the same codec as the command line, and tell the checkers what they were told.

mod admin;
mod consumer;
mod counts;
mod group_member;
mod idempotent;
mod leaders;
mod offsets;
mod plain;
pub mod probe;
mod reading;
mod voters;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gracchus_core::ids::{NodeId, PartitionIndex, TopicId, TopicPartition, Uuid};
use gracchus_core::record::Codec;
use gracchus_core::time::Timestamp;
use gracchus_net::client::{TopicKey, WireError};
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

pub use self::counts::{OperationCounts, Outcome};
use self::leaders::KnownLeader;
pub use self::wire::{Lost, Wire};
use crate::checkers::{Asked, Question, Subject};
use crate::draw::{Draw, Stream};
use crate::plan::{ClientKind, ClientPlan, GroupProtocol, Plan};
use crate::platform::clock::{WALL_AT_START_MS, simulated_time};
use crate::platform::disk::SimDisk;
use crate::platform::lock;
use crate::platform::net::SimNet;
use crate::trace::Recorder;
use crate::world::client_host;

/// A topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name and id.
    pub key: TopicKey,
    /// How many partitions it has.
    pub partitions: i32,
    /// What becomes of it.
    pub kind: TopicKind,
}

/// What becomes of a topic while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// It exists all along.
    Lasting,
    /// It exists all along, and its durability is altered.
    Altered,
    /// It is made, deleted and made anew.
    Passing,
}

impl Topic {
    /// One of its partitions.
    #[must_use]
    pub fn partition(&self, index: i32) -> TopicPartition {
        TopicPartition { topic: TopicId(Uuid(self.key.id.to_bytes())), partition: PartitionIndex(index) }
    }

    /// The same, as what somebody asks about.
    #[must_use]
    pub fn subject(&self, index: i32) -> Subject {
        match self.kind {
            TopicKind::Lasting | TopicKind::Altered => Subject::Lasting(self.partition(index)),
            TopicKind::Passing => Subject::Passing(self.partition(index)),
        }
    }

    /// Whether an answer that names its topic by name or by id is about this one.
    #[must_use]
    pub fn is_meant_by(&self, key: &TopicKey) -> bool {
        if key.name.as_str().is_empty() { key.id == self.key.id } else { key.name == self.key.name }
    }
}

/// What all clients share.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The network.
    pub net: SimNet,
    /// Who is told what happened.
    pub recorder: Recorder,
    /// The nodes.
    pub servers: Vec<NodeId>,
    /// The topics that exist all along.
    pub topics: Arc<Mutex<Vec<Topic>>>,
    /// Those that come and go, as somebody saw them last.
    pub passing: Arc<Mutex<Vec<Topic>>>,
    /// What was done so far.
    pub counts: Arc<Mutex<OperationCounts>>,
    /// Whether clients are to come to an end.
    pub stopping: Arc<AtomicBool>,
    /// How long a member of a group of the consumer protocol may be silent, in milliseconds.
    pub consumer_session_ms: u64,
    /// The nodes' disks, for how often they have flipped a bit: a client blames what no checksum covers on that.
    pub disks: Vec<SimDisk>,
}

impl Surroundings {
    /// Whether clients are to come to an end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// How often a bit has flipped on reading.
    #[must_use]
    pub fn read_flips(&self) -> u64 {
        self.disks.iter().map(|disk| disk.fault_counts().read_flips).sum()
    }

    /// Whether nothing is owed of a partition any more.
    #[must_use]
    pub fn is_excused(&self, partition: TopicPartition) -> bool {
        self.recorder.tell(|checkers| Ok(checkers.is_excused(partition))).unwrap_or_default()
    }

    /// Counts an operation.
    pub fn count(&self, operation: &'static str, outcome: Outcome) {
        lock(&self.counts).add(operation, outcome);
    }

    /// The topics as they are.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        lock(&self.topics).clone()
    }

    /// A topic that comes and goes has gone.
    pub(crate) fn forget_passing(&self, topic: &Topic) {
        lock(&self.passing).retain(|known| known.key != topic.key);
    }

    /// Notes what is known when a client asks.
    pub(crate) fn ask(&self, wire: &Wire, subject: Subject) -> Asked {
        let asked = self.recorder.tell(|checkers| Ok(checkers.ask(wire.node(), wire.connected(), subject)));
        asked.expect("noting breaks no property")
    }

    /// Tells of an error that a client was answered with.
    pub(crate) fn refused(&self, asked: &Asked, question: Question, error: WireError) {
        self.recorder.tell(|checkers| checkers.refused(asked, question, error));
    }

    /// Whether there are several nodes, so that a partition is led by one of them and not by the others.
    pub(crate) fn is_cluster(&self) -> bool {
        self.servers.len() > 1
    }
}

/// How often a client turns to a topic that comes and goes, in a million.
const PASSING_PER_MILLION: u32 = 120_000;
/// How often it turns to several partitions at once.
const SEVERAL_PER_MILLION: u32 = 300_000;

/// A client.
#[derive(Debug)]
pub struct Client {
    pub(crate) surroundings: Surroundings,
    pub(crate) host: IpAddr,
    pub(crate) name: String,
    pub(crate) draw: Draw,
    /// The seed that each turn draws from anew, if each does.
    turns_seed: Option<u64>,
    /// When its last turn was due, in simulated time, if they are due at times.
    due: Option<Duration>,
    pub(crate) plan: ClientPlan,
    /// Who leads what, as some node has said.
    pub(crate) leaders: BTreeMap<TopicPartition, KnownLeader>,
    /// The node that it is connected to.
    pub(crate) node: NodeId,
    /// Whether it wants to go on at another node, and at which.
    pub(crate) moving: Option<Option<NodeId>>,
}

impl Client {
    pub(crate) fn new(surroundings: &Surroundings, run: &Plan, plan: ClientPlan) -> Self {
        Self {
            surroundings: surroundings.clone(),
            host: client_host(plan.id),
            name: format!("client-{}", plan.id),
            draw: Draw::split(run.seed, Stream::Workload, plan.id.into()),
            turns_seed: run.are_turns_apart.then_some(run.seed),
            due: run.are_turns_on_time.then_some(Duration::ZERO),
            plan,
            leaders: BTreeMap::new(),
            node: NodeId(1),
            moving: None,
        }
    }

    /// Works as planned until told to stop.
    pub async fn run(mut self) {
        match self.plan.kind.clone() {
            ClientKind::IdempotentProducer { in_flight_max, records_max, codec } => {
                idempotent::IdempotentProducer::new(self, in_flight_max, records_max, codec).run().await;
            }
            ClientKind::PlainProducer { acks, retries, records_max, codec } => {
                plain::PlainProducer::new(self, acks, retries, records_max, codec).run().await;
            }
            ClientKind::Consumer { start, seek, rack } => consumer::Consumer::new(self, start, seek, rack).run().await,
            ClientKind::GroupMember { group, is_static, protocol } => {
                group_member::GroupMember::new(self, format!("group-{group}"), is_static, protocol).run().await;
            }
            ClientKind::Admin => admin::run(&mut self).await,
        }
    }

    /// Is a member of a group of its own until a few of its commits are kept.
    pub(crate) async fn probe_groups(self, protocol: GroupProtocol) {
        group_member::GroupMember::new(self, format!("probed-{protocol:?}"), false, protocol).probe().await;
    }

    /// Begins its next turn with a rest, and goes through those that are left out. False if there is none left before clients are to end.
    async fn rest(&mut self) -> bool {
        loop {
            let turn = {
                let mut counts = lock(&self.surroundings.counts);
                let turn = counts.turns.entry(self.plan.id).or_default();
                *turn += 1;
                *turn
            };
            if let Some(seed) = self.turns_seed {
                self.draw = Draw::split(seed, Stream::Workload, turn << 8 | u64::from(self.plan.id));
            }
            let ms = self.draw.below(self.plan.rest_ms_max + 1);
            let is_left_out = self.plan.left_out.has(turn);
            // One that never rests would never come to an end of what is left out.
            let ms = if is_left_out { ms.max(1) } else { ms };
            let rest = Duration::from_millis(ms);
            let rest = self.due.as_mut().map_or(rest, |due| {
                *due += rest;
                due.saturating_sub(simulated_time())
            });
            if !rest.is_zero() {
                sleep(rest).await;
            }
            if !is_left_out {
                return true;
            }
            if self.surroundings.is_stopping() {
                return false;
            }
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.plan.timeout_ms)
    }

    /// A partition of a topic that exists all along.
    fn pick_lasting(&mut self) -> (Topic, i32) {
        let topics = self.surroundings.topics();
        self.pick_led_here(&topics)
    }

    /// A partition of any topic.
    fn pick_partition(&mut self) -> (Topic, i32) {
        let passing = lock(&self.surroundings.passing).clone();
        if !passing.is_empty() && self.draw.chance(PASSING_PER_MILLION) { self.pick_led_here(&passing) } else { self.pick_lasting() }
    }

    /// Several partitions, each once: one, or now and then more.
    fn pick_partitions(&mut self) -> Vec<(Topic, i32)> {
        let count = if self.draw.chance(SEVERAL_PER_MILLION) { self.draw.within(2..5) } else { 1 };
        let mut picked: Vec<(Topic, i32)> = Vec::new();
        for _ in 0..count {
            let (topic, index) = self.pick_partition();
            if !picked.iter().any(|(known, at)| known.partition(*at) == topic.partition(index)) {
                picked.push((topic, index));
            }
        }
        picked
    }

    fn pick_of(&mut self, topics: &[Topic]) -> (Topic, i32) {
        let topic = self.draw.pick(topics);
        let partition = self.draw.below(topic.partitions.unsigned_abs().into());
        (topic, i32::try_from(partition).expect("partitions are few"))
    }

    /// Connects, trying again until it succeeds or the client is to stop.
    async fn connect(&mut self) -> Option<Wire> {
        while !self.surroundings.is_stopping() {
            let node = self.choose_node();
            let opened = match Wire::open(self, node).await {
                Ok(wire) => self.arrive(wire).await,
                Err(Lost) => Err(Lost),
            };
            match opened {
                Ok(wire) => return Some(wire),
                Err(Lost) => sleep(Duration::from_millis(20 + self.draw.below(200))).await,
            }
        }
        None
    }
}

/// How long a produce lets the node take, as it says.
const PRODUCE_TIMEOUT_MS: i32 = 5_000;
/// The same on a clock that runs as fast as any node's.
const PRODUCE_PATIENCE: Duration = Duration::from_millis(4_950);
/// The first Produce that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// The codec that a producer uses at a version of Produce.
fn codec_at(version: i16, codec: Codec) -> Codec {
    if version < ZSTD_FROM && codec == Codec::Zstd { Codec::None } else { codec }
}

/// What a client's clock shows.
pub(crate) fn client_time() -> Timestamp {
    Timestamp(WALL_AT_START_MS + i64::try_from(simulated_time().as_millis()).expect("runs are short"))
}

/// A topic by name and id.
pub(crate) fn topic_key(name: &str, id: kafka_wire_core::Uuid) -> TopicKey {
    TopicKey { name: StrBytes::from(name), id }
}
