//! The command line, end to end: the real binary against a real broker.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const GRACCHUS: &str = env!("CARGO_BIN_EXE_gracchus");

/// A broker that lives as long as this.
struct Broker {
    process: Child,
    folder: TempDir,
    address: String,
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (process, address) = serve(&folder, "127.0.0.1:0");
        Self { process, folder, address }
    }

    /// Kills it, as `kill -9` does.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, after a kill.
    fn start_again(&mut self) {
        (self.process, _) = serve(&self.folder, &self.address);
    }

    /// Runs a command with `input` and gives what it printed; it must succeed.
    fn run(&self, args: &[&str], input: &[u8]) -> String {
        let ended = self.try_run(args, input);
        assert_eq!(ended.status, 0, "{args:?}: {}", ended.error);
        ended.output
    }

    fn try_run(&self, args: &[&str], input: &[u8]) -> Ended {
        run(args, Some(&self.address), input)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args, b"")).unwrap()
    }

    /// What `consume --json` says of each record, without its timestamp.
    fn records(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["consume", "--json"], args].concat(), b"");
        let mut records: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for record in &mut records {
            record.as_object_mut().unwrap().remove("timestamp").unwrap();
        }
        records
    }

    fn lines(&self, args: &[&str]) -> Vec<String> {
        self.run(&[&["consume"], args].concat(), b"").lines().map(str::to_owned).collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself; the folder goes either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(folder: &TempDir, listen: &str) -> (Child, String) {
    let mut process = Command::new(GRACCHUS)
        .args(["--log", "warn", "serve", "--listen", listen, "--data-dir"])
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.split("://").nth(1).and_then(|rest| rest.split([',', ' ', '\n']).next());
    (process, address.unwrap_or_else(|| panic!("no address in {ready:?}")).to_owned())
}

struct Ended {
    status: i32,
    output: String,
    error: String,
}

fn run(args: &[&str], bootstrap: Option<&str>, input: &[u8]) -> Ended {
    let mut command = Command::new(GRACCHUS);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(address) = bootstrap {
        command.env("BOOTSTRAP_SERVERS", address);
    }
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that fails early does not read it all.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let ended = process.wait_with_output().unwrap();
    writing.join().unwrap();
    Ended {
        status: ended.status.code().unwrap(),
        output: String::from_utf8(ended.stdout).unwrap(),
        error: String::from_utf8(ended.stderr).unwrap(),
    }
}

#[test]
fn lines_come_back_as_they_were_produced() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "lines", "--partitions", "1"], b"");

    let told = broker.run(&["produce", "lines"], b"one\n\n  two \xc3\xa9\nthree");
    assert_eq!(told, "produced 4 records to lines\n  partition 0: 4 at offsets 0 to 3\n");
    assert_eq!(broker.lines(&["lines"]), ["one", "", "  two é", "three"]);
}

#[test]
fn a_file_larger_than_a_batch_comes_back_in_every_codec() {
    let broker = Broker::start();
    let file = broker.folder.path().join("lines");
    let lines: Vec<String> = (0..100_000).map(|number| format!("line {number}")).collect();
    fs::write(&file, lines.join("\n")).unwrap();

    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        broker.run(&["topic", "create", &topic, "--partitions", "1"], b"");
        broker.run(&["produce", &topic, file.to_str().unwrap(), "--compression", codec, "--batch-bytes", "100000"], b"");
        assert_eq!(broker.lines(&[&topic]), lines, "{codec}");
    }
}

#[test]
fn json_lines_carry_all_there_is_to_a_record() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "from", "to", "--partitions", "2"], b"");
    let line = r#"{"key":{"base64":"/wA="},"value":null,"headers":[["h","x"],["h",null]],"partition":1,"timestamp":1700000000000}"#;
    broker.run(&["produce", "from", "--json", "--header", "all=yes"], line.as_bytes());

    let copied = broker.run(&["consume", "from", "--json"], b"");
    broker.run(&["produce", "to", "--json"], copied.as_bytes());

    let copy: Value = serde_json::from_str(&broker.run(&["consume", "to", "--json"], b"")).unwrap();
    let expected = json!({
        "topic": "to", "partition": 1, "offset": 0, "timestamp": 1_700_000_000_000u64,
        "key": {"base64": "/wA="}, "value": null, "headers": [["h", "x"], ["h", null], ["all", "yes"]],
    });
    assert_eq!(copy, expected);
}

