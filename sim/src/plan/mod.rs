//! A plan: everything about a run that is decided before it starts. A value, drawn from a seed, which can be printed, edited and saved.

mod draw;
mod saved;
mod text;

use gracchus_core::record::Codec;
use serde::{Deserialize, Serialize};

use crate::platform::disk::DiskFaults;
use crate::platform::net::NetFaults;
use crate::ranges::Ranges;

pub use self::saved::{PlanError, load, load_all, save};

/// How a run will go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The seed that it was drawn from, and that everything left open is drawn from.
    pub seed: u64,
    /// How long clients work and faults come, in simulated milliseconds.
    pub duration_ms: u64,
    /// How long anything may take to serve again once all is healed, in simulated milliseconds.
    pub recovery_ms_max: u64,
    /// The nodes, from number 1 on.
    pub nodes: Vec<NodePlan>,
    /// So many of them are controllers and no brokers: the first ones. The others are brokers and no controllers, if these are any.
    #[serde(default)]
    pub controllers: usize,
    /// Whether brokers are told where controllers are, and not who votes (`controller.quorum.bootstrap.servers`).
    #[serde(default)]
    pub are_controllers_found: bool,
    /// So many of them vote in the metadata quorum: the first ones.
    pub voters: usize,
    /// Whether each node's settings name the other voters without their folders, as `controller.quorum.voters` does.
    #[serde(default)]
    pub are_voters_static: bool,
    /// The level of `group.version` that the cluster is formatted with: from 1 on groups may be of the consumer protocol (KIP-848).
    #[serde(default)]
    pub group_version: i16,
    /// The topics that exist all along.
    pub topics: Vec<TopicPlan>,
    /// Who uses them.
    pub clients: Vec<ClientPlan>,
    /// Whether each turn of a client has draws of its own, so that it does the same whatever was left out before it.
    #[serde(default)]
    pub are_turns_apart: bool,
    /// Whether each turn of a client has a time that does not depend on how long those before it took: one that is late does not rest.
    #[serde(default)]
    pub are_turns_on_time: bool,
    /// What the network does all along.
    pub network: NetworkPlan,
    /// What the disk does all along.
    pub disk: DiskFaults,
    /// What befalls whom, by time.
    pub faults: Vec<PlannedFault>,
}

/// A node's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// How fast its clocks run, in millionths gained.
    pub drift_ppm: i32,
    /// The rack that it stands in.
    #[serde(default)]
    pub rack: Option<String>,
    /// How its store works.
    pub store: StorePlan,
    /// Requests of a connection that wait for their answers.
    pub in_flight_requests_max: u32,
    /// Bytes of requests in memory.
    pub queued_bytes_max: u64,
    /// Broker settings by Kafka's names.
    pub configs: Vec<(String, String)>,
}

/// How a store works: as `StoreSettings` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the store's settings")]
pub struct StorePlan {
    pub writers: u32,
    pub keepers: u32,
    pub readers: u32,
    pub unsynced_bytes_max: u64,
    pub unsynced_ms_max: i64,
    pub group_bytes_max: u64,
    pub open_files_max: u32,
    pub preallocate_bytes: u64,
    pub preallocate_from_bytes: u64,
    pub tail_batches_max: u32,
    pub tail_batches_total_max: u64,
    pub space_report_bytes: u64,
    pub space_report_ms: i64,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many copies of each.
    pub replicas: i16,
    /// Its settings by Kafka's names.
    pub configs: Vec<(String, String)>,
    /// Whether the administrator alters its durability while it is used.
    pub is_altered: bool,
}

