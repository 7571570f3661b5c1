//! The state machine that a node is: one door in, one struct of effects out.

/// What a leader has to know of the world, beside the partition that it is asked about.
macro_rules! around {
    ($broker:expr) => {
        crate::partition::Around { now: $broker.now.monotonic, lag_max: $broker.bounds.lag_max, brokers: &$broker.image.brokers }
    };
}

mod apply;
mod calls;
mod commands;
mod compaction;
mod configs;
mod consumer_groups;
mod deciding;
mod describe;
mod directory;
mod doubtful;
mod fetch;
mod following;
mod group_answers;
mod groups;
mod join;
mod leading;
mod lifecycle;
mod metadata_snapshots;
mod metadata_sync;
mod offsets;
mod pacing;
mod peers;
mod produce;
mod producer_ids;
mod quorum;
mod refusals;
mod registration;
mod storage;
#[cfg(test)]
mod tests;
mod timers;
mod upkeep;
mod view;
mod voters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::calls::{Caller, Calls};
use self::compaction::Compactions;
pub use self::directory::TopicDirectory;
use self::fetch::ParkedFetch;
use self::following::Following;
use self::groups::Coordinators;
use self::leading::Leading;
pub use self::lifecycle::{Stage, metadata_log_settings};
use self::metadata_snapshots::SnapshotSync;
use self::metadata_sync::MetadataSync;
use self::offsets::{DeleteRecordsJoin, ListOffsetsJoin};
use self::produce::ProduceJoin;
use self::producer_ids::ProducerIds;
use self::timers::Timer;
pub use self::view::View;
use self::voters::PendingVoters;
use crate::boundary::{
    ControllerCommand, ControllerDecision, Effects, Input, Mark, Reply, Request, RequestContext, Response, SearchId, TopicRef,
};
use crate::config::{BrokerConfigs, RACK_AWARE_SELECTOR};
use crate::controller::Controller;
use crate::coordinator::Uncommitted;
use crate::deadlines::Deadlines;
use crate::error::ErrorCode;
use crate::group::GroupBounds;
use crate::ids::{ConnectionId, DirectoryId, IncarnationId, NodeId, RequestId, TopicId, TopicPartition};
use crate::limits::{REMOVE_VOTER_MS_MAX, STOOD_STILL_MS, UNTIMED_COMMAND_MS_MAX};
use crate::metadata::{Image, MetadataLog};
use crate::partition::{Partition, requests_of};
use crate::quorum::{Quorum, QuorumTimeouts, Voters};
use crate::record::Voter;
use crate::rng::Random;
use crate::time::{Monotonic, Now, Wait};

/// What a node is told about itself when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerSettings {
    /// `node.id`.
    pub node: NodeId,
    /// The cluster that the data folder was formatted for.
    pub cluster_id: String,
    /// The data folder's id.
    pub directory: DirectoryId,
    /// This run of the process.
    pub incarnation: IncarnationId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Whether it is a broker: without partitions and clients of its own it is a controller alone (`process.roles`).
    pub is_broker: bool,
    /// What clients are told, a listener an endpoint.
    pub endpoints: Vec<Endpoint>,
    /// Where controllers serve, as far as the settings say.
    pub controllers: BTreeMap<NodeId, Endpoint>,
    /// The settings that the operator gave, by Kafka's names, validated.
    pub configs: BTreeMap<String, String>,
    /// The data folder as the operator named it, for DescribeLogDirs.
    pub log_directory: String,
    /// Whether the run before ended without a stop: what was only written then may be gone.
    pub was_unclean: bool,
    /// Who votes until the metadata log says otherwise.
    pub voters: Voters,
    /// Feature levels that the folder was formatted with, finalised when the quorum first starts.
    pub features: BTreeMap<String, i16>,
    /// Where every random choice of the core comes from.
    pub seed: [u8; 32],
}