#[test]
fn a_key_decides_the_partition_as_in_the_java_client() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "keyed", "--partitions", "10"], b"");
    broker.run(&["produce", "keyed", "--key-separator", r"\t"], b"foobar\t1\nabc\t2\nfoobar\t3\n");

    let placed: Vec<_> = broker.records(&["keyed"]).iter().map(|record| (record["value"].clone(), record["partition"].clone())).collect();
    // (murmur2("foobar") & 0x7fffffff) % 10 and that of "abc".
    let (foobar, abc) = ((-790_332_482i32 & i32::MAX) % 10, 479_470_107 % 10);
    for (value, partition) in [("1", foobar), ("3", foobar), ("2", abc)] {
        assert!(placed.contains(&(json!(value), json!(partition))), "{value} in {placed:?}");
    }
    assert_eq!(broker.lines(&["keyed", "--partition", &foobar.to_string(), "--key-separator", ":"]), ["foobar:1", "foobar:3"]);
}

#[test]
fn reading_starts_and_ends_where_it_is_asked_to() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "numbers", "--partitions", "1"], b"");
    for (value, timestamp) in [("a", "1000"), ("b", "2000"), ("c", "3000"), ("d", "4000")] {
        broker.run(&["produce", "numbers", "--timestamp", timestamp], value.as_bytes());
    }

    for (from, expected) in [
        ("beginning", &["a", "b", "c", "d"][..]),
        ("end", &[]),
        ("2", &["c", "d"]),
        ("99", &[]),
        ("-1", &["d"]),
        ("-99", &["a", "b", "c", "d"]),
        ("@2001", &["c", "d"]),
        ("1970-01-01T00:00:04Z", &["d"]),
        ("@5000", &[]),
    ] {
        assert_eq!(broker.lines(&["numbers", "--from", from]), expected, "from {from}");
    }
    assert_eq!(broker.lines(&["numbers", "--from", "1", "--count", "2"]), ["b", "c"]);
}

#[test]
fn following_shows_what_comes_and_ends_quietly_when_nobody_reads() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "live", "--partitions", "1"], b"");
    let mut following = Command::new(GRACCHUS)
        .args(["consume", "live", "--follow", "--bootstrap", &broker.address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(following.stdout.take().unwrap());

    for value in ["first", "second"] {
        broker.run(&["produce", "live"], value.as_bytes());
        let mut line = String::new();
        shown.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), value);
    }
    drop(shown);
    assert!(following.wait().unwrap().success());
    let mut words = String::new();
    following.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(words, "");
}

