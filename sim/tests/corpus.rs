//! Plans that are kept: each found something once, and has to go well.

use std::collections::BTreeSet;
use std::path::Path;

use gracchus_sim::plan;
use gracchus_sim::world::{self, Ending};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

#[test]
fn every_plan_of_the_corpus_goes_well() {
    for (file, plan) in plan::load_all(folder()).unwrap() {
        let report = world::run(&plan, None);
        assert_eq!(report.ending, Ending::Clean, "{}", file.display());
    }
}

#[test]
fn every_plan_of_the_corpus_is_listed_with_its_reason() {
    let list = std::fs::read_to_string(folder().join("reasons.txt")).unwrap();
    let names = list.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned()));
    let listed: BTreeSet<String> = names.filter(|name| name.ends_with(".json")).collect();
    let plans = plan::load_all(folder()).unwrap();
    let kept: BTreeSet<String> = plans.iter().map(|(file, _)| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(listed, kept);
}
