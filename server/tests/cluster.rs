//! Three nodes in three processes: they find each other, serve as one cluster, go on when the leader of their quorum is killed, and are steered
//! by commands.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const GRACCHUS: &str = env!("CARGO_BIN_EXE_gracchus");
const CLUSTER_ID: &str = "3KeQeJufRuSuguLntXMzEw";

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ports that a test looks for free ones among, and how many tests of this file do.
const PORTS_EACH: u16 = 20;
const TESTS_MAX: u16 = 4;

/// Runs of this file at one time that take different ports.
const RUNS_MAX: u32 = 250;

/// A node's machine: its process comes and goes.
struct Node {
    id: usize,
    folder: PathBuf,
    address: String,
    process: Option<Running>,
}

struct Running {
    process: Child,
    /// Tells of the ready line, once.
    ready: mpsc::Receiver<String>,
    http: Option<String>,
}

struct Cluster {
    nodes: Vec<Node>,
    folder: TempDir,
}

impl Cluster {
    /// Three nodes that serve.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = free_addresses(3);
        let voters: Vec<String> = addresses.iter().zip(1..).map(|(address, id)| format!("{id}@{address}")).collect();
        let nodes = addresses.iter().zip(1..).map(|(address, id)| Node::format(folder.path(), id, address, &voters.join(","))).collect();
        let mut cluster = Self { nodes, folder };
        cluster.nodes.iter_mut().for_each(Node::start);
        cluster.nodes.iter_mut().for_each(Node::await_ready);
        cluster
    }

    /// The node that leads the quorum, among those that run.
    fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.process.is_some() && node.leads_quorum())
    }

    fn await_leader(&self) -> usize {
        eventually("a leader of the quorum", || self.leader())
    }
}

impl Node {
    fn format(folder: &Path, id: usize, address: &str, voters: &str) -> Self {
        let settings = format!("process.roles=broker,controller\nlisteners=PLAINTEXT://{address}\ncontroller.quorum.voters={voters}\n");
        Self::format_with(folder, id, address, &settings, &[])
    }

    fn format_with(folder: &Path, id: usize, address: &str, settings: &str, args: &[&str]) -> Self {
        let folder = folder.join(format!("node-{id}"));
        fs::create_dir(&folder).unwrap();
        let data = folder.join("data");
        let settings = format!("node.id={id}\n{settings}log.dirs={}\nhttp.listen=127.0.0.1:0\n", data.display());
        fs::write(folder.join("server.properties"), settings).unwrap();
        let node = Self { id, folder, address: address.to_owned(), process: None };
        let settings = node.settings();
        let of_node = ["format", "--cluster-id", CLUSTER_ID, "--config", settings.to_str().unwrap()];
        let formatted = gracchus(&[&of_node, args].concat(), b"");
        assert!(formatted.status.success(), "{}", text(&formatted.stderr));
        node
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new(GRACCHUS);
        command.args(["serve", "--config"]).arg(self.settings()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let (sender, ready) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if out.read_line(&mut line).is_ok_and(|read| read > 0) {
                let _ = sender.send(line);
            }
        });
        self.process = Some(Running { process, ready, http: None });
    }

    fn await_ready(&mut self) {
        let running = self.process.as_mut().unwrap();
        let Ok(line) = running.ready.recv_timeout(PATIENCE) else {
            panic!("node {} does not serve: {}", self.id, fs::read_to_string(self.folder.join("log")).unwrap());
        };
        running.http = line.split(' ').find_map(|word| word.strip_prefix("http=")).map(str::to_owned);
    }

    fn kill(&mut self) {
        let mut running = self.process.take().unwrap();
        running.process.kill().unwrap();
        running.process.wait().unwrap();
    }

    fn leads_quorum(&self) -> bool {
        let Some(http) = self.process.as_ref().and_then(|running| running.http.as_deref()) else { return false };
        let Ok(mut stream) = TcpStream::connect(http) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).is_ok() && answer.lines().any(|line| line == "gracchus_quorum_leader 1")
    }

    /// Runs a command against this node first; whether it succeeds.
    fn try_run(&self, args: &[&str], input: &[u8]) -> Option<String> {
        let ended = gracchus(&[args, &["--bootstrap", &self.address, "--timeout", "10"]].concat(), input);
        if !ended.status.success() {
            eprintln!("{args:?} through node {}: {}", self.id, text(&ended.stderr));
        }
        ended.status.success().then(|| text(&ended.stdout))
    }

    /// Runs a command until it succeeds.
    fn run(&self, args: &[&str], input: &[u8]) -> String {
        eventually(&format!("{args:?} through node {}", self.id), || self.try_run(args, input))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat(), b"")).unwrap()
    }

    /// What `cluster status` shows, and its exit status, which is 3 where the cluster is not well.
    fn status(&self) -> (Value, i32) {
        eventually(&format!("the status through node {}", self.id), || {
            let ended = gracchus(&["cluster", "status", "--json", "--bootstrap", &self.address, "--timeout", "10"], b"");
            let code = ended.status.code().unwrap();
            [0, 3].contains(&code).then(|| (serde_json::from_slice(&ended.stdout).unwrap(), code))
        })
    }

    /// The brokers that are not fenced.
    fn brokers(&self) -> Vec<i64> {
        let (status, _) = self.status();
        let active = status["brokers"].as_array().unwrap().iter().filter(|broker| broker["fenced"] == false);
        active.map(|broker| broker["id"].as_i64().unwrap()).collect()
    }

    /// The replicas of a topic's partitions, and who leads them.
    fn placed(&self, topic: &str) -> Vec<(Value, Value)> {
        let described = self.json(&["topic", "describe", topic]);
        let partitions = described[0]["partitions"].as_array().unwrap().iter();
        partitions.map(|partition| (partition["replicas"].clone(), partition["leader"].clone())).collect()
    }

    fn create(&self, topic: &str) {
        self.run(&["topic", "create", topic, "--partitions", "3", "--replication-factor", "1", "--if-not-exists"], b"");
    }

    /// Makes a topic through this node, writes to it through `writer` and reads it back through `reader`.
    fn make_use_of(&self, topic: &str, writer: &Self, reader: &Self) {
        self.create(topic);
        let lines: String = (0..30).map(|line| format!("{topic} {line}\n")).collect();
        // Another node may hear of the topic, and of its leaders, a moment later.
        writer.run(&["consume", topic], b"");
        assert!(writer.try_run(&["produce", topic], lines.as_bytes()).is_some(), "writing to {topic}");
        assert_eq!(sorted(&reader.run(&["consume", topic], b"")), sorted(&lines), "what {topic} holds");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut running) = self.process.take() {
            let _ = running.process.kill();
            let _ = running.process.wait();
        }
        if thread::panicking() {
            eprintln!("node {}:\n{}", self.id, fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
    }
}

