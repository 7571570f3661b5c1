//! The clients of a run: they speak Kafka through the same codec as the command line, and tell the checkers what they were told.

mod admin;
mod consumer;
mod counts;
mod idempotent;
mod plain;
pub mod probe;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gracchus_core::ids::{PartitionIndex, TopicId, TopicPartition, Uuid};
use gracchus_core::time::Timestamp;
use gracchus_net::client::TopicKey;
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

pub use self::counts::{OperationCounts, Outcome};
pub use self::wire::{Lost, Wire};
use crate::draw::Draw;
use crate::plan::{ClientKind, ClientPlan};
use crate::platform::clock::{WALL_AT_START_MS, simulated_time};
use crate::platform::disk::SimDisk;
use crate::platform::lock;
use crate::platform::net::SimNet;
use crate::trace::Recorder;

/// A topic that exists all along.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name and id.
    pub key: TopicKey,
    /// How many partitions it has.
    pub partitions: i32,
}

impl Topic {
    /// One of its partitions.
    #[must_use]
    pub fn partition(&self, index: i32) -> TopicPartition {
        TopicPartition { topic: TopicId(Uuid(self.key.id.to_bytes())), partition: PartitionIndex(index) }
    }
}

/// What all clients share.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The network.
    pub net: SimNet,
    /// Who is told what happened.
    pub recorder: Recorder,
    /// Where the node listens.
    pub server: SocketAddr,
    /// The topics.
    pub topics: Arc<Mutex<Vec<Topic>>>,
    /// What was done so far.
    pub counts: Arc<Mutex<OperationCounts>>,
    /// Whether clients are to come to an end.
    pub stopping: Arc<AtomicBool>,
    /// The node's disk, for how often it has flipped a bit: a client blames what no checksum covers on that.
    pub disk: SimDisk,
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
        self.disk.fault_counts().read_flips
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
}

/// A client.
#[derive(Debug)]
pub struct Client {
    pub(crate) surroundings: Surroundings,
    pub(crate) host: IpAddr,
    pub(crate) name: String,
    pub(crate) draw: Draw,
    pub(crate) plan: ClientPlan,
}

impl Client {
    /// Works as planned until told to stop.
    pub async fn run(mut self) {
        match self.plan.kind.clone() {
            ClientKind::IdempotentProducer { in_flight_max, records_max } => {
                idempotent::IdempotentProducer::new(self, in_flight_max, records_max).run().await;
            }
            ClientKind::PlainProducer { acks, retries, records_max } => {
                plain::PlainProducer::new(self, acks, retries, records_max).run().await;
            }
            ClientKind::Consumer { start, seek } => consumer::Consumer::new(self, start, seek).run().await,
            ClientKind::Admin => admin::run(&mut self).await,
        }
    }

    async fn rest(&mut self) {
        let ms = self.draw.below(self.plan.rest_ms_max + 1);
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.plan.timeout_ms)
    }

    /// One of the topics, and one of its partitions.
    fn pick_partition(&mut self) -> (Topic, i32) {
        let topic = self.draw.pick(&self.surroundings.topics());
        let partition = self.draw.below(topic.partitions.unsigned_abs().into());
        (topic, i32::try_from(partition).expect("partitions are few"))
    }

    /// Connects, trying again until it succeeds or the client is to stop.
    async fn connect(&mut self) -> Option<Wire> {
        while !self.surroundings.is_stopping() {
            match Wire::open(self).await {
                Ok(wire) => return Some(wire),
                Err(Lost) => sleep(Duration::from_millis(20 + self.draw.below(200))).await,
            }
        }
        None
    }
}

/// What a client's clock shows.
pub(crate) fn client_time() -> Timestamp {
    Timestamp(WALL_AT_START_MS + i64::try_from(simulated_time().as_millis()).expect("runs are short"))
}

/// A topic by name and id.
pub(crate) fn topic_key(name: &str, id: kafka_wire_core::Uuid) -> TopicKey {
    TopicKey { name: StrBytes::from(name), id }
}
