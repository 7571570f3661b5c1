//! Brings the plan's faults about, each at its time.
//!
//! What befalls the process comes one after the other; everything else may overlap with it.

use std::time::Duration;

use madsim::time::sleep;

use crate::plan::{Death, DiskFaultKind, Fault, Plan, PlannedFault};
use crate::platform::clock::simulated_time;
use crate::platform::disk::DiskFaults;
use crate::platform::net::SimNet;
use crate::trace::Recorder;
use crate::world::{Server, client_host};

/// Brings faults about.
#[derive(Debug)]
pub(crate) struct Nemesis {
    faults: Vec<PlannedFault>,
    duration: Duration,
    disk: DiskFaults,
    server: Server,
    net: SimNet,
    recorder: Recorder,
}

impl Nemesis {
    pub(crate) fn new(plan: &Plan, server: Server, net: SimNet, recorder: Recorder) -> Self {
        let duration = Duration::from_millis(plan.duration_ms);
        Self { faults: plan.faults.clone(), duration, disk: plan.disk.clone(), server, net, recorder }
    }

    /// Goes through the plan and returns at its end.
    pub(crate) async fn run(self) {
        let started = simulated_time();
        for PlannedFault { at_us, fault } in &self.faults {
            wait_until(started + Duration::from_micros(*at_us)).await;
            self.bring(fault).await;
        }
        wait_until(started + self.duration).await;
    }

    async fn bring(&self, fault: &Fault) {
        match fault {
            Fault::Crash(death) => {
                self.server.await_steps(death.after_steps).await;
                self.server.crash(Duration::from_millis(death.down_ms)).await;
                self.fall_again(death).await;
            }
            Fault::PowerLoss(death) => {
                self.server.await_steps(death.after_steps).await;
                self.server.lose_power(Duration::from_millis(death.down_ms)).await;
                self.fall_again(death).await;
            }
            Fault::Stop { down_ms } => self.server.stop(Duration::from_millis(*down_ms)).await,
            Fault::Pause { length_ms } => self.server.pause(Duration::from_millis(*length_ms)).await,
            Fault::Resets { per_million } => {
                let count = self.net.reset_some(*per_million);
                self.recorder.note(&format!("{count} connections are reset"));
            }
            Fault::Stalls { per_million, length_ms } => self.stall(*per_million, *length_ms),
            Fault::Partition { client, length_ms } => self.part(*client, *length_ms),
            Fault::WallStep { by_ms } => self.server.step_wall(*by_ms),
            Fault::Disk { kind, length_ms } => self.spoil_disk(*kind, *length_ms),
        }
    }

    /// The power goes while the node recovers. It was started in the same instant, so that even its first step can be the last.
    async fn fall_again(&self, death: &Death) {
        for &steps in &death.in_recovery {
            self.server.await_steps(steps).await;
            self.server.lose_power(Duration::from_millis(death.down_ms)).await;
        }
    }

    fn stall(&self, per_million: u32, length_ms: u64) {
        let (net, recorder) = (self.net.clone(), self.recorder.clone());
        spawn(async move {
            let count = net.stall_some(per_million, Duration::from_millis(length_ms)).await;
            recorder.note(&format!("{count} connections go on after a stall"));
        });
    }

    fn part(&self, client: u32, length_ms: u64) {
        let host = client_host(u8::try_from(client + 1).expect("clients are few"));
        let (net, server) = (self.net.clone(), self.server.host());
        self.recorder.note(&format!("{host} is cut off"));
        net.set_partitioned(host, server, true);
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            net.set_partitioned(host, server, false);
        });
    }

    fn spoil_disk(&self, kind: DiskFaultKind, length_ms: u64) {
        self.recorder.note(&format!("the disk: {kind:?}"));
        self.server.alter_disk(|faults| apply(kind, faults));
        let (server, sound) = (self.server.clone(), self.disk.clone());
        spawn(async move {
            sleep(Duration::from_millis(length_ms)).await;
            server.alter_disk(|faults| faults.clone_from(&sound));
        });
    }
}

fn apply(kind: DiskFaultKind, faults: &mut DiskFaults) {
    match kind {
        DiskFaultKind::Slow { per_million, ms_max } => {
            faults.slow = per_million;
            faults.slow_ms_max = ms_max;
        }
        DiskFaultKind::SyncFailures { per_million } => faults.sync_failure = per_million,
        DiskFaultKind::WriteErrors { per_million } => faults.write_error = per_million,
        DiskFaultKind::ReadErrors { per_million } => faults.read_error = per_million,
        DiskFaultKind::ReadFlips { per_million } => faults.read_flip = per_million,
        DiskFaultKind::Full => faults.capacity_bytes = 0,
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