/// A client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// Tells it from the others, from 1 on, and from what it draws of the seed: it keeps that when others are taken out of the plan.
    #[serde(default)]
    pub id: u8,
    /// What it does.
    pub kind: ClientKind,
    /// The longest that it rests between two operations, or where turns are on time that these are apart, in milliseconds.
    pub rest_ms_max: u64,
    /// How long it waits for an answer before it takes its connection for dead, in milliseconds.
    pub timeout_ms: u64,
    /// Turns, counted from 1 on, in which it does nothing: it rests once more.
    #[serde(default)]
    pub left_out: Ranges,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientKind {
    /// Produces with sequences, acks=all and retries.
    IdempotentProducer {
        /// Batches under way at one time: five at most, as in Kafka.
        in_flight_max: u32,
        /// Records in a batch at most.
        records_max: u32,
        /// How its batches are compressed.
        codec: Codec,
    },
    /// Produces without sequences, a batch at a time.
    PlainProducer {
        /// As on the wire: 0, 1 or -1.
        acks: i16,
        /// Whether it tries again when it does not know what became of a batch.
        retries: bool,
        /// Records in a batch at most.
        records_max: u32,
        /// How its batches are compressed.
        codec: Codec,
    },
    /// Reads.
    Consumer {
        /// Where it begins.
        start: ConsumerStart,
        /// Chance in a million, at each fetch, that it begins anew somewhere else.
        seek: u32,
        /// The rack that it stands in (KIP-392).
        #[serde(default)]
        rack: Option<String>,
    },
    /// Is a member of a group, and commits offsets.
    GroupMember {
        /// Which group.
        group: u32,
        /// Whether it is a static member (KIP-345).
        is_static: bool,
        /// Which protocol it speaks.
        #[serde(default)]
        protocol: GroupProtocol,
    },
    /// Creates and deletes topics, alters them and their durability, deletes records, asks questions.
    Admin,
}

/// The protocol that a member of a group speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupProtocol {
    /// The classic one.
    #[default]
    Classic,
    /// The consumer protocol (KIP-848).
    Consumer,
    /// Either, and perhaps the other one whenever it forgets who it was.
    Either,
    /// The classic one of the cooperative kind (KIP-429): it keeps what it has while it joins anew.
    Cooperative,
}

