//! A node's machine: its process is started, killed and started again, and its disk and clocks outlive that.
//!
//! A process that ends by itself, because its disk failed say, is started again after a while, as a service manager would.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gracchus_core::broker::BrokerSettings;
use gracchus_core::ids::{DirectoryId, IncarnationId, NodeId, Uuid};
use gracchus_core::metadata::GROUP_VERSION;
use gracchus_core::quorum::Voters;
use gracchus_core::record::Voter;
use gracchus_server::config::{ConnectionLimits, HostPort, ListenerSettings, NodeSettings, PeerSettings};
use gracchus_server::node::{self, NodeError};
use gracchus_server::platform::Platform;
use gracchus_server::store::StoreSettings;
use madsim::runtime::Handle;
use madsim::time::{sleep, timeout};
use tokio::sync::{Notify, oneshot};

use crate::checkers::Violation;
use crate::draw::{Draw, Stream};
use crate::plan::{NodePlan, Plan, StorePlan};
use crate::platform::clock::SimClock;
use crate::platform::disk::{Pace, SimDisk};
use crate::platform::net::SimNet;
use crate::platform::{SimPlatform, lock};
use crate::trace::Recorder;

/// What is said when a node's process is started.
pub(crate) const STARTS: &str = "the node starts";
/// How long a node may take to stop when it is asked to.
const STOP_MS_MAX: u64 = 20_000;
/// How long a process may take to use its disk so often as a crash waits for.
const STEPS_MS_MAX: u64 = 200;
/// How long a process that ended by itself stays down.
const RESTART_MS: u64 = 300;

/// The machine that the node runs on. Clones are the same machine.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    id: NodeId,
    host: madsim::task::NodeId,
    net: SimNet,
    recorder: Recorder,
    plan: NodePlan,
    cluster: Arc<Members>,
    clock: SimClock,
    machine: Arc<Mutex<Machine>>,
}

/// The nodes of a run, as their operator lists them.
#[derive(Debug)]
pub(crate) struct Members {
    count: usize,
    controllers: usize,
    are_controllers_found: bool,
    voters: usize,
    /// Whether each node's settings name the other voters without their folders.
    are_static: bool,
    group_version: i16,
}

impl Members {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            count: plan.nodes.len(),
            controllers: plan.controllers,
            are_controllers_found: plan.are_controllers_found,
            voters: plan.voters,
            are_static: plan.are_voters_static,
            group_version: plan.group_version,
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=i32::try_from(self.count).expect("nodes are few")).map(NodeId)
    }

    /// Those that clients can turn to.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.all().skip(self.controllers)
    }

    /// Those that may vote.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.all().take(if self.controllers > 0 { self.controllers } else { self.count })
    }

    fn is_controller_alone(&self, node: NodeId) -> bool {
        self.controllers > 0 && self.controllers().any(|controller| controller == node)
    }

    /// Whether a node has to find out who the controllers are.
    fn looks_for_controllers(&self, node: NodeId) -> bool {
        self.are_controllers_found && !self.is_controller_alone(node)
    }

    /// Where one listens.
    pub(crate) fn address(node: NodeId) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(node.0).expect("nodes are few"))), 9092)
    }

    /// Those that vote, each with the folder that it was formatted with.
    pub(crate) fn voters(&self) -> impl Iterator<Item = Voter> {
        self.all().take(self.voters).map(|node| Voter { node, directory: directory(node, 0) })
    }

    /// What they are formatted with. Level 0 is that of what is not there.
    fn features(&self) -> BTreeMap<String, i16> {
        let levels = [("metadata.version", 30), ("eligible.leader.replicas.version", 1), (GROUP_VERSION, self.group_version)];
        levels.into_iter().filter(|(_, level)| *level > 0).map(|(name, level)| (name.to_owned(), level)).collect()
    }

    /// The same as the settings of a node name them.
    fn voters_named_by(&self, own: Voter) -> impl Iterator<Item = Voter> {
        let unnamed = move |node| if node == own.node { own } else { Voter { node, directory: DirectoryId::default() } };
        self.voters().map(move |voter| if self.are_static { unnamed(voter.node) } else { voter })
    }
}

/// The id of a node's data folder, after so many replacements of its disk.
fn directory(node: NodeId, replacements: u8) -> DirectoryId {
    let mut id = [replacements; 16];
    id[0] = u8::try_from(node.0).expect("nodes are few") + 7;
    DirectoryId(Uuid(id))
}

