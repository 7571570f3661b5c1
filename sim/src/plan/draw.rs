//! Drawing a plan: each subject from its own stream. A seed enables some kinds of faults and leaves out others, so that rare ones are not
//! always masked by frequent ones.

use gracchus_core::record::Codec;

use super::{
    CONSUMER_SESSION, ClientKind, ClientPlan, ConsumerStart, Death, DiskFaultKind, Fault, GroupProtocol, NetworkPlan, NodePlan, Plan,
    PlannedFault, StorePlan, TopicPlan,
};
use crate::draw::{Draw, Stream};
use crate::platform::disk::DiskFaults;
use crate::platform::net::NetFaults;
use crate::ranges::Ranges;

/// Faults of a run at least and at most. Some, such as a slow disk, count many times; some may find nothing to befall.
const FAULTS_MIN: u64 = 16;
const FAULTS_MAX: u64 = 36;
/// Steps of the disk's operations that a stop may have behind it when the power goes.
const STOP_STEPS_MAX: u64 = 150;
/// Runs in a million that have a fault which no promise covers.
const RUINS_PER_MILLION: u32 = 4_000;
/// Steps of the disk's operations that a recovery may have behind it when the power goes again.
const RECOVERY_STEPS_MAX: u64 = 300;

/// How many nodes a seed has.
pub(super) fn node_count(seed: u64) -> usize {
    Draw::split(seed, Stream::Topology, 1).pick(&[1, 1, 3, 3, 3, 3, 3, 5, 6, 7])
}

/// How many nodes are controllers alone: six stand for the two roles apart, three of each.
fn controllers(node_count: usize) -> usize {
    if node_count == 6 { 3 } else { 0 }
}

pub(super) fn plan(seed: u64, node_count: usize) -> Plan {
    let duration_ms = 60_500;
    let mut topology = Draw::new(seed, Stream::Topology);
    let mut workload = Draw::new(seed, Stream::Workload);
    let mut topics = topics(&mut topology, &mut Draw::new(seed, Stream::Settings));
    if node_count > 1 {
        replicate(&mut topics, node_count - controllers(node_count), &mut Draw::split(seed, Stream::Settings, 2));
    }
    compact(&mut topics, &mut Draw::split(seed, Stream::Settings, 5));
    let mut clients = clients(&mut workload);
    if node_count > 1 {
        place_consumers(&mut clients, &mut Draw::split(seed, Stream::Workload, 1));
    }
    clients.extend(group_members(&mut Draw::split(seed, Stream::Workload, 2)));
    let group_version = group_version(seed);
    choose_protocols(&mut clients, group_version, &mut Draw::split(seed, Stream::Settings, 7));
    let client_count = u32::try_from(clients.len()).expect("clients are few");
    Plan {
        seed,
        duration_ms,
        recovery_ms_max: 30_000,
        nodes: nodes(seed, node_count),
        controllers: controllers(node_count),
        are_controllers_found: controllers(node_count) > 0 && Draw::split(seed, Stream::Topology, 5).chance(500_000),
        voters: voters(seed, node_count),
        are_voters_static: node_count > 1 && Draw::split(seed, Stream::Topology, 3).chance(500_000),
        group_version,
        topics,
        clients,
        are_turns_apart: true,
        are_turns_on_time: true,
        network: network(&mut Draw::split(seed, Stream::Network, 1)),
        disk: disk(&mut Draw::split(seed, Stream::Disk, 1)),
        faults: faults(seed, duration_ms, client_count, node_count),
    }
}

/// A plan that has some of another's parts.
pub(super) fn bred(seed: u64, parent: u64, node_count: usize) -> Plan {
    let mut bred = plan(seed, node_count);
    let other = plan(parent, node_count);
    let mut draw = Draw::split(seed, Stream::Topology, 10);
    if draw.chance(500_000) {
        bred.nodes = other.nodes;
        (bred.voters, bred.are_voters_static, bred.are_controllers_found) =
            (other.voters, other.are_voters_static, other.are_controllers_found);
    }
    if draw.chance(500_000) {
        bred.topics = other.topics;
    }
    if draw.chance(500_000) {
        (bred.clients, bred.group_version) = (other.clients, other.group_version);
    }
    if draw.chance(500_000) {
        bred.network = other.network;
    }
    if draw.chance(500_000) {
        bred.disk = other.disk;
    }
    if draw.chance(700_000) {
        bred.faults = other.faults;
    }
    bred
}