/// Where clients find a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub listener: Arc<str>,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A node's whole state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broker {
    settings: BrokerSettings,
    configs: BrokerConfigs,
    bounds: Bounds,
    random: Random,
    now: Now,
    stage: Stage,
    timers: Deadlines<Timer>,

    quorum: Quorum,
    metadata: Option<MetadataLog>,
    metadata_sync: MetadataSync,
    snapshot_sync: SnapshotSync,
    controller: Option<Controller>,
    /// Decisions that are not committed.
    decided: Uncommitted<(Caller, ControllerDecision)>,
    calls: Calls,
    pending_voters: Option<PendingVoters>,

    image: Image,
    topics: TopicDirectory,
    partitions: BTreeMap<TopicPartition, Partition>,
    opening: BTreeSet<TopicPartition>,
    /// Partitions whose former logs are being removed: the next one of this name is opened once it is gone, so that no answer about one log is
    /// taken for one about the other.
    removing: BTreeSet<TopicPartition>,
    /// Partitions that wait until what others left behind is gone.
    deferred: BTreeSet<TopicPartition>,
    following: Following,
    /// Whether the controller has not been heard for a session.
    is_cut_off: bool,
    /// Nodes whose connections were lost and that have said nothing since.
    lost: BTreeMap<NodeId, peers::Absence>,
    /// Metadata requests that wait for a leader.
    doubtful: BTreeMap<RequestId, doubtful::DoubtfulMetadata>,
    leading: Leading,
    producer_ids: ProducerIds,
    coordinators: Coordinators,
    compactions: Compactions,

    produces: BTreeMap<RequestId, ProduceJoin>,
    fetches: BTreeMap<RequestId, ParkedFetch>,
    offset_lists: BTreeMap<RequestId, ListOffsetsJoin>,
    deletions: BTreeMap<RequestId, DeleteRecordsJoin>,
    searches: BTreeMap<SearchId, Search>,
    last_search: SearchId,

    free_bytes: Option<u64>,
    total_bytes: Option<u64>,
}

/// A search by time that the store carries out, and the part of a request that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Search {
    request: RequestId,
    slot: u32,
    id: TopicPartition,
}

impl Broker {
    /// A node that has not started.
    #[must_use]
    pub fn new(settings: BrokerSettings) -> Self {
        let configs = BrokerConfigs::new(settings.configs.clone());
        Self {
            bounds: Bounds::of(&configs),
            random: Random::new(settings.seed),
            now: Now::default(),
            stage: Stage::Loading { election: None },
            timers: Deadlines::default(),
            quorum: Quorum::new(
                Voter { node: settings.node, directory: settings.directory },
                settings.voters.clone(),
                quorum_timeouts(&configs),
            ),
            metadata_sync: MetadataSync::default(),
            snapshot_sync: SnapshotSync::default(),
            metadata: None,
            controller: None,
            decided: Uncommitted::default(),
            calls: Calls::default(),
            pending_voters: None,
            image: Image::default(),
            topics: TopicDirectory::default(),
            partitions: BTreeMap::new(),
            opening: BTreeSet::new(),
            removing: BTreeSet::new(),
            deferred: BTreeSet::new(),
            following: Following::default(),
            is_cut_off: false,
            lost: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            leading: Leading::default(),
            producer_ids: ProducerIds::default(),
            coordinators: Coordinators::default(),
            compactions: Compactions::default(),
            produces: BTreeMap::new(),
            fetches: BTreeMap::new(),
            offset_lists: BTreeMap::new(),
            deletions: BTreeMap::new(),
            searches: BTreeMap::new(),
            last_search: SearchId(0),
            free_bytes: None,
            total_bytes: None,
            configs,
            settings,
        }
    }

