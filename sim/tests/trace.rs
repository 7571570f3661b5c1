//! Traces: what a run was, kept, printed and compared.

use std::path::Path;
use std::process::{Command, Output};

fn gracchus_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gracchus-sim")).args(arguments).output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it prints text")
}

fn path(file: &Path) -> &str {
    file.to_str().expect("the folder's name is text")
}

#[test]
fn a_trace_prints_the_events_that_were_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace");
    let replayed = text(&gracchus_sim(&["replay", "--seed", "13", "--nodes", "1", "--trace", path(&file)]));
    let traced = text(&gracchus_sim(&["replay", path(&file)]));
    // A live replay also says what is no event, and how far logs are.
    let events = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("  ->  ") || line.contains(" node 1: "));
        lines.map(|line| line.split("  [").next().unwrap_or_default().to_owned()).collect()
    };
    assert!(events(&traced).len() > 1_000);
    assert_eq!(events(&traced), events(&replayed));
    assert_eq!(traced.lines().last(), replayed.lines().last(), "the hash");
}

#[test]
fn equal_runs_do_not_part_and_others_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["one", "two", "other", "plan"].map(|name| folder.path().join(name));
    let [one, two, other, plan] = files.each_ref().map(|file| path(file));
    for trace in [one, two] {
        gracchus_sim(&["replay", "--seed", "13", "--nodes", "1", "--trace", trace]);
    }
    // A plan that is the same but for a client that rests for longer.
    gracchus_sim(&["plan", "--seed", "13", "--nodes", "1", "--save", plan]);
    let saved = std::fs::read_to_string(plan).expect("it was saved");
    let (before, after) = saved.split_once("\"rest_ms_max\": ").expect("clients rest");
    std::fs::write(plan, format!("{before}\"rest_ms_max\": 9{after}")).expect("it can be written");
    gracchus_sim(&["replay", plan, "--trace", other]);

    let equal = gracchus_sim(&["compare", one, two]);
    assert!(equal.status.success() && text(&equal).starts_with("equal in all"), "{}", text(&equal));
    let parted = gracchus_sim(&["compare", one, other]);
    let said = text(&parted);
    assert_eq!(parted.status.code(), Some(1));
    assert!(said.contains("their plans differ") && said.contains("they part at event") && said.contains("first: "), "{said}");
}

#[test]
fn seeds_are_the_same_in_a_process_of_their_own() {
    let compared = gracchus_sim(&["compare", "--seeds", "4..6", "--nodes", "1", "--jobs", "2"]);
    assert!(compared.status.success(), "{}", text(&compared));
    assert!(text(&compared).starts_with("2 runs"));
}