fn gracchus(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(GRACCHUS);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // A command that takes no input may have ended.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

/// Addresses that nobody listens on, below those that the system gives to outgoing connections: a node that is killed finds its own free again.
fn free_addresses(count: usize) -> Vec<String> {
    // Tests run beside each other, and none may take what another is about to.
    static TESTS: AtomicU16 = AtomicU16::new(0);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    assert!(test < TESTS_MAX, "each test has ports of its own");
    let run = u16::try_from(std::process::id() % RUNS_MAX).unwrap();
    let first = 12_000 + (run * TESTS_MAX + test) * PORTS_EACH;
    let mut held = Vec::new();
    for port in first..first + PORTS_EACH {
        // Held together, so that they differ.
        held.extend(TcpListener::bind(("127.0.0.1", port)));
        if held.len() == count {
            break;
        }
    }
    assert_eq!(held.len(), count, "there are free ports from {first} on");
    held.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

/// Asks until there is an answer.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn three_processes_are_one_cluster_and_survive_the_death_of_the_quorums_leader() {
    let mut cluster = Cluster::start();
    for node in &cluster.nodes {
        eventually("three brokers", || (node.brokers() == [1, 2, 3]).then_some(()));
    }
    for at in 0..3 {
        let [node, writer, reader] = [0, 1, 2].map(|more| &cluster.nodes[(at + more) % 3]);
        node.make_use_of(&format!("through-{}", node.id), writer, reader);
    }

    let killed = cluster.await_leader();
    cluster.nodes[killed].kill();
    let successor = cluster.await_leader();
    assert_ne!(successor, killed);
    let survivors = (0..3).filter(|at| *at != killed).map(|at| &cluster.nodes[at]);
    for node in survivors.clone() {
        eventually("two brokers", || (node.brokers().len() == 2).then_some(()));
        node.create(&format!("survivor-{}", node.id));
    }
    for (node, topic) in survivors.clone().flat_map(|node| survivors.clone().map(move |other| (node, format!("survivor-{}", other.id)))) {
        eventually("a topic that was made through another node", || node.run(&["topic", "list"], b"").contains(&topic).then_some(()));
    }

    cluster.nodes[killed].start();
    cluster.nodes[killed].await_ready();
    eventually("three brokers again", || (cluster.nodes[successor].brokers() == [1, 2, 3]).then_some(()));
    let back = &cluster.nodes[killed];
    for topic in cluster.nodes.iter().filter(|node| node.id != back.id).map(|node| format!("survivor-{}", node.id)).chain(["back".to_owned()]) {
        back.make_use_of(&topic, &cluster.nodes[successor], back);
    }
    // What it held is served again.
    assert_eq!(back.run(&["consume", "through-1"], b"").lines().count(), 30);
}

#[test]
fn a_voter_of_several_does_not_format_its_folder_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ended = gracchus(
        &[
            "serve",
            "--data-dir",
            data.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--set",
            "controller.quorum.voters=1@127.0.0.1:1,2@127.0.0.1:2",
        ],
        b"",
    );
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("gracchus format --config FILE --cluster-id ID"), "{}", text(&ended.stderr));
}

