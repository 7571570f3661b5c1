//! `gracchus group`, end to end: the real binary, a real broker, and librdkafka's consumers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A broker with a topic `orders` of two partitions, the first with five records, the other with three.
struct Scene {
    broker: support::Broker,
    folder: TempDir,
}

struct Ended {
    status: i32,
    output: String,
    error: String,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let scene = Self { broker: support::Broker::start(&folder), folder };
        scene.run(&["topic", "create", "orders", "--partitions", "2"]);
        for (partition, timestamps) in [("0", &["1000", "2000", "3000", "4000", "5000"][..]), ("1", &["1000", "2000", "3000"])] {
            for timestamp in timestamps {
                let line = format!("{{\"value\":\"x\",\"partition\":{partition},\"timestamp\":{timestamp}}}");
                let file = scene.folder.path().join("line");
                std::fs::write(&file, line).unwrap();
                scene.run(&["produce", "orders", file.to_str().unwrap(), "--json"]);
            }
        }
        scene
    }

    fn try_run(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gracchus"));
        let ended = command.args(args).env("BOOTSTRAP_SERVERS", self.broker.address()).output().unwrap();
        Ended { status: ended.status.code().unwrap(), output: support::text(ended.stdout), error: support::text(ended.stderr) }
    }

    fn run(&self, args: &[&str]) -> String {
        let ended = self.try_run(args);
        assert_eq!(ended.status, 0, "{args:?}: {}", ended.error);
        ended.output
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat())).unwrap()
    }

    /// A consumer that has both partitions, and has committed offset 2 of the first.
    fn reader(&self, protocol: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.address()).set("group.id", "readers").set("client.id", "reader");
        config.set("enable.auto.commit", "false").set("group.protocol", protocol);
        let reader: BaseConsumer = config.create().unwrap();
        reader.subscribe(&["orders"]).unwrap();
        let started = Instant::now();
        while reader.assignment().unwrap().count() < 2 {
            assert!(started.elapsed() < PATIENCE, "the consumer gets its partitions");
            let _ = reader.poll(Duration::from_millis(100));
        }
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("orders", 0, Offset::Offset(2)).unwrap();
        reader.commit(&offsets, CommitMode::Sync).unwrap();
        reader
    }

    fn wait_until_empty(&self) {
        let started = Instant::now();
        while self.json(&["group", "describe", "readers"]).pointer("/0/state").unwrap() != "Empty" {
            assert!(started.elapsed() < PATIENCE, "the group is empty");
            sleep(Duration::from_millis(50));
        }
    }

    /// Committed offsets of both partitions.
    fn committed(&self) -> [Value; 2] {
        let described = self.json(&["group", "describe", "readers"]);
        let of = |partition: i32| {
            let partitions = described.pointer("/0/partitions").unwrap().as_array().unwrap();
            let held = partitions.iter().find(|held| held.get("partition").unwrap() == partition);
            held.map_or(Value::Null, |held| held.get("committed_offset").unwrap().clone())
        };
        [of(0), of(1)]
    }

    fn assert_refused(&self, args: &[&str], status: i32, words: &str) {
        let ended = self.try_run(&[&["group"], args].concat());
        assert_eq!(ended.status, status, "{args:?}: {}", ended.error);
        assert!(ended.error.contains(words), "{args:?}: {}", ended.error);
        assert!(status == 2 || ended.error.lines().count() == 1, "{args:?}: {}", ended.error);
    }
}

#[test]
fn a_group_is_shown_with_its_lag_and_its_members_in_either_protocol() {
    for protocol in ["classic", "consumer"] {
        let scene = Scene::new();
        assert_eq!(scene.json(&["group", "list"]), json!([]));
        let reader = scene.reader(protocol);

        let listed = scene.json(&["group", "list"]);
        assert_eq!(listed, json!([{"group": "readers", "type": protocol, "protocol": "consumer", "state": "Stable", "coordinator": 1}]));
        assert_eq!(scene.json(&["group", "list", "--state", "Empty"]), json!([]));
        assert_eq!(scene.json(&["group", "list", "--type", protocol]), listed);

        let described = &scene.json(&["group", "describe", "readers"])[0];
        assert_eq!((&described["type"], &described["state"], &described["lag"]), (&json!(protocol), &json!("Stable"), &json!(3)));
        assert_eq!(described["coordinator"], json!({"id": 1, "address": scene.broker.address()}));
        let [first, second] = [&described["partitions"][0], &described["partitions"][1]];
        assert_eq!([&first["committed_offset"], &first["end_offset"], &first["lag"]], [2, 5, 3]);
        assert_eq!((&second["committed_offset"], &second["end_offset"], &second["lag"]), (&Value::Null, &json!(3), &Value::Null));
        assert_eq!((&first["client"], &first["host"]), (&json!("reader"), &json!("127.0.0.1")));

        let (_, metrics) = scene.broker.http("/metrics");
        for line in [
            format!("gracchus_groups{{type=\"{protocol}\",state=\"Stable\"}} 1"),
            format!("gracchus_group_members{{type=\"{protocol}\"}} 1"),
            "gracchus_group_lag{group=\"readers\",topic=\"orders\",partition=\"0\"} 3".to_owned(),
            "gracchus_group_offset_commits_total 1".to_owned(),
            format!("gracchus_group_rebalances_total{{type=\"{protocol}\"}} 1"),
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
        }

        let member = &scene.json(&["group", "describe", "readers", "--members"])[0]["members"][0];
        assert_eq!((&member["member"], &member["assigned"]), (&first["member"], &json!([{"topic": "orders", "partitions": [0, 1]}])));
        let words = scene.run(&["group", "describe", "readers"]);
        assert!(words.starts_with(&format!("group readers  ({protocol}, Stable, coordinator 1, lag 3)\n")), "{words}");
        assert!(scene.run(&["group", "describe", "--members"]).contains("  orders:0,1"));
        assert!(scene.run(&["group", "describe", "--state"]).contains(&format!("readers  {protocol}")));

        scene.assert_refused(&["reset-offsets", "readers", "--topic", "orders", "--to-earliest"], 1, "can't be reset: it is Stable");
        scene.assert_refused(&["delete", "readers"], 1, "it has members");
        scene.assert_refused(&["delete-offsets", "readers", "--topic", "orders:0"], 1, "members of the group read it");
        drop(reader);
    }
}

