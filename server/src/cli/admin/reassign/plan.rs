//! Where partitions are to be: from a list of brokers, or from a plan in a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::super::super::error::CliError;

/// The version of Kafka's format.
const VERSION: i32 = 1;

/// What Kafka's tool writes for a data folder that the broker chooses.
const ANY_FOLDER: &str = "any";

/// A partition, and which brokers are to have a copy of it, the preferred leader first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its topic.
    pub(super) topic: String,
    /// Its number.
    pub(super) partition: i32,
    /// The brokers.
    pub(super) replicas: Vec<i32>,
}

/// A plan as kafka-reassign-partitions.sh has it. As there, fields that mean nothing are passed over.
#[derive(Debug, Deserialize)]
struct Plan {
    version: Option<i32>,
    partitions: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    topic: String,
    partition: i32,
    replicas: Vec<i32>,
    #[serde(default)]
    log_dirs: Vec<String>,
}

/// Reads a plan.
pub(super) fn read(file: &Path) -> Result<Vec<Target>, CliError> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| CliError::failure(format!("{name} can't be read: {error}")))?;
    parse(&text).map_err(|reason| CliError::failure(format!("{name}: {reason}")))
}

fn parse(text: &str) -> Result<Vec<Target>, String> {
    let plan: Plan = serde_json::from_str(text).map_err(|error| format!("this is no plan: {error}"))?;
    match plan.version {
        None | Some(VERSION) => {}
        Some(version) => return Err(format!("version is {version}; only {VERSION} is known")),
    }
    if plan.partitions.is_empty() {
        return Err("partitions is empty: a plan moves one at least".to_owned());
    }
    let mut seen = BTreeSet::new();
    for entry in &plan.partitions {
        entry.check()?;
        if !seen.insert((&entry.topic, entry.partition)) {
            return Err(format!("{}-{} is named twice", entry.topic, entry.partition));
        }
    }
    let targets = plan.partitions.into_iter().map(|Entry { topic, partition, replicas, log_dirs: _ }| Target { topic, partition, replicas });
    Ok(targets.collect())
}

impl Entry {
    fn check(&self) -> Result<(), String> {
        let Self { topic, partition, replicas, log_dirs } = self;
        if *partition < 0 {
            return Err(format!("partition is {partition} for topic {topic}; the first is 0"));
        }
        let name = format!("{topic}-{partition}");
        if replicas.is_empty() {
            return Err(format!("replicas of {name} is empty: it needs one broker at least"));
        }
        if let Some(negative) = replicas.iter().find(|node| **node < 0) {
            return Err(format!("replicas of {name} has {negative}, which is no broker's id"));
        }
        check_replicas(replicas).map_err(|reason| format!("replicas of {name} {reason}"))?;
        match log_dirs.iter().find(|folder| *folder != ANY_FOLDER) {
            Some(folder) => Err(format!("log_dirs of {name} has {folder}; only \"{ANY_FOLDER}\" is possible: a broker has one data folder")),
            None => Ok(()),
        }
    }
}

/// Whether each broker is named once.
pub(super) fn check_replicas(replicas: &[i32]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match replicas.iter().find(|node| !seen.insert(**node)) {
        Some(twice) => Err(format!("names broker {twice} twice; each has one copy at most")),
        None => Ok(()),
    }
}

/// All of a topic's partitions on the same brokers, each led by the next.
pub(super) fn spread(topic: &str, partitions: &[i32], replicas: &[i32]) -> Vec<Target> {
    let turned = partitions.iter().enumerate().map(|(turn, partition)| {
        let mut replicas = replicas.to_vec();
        let count = replicas.len().max(1);
        replicas.rotate_left(turn % count);
        Target { topic: topic.to_owned(), partition: *partition, replicas }
    });
    turned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(topic: &str, partition: i32, replicas: &[i32]) -> Target {
        Target { topic: topic.to_owned(), partition, replicas: replicas.to_vec() }
    }

    #[test]
    fn a_plan_of_kafkas_tool_is_read() {
        let text = r#"{"version":1,"partitions":[
            {"topic":"a","partition":0,"replicas":[1,2],"log_dirs":["any","any"]},
            {"topic":"a","partition":1,"replicas":[2,3],"unknown":true},
            {"topic":"b","partition":0,"replicas":[3]}]}"#;
        assert_eq!(parse(text), Ok(vec![target("a", 0, &[1, 2]), target("a", 1, &[2, 3]), target("b", 0, &[3])]));
        let without_version = r#"{"partitions":[{"topic":"a","partition":0,"replicas":[1]}]}"#;
        assert_eq!(parse(without_version), Ok(vec![target("a", 0, &[1])]));
    }

    #[test]
    fn what_makes_no_plan_is_refused_by_name() {
        let one = |entry: &str| format!(r#"{{"version":1,"partitions":[{entry}]}}"#);
        for (text, reason) in [
            ("move it".to_owned(), "this is no plan: expected value at line 1 column 1"),
            (r#"{"version":1}"#.to_owned(), "this is no plan: missing field `partitions`"),
            (r#"{"version":2,"partitions":[]}"#.to_owned(), "version is 2; only 1 is known"),
            (one(""), "partitions is empty"),
            (one(r#"{"topic":"a","partition":0}"#), "missing field `replicas`"),
            (one(r#"{"topic":"a","partition":"0","replicas":[1]}"#), "invalid type: string \"0\", expected i32"),
            (one(r#"{"topic":"a","partition":-1,"replicas":[1]}"#), "partition is -1 for topic a"),
            (one(r#"{"topic":"a","partition":0,"replicas":[]}"#), "replicas of a-0 is empty"),
            (one(r#"{"topic":"a","partition":0,"replicas":[1,-2]}"#), "replicas of a-0 has -2"),
            (one(r#"{"topic":"a","partition":0,"replicas":[1,2,1]}"#), "replicas of a-0 names broker 1 twice"),
            (one(r#"{"topic":"a","partition":0,"replicas":[1],"log_dirs":["/d"]}"#), "log_dirs of a-0 has /d; only \"any\" is possible"),
            (one(r#"{"topic":"a","partition":0,"replicas":[1]},{"topic":"a","partition":0,"replicas":[2]}"#), "a-0 is named twice"),
        ] {
            let refused = parse(&text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn partitions_of_a_topic_are_led_in_turn() {
        let targets = spread("a", &[0, 1, 2, 3], &[1, 2, 3]);
        assert_eq!(targets, [target("a", 0, &[1, 2, 3]), target("a", 1, &[2, 3, 1]), target("a", 2, &[3, 1, 2]), target("a", 3, &[1, 2, 3])]);
    }
}