#[derive(Debug)]
struct Machine {
    disk: SimDisk,
    entropy: Arc<Mutex<Draw>>,
    process: Option<Process>,
    /// Processes so far: who watches one knows by it whether that one still runs.
    generation: u64,
    /// How often a process ended by itself.
    self_ends: u64,
    /// How often the disk was replaced.
    replacements: u8,
}

#[derive(Debug)]
struct Process {
    stop: Option<oneshot::Sender<()>>,
    ended: Arc<Notify>,
    /// It has come to an end, and nobody has cleared it away.
    is_over: bool,
}

impl Server {
    pub(crate) fn new(plan: &Plan, id: NodeId, host: madsim::task::NodeId, cluster: &Arc<Members>, net: &SimNet, recorder: &Recorder) -> Self {
        let index = usize::try_from(id.0 - 1).expect("nodes are numbered from 1");
        // Those of the first are the ones of a run with one node.
        let draw = |stream| match index as u64 {
            0 => Draw::new(plan.seed, stream),
            number => Draw::split(plan.seed, stream, 100 + number),
        };
        let machine = Machine {
            disk: SimDisk::drawing(draw(Stream::Disk), plan.disk.clone()).with_pace(Pace::Sleeps).told_to(recorder.clone()),
            entropy: Arc::new(Mutex::new(draw(Stream::Entropy))),
            process: None,
            generation: 0,
            self_ends: 0,
            replacements: 0,
        };
        recorder.tell(|checkers| {
            checkers.add_node(id, machine.disk.clone());
            Ok(())
        });
        let node_plan = plan.nodes.get(index).expect("every node has a plan").clone();
        Self {
            id,
            host,
            net: net.clone(),
            recorder: recorder.clone(),
            clock: SimClock::new(node_plan.drift_ppm),
            plan: node_plan,
            cluster: Arc::clone(cluster),
            machine: Arc::new(Mutex::new(machine)),
        }
    }

    /// Says what befalls this node.
    fn note(&self, what: &str) {
        self.recorder.note(Some(self.id), what);
    }

    /// Starts the process, unless it runs.
    pub(crate) fn start(&self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = Arc::new(Notify::new());
        let (platform, generation) = {
            let mut machine = lock(&self.machine);
            if machine.process.is_some() {
                return;
            }
            machine.generation += 1;
            machine.process = Some(Process { stop: Some(stop), ended: Arc::clone(&ended), is_over: false });
            (self.platform(&machine), machine.generation)
        };
        self.note(STARTS);
        // A lone voter can't be another: its operator gives the new disk the old folder's id.
        let replacements = if self.cluster.count == 1 { 0 } else { lock(&self.machine).replacements };
        let directory = directory(self.id, replacements);
        let settings = self.settings(directory, &platform);
        let record = self.recorder.records_to(self.id, generation);
        let run = node::run(platform, settings, wait_for(stopped), oneshot::channel().0, record);
        let process = self.clone().watch(run, generation, Arc::clone(&ended));
        let host = Handle::current().get_node(self.host).expect("the node was made");
        drop(host.spawn(process));
        drop(madsim::task::spawn(self.clone().keep_running(generation, ended)));
    }

    /// Waits until so many steps of the disk's operations have passed, and keeps the next one from going on. A process that does not come so
    /// far is not waited for longer than [`STEPS_MS_MAX`].
    pub(crate) async fn await_steps(&self, steps: u64) {
        if steps == 0 {
            return;
        }
        let disk = self.disk();
        let reached = disk.halt_after(steps);
        if timeout(Duration::from_millis(STEPS_MS_MAX), reached.notified()).await.is_ok() {
            self.note("an operation of the disk is the last");
        } else {
            disk.go_on();
        }
    }

    /// The process dies on the spot. True if it was running.
    pub(crate) async fn crash(&self, down: Duration) -> bool {
        let killed = self.kill();
        if let Some(process) = &killed {
            self.note(if process.is_over { "the process is cleared away" } else { "the process dies" });
            self.net.process_died(self.ip());
            self.renew_disk(SimDisk::crash);
        }
        sleep(down).await;
        self.start();
        killed.is_some_and(|process| !process.is_over)
    }

    /// The machine loses its power. True if the process was running.
    pub(crate) async fn lose_power(&self, down: Duration) -> bool {
        self.note("the power goes");
        self.net.power_lost(self.ip());
        let killed = self.kill();
        self.renew_disk(SimDisk::lose_power);
        self.recorder.tell(|checkers| checkers.power_lost(self.id));
        sleep(down).await;
        self.net.power_is_back(self.ip());
        self.start();
        killed.is_some_and(|process| !process.is_over)
    }