    /// Takes one input and says what follows from it.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Effects) {
        assert!(now.monotonic >= self.now.monotonic, "the monotonic clock never goes back");
        let has_stood_still = now.monotonic.since(self.now.monotonic) >= Wait::from_ms(STOOD_STILL_MS);
        self.now = now;
        if has_stood_still {
            self.stood_still(effects);
        }
        match input {
            Input::Start => self.start(effects),
            Input::Request { id, context, request } => self.request(id, context, request, effects),
            Input::Disconnected(connection) => self.disconnected(connection),
            Input::ControllersFound(controllers) => {
                effects.mark(Mark::ControllersFound);
                self.quorum.ask_also(controllers);
            }
            Input::Peer { from, message } => self.peer_said(from, message, effects),
            Input::PeerLost(node) => self.peer_lost(node, effects),
            Input::PeerRefused(node) => self.peer_refused(node, effects),
            Input::Storage(done) => self.storage_done(done, effects),
            Input::Deadline => {}
            Input::Stop => self.stop(effects),
        }
        self.fire_timers(effects);
        self.advance_stage(effects);
        self.flush_leading(effects);
        self.flush_following(effects);
    }

    /// When [`Input::Deadline`] is wanted next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.timers.next()
    }

    /// The topics as connections need them.
    #[must_use]
    pub fn topic_directory(&self) -> TopicDirectory {
        self.topics.clone()
    }

    /// What the node was told when it started.
    #[must_use]
    pub fn settings(&self) -> &BrokerSettings {
        &self.settings
    }

    /// The broker's own settings as they are in force, altered ones too. Whoever keeps one looks again after a step that says
    /// [`metadata_changed`](Effects::metadata_changed).
    #[must_use]
    pub fn configs(&self) -> &BrokerConfigs {
        &self.configs
    }

    /// A look at everything, for checkers and metrics.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::of(self)
    }

    fn request(&mut self, id: RequestId, context: RequestContext, request: Request, effects: &mut Effects) {
        let response = match request {
            Request::Produce(request) => return self.produce(id, &context, request, effects),
            Request::Fetch(request) => return self.fetch(id, request, effects),
            Request::ListOffsets(request) => return self.list_offsets(id, request, effects),
            Request::Metadata(request) => return self.metadata(id, context, request, effects),
            Request::CreateTopics(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::CreateTopics(request), timeout_ms, effects);
            }
            Request::DeleteTopics(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::DeleteTopics(request), timeout_ms, effects);
            }
            Request::CreatePartitions(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::CreatePartitions(request), timeout_ms, effects);
            }
            Request::DeleteRecords(request) => return self.delete_records(id, request, effects),
            Request::AlterConfigs(request) => {
                return self.command(id, ControllerCommand::AlterConfigs(request), UNTIMED_COMMAND_MS_MAX, effects);
            }
            Request::IncrementalAlterConfigs(request) => {
                return self.command(id, ControllerCommand::IncrementalAlterConfigs(request), UNTIMED_COMMAND_MS_MAX, effects);
            }
            Request::AlterPartitionReassignments(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::AlterPartitionReassignments(request), timeout_ms, effects);
            }
            Request::ListPartitionReassignments(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::ListPartitionReassignments(request), timeout_ms, effects);
            }
            Request::ElectLeaders(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::ElectLeaders(request), timeout_ms, effects);
            }
            Request::UpdateFeatures(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::UpdateFeatures(request), timeout_ms, effects);
            }
            Request::UnregisterBroker(request) => {
                return self.command(id, ControllerCommand::UnregisterBroker(request), UNTIMED_COMMAND_MS_MAX, effects);
            }
            Request::DescribeQuorum(request) => {
                return self.command(id, ControllerCommand::DescribeQuorum(request), UNTIMED_COMMAND_MS_MAX, effects);
            }
            Request::AddRaftVoter(request) => {
                let timeout_ms = request.timeout_ms;
                return self.command(id, ControllerCommand::AddRaftVoter(request), timeout_ms, effects);
            }
            Request::RemoveRaftVoter(request) => {
                return self.command(id, ControllerCommand::RemoveRaftVoter(request), REMOVE_VOTER_MS_MAX, effects);
            }
            Request::InitProducerId(request) => return self.init_producer_id(id, &request, effects),
            Request::ApiVersions(_) => Response::ApiVersions(self.api_versions(&context)),
            Request::OffsetForLeaderEpoch(request) => Response::OffsetForLeaderEpoch(self.offset_for_leader_epoch(request)),
            Request::DescribeCluster(request) => Response::DescribeCluster(self.describe_cluster(&context, &request)),
            Request::DescribeTopicPartitions(request) => Response::DescribeTopicPartitions(self.describe_topic_partitions(&request)),
            Request::DescribeConfigs(request) => Response::DescribeConfigs(self.describe_configs(request)),
            Request::ListConfigResources(request) => Response::ListConfigResources(self.list_config_resources(&request)),
            Request::DescribeLogDirs(request) => Response::DescribeLogDirs(self.describe_log_dirs(&request)),
            Request::Group(request) => return self.group_request(id, &context, &request, effects),
            Request::OffsetFetch(request) => return self.fetch_offsets(id, &request, effects),
            Request::ListGroups(request) => return self.list_groups(id, &request, effects),
            Request::DescribeGroups(request) => return self.describe_groups(id, request, effects),
            Request::ConsumerGroupDescribe(request) => return self.describe_consumer_groups(id, request, effects),
            Request::DeleteGroups(request) => return self.delete_groups(id, request, effects),
            Request::FindCoordinator(request) => Response::FindCoordinator(self.find_coordinator(&context, request, effects)),
        };
        effects.replies.push(Reply { id, response });
    }

    fn disconnected(&mut self, connection: ConnectionId) {
        let fetches: Vec<_> = self.fetches.range(requests_of(connection)).map(|(id, _)| *id).collect();
        fetches.into_iter().for_each(|id| self.abandon_fetch(id));
        let produces: Vec<_> = self.produces.range(requests_of(connection)).map(|(id, _)| *id).collect();
        produces.into_iter().for_each(|id| self.abandon_produce(id));
        self.offset_lists.retain(|id, _| id.connection != connection);
        let deletions: Vec<_> = self.deletions.range(requests_of(connection)).map(|(id, _)| *id).collect();
        deletions.into_iter().for_each(|id| self.abandon_deletion(id));
        self.producer_ids.abandon(connection);
        self.coordinators.abandon(connection);
        self.calls.abandon(connection);
        self.abandon_doubtful_metadata(connection);
    }

    /// What a client is told of a partition that this node has no copy of: there is none, or others have it.
    fn absence(&self, id: TopicPartition) -> ErrorCode {
        match self.image.partition(id) {
            Some(_) => ErrorCode::NotLeaderOrFollower,
            None => ErrorCode::UnknownTopicOrPartition,
        }
    }

    fn topic_id(&self, topic: &TopicRef) -> Result<TopicId, ErrorCode> {
        match topic {
            TopicRef::Name(name) => self.image.topic_ids.get(name).copied().ok_or(ErrorCode::UnknownTopicOrPartition),
            TopicRef::Id(id) if self.image.topics.contains_key(id) => Ok(*id),
            TopicRef::Id(_) => Err(ErrorCode::UnknownTopicId),
        }
    }
}

