//! A cluster under load that nothing befalls: who leads goes on leading.

use gracchus_sim::plan::{ClientKind, Plan};
use gracchus_sim::platform::disk::DiskFaults;
use gracchus_sim::world::{self, Ending, RunReport};

/// The longest that a sync takes: a disk's that has more to do.
const SYNC_MS_MAX: u64 = 20;

/// Elections, as a run's report has them.
const ELECTIONS: [&str; 2] = ["election of the quorum", "election of a partition's leader"];

/// Three nodes with Kafka's settings at their defaults and the clients of a seed, but for its administrators, who move leaders: clocks drift,
/// messages and syncs take their time, and nothing else is amiss.
fn undisturbed(seed: u64, minutes: u64) -> RunReport {
    let mut plan = Plan::draw_for(seed, 3);
    plan.duration_ms = minutes * 60_000;
    // The end reads the logs as a whole, a small segment a fetch, and they are as long as the run is.
    plan.recovery_ms_max = plan.recovery_ms_max.max(plan.duration_ms / 4);
    plan.faults.clear();
    plan.disk = DiskFaults { sync_ms_max: SYNC_MS_MAX, ..DiskFaults::default() };
    plan.clients.retain(|client| !matches!(client.kind, ClientKind::Admin));
    for node in &mut plan.nodes {
        node.configs.clear();
    }
    world::run(&plan, None)
}

fn check(seed: u64, minutes: u64) {
    let report = undisturbed(seed, minutes);
    assert!(matches!(report.ending, Ending::Clean), "seed {seed}: {:?}", report.ending);
    assert!(report.done() >= 500 * minutes, "seed {seed}: a load is under way all along, not {} operations", report.done());
    for elections in ELECTIONS {
        assert_eq!(report.mishaps.get(elections), None, "seed {seed}: {elections} in {minutes} minutes, with {:?}", report.marks);
    }
    println!("seed {seed}: {minutes} minutes, {} operations, no election, over after {:?}", report.done(), report.simulated);
}

#[test]
fn a_run_with_faults_tells_of_elections() {
    let report = world::run(&Plan::draw_for(0, 3), None);
    for elections in ELECTIONS {
        assert!(report.mishaps.get(elections).is_some_and(|count| *count > 0), "{elections}: {:?}", report.mishaps);
    }
}

#[test]
fn two_minutes_under_load_see_no_election() {
    for seed in 0..2 {
        check(seed, 2);
    }
}

#[test]
#[ignore = "takes minutes: cargo test --release -p gracchus-sim --test undisturbed -- --ignored --nocapture"]
fn an_hour_under_load_sees_no_election() {
    for seed in 0..3 {
        check(seed, 60);
    }
}