fn nodes(seed: u64, count: usize) -> Vec<NodePlan> {
    let mut first = node(&mut Draw::split(seed, Stream::Settings, 1), &mut Draw::new(seed, Stream::Clocks));
    first.configs.extend(snapshot_configs(seed, 0));
    first.configs.extend(compaction_configs(seed, 0));
    let mut of_groups = group_configs(&mut Draw::split(seed, Stream::Settings, 4));
    of_groups.extend(consumer_group_configs(&mut Draw::split(seed, Stream::Settings, 8)));
    if count == 1 {
        first.configs.extend(of_groups);
        return vec![first];
    }
    let shared = [cluster_configs(&mut Draw::split(seed, Stream::Settings, 3)), of_groups].concat();
    let others = (1..count as u64).map(|number| {
        let (mut settings, mut clocks) = (Draw::split(seed, Stream::Settings, 10 + number), Draw::split(seed, Stream::Clocks, number));
        let mut node = node(&mut settings, &mut clocks);
        node.configs.extend(snapshot_configs(seed, number));
        node.configs.extend(compaction_configs(seed, number));
        node
    });
    let are_in_racks = Draw::split(seed, Stream::Topology, 4).chance(500_000);
    let with_shared = |mut node: NodePlan| {
        node.configs.extend(shared.clone());
        node
    };
    let with_rack = |(mut node, number): (NodePlan, usize)| {
        node.rack = are_in_racks.then(|| rack(number));
        node
    };
    std::iter::once(first).chain(others).map(with_shared).zip(0..).map(with_rack).collect()
}

/// Two racks, which the nodes stand in by turns.
fn rack(number: usize) -> String {
    if number.is_multiple_of(2) { "north" } else { "south" }.to_owned()
}

/// Half of the consumers stand in a rack, and read from a replica that is there too (KIP-392).
fn place_consumers(clients: &mut [ClientPlan], draw: &mut Draw) {
    for client in clients {
        if let ClientKind::Consumer { rack: place, .. } = &mut client.kind {
            *place = draw.chance(500_000).then(|| rack(draw.index(2)));
        }
    }
}

/// Most often all vote; a node that does not is an observer of the quorum, and a broker like any other.
fn voters(seed: u64, node_count: usize) -> usize {
    let mut draw = Draw::split(seed, Stream::Topology, 2);
    if controllers(node_count) > 0 {
        controllers(node_count)
    } else if node_count > 3 && draw.chance(400_000) {
        node_count - 2
    } else {
        node_count
    }
}

const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

/// How patient the nodes are with each other, and whom they send consumers to: the same for all.
fn cluster_configs(draw: &mut Draw) -> Vec<(String, String)> {
    let fetch_ms = draw.pick(&[300, 1_000, 2_000]);
    let session_ms = draw.pick(&[1_000, 3_000, 9_000]);
    let settings = [
        ("controller.quorum.fetch.timeout.ms", fetch_ms),
        ("controller.quorum.election.timeout.ms", draw.pick(&[200, 1_000])),
        ("controller.quorum.election.backoff.max.ms", draw.pick(&[100, 1_000])),
        ("broker.session.timeout.ms", session_ms),
        ("broker.heartbeat.interval.ms", session_ms / draw.pick(&[3, 8])),
        ("replica.lag.time.max.ms", draw.pick(&[1_000, 4_000, 30_000])),
    ];
    let mut settings = settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec();
    settings.push(("replica.selector.class".to_owned(), RACK_AWARE.to_owned()));
    settings
}

