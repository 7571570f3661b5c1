//! Brings the plan's faults about, each at its time, and counts those that took effect.
//!
//! What befalls a process comes one after the other; everything else may overlap with it.

mod disk;
mod rot;
mod voters;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::time::sleep;

use self::disk::ActiveFaults;
pub(crate) use self::voters::Operators;
use crate::plan::{Death, DiskFaultKind, Fault, Plan, PlannedFault};
use crate::platform::clock::simulated_time;
use crate::platform::lock;
use crate::platform::net::SimNet;
use crate::trace::Recorder;
use crate::world::{Server, client_host};

const DISK_REPLACEMENT: &str = "disk replacement";

/// Brings faults about. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Nemesis {
    faults: Arc<Vec<PlannedFault>>,
    duration: Duration,
    victims: Arc<Vec<Victim>>,
    net: SimNet,
    recorder: Recorder,
    operators: Operators,
    /// Planned faults that took effect, by kind: each once, whatever came of it.
    took_effect: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

/// A node, and what has come over its disk.
#[derive(Debug)]
struct Victim {
    server: Server,
    disk: Mutex<ActiveFaults>,
}

impl Nemesis {
    pub(crate) fn new(plan: &Plan, servers: Vec<Server>, net: SimNet, recorder: Recorder, operators: Operators) -> Self {
        let victim = |server| Victim { server, disk: Mutex::new(ActiveFaults::new(plan.disk.clone())) };
        Self {
            faults: Arc::new(plan.faults.clone()),
            duration: Duration::from_millis(plan.duration_ms),
            victims: Arc::new(servers.into_iter().map(victim).collect()),
            net,
            recorder,
            operators,
            took_effect: Arc::default(),
        }
    }

    /// Goes through the plan and returns at its end. What befalls one process waits for what befell it before; processes do not wait for each
    /// other.
    pub(crate) async fn run(&self) {
        let started = simulated_time();
        let nodes: Vec<_> = (1..self.victims.len())
            .map(|node| {
                let nemesis = self.clone();
                madsim::task::spawn(async move { nemesis.befall(node, started).await })
            })
            .collect();
        self.befall(0, started).await;
        for node in nodes {
            node.await.expect("no fault panics");
        }
        wait_until(started + self.duration).await;
    }

    async fn befall(&self, node: usize, started: Duration) {
        for planned in self.faults.iter().filter(|planned| planned.node == node) {
            wait_until(started + Duration::from_micros(planned.at_us)).await;
            self.bring(node, &planned.fault).await;
        }
    }

    /// Ends what would end later.
    pub(crate) async fn heal(&self) {
        self.net.heal();
        for victim in self.victims.iter() {
            for kind in lock(&victim.disk).end_all(&victim.server.disk()) {
                self.count(kind, true);
            }
        }
        for victim in self.victims.iter() {
            victim.server.renew_if_failed().await;
        }
    }

