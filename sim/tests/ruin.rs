//! What no promise covers: rotten bits, and a disk that is gone.

use gracchus_sim::plan::{Fault, Plan, PlannedFault};
use gracchus_sim::world::{self, Ending, RunReport};

fn run_with(seed: u64, fault: Fault) -> RunReport {
    let mut plan = Plan::draw_for(seed, 1);
    plan.faults.push(PlannedFault { id: 0, at_us: 20_000_000, node: 0, fault });
    plan.faults.sort_by_key(|fault| fault.at_us);
    world::run(&plan, None)
}

#[test]
fn a_run_with_a_rotten_batch_is_excused_and_all_other_partitions_are_sound() {
    for seed in 0..8 {
        let report = run_with(seed, Fault::Rot { choice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) });
        assert!(matches!(report.ending, Ending::Excused(_)), "seed {seed}: {:?}", report.ending);
    }
}

#[test]
fn a_node_whose_disk_is_replaced_begins_anew_and_serves() {
    for seed in 0..4 {
        let report = run_with(seed, Fault::Replace { down_ms: 100 });
        assert!(matches!(report.ending, Ending::Excused(_)), "seed {seed}: {:?}", report.ending);
    }
}