fn quorum_timeouts(configs: &BrokerConfigs) -> QuorumTimeouts {
    let wait = |name| Wait::from_ms(configs.whole(name));
    QuorumTimeouts {
        election: wait("controller.quorum.election.timeout.ms"),
        fetch: wait("controller.quorum.fetch.timeout.ms"),
        backoff_max: wait("controller.quorum.election.backoff.max.ms"),
    }
}

/// Nothing is throttled while no rate is set.
fn throttled_rate(configs: &BrokerConfigs, name: &str) -> u64 {
    let set = configs.effective(name).and_then(|(value, _)| value.whole());
    set.map_or(u64::MAX, |rate| u64::try_from(rate).unwrap_or(0).max(1))
}

/// Bytes that compaction may read and write in a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates, and part of a byte is none")]
fn compaction_rate(configs: &BrokerConfigs) -> u64 {
    let set = configs.effective("log.cleaner.io.max.bytes.per.second").and_then(|(value, _)| value.real());
    set.map_or(u64::MAX, |rate| (rate as u64).max(1))
}

/// Settings that every produce, fetch or heartbeat asks for, read once whenever settings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    /// `fetch.max.bytes`.
    fetch_bytes_max: u32,
    /// `store.snapshot.interval.bytes`.
    snapshot_interval_bytes: u64,
    /// `replica.lag.time.max.ms`.
    lag_max: Wait,
    /// `leader.replication.throttled.rate`: bytes a second.
    leader_throttled_rate: u64,
    /// `follower.replication.throttled.rate`: bytes a second.
    follower_throttled_rate: u64,
    /// `replica.fetch.max.bytes`.
    replica_fetch_bytes: u32,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    metadata_snapshot_bytes: u64,
    /// Whether consumers are told of replicas in their own racks (`replica.selector.class`, KIP-392).
    selects_by_rack: bool,
    /// `log.cleaner.io.max.bytes.per.second`.
    compaction_rate: u64,
    groups: GroupBounds,
}

impl Bounds {
    fn of(configs: &BrokerConfigs) -> Self {
        Self {
            fetch_bytes_max: u32::try_from(configs.whole("fetch.max.bytes")).unwrap_or(u32::MAX),
            snapshot_interval_bytes: u64::try_from(configs.whole("store.snapshot.interval.bytes")).unwrap_or(u64::MAX),
            lag_max: Wait::from_ms(configs.whole("replica.lag.time.max.ms")),
            leader_throttled_rate: throttled_rate(configs, "leader.replication.throttled.rate"),
            follower_throttled_rate: throttled_rate(configs, "follower.replication.throttled.rate"),
            replica_fetch_bytes: u32::try_from(configs.whole("replica.fetch.max.bytes")).unwrap_or(u32::MAX),
            metadata_snapshot_bytes: u64::try_from(configs.whole("metadata.log.max.record.bytes.between.snapshots")).unwrap_or(u64::MAX),
            selects_by_rack: configs.text("replica.selector.class").as_deref() == Some(RACK_AWARE_SELECTOR),
            compaction_rate: compaction_rate(configs),
            groups: GroupBounds::of(configs),
        }
    }
}
