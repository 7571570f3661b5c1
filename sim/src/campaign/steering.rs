//! Seeds near what is rarely reached: every other plan takes after that of a seed that reached a rare mark.
//!
//! What is rare is learned from the runs so far, so which plans are run depends on how fast they are. Each is replayed all the same: it follows
//! from its seed and its parent's.

use std::collections::BTreeMap;

use super::Work;
use crate::draw::{Draw, Stream};
use crate::world::RunReport;

/// Runs after which plans are bred.
const LEARNED_MIN: u64 = 20;
/// Parents that are known for a mark: the first ones, and then the latest.
const PARENTS_MAX: usize = 16;

/// Says which plan is next.
#[derive(Debug, Default)]
pub(super) struct Steering {
    runs: u64,
    marks: BTreeMap<String, Reached>,
}

/// A mark that was reached.
#[derive(Debug, Default)]
struct Reached {
    /// In so many runs.
    runs: u64,
    /// By these seeds, for so many nodes.
    parents: Vec<(u64, usize)>,
}

impl Steering {
    /// Takes in what a run reached.
    pub(super) fn learn(&mut self, report: &RunReport) {
        self.runs += 1;
        for mark in report.marks.keys() {
            let reached = self.marks.entry(mark.clone()).or_default();
            reached.runs += 1;
            // A plan that was bred is no parent: it is its own seed that others replay.
            if report.parent.is_none() {
                if reached.parents.len() == PARENTS_MAX {
                    reached.parents.remove(PARENTS_MAX / 2);
                }
                reached.parents.push((report.seed, report.nodes));
            }
        }
    }

    /// What to run with a seed: its own plan, or one that takes after another's.
    pub(super) fn choose(&self, seed: u64, nodes: Option<usize>) -> Work {
        let mut draw = Draw::split(seed, Stream::Topology, 9);
        if self.runs < LEARNED_MIN || draw.chance(500_000) {
            return Work::Seed(seed, nodes);
        }
        let mut rarest: Vec<&Reached> = self.marks.values().filter(|reached| !reached.parents.is_empty()).collect();
        rarest.sort_by_key(|reached| reached.runs);
        // The rarest every second time, the next every fourth, and so on.
        let chosen = rarest.iter().find(|_| draw.chance(500_000)).or(rarest.first());
        let Some(reached) = chosen else { return Work::Seed(seed, nodes) };
        let (parent, nodes) = draw.pick(&reached.parents);
        Work::Bred { seed, parent, nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, marks: &[&str]) -> RunReport {
        let marks = marks.iter().map(|mark| ((*mark).to_owned(), 1)).collect();
        RunReport { marks, ..RunReport::empty(seed, 3) }
    }

    #[test]
    fn plans_take_after_those_that_reached_what_is_rare() {
        let mut steering = Steering::default();
        assert!((0..50).all(|seed| matches!(steering.choose(seed, None), Work::Seed(..))), "nothing is known yet");
        for seed in 0..40 {
            steering.learn(&run(seed, if seed == 7 { &["Common", "Rare"] } else { &["Common"] }));
        }
        let parents: Vec<u64> = (100..300)
            .filter_map(|seed| match steering.choose(seed, None) {
                Work::Bred { parent, .. } => Some(parent),
                Work::Seed(..) | Work::Saved(..) => None,
            })
            .collect();
        assert!((70..130).contains(&parents.len()), "{}", parents.len());
        assert!(parents.iter().filter(|parent| **parent == 7).count() > parents.len() / 3, "{parents:?}");
    }
}