/// When a node makes snapshots of the metadata, and in what pieces it takes those of others: most often so soon that the log is soon trimmed.
fn snapshot_configs(seed: u64, number: u64) -> Vec<(String, String)> {
    let mut draw = Draw::split(seed, Stream::Settings, 100 + number);
    let settings = [
        ("metadata.log.max.record.bytes.between.snapshots", draw.pick(&[1, 500, 1_500, 6_000, 20_971_520])),
        ("metadata.log.max.snapshot.interval.ms", draw.pick(&[0, 2_000, 3_600_000])),
        ("internal.metadata.log.segment.bytes", draw.pick(&[1_000, 8_000, 1 << 30])),
        ("controller.quorum.fetch.snapshot.max.bytes", draw.pick(&[200, 3_000, 1 << 20])),
        ("replica.fetch.max.bytes", draw.pick(&[0, 1_000, 1 << 20])),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec()
}

/// Gives topics copies: the first has one on each of three brokers, and needs two for a commit.
fn replicate(topics: &mut [TopicPlan], brokers: usize, draw: &mut Draw) {
    let most = i16::try_from(brokers.min(5)).expect("nodes are few");
    for (topic, number) in topics.iter_mut().zip(0..) {
        topic.replicas = if number == 0 { 3 } else { draw.pick(&[1, 2, 3, 3, most]) };
        let min_insync = if number == 0 { 2 } else { draw.pick(&[1, 2, 2]).min(topic.replicas) };
        topic.configs.push(("min.insync.replicas".to_owned(), min_insync.to_string()));
    }
}

fn topics(topology: &mut Draw, settings: &mut Draw) -> Vec<TopicPlan> {
    let count = topology.within(2..5);
    (0..count).map(|number| topic(number, topology, settings)).collect()
}

fn topic(number: u64, topology: &mut Draw, settings: &mut Draw) -> TopicPlan {
    let mut configs = Vec::new();
    let mut set = |name: &str, value: String| configs.push((name.to_owned(), value));
    // The first is always flushed: what is acknowledged there survives everything.
    let is_replicated = number > 0 && settings.chance(350_000);
    set("durability", if is_replicated { "replicated" } else { "flushed" }.to_owned());
    set("internal.segment.bytes", settings.pick(&[1_500, 4_000, 16_000, 100_000, 10_000_000]).to_string());
    set("index.interval.bytes", settings.pick(&[0, 300, 4096]).to_string());
    if settings.chance(250_000) {
        set("retention.bytes", settings.pick(&[10_000, 60_000]).to_string());
        set("file.delete.delay.ms", settings.pick(&[0, 2_000]).to_string());
    }
    if settings.chance(250_000) {
        set("segment.ms", settings.pick(&[500, 5_000]).to_string());
    }
    let is_altered = number > 0 && settings.chance(400_000);
    TopicPlan { name: format!("topic-{number}"), partitions: topology.pick(&[1, 1, 2, 3]), replicas: 1, configs, is_altered }
}

/// Some topics are compacted: those are of small segments, so that there is something to compact, and half of them are deleted from too.
fn compact(topics: &mut [TopicPlan], draw: &mut Draw) {
    for topic in topics {
        if !draw.chance(350_000) {
            continue;
        }
        let mut set = |name: &str, value: String| {
            topic.configs.retain(|(known, _)| known != name);
            topic.configs.push((name.to_owned(), value));
        };
        set("cleanup.policy", draw.pick(&["compact", "compact,delete"]).to_owned());
        set("internal.segment.bytes", draw.pick(&[1_500, 4_000, 16_000]).to_string());
        set("min.cleanable.dirty.ratio", draw.pick(&["0", "0.3", "0.5"]).to_owned());
        set("delete.retention.ms", draw.pick(&[0_u32, 3_000, 86_400_000]).to_string());
        set("file.delete.delay.ms", draw.pick(&[0, 2_000]).to_string());
        if draw.chance(200_000) {
            set("min.compaction.lag.ms", "5000".to_owned());
        }
    }
}

/// How a node compacts.
fn compaction_configs(seed: u64, number: u64) -> Vec<(String, String)> {
    let mut draw = Draw::split(seed, Stream::Settings, 200 + number);
    let settings = [
        ("log.cleaner.backoff.ms", draw.pick(&[200_u32, 1_000, 4_000])),
        ("log.cleaner.dedupe.buffer.size", draw.pick(&[500, 5_000, 1_000_000])),
        ("log.cleaner.io.max.bytes.per.second", draw.pick(&[3_000, 1_000_000, 1_000_000_000])),
    ];
    let mut configs = settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec();
    if draw.chance(400_000) {
        // Of the topic of committed offsets segments close by their age alone.
        configs.push(("log.roll.ms".to_owned(), draw.pick(&["1500", "6000"]).to_owned()));
    }
    configs
}

fn clients(draw: &mut Draw) -> Vec<ClientPlan> {
    let mut kinds = vec![idempotent(draw), consumer(draw), ClientKind::Admin];
    for _ in 0..draw.within(2..6) {
        kinds.push(match draw.below(4) {
            0 => idempotent(draw),
            1 => ClientKind::PlainProducer {
                acks: draw.pick(&[0, 1, -1, -1]),
                retries: draw.chance(500_000),
                records_max: draw.pick(&[1, 4, 20]),
                codec: codec(draw),
            },
            _ => consumer(draw),
        });
    }
    // Some 1,500 operations of these, whoever brings them about: the first producer has a pace of its own, the others share another, and each
    // goes by how many batches it makes in a turn.
    let others = kinds.len() as u64 - 1;
    let shares = std::iter::once(1).chain(std::iter::repeat(others));
    kinds
        .into_iter()
        .zip(shares)
        .map(|(kind, share)| ClientPlan {
            id: 0,
            rest_ms_max: draw.pick(&[100, 130, 160]) * batches_a_turn(&kind) * share,
            kind,
            timeout_ms: draw.pick(&[800, 3_000, 10_000]),
            left_out: Ranges::default(),
        })
        .collect()
}

/// In most runs a few members of one group or two: half of them static.
fn group_members(draw: &mut Draw) -> Vec<ClientPlan> {
    let (count, groups) = (draw.pick(&[0, 2, 3, 4]), draw.within(1..3));
    let member = |number: u64| ClientPlan {
        id: 0,
        kind: ClientKind::GroupMember {
            group: u32::try_from(number % groups).expect("groups are few"),
            is_static: draw.chance(500_000),
            protocol: GroupProtocol::Classic,
        },
        rest_ms_max: draw.pick(&[600, 1_200]),
        timeout_ms: draw.pick(&[800, 3_000, 10_000]),
        left_out: Ranges::default(),
    };
    (0..count).map(member).collect()
}

/// In most runs groups may be of the consumer protocol.
fn group_version(seed: u64) -> i16 {
    i16::from(Draw::split(seed, Stream::Settings, 6).chance(850_000))
}

/// The members of a group all speak one protocol, or each what it likes.
fn choose_protocols(clients: &mut [ClientPlan], group_version: i16, draw: &mut Draw) {
    let classic = [GroupProtocol::Classic, GroupProtocol::Cooperative];
    let groups = [(); 2].map(|()| draw.below(5));
    for client in clients {
        let ClientKind::GroupMember { group, protocol, .. } = &mut client.kind else { continue };
        *protocol = match groups.get(usize::try_from(*group).expect("groups are few")).filter(|_| group_version > 0) {
            None | Some(0) => draw.pick(&classic),
            Some(1 | 2) => GroupProtocol::Consumer,
            Some(_) => draw.pick(&[GroupProtocol::Classic, GroupProtocol::Cooperative, GroupProtocol::Consumer, GroupProtocol::Either]),
        };
    }
}

/// How patient coordinators are with members of the consumer protocol, and how often they assign.
fn consumer_group_configs(draw: &mut Draw) -> Vec<(String, String)> {
    let settings = [
        ("group.consumer.min.session.timeout.ms", 500),
        (CONSUMER_SESSION, draw.pick(&[1_500, 2_500, 4_000])),
        ("group.consumer.min.heartbeat.interval.ms", 100),
        ("group.consumer.heartbeat.interval.ms", draw.pick(&[200, 600])),
        ("group.consumer.assignment.interval.ms", draw.pick(&[0, 1_000])),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec()
}

/// How groups are kept, and how patient their coordinators are.
fn group_configs(draw: &mut Draw) -> Vec<(String, String)> {
    let settings = [("group.initial.rebalance.delay.ms", draw.pick(&[0, 200, 1_000])), ("offsets.topic.num.partitions", draw.pick(&[1, 3]))];
    settings.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec()
}

fn batches_a_turn(kind: &ClientKind) -> u64 {
    match kind {
        ClientKind::IdempotentProducer { in_flight_max, .. } => u64::from(in_flight_max / 2 + 1),
        ClientKind::PlainProducer { .. } | ClientKind::Consumer { .. } | ClientKind::GroupMember { .. } | ClientKind::Admin => 1,
    }
}

fn idempotent(draw: &mut Draw) -> ClientKind {
    ClientKind::IdempotentProducer { in_flight_max: draw.pick(&[1, 3, 5]), records_max: draw.pick(&[1, 5, 20]), codec: codec(draw) }
}

fn codec(draw: &mut Draw) -> Codec {
    draw.pick(&[Codec::None, Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd])
}

fn consumer(draw: &mut Draw) -> ClientKind {
    let starts = [ConsumerStart::Earliest, ConsumerStart::Latest, ConsumerStart::Anywhere, ConsumerStart::Timestamp];
    ClientKind::Consumer { start: draw.pick(&starts), seek: draw.pick(&[0, 10_000, 100_000]), rack: None }
}

fn node(settings: &mut Draw, clocks: &mut Draw) -> NodePlan {
    let mut configs = vec![("log.retention.check.interval.ms".to_owned(), settings.pick(&[500, 3_000]).to_string())];
    configs.push(("store.snapshot.interval.bytes".to_owned(), settings.pick(&[2_000, 20_000, 1 << 20]).to_string()));
    NodePlan {
        drift_ppm: clocks.pick(&[0, 0, 200, -200, 5_000, -5_000]),
        rack: None,
        store: store(settings),
        in_flight_requests_max: settings.pick(&[1, 5, 100]),
        queued_bytes_max: settings.pick(&[64 << 10, 16 << 20]),
        configs,
    }
}

fn store(draw: &mut Draw) -> StorePlan {
    StorePlan {
        writers: draw.pick(&[1, 2, 3]),
        keepers: draw.pick(&[1, 2, 3]),
        readers: draw.pick(&[1, 3]),
        unsynced_bytes_max: draw.pick(&[1_000, 4_000, 100_000, 32 << 20]),
        unsynced_ms_max: draw.pick(&[50, 1_000, 60_000]),
        group_bytes_max: draw.pick(&[1, 10_000, 8 << 20]),
        open_files_max: draw.pick(&[1, 16, 4_096]),
        preallocate_bytes: draw.pick(&[0, 5_000, 100_000]),
        preallocate_from_bytes: draw.pick(&[0, 2_000]),
        tail_batches_max: draw.pick(&[1, 10, 1_024]),
        tail_batches_total_max: draw.pick(&[2, 1 << 18]),
        space_report_bytes: draw.pick(&[5_000, 16 << 20]),
        space_report_ms: draw.pick(&[500, 10_000]),
    }
}

fn network(draw: &mut Draw) -> NetworkPlan {
    let faults = NetFaults { odd_read: draw.pick(&[0, 10_000, 300_000]), odd_write: draw.pick(&[0, 10_000, 300_000]) };
    NetworkPlan { latency_us_min: 100, latency_us_max: draw.pick(&[500, 2_000, 15_000]), faults }
}

fn disk(draw: &mut Draw) -> DiskFaults {
    DiskFaults { sync_ms_max: draw.pick(&[0, 2, 10]), write_split: draw.pick(&[0, 100_000, 500_000]), ..DiskFaults::default() }
}

/// Of whom faults may befall whom.
#[derive(Clone, Copy)]
struct Victims {
    clients: u32,
    nodes: usize,
}

fn faults(seed: u64, duration_ms: u64, clients: u32, nodes: usize) -> Vec<PlannedFault> {
    let draw = &mut Draw::new(seed, Stream::Crashes);
    let choice = &mut Draw::split(seed, Stream::Crashes, 3);
    let victims = Victims { clients, nodes };
    let mut kinds = enabled_kinds(draw, nodes);
    if nodes > 1 && Draw::split(seed, Stream::Crashes, 5).chance(400_000) {
        kinds.push(MUTE);
    }
    if nodes > 1 && Draw::split(seed, Stream::Crashes, 6).chance(300_000) {
        kinds.push(LAG);
    }
    let mut faults = Vec::new();
    for _ in 0..draw.within(FAULTS_MIN..FAULTS_MAX) {
        // Some time is left at both ends, for a run without any fault.
        let at_us = draw.within(500_000..(duration_ms - 1_000) * 1_000);
        let node = choice.index(nodes);
        let fault = fault(draw, victims, node, &kinds);
        // A replica that failed stays offline until somebody starts the node anew.
        if let Fault::Disk { length_ms, .. } = &fault
            && draw.chance(700_000)
        {
            let at_us = at_us + draw.within(0..(length_ms + 3_000) * 1_000);
            faults.push(PlannedFault { id: 0, at_us, node, fault: Fault::Crash(death(draw, 500)) });
        }
        faults.push(PlannedFault { id: 0, at_us, node, fault });
    }
    cut_stops_short(&mut Draw::split(seed, Stream::Crashes, 2), &mut faults);
    if nodes > 1 {
        faults.extend(voter_changes(&mut Draw::split(seed, Stream::Crashes, 4), duration_ms));
    } else {
        faults.extend(ruin(&mut Draw::split(seed, Stream::Crashes, 1), duration_ms));
    }
    faults.retain(|fault| fault.at_us < duration_ms * 1_000);
    faults.sort_by_key(|fault| fault.at_us);
    faults
}

/// Changes of the voters, in half of the runs: so few that what each waits for may come.
fn voter_changes(draw: &mut Draw, duration_ms: u64) -> Vec<PlannedFault> {
    let count = if draw.chance(500_000) { draw.within(3..12) } else { 0 };
    let change = |draw: &mut Draw| PlannedFault {
        id: 0,
        at_us: draw.within(500_000..(duration_ms - 1_000) * 1_000),
        node: 0,
        fault: Fault::ChangeVoters { choice: draw.bits(), is_disputed: draw.chance(300_000) },
    };
    (0..count).map(|_| change(draw)).collect()
}

fn cut_stops_short(draw: &mut Draw, faults: &mut [PlannedFault]) {
    for fault in faults {
        if let Fault::Stop { cut_short, .. } = &mut fault.fault
            && draw.chance(500_000)
        {
            *cut_short = Some(draw.within(1..STOP_STEPS_MAX));
        }
    }
}

/// What no promise covers: so seldom that far less than one run in a hundred is excused.
fn ruin(draw: &mut Draw, duration_ms: u64) -> Option<PlannedFault> {
    if !draw.chance(RUINS_PER_MILLION) {
        return None;
    }
    let at_us = draw.within(5_000_000..duration_ms * 1_000);
    let fault = if draw.chance(700_000) { Fault::Rot { choice: draw.bits() } } else { Fault::Replace { down_ms: draw.within(1..2_000) } };
    Some(PlannedFault { id: 0, at_us, node: 0, fault })
}

/// The kinds that a seed has: crashes or power losses always, of the others each with a chance of its own.
fn enabled_kinds(draw: &mut Draw, nodes: usize) -> Vec<u64> {
    let mut kinds = vec![draw.below(2), RESETS];
    kinds.extend((0..KINDS).filter(|_| draw.chance(400_000)));
    if nodes > 1 {
        kinds.extend([ISOLATION, PART]);
        kinds.extend((KINDS..CLUSTER_KINDS).filter(|_| draw.chance(400_000)));
    }
    kinds
}

const KINDS: u64 = 14;
const RESETS: u64 = 4;
const ISOLATION: u64 = 14;
const PART: u64 = 15;
/// With those that need several nodes.
const CLUSTER_KINDS: u64 = 18;
const MUTE: u64 = CLUSTER_KINDS;
const LAG: u64 = MUTE + 1;

fn death(draw: &mut Draw, down_ms_max: u64) -> Death {
    let after_steps = match draw.below(4) {
        0 => 0,
        1 | 2 => draw.within(1..20),
        _ => draw.within(20..120),
    };
    let down_ms = draw.within(1..down_ms_max);
    // Recovery is worth a crash of its own now and then, and so is the recovery from that.
    let mut in_recovery = Vec::new();
    while draw.chance(300_000) {
        let steps_max = draw.pick(&[60, RECOVERY_STEPS_MAX]);
        in_recovery.push(draw.within(1..steps_max));
    }
    Death { after_steps, down_ms, in_recovery }
}

fn fault(draw: &mut Draw, victims: Victims, node: usize, kinds: &[u64]) -> Fault {
    let disk = |draw: &mut Draw, kind| Fault::Disk { kind, length_ms: draw.within(100..5_000) };
    match draw.pick(kinds) {
        0 => Fault::Crash(death(draw, 2_000)),
        1 => Fault::PowerLoss(death(draw, 2_000)),
        2 => Fault::Stop { cut_short: None, down_ms: draw.within(1..1_000) },
        3 => Fault::Pause { length_ms: draw.within(10..3_000) },
        RESETS => Fault::Resets { per_million: draw.pick(&[200_000, 600_000, 1_000_000]) },
        5 => Fault::Stalls { per_million: draw.pick(&[300_000, 1_000_000]), length_ms: draw.within(10..3_000) },
        6 => Fault::Partition {
            client: u32::try_from(draw.below(u64::from(victims.clients))).expect("clients are few"),
            length_ms: draw.within(50..5_000),
        },
        7 => Fault::WallStep { by_ms: i64::try_from(draw.below(20_000)).expect("a small number") - 10_000 },
        8 => {
            let kind = DiskFaultKind::Slow { per_million: draw.pick(&[10_000, 200_000]), ms_max: draw.pick(&[20, 300]) };
            disk(draw, kind)
        }
        9 => {
            let kind = DiskFaultKind::SyncFailures { per_million: draw.pick(&[5_000, 100_000, 1_000_000]) };
            disk(draw, kind)
        }
        10 => {
            let kind = DiskFaultKind::WriteErrors { per_million: draw.pick(&[5_000, 100_000]) };
            disk(draw, kind)
        }
        11 => {
            let kind = DiskFaultKind::ReadErrors { per_million: draw.pick(&[5_000, 100_000]) };
            disk(draw, kind)
        }
        12 => {
            let kind = DiskFaultKind::ReadFlips { per_million: draw.pick(&[5_000, 100_000]) };
            disk(draw, kind)
        }
        ISOLATION => Fault::Isolate { length_ms: draw.within(50..12_000) },
        PART => Fault::Part { other: another(draw, victims, node), length_ms: draw.within(50..12_000) },
        MUTE => Fault::Mute { other: another(draw, victims, node), length_ms: draw.within(50..12_000) },
        LAG => Fault::Lag { latency_ms_max: draw.pick(&[100, 500, 1_500]), length_ms: draw.within(200..5_000) },
        16 => Fault::Blackout { down_ms: draw.within(1..2_000) },
        17 => Fault::Replace { down_ms: draw.within(1..2_000) },
        _ => {
            let kind = DiskFaultKind::Full { spare_bytes: draw.pick(&[0, 300, 5_000, 50_000]) };
            disk(draw, kind)
        }
    }
}

fn another(draw: &mut Draw, victims: Victims, node: usize) -> usize {
    let other = draw.index(victims.nodes - 1);
    if other < node { other } else { other + 1 }
}
