//! What `replay` shows of a run.

use std::process::Command;

#[test]
fn one_node_up_to_an_event_and_what_it_is_in_then() {
    let arguments = ["replay", "--seed", "13", "--nodes", "3", "--node", "2", "--until", "400", "--state"];
    let output = Command::new(env!("CARGO_BIN_EXE_gracchus-sim")).args(arguments).output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let steps = |of: &str| text.lines().filter(|line| line.contains("  ->  ") && line.contains(of)).count();
    assert!(steps("  node 2  ") > 10, "{text}");
    assert_eq!(steps("  node 1  ") + steps("  node 3  "), 0);
    let last = text.lines().filter(|line| line.contains("  ->  ")).filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).max();
    assert!(last.is_some_and(|last| last <= 400), "{last:?}");
    assert_eq!(text.lines().filter(|line| *line == "Broker {").count(), 1, "the state of that node, once");
    assert!(text.contains("stopped at event 400"));
}
