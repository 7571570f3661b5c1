//! Runs a plan: nodes, their clients and what befalls them, under madsim, on a thread of its own.
//!
//! Clients work and faults come for the plan's duration. Then all is healed, clients come to an end, and every partition has to serve again:
//! to take a write, and to show its whole log, which is held against all that was promised.

mod outcome;
mod panics;
mod server;

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::task::{self, JoinHandle};
use madsim::time::{sleep, timeout};

pub use self::outcome::{Ending, RunReport};
pub use self::panics::note_panics;
pub(crate) use self::server::{Members, STARTS, Server};
use crate::checkers::{Checkers, Violation};
use crate::clients::{Client, OperationCounts, Surroundings};
use crate::nemesis::{Nemesis, Operators};
use crate::plan::{ClientKind, ClientPlan, GroupProtocol, Plan};
use crate::platform::clock::simulated_time;
use crate::platform::lock;
use crate::platform::net::SimNet;
use crate::ranges::Ranges;
use crate::trace::{Recorder, RollingHash, Trace, Watch};

/// How long a client may take to come to an end once all is healed.
const CLIENT_END_MS_MAX: u64 = 15_000;

/// How long tasks have to come to an end when the run is over.
const CLEARING: Duration = Duration::from_secs(1);

/// What the name of a run's thread begins with.
const THREAD: &str = "seed ";

/// Runs a plan, on a fresh thread: what a thread keeps would tell on the next run.
#[must_use]
pub fn run(plan: &Plan, watch: Option<Watch>) -> RunReport {
    record(plan, 0, watch).0
}

/// The same, and keeps the last events, of so many bytes at most.
#[must_use]
pub fn record(plan: &Plan, kept_bytes_max: usize, watch: Option<Watch>) -> (RunReport, Trace) {
    let plan = plan.clone();
    let thread = std::thread::Builder::new().name(format!("{THREAD}{}", plan.seed)).spawn(move || run_here(plan, kept_bytes_max, watch));
    thread.expect("a thread can be had").join().expect("panics are caught inside")
}

fn run_here(plan: Plan, kept_bytes_max: usize, watch: Option<Watch>) -> (RunReport, Trace) {
    let started = Instant::now();
    let recorder = Recorder::new(plan.seed, kept_bytes_max, watch);
    let mut report = RunReport::new(&plan);
    let world = OnceLock::new();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let runtime = Runtime::with_seed_and_config(plan.seed, madsim::Config::default());
        runtime.block_on(async { world.get_or_init(|| World::new(&plan, &recorder)).run().await });
    }));
    if let Err(panic) = ran {
        report.ending = Ending::Panic { what: describe_panic(&*panic), place: panics::take_place() };
    }
    report.take_record(&recorder);
    if let Some(world) = world.get() {
        world.tell(&mut report);
    }
    let trace = Trace::new(plan, report.ending.clone(), report.hash, recorder.take_kept());
    recorder.close();
    report.real = started.elapsed();
    (report, trace)
}

fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// A run under way.
pub(crate) struct World {
    plan: Plan,
    servers: Vec<Server>,
    net: SimNet,
    surroundings: Surroundings,
    nemesis: Nemesis,
    hosts: Mutex<BTreeMap<IpAddr, task::NodeId>>,
    /// What madsim's own generator would have given next when the run was over: it has drawn as often as in another run, or not.
    last_draw: OnceLock<u64>,
}

impl World {
    fn new(plan: &Plan, recorder: &Recorder) -> Self {
        let latency = Duration::from_micros(plan.network.latency_us_min)..Duration::from_micros(plan.network.latency_us_max);
        let net = SimNet::new(plan.seed, latency, plan.network.faults.clone());
        let members = Arc::new(Members::new(plan));
        let server = |id| {
            let host = Handle::current().create_node().name(format!("node-{id}")).ip(Members::address(id).ip()).build();
            Server::new(plan, id, host.id(), &members, &net, recorder)
        };
        let servers: Vec<Server> = members.all().map(server).collect();
        let surroundings = Surroundings {
            net: net.clone(),
            recorder: recorder.clone(),
            servers: members.brokers().collect(),
            topics: Arc::default(),
            passing: Arc::default(),
            counts: Arc::new(Mutex::new(OperationCounts::default())),
            stopping: Arc::new(AtomicBool::new(false)),
            consumer_session_ms: plan.consumer_session_ms(),
            disks: servers.iter().map(Server::disk).collect(),
        };
        recorder.tell(|checkers| {
            checkers.start_quorum(members.voters().collect(), members.controllers().collect(), plan.are_voters_static);
            Ok(())
        });
        let operator = Handle::current().create_node().name("operator").ip(client_host(OPERATOR_ID)).build();
        let clients = [OPERATOR_ID, SECOND_OPERATOR_ID].map(|id| {
            let mut client = Client::new(&surroundings, plan, ClientPlan { id, ..OPERATOR });
            // They share a machine.
            client.host = client_host(OPERATOR_ID);
            client
        });
        let nemesis = Nemesis::new(plan, servers.clone(), net.clone(), recorder.clone(), Operators::new(clients, operator.id()));
        let hosts = Mutex::new(BTreeMap::from([(client_host(OPERATOR_ID), operator.id())]));
        Self { plan: plan.clone(), servers, net, surroundings, nemesis, hosts, last_draw: OnceLock::new() }
    }