/// Where a consumer begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumerStart {
    /// At the log's start.
    Earliest,
    /// At its end.
    Latest,
    /// Anywhere between.
    Anywhere,
    /// By time.
    Timestamp,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// The shortest that a message takes, in microseconds.
    pub latency_us_min: u64,
    /// The longest.
    pub latency_us_max: u64,
    /// How it treats its users.
    pub faults: NetFaults,
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Tells it from the others, from 1 on.
    #[serde(default)]
    pub id: u32,
    /// Microseconds since clients began to work.
    pub at_us: u64,
    /// Which node it befalls, counted from 0, if it befalls one.
    pub node: usize,
    /// What happens.
    pub fault: Fault,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The node's process dies and is started again.
    Crash(Death),
    /// The node's power goes and comes back.
    PowerLoss(Death),
    /// The node is stopped as an operator does, and started again.
    Stop {
        /// The power goes so many steps of the disk's operations after it was asked to.
        #[serde(default)]
        cut_short: Option<u64>,
        /// Milliseconds in between.
        down_ms: u64,
    },
    /// The node's process stands still.
    Pause {
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// Connections are reset.
    Resets {
        /// Each with this chance in a million.
        per_million: u32,
    },
    /// Connections stall.
    Stalls {
        /// Each with this chance in a million.
        per_million: u32,
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// Each message takes far longer than it used to: what was asked in one epoch is answered in another.
    Lag {
        /// Up to so many milliseconds.
        latency_ms_max: u64,
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// A client and the nodes do not reach each other.
    Partition {
        /// Which client: the one whose id is the next.
        client: u32,
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// The node reaches no other node, nor they it; clients still do.
    Isolate {
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// The node and another do not reach each other, while the rest reach both.
    Part {
        /// The other one, counted from 0.
        other: usize,
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// Nothing that the node sends to another arrives, while it hears that one.
    Mute {
        /// The other one, counted from 0.
        other: usize,
        /// For so many milliseconds.
        length_ms: u64,
    },
    /// All nodes lose their power at once.
    Blackout {
        /// Milliseconds until it is back.
        down_ms: u64,
    },
    /// The node's wall clock is set.
    WallStep {
        /// Forward by so many milliseconds, or back.
        by_ms: i64,
    },
    /// The disk misbehaves.
    Disk {
        /// How.
        kind: DiskFaultKind,
        /// For so many milliseconds. Others may begin and end meanwhile.
        length_ms: u64,
    },
    /// A bit of a batch on the disk flips for good. What was promised of that partition is not owed any more.
    Rot {
        /// Says which, of all there are.
        choice: u64,
    },
    /// An operator adds a voter to the metadata quorum or takes one away, if there is a change that leaves a majority of them.
    ChangeVoters {
        /// Says which, of all that there are.
        choice: u64,
        /// Whether another operator asks for the opposite at the same time.
        #[serde(default)]
        is_disputed: bool,
    },
    /// The machine comes back with an empty disk. What was promised until then is not owed any more.
    Replace {
        /// Milliseconds that it takes.
        down_ms: u64,
    },
}

impl Fault {
    /// Whether a plan says which node it befalls. What it says otherwise has no meaning.
    #[must_use]
    pub fn befalls_a_node(&self) -> bool {
        match self {
            Self::Crash(_)
            | Self::PowerLoss(_)
            | Self::Stop { .. }
            | Self::Pause { .. }
            | Self::Isolate { .. }
            | Self::Part { .. }
            | Self::Mute { .. }
            | Self::WallStep { .. }
            | Self::Disk { .. }
            | Self::Rot { .. }
            | Self::Replace { .. } => true,
            Self::Resets { .. }
            | Self::Stalls { .. }
            | Self::Lag { .. }
            | Self::Partition { .. }
            | Self::Blackout { .. }
            | Self::ChangeVoters { .. } => false,
        }
    }
}

/// How a node dies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// Steps of the disk's operations that it waits for: from an instant on that nobody chose, it falls between two that do.
    pub after_steps: u64,
    /// Milliseconds until it is started again.
    pub down_ms: u64,
    /// The power goes again while it recovers, after so many steps of the disk's operations: once for each number.
    pub in_recovery: Vec<u64>,
}

/// How a disk misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFaultKind {
    /// Operations take long.
    Slow {
        /// Chance in a million.
        per_million: u32,
        /// The longest, in milliseconds.
        ms_max: u64,
    },
    /// Syncs fail.
    SyncFailures {
        /// Chance in a million.
        per_million: u32,
    },
    /// Writes fail.
    WriteErrors {
        /// Chance in a million.
        per_million: u32,
    },
    /// Reads fail.
    ReadErrors {
        /// Chance in a million.
        per_million: u32,
    },
    /// Reads return a flipped bit, which the next read does not.
    ReadFlips {
        /// Chance in a million.
        per_million: u32,
    },
    /// The disk is full, or nearly: a write that no longer fits leaves a part of itself.
    Full {
        /// Bytes of room that are left when it begins.
        spare_bytes: u64,
    },
}

const CONSUMER_SESSION: &str = "group.consumer.session.timeout.ms";
/// Where nothing says otherwise.
const CONSUMER_SESSION_MS: u64 = 45_000;

impl Plan {
    /// The plan of a seed, which also says how many nodes there are.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        draw::plan(seed, draw::node_count(seed)).numbered()
    }

    /// The plan of a seed for so many nodes.
    #[must_use]
    pub fn draw_for(seed: u64, nodes: usize) -> Self {
        draw::plan(seed, nodes).numbered()
    }

    /// The plan of a seed that takes after the one of another, for so many nodes: what goes wrong, who works, the topics, the nodes, the network and the
    /// disks are each the one's or the other's, and the run draws of `seed`.
    #[must_use]
    pub fn bred(seed: u64, parent: u64, nodes: usize) -> Self {
        draw::bred(seed, parent, nodes).numbered()
    }

    /// How long a member of the consumer protocol may be silent, in milliseconds: the least that a node has.
    #[must_use]
    pub fn consumer_session_ms(&self) -> u64 {
        let of_node = |node: &NodePlan| {
            let set = node.configs.iter().find(|(name, _)| name == CONSUMER_SESSION);
            set.map_or(CONSUMER_SESSION_MS, |(_, value)| value.parse().expect("a time is a number"))
        };
        self.nodes.iter().map(of_node).min().unwrap_or(CONSUMER_SESSION_MS)
    }

    /// The same, with an id for each client and fault that has none: its place.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        for (client, id) in self.clients.iter_mut().zip(1..) {
            client.id = if client.id == 0 { id } else { client.id };
        }
        for (fault, id) in self.faults.iter_mut().zip(1..) {
            fault.id = if fault.id == 0 { id } else { fault.id };
        }
        self
    }
}