/// KIP-853: who is told where some controller is finds out who the controllers are, and a controller that votes nowhere is made a voter.
#[test]
fn nodes_find_the_quorum_by_its_bootstrap_servers() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = free_addresses(5);
    let [first, second, one, other, nobody] = addresses.as_slice() else { panic!("five were asked for") };
    // The first of them is nobody's.
    let found = format!("controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers={nobody},{first}\n");
    let controller = |address: &str| format!("process.roles=controller\nlisteners=CONTROLLER://{address}\n{found}");
    let broker = |address: &str| format!("process.roles=broker\nlisteners=PLAINTEXT://{address}\n{found}");
    let mut controllers = [
        Node::format_with(folder.path(), 1, first, &controller(first), &["--standalone"]),
        Node::format_with(folder.path(), 2, second, &controller(second), &["--no-initial-controllers"]),
    ];
    let mut brokers =
        [Node::format_with(folder.path(), 3, one, &broker(one), &[]), Node::format_with(folder.path(), 4, other, &broker(other), &[])];
    controllers.iter_mut().chain(&mut brokers).for_each(Node::start);
    controllers.iter_mut().chain(&mut brokers).for_each(Node::await_ready);
    let [one, other] = &brokers;
    one.make_use_of("found", one, other);

    let properties = fs::read_to_string(controllers[1].folder.join("data/meta.properties")).unwrap();
    let directory = properties.lines().find_map(|line| line.strip_prefix("directory.id=")).unwrap();
    one.run(&["cluster", "add-voter", &format!("2@{second}:{directory}")], b"");
    // Both votes are needed from here on: the second controller really takes part.
    one.make_use_of("voted", other, one);
}

