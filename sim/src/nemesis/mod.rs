//! Brings the plan's faults about, each at its time, and counts those that took effect.
//!
//! What befalls the process comes one after the other; everything else may overlap with it.

mod disk;
mod rot;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::time::sleep;

use self::disk::ActiveFaults;
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
    server: Server,
    net: SimNet,
    recorder: Recorder,
    disk: Arc<Mutex<ActiveFaults>>,
    /// Planned faults that took effect, by kind: each once, whatever came of it.
    took_effect: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Nemesis {
    pub(crate) fn new(plan: &Plan, server: Server, net: SimNet, recorder: Recorder) -> Self {
        Self {
            faults: Arc::new(plan.faults.clone()),
            duration: Duration::from_millis(plan.duration_ms),
            server,
            net,
            recorder,
            disk: Arc::new(Mutex::new(ActiveFaults::new(plan.disk.clone()))),
            took_effect: Arc::default(),
        }
    }

    /// Goes through the plan and returns at its end.
    pub(crate) async fn run(&self) {
        let started = simulated_time();
        for PlannedFault { at_us, fault } in self.faults.iter() {
            wait_until(started + Duration::from_micros(*at_us)).await;
            self.bring(fault).await;
        }
        wait_until(started + self.duration).await;
    }

    /// Ends what would end later.
    pub(crate) async fn heal(&self) {
        self.net.heal();
        for kind in lock(&self.disk).end_all(&self.server.disk()) {
            self.count(kind, true);
        }
        self.server.renew_if_failed().await;
    }

    /// Planned faults that took effect so far, by kind.
    pub(crate) fn took_effect(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.took_effect).clone()
    }

    /// Whether the node has been given an empty disk.
    pub(crate) fn has_replaced_disk(&self) -> bool {
        lock(&self.took_effect).contains_key(DISK_REPLACEMENT)
    }

    async fn bring(&self, fault: &Fault) {
        match fault {
            Fault::Crash(death) => {
                self.server.await_steps(death.after_steps).await;
                self.count("crash", self.server.crash(Duration::from_millis(death.down_ms)).await);
                self.fall_again(death).await;
            }
            Fault::PowerLoss(death) => {
                self.server.await_steps(death.after_steps).await;
                self.count("power loss", self.server.lose_power(Duration::from_millis(death.down_ms)).await);
                self.fall_again(death).await;
            }
            Fault::Stop { cut_short: None, down_ms } => self.count("clean stop", self.server.stop(Duration::from_millis(*down_ms)).await),
            Fault::Stop { cut_short: Some(steps), down_ms } => {
                let was_running = self.server.ask_to_stop().is_some();
                self.server.await_steps(*steps).await;
                self.server.lose_power(Duration::from_millis(*down_ms)).await;
                self.count("power loss in a stop", was_running);
            }
            Fault::Pause { length_ms } => self.count("pause", self.server.pause(Duration::from_millis(*length_ms)).await),
            Fault::Resets { per_million } => {
                let count = self.net.reset_some(*per_million);
                self.recorder.note(&format!("{count} connections are reset"));
                self.count("connection resets", count > 0);
            }
            Fault::Stalls { per_million, length_ms } => self.stall(*per_million, *length_ms),
            Fault::Partition { client, length_ms } => self.part(*client, *length_ms),
            Fault::WallStep { by_ms } => self.count("wall clock step", self.server.step_wall(*by_ms)),
            Fault::Disk { kind, length_ms } => self.spoil_disk(*kind, *length_ms),
            Fault::Rot { choice } => self.rot(*choice),
            Fault::Replace { down_ms } => {
                self.server.replace_disk(Duration::from_millis(*down_ms)).await;
                self.count(DISK_REPLACEMENT, true);
            }
        }
    }

    /// The power goes while the node recovers. It was started in the same instant, so that even its first step can be the last.
    async fn fall_again(&self, death: &Death) {
        for &steps in &death.in_recovery {
            self.server.await_steps(steps).await;
            self.count("power loss in recovery", self.server.lose_power(Duration::from_millis(death.down_ms)).await);
        }
    }

    fn stall(&self, per_million: u32, length_ms: u64) {
        let nemesis = self.clone();
        spawn(async move {
            let count = nemesis.net.stall_some(per_million, Duration::from_millis(length_ms)).await;
            nemesis.recorder.note(&format!("{count} connections go on after a stall"));
            nemesis.count("connection stalls", count > 0);
        });
    }

    fn part(&self, client: u32, length_ms: u64) {
        let host = client_host(u8::try_from(client + 1).expect("clients are few"));
        let (net, server) = (self.net.clone(), self.server.host());
        self.recorder.note(&format!("{host} is cut off"));
        let parted = net.set_partitioned(host, server, true);
        self.count("partition", parted > 0);
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            net.set_partitioned(host, server, false);
        });
    }

    fn spoil_disk(&self, kind: DiskFaultKind, length_ms: u64) {
        self.recorder.note(&format!("the disk: {kind:?}"));
        let number = lock(&self.disk).begin(kind, &self.server.disk());
        let nemesis = self.clone();
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            if let Some(kind) = lock(&nemesis.disk).end(number, &nemesis.server.disk()) {
                nemesis.count(kind, true);
            }
        });
    }

    fn rot(&self, choice: u64) {
        let Some(file) = rot::flip(&self.server.disk(), choice) else { return };
        self.recorder.note(&format!("a bit of {} flips for good", file.display()));
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
