//! A few seeds, as `gracchus-sim run` runs many.

use gracchus_sim::campaign::{self, Verdict, Work};

#[test]
fn a_few_seeds_are_clean_and_count() {
    let summary = campaign::run((0..16).map(|seed| Work::Seed(seed, None)).collect(), 2, |_| {});
    assert_eq!(summary.verdict(), Verdict::Clean, "{summary}");
    assert!(summary.counted >= 15 && summary.clusters >= 8, "{summary}");
}
