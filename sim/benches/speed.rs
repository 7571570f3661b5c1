//! How fast worlds run: seeds of three nodes one by one, and beside each a bare loop that takes as many events from a heap and does nothing.
//! `cargo bench -p gracchus-sim -- [SEEDS]`; the ratio is what a simulator costs over the least that it could be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Instant;

use gracchus_sim::draw::{Draw, Stream};
use gracchus_sim::plan::Plan;
use gracchus_sim::world;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events that wait at one time.
const WAITING: u64 = 1_000;

fn main() {
    let seeds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(40);
    let (mut seconds, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut operations = Vec::new();
    for seed in 0..seeds {
        let report = world::run(&Plan::draw_for(seed, 3), None);
        let spent = report.real.as_secs_f64();
        seconds.push(spent);
        rates.push(report.events as f64 / spent);
        ratios.push(spent / heap_loop(seed, report.events));
        operations.push(report.done() as f64);
    }
    let [seconds, rates, ratios, operations] = [seconds, rates, ratios, operations].map(median);
    println!("{seeds} seeds of three nodes, medians: {seconds:.2} s of a processor for a simulated minute with {operations:.0} operations,");
    println!("{rates:.0} events/s, {ratios:.0} times a bare heap of as many events");
}

/// Takes so many events from a heap in the order of their times, each of which has another one follow. Seconds.
fn heap_loop(seed: u64, events: u64) -> f64 {
    let mut draw = Draw::new(seed, Stream::Effects);
    let mut heap: BinaryHeap<Reverse<(u64, u64)>> = (0..WAITING).map(|number| Reverse((draw.bits() % 1_000_000, number))).collect();
    let began = Instant::now();
    for _ in 0..events {
        let Reverse((at, number)) = heap.pop().expect("each has another one follow");
        heap.push(Reverse((at + black_box(draw.bits() % 1_000_000), number)));
    }
    began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