    /// The machine comes back with an empty disk.
    pub(crate) async fn replace_disk(&self, down: Duration) {
        self.note("the disk is replaced");
        if self.cluster.count == 1 {
            self.recorder.excuse("the disk was replaced".to_owned());
        }
        self.net.power_lost(self.ip());
        self.kill();
        self.renew_disk(SimDisk::replace);
        lock(&self.machine).replacements += 1;
        self.recorder.tell(|checkers| {
            checkers.disk_replaced(self.id);
            Ok(())
        });
        sleep(down).await;
        self.net.power_is_back(self.ip());
        self.start();
    }

    /// Asks the process to stop, if it runs, and returns what tells when it has.
    pub(crate) fn ask_to_stop(&self) -> Option<Arc<Notify>> {
        let (stop, ended) = {
            let mut machine = lock(&self.machine);
            let process = machine.process.as_mut().filter(|process| !process.is_over)?;
            (process.stop.take()?, Arc::clone(&process.ended))
        };
        self.note("the node is asked to stop");
        let _ = stop.send(());
        Some(ended)
    }

    /// The process is asked to stop, and started again. True if it was running.
    pub(crate) async fn stop(&self, down: Duration) -> bool {
        let asked = self.ask_to_stop();
        let was_running = asked.is_some();
        if let Some(ended) = asked
            && timeout(Duration::from_millis(STOP_MS_MAX), ended.notified()).await.is_err()
        {
            let what = format!("the node was asked to, and had not ended after {STOP_MS_MAX} ms");
            self.recorder.tell::<()>(|_| Err(Violation::liveness("Stops", what)));
        }
        self.crash(down).await;
        was_running
    }

    /// The process stands still for a while. True if there was one that ran.
    pub(crate) async fn pause(&self, length: Duration) -> bool {
        let is_running = self.is_running();
        self.note("the process stands still");
        Handle::current().pause(self.host);
        sleep(length).await;
        Handle::current().resume(self.host);
        is_running
    }

    /// Sets the wall clock. True if there is a process that could see it.
    pub(crate) fn step_wall(&self, by_ms: i64) -> bool {
        self.note(&format!("the wall clock is set by {by_ms} ms"));
        self.clock.step_wall(by_ms);
        self.is_running()
    }