#[test]
fn lines_are_written_once_each_though_the_broker_is_killed_meanwhile() {
    const LINES_EACH_TIME: usize = 20_000;
    let mut broker = Broker::start();
    broker.run(&["topic", "create", "once", "--partitions", "1"], b"");
    let mut producing = Command::new(GRACCHUS)
        .args(["produce", "once", "--batch-bytes", "20000", "--bootstrap", &broker.address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = producing.stdin.take().unwrap();
    let mut lines = (0..).map(|number| format!("line {number}\n"));
    for kill in 0..3 {
        if kill > 0 {
            broker.kill();
        }
        let more: String = lines.by_ref().take(LINES_EACH_TIME).collect();
        // More than a pipe holds would wait for the broker, which is down.
        let writing = std::thread::spawn(move || {
            input.write_all(more.as_bytes()).unwrap();
            input
        });
        if kill > 0 {
            broker.start_again();
        }
        input = writing.join().unwrap();
    }
    drop(input);
    assert!(producing.wait().unwrap().success());
    let written = (0..3 * LINES_EACH_TIME).map(|number| format!("line {number}"));
    assert_eq!(broker.lines(&["once"]), written.collect::<Vec<_>>());
}

#[test]
fn a_topic_is_made_shown_changed_and_deleted() {
    let broker = Broker::start();
    let made = broker.json(&["topic", "create", "orders", "--partitions", "2", "--config", "retention.ms=123456", "--json"]);
    assert_eq!((&made[0]["topic"], &made[0]["partitions"], &made[0]["created"]), (&json!("orders"), &json!(2), &json!(true)));
    let listed = broker.json(&["topic", "list", "--json"]);
    assert_eq!((&listed[0]["topic"], &listed[0]["id"]), (&json!("orders"), &made[0]["id"]));

    broker
        .run(&["topic", "alter", "orders", "--partitions", "3", "--config", "cleanup.policy=compact", "--remove-config", "retention.ms"], b"");
    broker.run(&["produce", "orders", "--partition", "2", "--key-separator", ":"], b"k:v");
    let described = broker.json(&["topic", "describe", "orders", "--json"]);
    assert_eq!(described[0]["settings"], json!([{"name": "cleanup.policy", "value": "compact", "default": false}]));
    let ends: Vec<_> = described[0]["partitions"].as_array().unwrap().iter().map(|partition| partition["end_offset"].clone()).collect();
    assert_eq!(ends, [0, 0, 1]);

    broker.run(&["topic", "delete", "orders"], b"");
    assert_eq!(broker.json(&["topic", "list", "--json"]), json!([]));
}

#[test]
fn a_failure_is_one_clear_line_and_its_own_status() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "there", "--partitions", "2"], b"");
    for (args, status, words) in [
        (&["consume", "nowhere"][..], 1, "topic nowhere does not exist"),
        (&["topic", "create", "there"], 1, "TOPIC_ALREADY_EXISTS"),
        (&["topic", "delete", "nowhere"], 1, "it does not exist"),
        (&["topic", "create", "bad/name"], 1, "INVALID_TOPIC_EXCEPTION"),
        (&["topic", "create", "odd", "--config", "retention.ms=soon"], 1, "INVALID_CONFIG"),
        (&["topic", "alter", "there", "--partitions", "1"], 1, "INVALID_PARTITIONS"),
        (&["produce", "there", "--partition", "7"], 1, "no partition 7, only 0 to 1"),
        (&["produce", "there", "--key-separator", ":"], 1, "standard input, line 1: there is no key separator in it"),
        (&["produce", "there", "--json"], 1, "standard input, line 1: this is no record"),
        (&["produce", "there", "no such file"], 1, "no such file can't be read"),
    ] {
        let ended = broker.try_run(args, b"line\n");
        assert_eq!(ended.status, status, "{args:?}: {}", ended.error);
        assert!(ended.error.contains(words), "{args:?}: {}", ended.error);
        assert_eq!(ended.error.lines().count(), 1, "{args:?}: {}", ended.error);
    }
    for args in [&["topic"][..], &["consume"], &["consume", "there", "--from", "middle"], &["produce", "there", "--bootstrap", "nowhere"]] {
        assert_eq!(broker.try_run(args, b"").status, 2, "{args:?}");
    }
}

#[test]
fn a_broker_alone_is_a_cluster_that_is_well() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "seen", "--partitions", "3"], b"");

    let status = broker.json(&["cluster", "status", "--json"]);
    let shown = json!([{ "id": 1, "address": broker.address, "rack": null, "fenced": false }]);
    assert_eq!(status["brokers"], shown);
    let counts = json!({
        "topics": 1, "partitions": 3, "without_leader": 0, "under_replicated": 0, "under_min_isr": 0, "offline_replicas": 0, "reassigned": 0,
    });
    assert_eq!(status["counts"], counts);
    assert_eq!(status["cluster_id"].as_str().unwrap().len(), 22);
    assert_eq!(status["controller"]["id"], 1);
    assert!(status["controller"]["high_watermark"].as_i64().unwrap() > 0, "{status}");
    let words = broker.run(&["cluster", "status"], b"");
    assert!(words.contains("\ncontroller 1") && words.contains("    3  partitions\n"), "{words}");

    let members = broker.json(&["cluster", "members", "--json"]);
    let voter = &members["voters"][0];
    assert_eq!((&members["leader"], &voter["node"], &voter["lag"], &members["observers"]), (&json!(1), &json!(1), &json!(0), &json!([])));
    assert_eq!(voter["directory"].as_str().unwrap().len(), 22);
    let words = broker.run(&["cluster", "members"], b"");
    assert!(words.lines().any(|line| line.starts_with("   1  leader  ")), "{words}");
}

