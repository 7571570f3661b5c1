//! Replay: the same binary and seed give the same run, event for event.

use std::process::Command;

use gracchus_sim::plan::Plan;
use gracchus_sim::trace::RunHash;
use gracchus_sim::world::{self, Ending};

/// One of them is of one node, the others of several.
const SEEDS: [u64; 3] = [12, 13, 17];

fn in_this_process(seed: u64) -> RunHash {
    world::run(&Plan::draw(seed), None).hash
}

fn in_a_fresh_process(seed: u64) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gracchus-sim")).args(["run", "--seed", &seed.to_string()]).output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("hash ").expect("the last line carries the hash").to_owned()
}

#[test]
fn a_seed_gives_the_same_run_in_one_process_and_in_fresh_ones() {
    for seed in SEEDS {
        let hash = in_this_process(seed);
        assert_eq!(in_this_process(seed), hash, "seed {seed}");
        for _ in 0..2 {
            assert_eq!(in_a_fresh_process(seed), hash.to_string(), "seed {seed}");
        }
    }
}

#[test]
fn two_seeds_give_two_runs() {
    assert_ne!(in_this_process(SEEDS[0]), in_this_process(SEEDS[1]));
}

#[test]
fn a_run_that_panics_is_told_and_gives_the_same_hash_again() {
    let plan = Plan { topics: Vec::new(), ..Plan::draw_for(SEEDS[0], 1) };
    let [first, second] = [world::run(&plan, None), world::run(&plan, None)];
    // A client that looks for a topic to use finds none.
    assert!(matches!(first.ending, Ending::Panic { .. }), "{:?}", first.ending);
    assert!(first.events > 0 && first.hash != RunHash(0), "{first:?}");
    assert_eq!((first.events, first.hash), (second.events, second.hash));
}

#[test]
fn a_plan_survives_a_file() {
    let file = std::env::temp_dir().join(format!("gracchus-sim-plan-{}", std::process::id()));
    let plan = Plan::draw(5);
    gracchus_sim::plan::save(&plan, &file).unwrap();
    let loaded = gracchus_sim::plan::load(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(loaded, plan);
}