    async fn run(&self) {
        tokio::select! {
            biased;
            () = self.surroundings.recorder.over() => {}
            () = self.play() => {}
        }
        self.surroundings.recorder.note(None, "the run is over");
        self.last_draw.get_or_init(madsim::rand::random);
        self.clear_away().await;
    }

    /// Ends every task, so that it drops what it holds: one that waits for ever, with its waker in what it holds itself, would outlive the run
    /// and keep the disk with it.
    async fn clear_away(&self) {
        self.servers.iter().for_each(Server::clear_away);
        let hosts: Vec<task::NodeId> = lock(&self.hosts).values().copied().collect();
        hosts.into_iter().for_each(|host| Handle::current().kill(host));
        // They drop it when they would next run.
        sleep(CLEARING).await;
    }

    async fn play(&self) {
        self.servers.iter().for_each(Server::start);
        if !self.set_up().await {
            return;
        }
        let clients = self.start_clients();
        self.nemesis.run().await;
        self.heal().await;
        self.end_clients(clients).await;
        self.check_liveness().await;
    }

    /// Makes the topics. False if the node would not.
    async fn set_up(&self) -> bool {
        let (mut prober, plans) = (self.client(PROBER), self.plan.topics.clone());
        let topics = self.host(&prober).spawn(async move { prober.set_up(&plans).await });
        let made = timeout(Duration::from_millis(self.plan.recovery_ms_max), topics).await;
        let Ok(Ok(topics)) = made else {
            let what = format!("no topics were made in {} ms, and all is well", self.plan.recovery_ms_max);
            self.surroundings.recorder.tell::<()>(|_| Err(Violation::liveness("MakesTopics", what)));
            return false;
        };
        *lock(&self.surroundings.topics) = topics;
        true
    }

    fn start_clients(&self) -> Vec<JoinHandle<()>> {
        self.plan.clients.iter().map(|plan| self.spawn_client(plan)).collect()
    }

    fn spawn_client(&self, plan: &ClientPlan) -> JoinHandle<()> {
        let client = self.client(plan.clone());
        self.host(&client).spawn(client.run())
    }

    /// The machine that a client runs on.
    fn host(&self, client: &Client) -> NodeHandle {
        let handle = Handle::current();
        let known = lock(&self.hosts).get(&client.host).and_then(|&node| handle.get_node(node));
        known.unwrap_or_else(|| {
            let node = handle.create_node().name(client.name.clone()).ip(client.host).build();
            lock(&self.hosts).insert(client.host, node.id());
            node
        })
    }

    fn client(&self, plan: ClientPlan) -> Client {
        Client::new(&self.surroundings, &self.plan, plan)
    }

    /// Ends every fault that is under way. A node whose disk has failed is started again: until then its replicas stay offline.
    async fn heal(&self) {
        self.surroundings.recorder.note(None, "all is healed");
        self.net.set_faults(crate::platform::net::NetFaults::default());
        self.nemesis.heal().await;
    }

    async fn end_clients(&self, clients: Vec<JoinHandle<()>>) {
        self.surroundings.stopping.store(true, Ordering::Relaxed);
        for (mut client, plan) in clients.into_iter().zip(&self.plan.clients) {
            if timeout(Duration::from_millis(CLIENT_END_MS_MAX), &mut client).await.is_err() {
                self.surroundings.recorder.note(None, &format!("client-{} does not end", plan.id));
                client.abort();
            }
        }
        self.surroundings.stopping.store(false, Ordering::Relaxed);
    }