#[test]
fn offsets_are_reset_and_deleted_once_nobody_reads() {
    for protocol in ["classic", "consumer"] {
        let scene = Scene::new();
        drop(scene.reader(protocol));
        scene.wait_until_empty();
        let reset = |more: &[&str]| scene.json(&[&["group", "reset-offsets"], more].concat());
        let change = |partition: i32, from: Value, to: i64| json!({"topic": "orders", "partition": partition, "from": from, "to": to});

        let planned = reset(&["readers", "--topic", "orders", "--to-latest"]);
        let changes = [change(0, json!(2), 5), change(1, Value::Null, 3)];
        assert_eq!(planned, json!({"group": "readers", "executed": false, "partitions": changes}));
        assert_eq!(scene.committed(), [json!(2), Value::Null]);
        assert_eq!(reset(&["--group", "readers", "--all-topics", "--shift-by", "-1"])["partitions"], json!([change(0, json!(2), 1)]));

        for (target, to) in [
            (&["--to-latest"][..], [5, 3]),
            (&["--to-earliest"], [0, 0]),
            (&["--to-offset", "4"], [4, 3]),
            (&["--shift-by", "-2"], [2, 1]),
            (&["--to-current"], [2, 1]),
            (&["--to-datetime", "1970-01-01T00:00:02.500Z"], [2, 2]),
            (&["--by-duration", "P1D"], [5, 3]),
            (&["--to-datetime", "1"], [0, 0]),
        ] {
            scene.run(&[&["group", "reset-offsets", "readers", "--topic", "orders:0,1", "--execute"], target].concat());
            assert_eq!(scene.committed(), to.map(Value::from), "{protocol}: {target:?}");
        }

        let deleted = scene.json(&["group", "delete-offsets", "readers", "--topic", "orders:0"]);
        assert_eq!(deleted, json!([{"topic": "orders", "partition": 0, "offset": 0}]));
        assert_eq!(scene.committed(), [Value::Null, json!(0)]);
        scene.assert_refused(&["delete-offsets", "readers", "--topic", "orders:0"], 1, "has committed nothing of topic orders");

        assert_eq!(scene.json(&["group", "delete", "readers"]), json!([{"group": "readers", "deleted": true}]));
        assert_eq!(scene.json(&["group", "list"]), json!([]));
    }
}

#[test]
fn a_group_can_be_given_offsets_before_anybody_joins_it() {
    let scene = Scene::new();
    scene.run(&["group", "reset-offsets", "early", "--topic", "orders:0", "--to-offset", "3", "--execute"]);
    let described = &scene.json(&["group", "describe", "early"])[0];
    assert_eq!((&described["state"], &described["lag"], &described["members"]), (&json!("Empty"), &json!(2), &json!([])));
}

#[test]
fn what_can_not_be_done_to_a_group_is_refused_in_words() {
    let scene = Scene::new();
    for (args, status, words) in [
        (&["describe", "nowhere"][..], 1, "group nowhere does not exist"),
        (&["delete", "nowhere"], 1, "it does not exist"),
        (&["delete-offsets", "nowhere", "--topic", "orders"], 1, "group nowhere does not exist"),
        (&["reset-offsets", "nowhere", "--all-topics", "--to-latest"], 1, "group nowhere does not exist"),
        (&["reset-offsets", "new", "--topic", "nowhere", "--to-latest"], 1, "topic nowhere does not exist"),
        (&["reset-offsets", "new", "--topic", "orders:7", "--to-latest"], 1, "topic orders has no partition 7, only 0 to 1"),
        (&["reset-offsets", "new", "--topic", "orders", "--shift-by", "1"], 1, "orders-0 can't be shifted"),
        (&["reset-offsets", "new", "--topic", "orders"], 2, "--to-earliest"),
        (&["reset-offsets", "new", "--to-latest"], 2, "--all-topics"),
        (&["reset-offsets", "new", "--topic", "orders", "--to-latest", "--to-earliest"], 2, "cannot be used with"),
        (&["reset-offsets", "--topic", "orders", "--to-latest"], 2, "<GROUP>"),
        (&["reset-offsets", "new", "--topic", "orders", "--by-duration", "soon"], 2, "a duration is PT1H30M"),
        (&["delete-offsets", "new", "--topic", "orders:x"], 2, "partitions are named TOPIC"),
        (&["describe", "new", "--members", "--state"], 2, "cannot be used with"),
    ] {
        scene.assert_refused(args, status, words);
    }
    assert_eq!(scene.json(&["group", "delete", "nowhere", "--if-exists"]), json!([{"group": "nowhere", "deleted": false}]));
}