    /// Puts a new process in the place of one that the disk has failed. Any other has to get over all else by itself.
    pub(crate) async fn renew_if_failed(&self) {
        if self.disk().errors_of_process() > 0 {
            self.crash(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) fn ip(&self) -> IpAddr {
        Members::address(self.id).ip()
    }

    /// How often a process ended by itself, its disk having failed it.
    pub(crate) fn self_ends(&self) -> u64 {
        lock(&self.machine).self_ends
    }

    fn is_running(&self) -> bool {
        lock(&self.machine).process.as_ref().is_some_and(|process| !process.is_over)
    }

    /// The disk, as it is at this moment.
    pub(crate) fn disk(&self) -> SimDisk {
        lock(&self.machine).disk.clone()
    }

    /// Runs the process to its end, which has to have a reason.
    async fn watch(self, run: impl Future<Output = Result<(), NodeError>>, generation: u64, ended: Arc<Notify>) {
        let outcome = run.await;
        self.note(&format!("the node ends: {outcome:?}"));
        {
            let mut machine = lock(&self.machine);
            if machine.generation == generation
                && let Some(process) = &mut machine.process
            {
                process.is_over = true;
            }
        }
        if let Err(error) = outcome {
            self.recorder.tell(|checkers| checkers.node_failed(&error.to_string(), self.id));
        }
        ended.notify_one();
    }

    /// Starts the process again if it ends by itself.
    async fn keep_running(self, generation: u64, ended: Arc<Notify>) {
        ended.notified().await;
        // Who asked it to stop waits for the same.
        ended.notify_one();
        sleep(Duration::from_millis(RESTART_MS)).await;
        let is_same = lock(&self.machine).generation == generation;
        let is_abandoned = is_same && lock(&self.machine).process.as_ref().is_some_and(|process| process.stop.is_some());
        if is_abandoned {
            lock(&self.machine).self_ends += 1;
            self.crash(Duration::ZERO).await;
        }
    }

    /// Ends the process for good.
    pub(crate) fn clear_away(&self) {
        if let Some(process) = lock(&self.machine).process.take() {
            process.ended.notify_one();
        }
        Handle::current().kill(self.host);
    }

    /// Ends the process on the spot, if there is one.
    fn kill(&self) -> Option<Process> {
        let process = lock(&self.machine).process.take();
        if let Some(process) = &process {
            // Who keeps it running has nothing to wait for any more.
            process.ended.notify_one();
        }
        Handle::current().resume(self.host);
        Handle::current().kill(self.host);
        Handle::current().restart(self.host);
        self.recorder.tell(|checkers| {
            checkers.node_ended(self.id);
            Ok(())
        });
        self.recorder.ended(self.id);
        process
    }

    fn renew_disk(&self, renew: impl FnOnce(&SimDisk) -> SimDisk) {
        let mut machine = lock(&self.machine);
        machine.disk = renew(&machine.disk);
    }

    fn platform(&self, machine: &Machine) -> SimPlatform {
        SimPlatform {
            node: self.id,
            host: self.ip(),
            clock: self.clock.restarted(),
            net: self.net.clone(),
            disk: machine.disk.clone(),
            recorder: self.recorder.clone(),
            entropy: Arc::clone(&machine.entropy),
        }
    }

    fn settings(&self, directory: DirectoryId, platform: &impl Platform) -> NodeSettings {
        let [incarnation, seed] = [platform.entropy(), platform.entropy()];
        let mut incarnation_id = [0; 16];
        incarnation_id.copy_from_slice(incarnation.split_at(16).0);
        let address_of = |node: NodeId| {
            let address = Members::address(node);
            (node, HostPort { host: address.ip().to_string(), port: address.port() })
        };
        let plan = &self.plan;
        let is_controller_alone = self.cluster.is_controller_alone(self.id);
        let voters: BTreeMap<NodeId, HostPort> = self.cluster.voters().map(|voter| address_of(voter.node)).collect();
        let own = Voter { node: self.id, directory };
        let (voters, bootstrap_servers, named) = match self.cluster.looks_for_controllers(self.id) {
            true => (BTreeMap::new(), voters.into_values().collect(), Voters::default()),
            false => (voters, Vec::new(), self.cluster.voters_named_by(own).collect()),
        };
        // What a plan does not say: groups are kept on as many brokers as there are, and their members are soon missed.
        let of_groups = [
            ("offsets.topic.replication.factor".to_owned(), self.cluster.brokers().count().min(3).to_string()),
            ("group.min.session.timeout.ms".to_owned(), "500".to_owned()),
        ];
        NodeSettings {
            broker: BrokerSettings {
                node: self.id,
                cluster_id: Uuid([7; 16]).to_string(),
                directory,
                incarnation: IncarnationId(Uuid(incarnation_id)),
                rack: self.plan.rack.clone(),
                is_broker: !is_controller_alone,
                endpoints: Vec::new(),
                controllers: BTreeMap::new(),
                configs: of_groups.into_iter().chain(plan.configs.iter().cloned()).collect(),
                log_directory: "/data".to_owned(),
                was_unclean: true,
                voters: named,
                features: self.cluster.features(),
                seed,
            },
            listeners: vec![ListenerSettings {
                name: if is_controller_alone { "CONTROLLER" } else { "PLAINTEXT" }.to_owned(),
                bind: Members::address(self.id).to_string(),
                advertised: None,
                is_controller: is_controller_alone,
            }],
            peers: PeerSettings { voters, bootstrap_servers, ..PeerSettings::default() },
            data_dir: PathBuf::from("/data"),
            limits: ConnectionLimits {
                connections_max: 1_000,
                request_bytes_max: 1 << 20,
                in_flight_requests_max: plan.in_flight_requests_max,
                queued_bytes_max: plan.queued_bytes_max,
                idle_ms_max: 30_000,
            },
            store: store_settings(&plan.store),
            send_by_copy: false,
            http: None,
        }
    }
}

async fn wait_for(stopped: oneshot::Receiver<()>) {
    if stopped.await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

fn store_settings(plan: &StorePlan) -> StoreSettings {
    StoreSettings {
        writers: plan.writers,
        keepers: plan.keepers,
        readers: plan.readers,
        unsynced_bytes_max: plan.unsynced_bytes_max,
        unsynced_ms_max: plan.unsynced_ms_max,
        group_bytes_max: plan.group_bytes_max,
        open_files_max: plan.open_files_max,
        preallocate_bytes: plan.preallocate_bytes,
        preallocate_from_bytes: plan.preallocate_from_bytes,
        tail_batches_max: plan.tail_batches_max,
        tail_batches_total_max: plan.tail_batches_total_max,
        space_report_bytes: plan.space_report_bytes,
        space_report_ms: plan.space_report_ms,
    }
}
