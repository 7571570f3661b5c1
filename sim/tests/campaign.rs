//! Campaigns in a folder: they go on where they ended, are shared by shards, and outlive a run that hangs.

use std::path::Path;
use std::process::{Command, Output};

use gracchus_sim::campaign::Summary;

fn campaign(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gracchus-sim")).arg("campaign").args(arguments).output().expect("the binary runs")
}

fn of_one_node(folder: &Path, arguments: &[&str]) -> Output {
    campaign(&[&["--nodes", "1", "--folder", folder.to_str().expect("names are text")], arguments].concat())
}

/// What a campaign has come to, but for the time that it took.
fn result(folder: &Path) -> serde_json::Value {
    let content = std::fs::read(folder.join("summary.json")).expect("there is a result");
    let mut summary: serde_json::Value = serde_json::from_slice(&content).expect("it is JSON");
    for time in ["real", "spent"] {
        summary.as_object_mut().expect("it is an object").remove(time);
    }
    summary
}

#[test]
fn one_that_goes_on_and_one_that_is_shared_come_to_the_same_as_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, resumed, shards] = ["whole", "resumed", "shards"].map(|name| folder.path().join(name));
    assert!(of_one_node(&whole, &["--seeds", "4"]).status.success());
    assert!(of_one_node(&resumed, &["--seeds", "1..3"]).status.success());
    assert!(of_one_node(&resumed, &["--seeds", "4"]).status.success());
    assert_eq!(result(&resumed), result(&whole));
    for shard in ["0/2", "1/2"] {
        assert!(of_one_node(&shards.join(shard.replace('/', "-")), &["--seeds", "4", "--shard", shard]).status.success());
    }
    assert!(campaign(&["--merge", shards.to_str().unwrap()]).status.success());
    assert_eq!(result(&shards), result(&whole));
    assert_eq!(result(&whole)["seeds"], 4);
}

#[test]
fn a_run_that_hangs_is_a_failure_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = of_one_node(folder.path(), &["--seeds", "3", "--seed-time-max", "1ms"]);
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    let summary: Summary =
        serde_json::from_value(serde_json::from_slice(&std::fs::read(folder.path().join("summary.json")).unwrap()).unwrap()).unwrap();
    assert_eq!((summary.seeds, summary.failures.len()), (3, 3));
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("--seed 2 --nodes 1"), "{junit}");
}

#[test]
fn one_that_is_to_end_with_a_failure_does() {
    let folder = tempfile::tempdir().unwrap();
    let output = of_one_node(folder.path(), &["--seeds", "50", "--jobs", "1", "--seed-time-max", "1ms", "--until-failure"]);
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    assert!(result(folder.path())["seeds"].as_u64().unwrap() < 50);
}

#[test]
fn a_folder_of_another_campaign_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert!(of_one_node(folder.path(), &["--seeds", "1"]).status.success());
    let before = result(folder.path());
    let other = campaign(&["--seeds", "2", "--nodes", "3", "--folder", folder.path().to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("name another folder"), "{other:?}");
    assert_eq!(result(folder.path()), before);
}