#[test]
fn what_needs_no_change_is_left_as_it_is() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "still", "--partitions", "2"], b"");

    assert_eq!(broker.run(&["cluster", "elect"], b""), "no partition needed an election\n");
    let named = broker.json(&["cluster", "elect", "still", "--json"]);
    let unneeded = |partition| json!({ "topic": "still", "partition": partition, "leader": 1, "elected": false });
    assert_eq!(named, json!([unneeded(0), unneeded(1)]));
    assert_eq!(broker.run(&["cluster", "elect", "still", "--partition", "1", "--unclean"], b"").lines().count(), 2);

    assert_eq!(broker.run(&["cluster", "reassign", "--list"], b""), "no partition is being moved\n");
    let moved = broker.json(&["cluster", "reassign", "still", "--replicas", "1", "--wait", "--json"]);
    let there = |partition| json!({ "topic": "still", "partition": partition, "from": [1], "to": [1], "complete": true });
    assert_eq!(moved, json!([there(0), there(1)]));
}

#[test]
fn what_can_not_be_steered_is_refused_by_name() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "there", "--partitions", "2"], b"");
    let plan = |name: &str, text: &str| {
        let file = broker.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let garbage = plan("garbage.json", "move it");
    let twice = plan("twice.json", r#"{"version":1,"partitions":[{"topic":"there","partition":0,"replicas":[1,1]}]}"#);
    let elsewhere = plan("elsewhere.json", r#"{"version":1,"partitions":[{"topic":"nowhere","partition":0,"replicas":[1]}]}"#);
    for (args, status, words) in [
        (&["elect", "nowhere"][..], 1, "topic nowhere does not exist"),
        (&["elect", "there", "--partition", "2"], 1, "topic there has no partition 2, only 0 to 1"),
        (&["reassign", "nowhere", "--replicas", "1"], 1, "topic nowhere does not exist"),
        (&["reassign", "there", "--partition", "2", "--replicas", "1"], 1, "topic there has no partition 2, only 0 to 1"),
        (
            &["reassign", "there", "--partition", "1", "--replicas", "1,9"],
            1,
            "there-1 is not moved: The manual partition assignment includes broker 9",
        ),
        (&["reassign", "there", "--replicas", "1,2,1"], 2, "--replicas names broker 1 twice"),
        (&["reassign", "--cancel", "there"], 1, "no partition of topic there is being moved"),
        (&["reassign", "--cancel", "there", "--partition", "0"], 1, "NO_REASSIGNMENT_IN_PROGRESS"),
        (&["reassign", "--file", "no such file"], 1, "no such file can't be read"),
        (&["reassign", "--file", &garbage], 1, "garbage.json: this is no plan: expected value at line 1 column 1"),
        (&["reassign", "--file", &twice], 1, "twice.json: replicas of there-0 names broker 1 twice"),
        (&["reassign", "--file", &elsewhere], 1, "nowhere-0 is not moved: No such topic as nowhere"),
    ] {
        let ended = broker.try_run(&[&["cluster"], args].concat(), b"");
        assert_eq!(ended.status, status, "{args:?}: {}", ended.error);
        assert!(ended.error.contains(words), "{args:?}: {}", ended.error);
        assert_eq!(ended.error.lines().count(), 1, "{args:?}: {}", ended.error);
    }
    for (args, words) in [
        (&["reassign"][..], "<--replicas <BROKERS>|--file <FILE>|--cancel|--list>"),
        (&["reassign", "there"], "<--replicas <BROKERS>|--file <FILE>|--cancel|--list>"),
        (&["reassign", "--replicas", "1"], "<TOPIC>"),
        (&["reassign", "--cancel"], "<TOPIC>"),
        (&["reassign", "there", "--replicas", "1", "--cancel"], "cannot be used with"),
        (&["reassign", "--list", "--wait"], "cannot be used with"),
        (&["reassign", "there", "--file", &garbage], "cannot be used with"),
        (&["reassign", "there", "--replicas", "1,x"], "invalid value 'x' for '--replicas <BROKERS>'"),
        (&["reassign", "there", "--replicas", "-1"], "-1 is not in 0..=2147483647"),
        (&["elect", "there", "--partition", "-1"], "-1 is not in 0..=2147483647"),
        (&["elect", "--partition", "1"], "<TOPIC>"),
    ] {
        let ended = broker.try_run(&[&["cluster"], args].concat(), b"");
        assert_eq!(ended.status, 2, "{args:?}: {}", ended.error);
        assert!(ended.error.contains(words), "{args:?}: {}", ended.error);
    }
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let ended = run(&["topic", "list"], Some("127.0.0.1:1"), b"");
    assert_eq!(ended.status, 1);
    assert!(ended.error.contains("no broker answers at 127.0.0.1:1"), "{}", ended.error);
    assert_eq!(ended.error.lines().count(), 1, "{}", ended.error);
}

#[test]
fn perf_reads_what_perf_has_written() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "load", "--partitions", "3"], b"");
    let small = ["--records", "20001", "--connections", "2", "--batch-bytes", "20000", "--json"];

    for more in [&["--idempotent"][..], &["--acks", "1", "--compression", "lz4"], &["--rate", "200000"]] {
        let written = broker.json(&[&["perf", "produce", "load"], &small[..], more].concat());
        assert_eq!((&written["records"], &written["bytes"]), (&json!(20001), &json!(2_000_100)));
        assert!(written["latency_ms"]["p50"].as_f64() <= written["latency_ms"]["max"].as_f64());
    }
    let read = broker.json(&["perf", "consume", "load", "--json"]);
    let decoded = broker.json(&["perf", "consume", "load", "--decode", "--connections", "3", "--fetch-bytes", "100000", "--json"]);
    assert_eq!((&read["records"], &decoded["records"]), (&json!(60003), &json!(60003)));
    assert_eq!(read["bytes"], decoded["bytes"]);
}