    async fn check_liveness(&self) {
        let wait_max = Duration::from_millis(self.plan.recovery_ms_max);
        // A lone node with an empty disk knows none: then it has to make them anew.
        if self.servers.len() == 1 && self.nemesis.has_replaced_disk() && !self.set_up().await {
            return;
        }
        let topics = lock(&self.surroundings.topics).clone();
        let waiting = Arc::new(Mutex::new(String::from("the first partition")));
        let (mut prober, at) = (self.client(PROBER), Arc::clone(&waiting));
        let served = self.host(&prober).spawn(async move { prober.serve_all(&topics, &at).await });
        if !matches!(timeout(wait_max, served).await, Ok(Ok(()))) {
            let what = format!("{} did not serve within {} ms of healing", lock(&waiting), self.plan.recovery_ms_max);
            self.surroundings.recorder.tell::<()>(|_| Err(Violation::liveness("ServesAgain", what)));
            return;
        }
        let have_groups = self.plan.clients.iter().any(|client| matches!(client.kind, ClientKind::GroupMember { .. }));
        let need_not = self.surroundings.recorder.tell(|checkers| Ok(checkers.need_not_serve_groups())).unwrap_or_default();
        let protocols = [(GroupProtocol::Classic, true), (GroupProtocol::Consumer, self.plan.group_version > 0)];
        for (protocol, _) in protocols.into_iter().filter(|(_, is_offered)| have_groups && !need_not && *is_offered) {
            let prober = self.client(PROBER);
            let served = self.host(&prober).spawn(prober.probe_groups(protocol));
            if !matches!(timeout(wait_max, served).await, Ok(Ok(()))) {
                let what = format!("no group of the {protocol:?} protocol was served within {} ms", self.plan.recovery_ms_max);
                self.surroundings.recorder.tell::<()>(|_| Err(Violation::liveness("GroupsServeAgain", what)));
                return;
            }
        }
        if self.servers.len() > 1 {
            self.check_wholeness().await;
        }
        // The last events come to rest.
        sleep(Duration::from_millis(10)).await;
    }

    /// Every replica is in sync again, and holds what the others do.
    async fn check_wholeness(&self) {
        let deadline = simulated_time() + Duration::from_millis(self.plan.recovery_ms_max);
        loop {
            let Some(missing) = self.surroundings.recorder.tell(|checkers| Ok(checkers.what_is_not_whole())) else { return };
            let Some(missing) = missing else { return };
            if simulated_time() > deadline {
                self.surroundings.recorder.tell::<()>(|_| Err(Violation::liveness("WholeAgain", missing)));
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn tell(&self, report: &mut RunReport) {
        report.simulated = self.surroundings.recorder.last();
        report.operations = lock(&self.surroundings.counts).by_kind.iter().map(|(kind, counts)| ((*kind).to_owned(), *counts)).collect();
        report.turns = lock(&self.surroundings.counts).turns.clone();
        report.add_faults(&self.nemesis, &self.servers, &self.net);
        let counts = |checkers: &mut Checkers| {
            let (of_quorum, of_partitions) = checkers.elections();
            Ok([
                ("partition that lost more than is promised", checkers.beyond_budget()),
                ("election of the quorum", of_quorum),
                ("election of a partition's leader", of_partitions),
            ])
        };
        let counted = self.surroundings.recorder.tell(counts).unwrap_or_default();
        let taken = counted.into_iter().filter(|(_, count)| *count > 0);
        report.mishaps.extend(taken.map(|(what, count)| (what.to_owned(), count as u64)));
        let mut hash = RollingHash::default();
        hash.bytes(&self.surroundings.recorder.hash().0.to_le_bytes());
        for server in &self.servers {
            hash.bytes(&server.disk().trace_hash().0.to_le_bytes());
        }
        let (position, next) = self.net.fingerprint();
        hash.bytes(&position.to_le_bytes());
        hash.number(next);
        hash.number(self.last_draw.get().copied().unwrap_or_default());
        hash.bytes(&report.simulated.as_nanos().to_le_bytes());
        report.hash = hash.value();
    }
}

/// Clients that a run has of its own have ids from here on.
pub(crate) const OWN_CLIENTS_FROM: u8 = 250;

/// Who prepares a run and looks at its end.
const PROBER: ClientPlan = ClientPlan { id: PROBER_ID, kind: ClientKind::Admin, rest_ms_max: 1, timeout_ms: 3_000, left_out: Ranges::NONE };
const PROBER_ID: u8 = OWN_CLIENTS_FROM;
/// Who changes the voters: it waits for longer than they may take.
const OPERATOR: ClientPlan =
    ClientPlan { id: OPERATOR_ID, kind: ClientKind::Admin, rest_ms_max: 1, timeout_ms: 12_000, left_out: Ranges::NONE };
const OPERATOR_ID: u8 = 251;
const SECOND_OPERATOR_ID: u8 = 252;

pub(crate) fn client_host(id: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, id))
}