#[test]
fn partitions_move_to_other_nodes_and_are_led_by_whom_they_prefer() {
    let cluster = Cluster::start();
    let [first, second, third] = &cluster.nodes[..] else { panic!("three nodes") };
    eventually("three brokers", || (first.brokers() == [1, 2, 3]).then_some(()));
    first.run(&["topic", "create", "moved", "--partitions", "2", "--replication-factor", "2"], b"");
    first.run(&["cluster", "reassign", "moved", "--replicas", "1,2", "--wait"], b"");
    let lines: String = (0..1_000).map(|line| format!("line {line}\n")).collect();
    first.run(&["produce", "moved"], lines.as_bytes());

    let moved = second.json(&["cluster", "reassign", "moved", "--replicas", "2,3", "--wait"]);
    let there =
        |partition, from: [i32; 2], to: [i32; 2]| json!({ "topic": "moved", "partition": partition, "from": from, "to": to, "complete": true });
    assert_eq!(moved, json!([there(0, [1, 2], [2, 3]), there(1, [2, 1], [3, 2])]));
    assert_eq!(second.json(&["cluster", "reassign", "--list"]), json!([]));

    // An ISR may have shrunk for a moment; what was elected then is elected already.
    let elected = third.json(&["cluster", "elect", "moved"]);
    let leaders: Vec<_> = elected.as_array().unwrap().iter().map(|outcome| outcome["leader"].clone()).collect();
    assert_eq!(leaders, [2, 3]);
    let again = third.json(&["cluster", "elect", "moved"]);
    assert!(again.as_array().unwrap().iter().all(|outcome| outcome["elected"] == false), "{again}");
    assert_eq!(sorted(&third.run(&["consume", "moved"], b"")), sorted(&lines));

    let plan = cluster.folder.path().join("plan.json");
    fs::write(&plan, r#"{"version":1,"partitions":[{"topic":"moved","partition":1,"replicas":[1,3]}]}"#).unwrap();
    let words = first.run(&["cluster", "reassign", "--file", plan.to_str().unwrap(), "--wait"], b"");
    assert_eq!(words, "TOPIC  PARTITION  FROM  TO\nmoved          1  3,2   1,3\nmoved 1 partition\n");
    assert_eq!(first.placed("moved"), [(json!([2, 3]), json!(2)), (json!([1, 3]), json!(3))]);
    let elected = first.json(&["cluster", "elect", "moved"]);
    assert_eq!((&elected[0]["elected"], &elected[1]["elected"], &elected[1]["leader"]), (&json!(false), &json!(true), &json!(1)));
    assert_eq!(sorted(&first.run(&["consume", "moved"], b"")), sorted(&lines));
}

#[test]
fn a_node_that_is_down_is_seen_by_everyone() {
    let mut cluster = Cluster::start();
    let leader = cluster.await_leader();
    let (down, asked) = ((leader + 1) % 3, (leader + 2) % 3);
    let [down_id, leader_id, asked_id] = [down, leader, asked].map(|at| cluster.nodes[at].id);
    let node = &cluster.nodes[asked];
    eventually("three brokers", || (node.brokers() == [1, 2, 3]).then_some(()));
    let members = eventually("members without lag", || {
        let members = node.json(&["cluster", "members"]);
        let voters = members["voters"].as_array().unwrap();
        (voters.len() == 3 && voters.iter().all(|voter| voter["lag"] == 0 && voter["directory"].is_null())).then_some(members)
    });
    let addresses: Vec<_> =
        members["voters"].as_array().unwrap().iter().map(|voter| (voter["node"].clone(), voter["address"].clone())).collect();
    assert_eq!(addresses, cluster.nodes.iter().map(|node| (json!(node.id), json!(node.address))).collect::<Vec<_>>());
    assert_eq!((&members["leader"], &members["observers"]), (&json!(leader_id), &json!([])));
    node.run(&["topic", "create", "copied", "staying", "--partitions", "1", "--replication-factor", "2"], b"");
    node.run(&["topic", "create", "alone", "--partitions", "1", "--replication-factor", "1"], b"");
    for (topic, replicas) in [("copied", [asked_id, down_id]), ("staying", [asked_id, leader_id])] {
        let replicas = format!("{},{}", replicas[0], replicas[1]);
        node.run(&["cluster", "reassign", topic, "--replicas", &replicas, "--wait"], b"");
    }
    node.run(&["cluster", "reassign", "alone", "--replicas", &down_id.to_string(), "--wait"], b"");
    eventually("a cluster that is well", || {
        let (status, code) = node.status();
        (status["counts"]["under_replicated"] == 0 && code == 0).then_some(())
    });

    cluster.nodes[down].kill();
    let node = &cluster.nodes[asked];
    let counts = json!({
        "topics": 3, "partitions": 3, "without_leader": 1, "under_replicated": 2, "under_min_isr": 1, "offline_replicas": 2, "reassigned": 0,
    });
    eventually("a status that shows what lacks a node", || {
        let (status, code) = node.status();
        let fenced = status["brokers"].as_array().unwrap().iter().filter(|broker| broker["fenced"] == true);
        let fenced: Vec<_> = fenced.map(|broker| broker["id"].clone()).collect();
        (status["counts"] == counts && fenced == [down_id] && code == 3).then_some(())
    });
    let in_vain = gracchus(&["cluster", "elect", "alone", "--unclean", "--bootstrap", &node.address], b"");
    assert_eq!(in_vain.status.code(), Some(1));
    assert!(text(&in_vain.stderr).contains("no leader was elected for alone-0: ELIGIBLE_LEADERS_NOT_AVAILABLE"), "{in_vain:?}");

    // A move to a node that is down begins and does not end.
    node.run(&["cluster", "reassign", "staying", "--partition", "0", "--replicas", &format!("{asked_id},{down_id}")], b"");
    let under_way = json!([{
        "topic": "staying", "partition": 0, "replicas": [asked_id, down_id, leader_id], "adding": [down_id], "removing": [leader_id],
    }]);
    assert_eq!(node.json(&["cluster", "reassign", "--list"]), under_way);
    let (status, _) = node.status();
    assert_eq!((&status["counts"]["reassigned"], &status["counts"]["under_replicated"]), (&json!(1), &json!(2)), "{status}");
    assert_eq!(node.run(&["cluster", "reassign", "--cancel", "staying"], b""), "called off the move of staying-0\n");
    assert_eq!(node.json(&["cluster", "reassign", "--list"]), json!([]));
    assert_eq!(node.placed("staying")[0].0, json!([asked_id, leader_id]));

    cluster.nodes[leader].kill();
    let node = &cluster.nodes[asked];
    eventually("a status without a controller", || {
        let (status, code) = node.status();
        (status["controller"].is_null() && code == 3).then_some(())
    });
}