#[test]
fn a_dump_shows_batches_and_says_where_one_is_corrupt() {
    let broker = Broker::start();
    broker.run(&["topic", "create", "dumped", "--partitions", "1"], b"");
    for value in ["first", "second", "third"] {
        broker.run(&["produce", "dumped", "--header", "h=x"], value.as_bytes());
    }
    let folder = broker.folder.path().join("data").join("dumped-0");
    let folder = folder.to_str().unwrap();

    let dumped = broker.run(&["log", "dump", folder, "--json", "--records"], b"");
    let batches: Vec<Value> =
        dumped.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|line: &Value| line["records"] == 1).collect();
    assert_eq!(batches.iter().map(|batch| batch["base_offset"].clone()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(batches[1]["entries"][0]["value"], "second");
    assert!(broker.run(&["log", "dump", folder, "--records"], b"").contains(r#"value="third" header "h"="x""#));

    let segment = broker.folder.path().join("copy.log");
    let mut bytes = fs::read(format!("{folder}/00000000000000000000.log")).unwrap();
    let second = usize::try_from(batches[1]["position"].as_u64().unwrap()).unwrap();
    bytes[second + 65] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ended = broker.try_run(&["log", "dump", segment.to_str().unwrap()], b"");
    assert_eq!(ended.status, 1);
    assert!(ended.error.contains(&format!("copy.log, position {second}: offsets 1 to 1: the batch's CRC is")), "{}", ended.error);
    assert!(ended.output.contains("3 batches, 3 records, 1 problem"), "{}", ended.output);
}