    /// Planned faults that took effect so far, by kind.
    pub(crate) fn took_effect(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.took_effect).clone()
    }

    /// Whether a node has been given an empty disk.
    pub(crate) fn has_replaced_disk(&self) -> bool {
        lock(&self.took_effect).contains_key(DISK_REPLACEMENT)
    }

    fn victim(&self, node: usize) -> &Victim {
        self.victims.get(node).expect("a plan names nodes that there are")
    }

    async fn bring(&self, node: usize, fault: &Fault) {
        let server = &self.victim(node).server;
        match fault {
            Fault::Crash(death) => {
                server.await_steps(death.after_steps).await;
                self.count("crash", server.crash(Duration::from_millis(death.down_ms)).await);
                self.fall_again(server, death).await;
            }
            Fault::PowerLoss(death) => {
                server.await_steps(death.after_steps).await;
                self.count("power loss", server.lose_power(Duration::from_millis(death.down_ms)).await);
                self.fall_again(server, death).await;
            }
            Fault::Blackout { down_ms } => self.black_out(Duration::from_millis(*down_ms)).await,
            Fault::Stop { cut_short: None, down_ms } => self.count("clean stop", server.stop(Duration::from_millis(*down_ms)).await),
            Fault::Stop { cut_short: Some(steps), down_ms } => {
                let was_running = server.ask_to_stop().is_some();
                server.await_steps(*steps).await;
                server.lose_power(Duration::from_millis(*down_ms)).await;
                self.count("power loss in a stop", was_running);
            }
            Fault::Pause { length_ms } => self.count("pause", server.pause(Duration::from_millis(*length_ms)).await),
            Fault::Resets { per_million } => {
                let count = self.net.reset_some(*per_million);
                self.recorder.note(None, &format!("{count} connections are reset"));
                self.count("connection resets", count > 0);
            }
            Fault::Stalls { per_million, length_ms } => self.stall(*per_million, *length_ms),
            Fault::Lag { latency_ms_max, length_ms } => self.lag(Duration::from_millis(*latency_ms_max), *length_ms),
            Fault::Partition { client, length_ms } => {
                let host = client_host(u8::try_from(client + 1).expect("clients are few"));
                self.part("partition", host, &self.all_but(None), *length_ms);
            }
            Fault::Isolate { length_ms } => self.part("isolation", server.ip(), &self.all_but(Some(node)), *length_ms),
            Fault::Part { other, length_ms } => {
                let other = self.victim(*other).server.ip();
                self.part("partition between nodes", server.ip(), &[other], *length_ms);
            }
            Fault::Mute { other, length_ms } => self.mute(server.ip(), self.victim(*other).server.ip(), *length_ms),
            Fault::WallStep { by_ms } => self.count("wall clock step", server.step_wall(*by_ms)),
            Fault::Disk { kind, length_ms } => self.spoil_disk(node, *kind, *length_ms),
            Fault::Rot { choice } => self.rot(server, *choice),
            Fault::ChangeVoters { choice, is_disputed } => self.change_voters(*choice, *is_disputed),
            Fault::Replace { down_ms } => self.replace_disk(server, Duration::from_millis(*down_ms)).await,
        }
    }

    /// The power goes while the node recovers. It was started in the same instant, so that even its first step can be the last.
    async fn fall_again(&self, server: &Server, death: &Death) {
        for &steps in &death.in_recovery {
            server.await_steps(steps).await;
            self.count("power loss in recovery", server.lose_power(Duration::from_millis(death.down_ms)).await);
        }
    }

    /// The power goes everywhere.
    async fn black_out(&self, down: Duration) {
        let losses: Vec<_> = self
            .victims
            .iter()
            .map(|victim| {
                let server = victim.server.clone();
                madsim::task::spawn(async move { server.lose_power(down).await })
            })
            .collect();
        let mut has_lost = false;
        for loss in losses {
            has_lost |= loss.await.expect("no fault panics");
        }
        self.count("power loss of all nodes", has_lost);
    }

    /// Replaces a node's disk, if the others hold all that was promised.
    async fn replace_disk(&self, server: &Server, down: Duration) {
        let id = server.id();
        let may_go = self.victims.len() == 1
            || self.operators.are_idle() && self.recorder.tell(|checkers| Ok(checkers.may_lose_disk(id))).unwrap_or_default();
        if may_go {
            server.replace_disk(down).await;
            self.count(DISK_REPLACEMENT, true);
        }
    }

    fn stall(&self, per_million: u32, length_ms: u64) {
        let nemesis = self.clone();
        spawn(async move {
            let count = nemesis.net.stall_some(per_million, Duration::from_millis(length_ms)).await;
            nemesis.recorder.note(None, &format!("{count} connections go on after a stall"));
            nemesis.count("connection stalls", count > 0);
        });
    }

    fn lag(&self, longest: Duration, length_ms: u64) {
        self.recorder.note(None, &format!("messages take up to {} ms", longest.as_millis()));
        self.net.set_lag(longest, true);
        self.count("slow network", true);
        let net = self.net.clone();
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            net.set_lag(longest, false);
        });
    }

    fn all_but(&self, node: Option<usize>) -> Vec<IpAddr> {
        self.victims.iter().enumerate().filter(|(at, _)| Some(*at) != node).map(|(_, victim)| victim.server.ip()).collect()
    }

    /// A host does not reach these others.
    fn part(&self, kind: &'static str, host: IpAddr, others: &[IpAddr], length_ms: u64) {
        match others {
            [other] if self.victims.len() > 1 => self.recorder.note(None, &format!("{host} is cut off from {other}")),
            _ => self.recorder.note(None, &format!("{host} is cut off")),
        }
        let parted: usize = others.iter().map(|other| self.net.set_partitioned(host, *other, true)).sum();
        self.count(kind, parted > 0);
        let (net, others) = (self.net.clone(), others.to_vec());
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            for other in others {
                net.set_partitioned(host, other, false);
            }
        });
    }

    /// What a host sends does not reach another.
    fn mute(&self, from: IpAddr, to: IpAddr, length_ms: u64) {
        self.recorder.note(None, &format!("{to} does not hear {from}"));
        self.count("one-way link", self.net.set_mute(from, to, true) > 0);
        let net = self.net.clone();
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            net.set_mute(from, to, false);
        });
    }

    fn spoil_disk(&self, node: usize, kind: DiskFaultKind, length_ms: u64) {
        let Victim { server, disk } = self.victim(node);
        self.recorder.note(Some(server.id()), &format!("the disk: {kind:?}"));
        let number = lock(disk).begin(kind, &server.disk());
        let nemesis = self.clone();
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            let Victim { server, disk } = nemesis.victim(node);
            if let Some(kind) = lock(disk).end(number, &server.disk()) {
                nemesis.count(kind, true);
            }
        });
    }

    fn rot(&self, server: &Server, choice: u64) {
        let Some(file) = rot::flip(&server.disk(), choice) else { return };
        self.recorder.note(Some(server.id()), &format!("a bit of {} flips for good", file.display()));
        self.recorder.excuse(format!("a bit of {} was flipped for good", file.display()));
        self.recorder.tell(|checkers| {
            checkers.log_rotted(&file);
            Ok(())
        });
        self.count("rot", true);
    }

    fn count(&self, kind: &'static str, took_effect: bool) {
        if took_effect {
            *lock(&self.took_effect).entry(kind).or_default() += 1;
        }
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(task));
}

async fn wait_until(time: Duration) {
    let missing = time.saturating_sub(simulated_time());
    if !missing.is_zero() {
        sleep(missing).await;
    }
}
