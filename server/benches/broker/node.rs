//! Brokers in processes of their own, and what they have used.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const GRACCHUS: &str = env!("CARGO_BIN_EXE_gracchus");

/// How long a broker may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A broker that lives as long as this.
#[derive(Debug)]
pub(crate) struct Node {
    process: Child,
    folder: TempDir,
    pub(crate) address: String,
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_s: f64,
    pub(crate) resident_mib: f64,
}

impl Node {
    /// Our own, with these settings, each NAME=VALUE.
    pub(crate) fn gracchus(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(GRACCHUS);
        command.args(["--log", "warn", "serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split("://").nth(1).and_then(|rest| rest.split([',', ' ', '\n']).next()).expect("gracchus says where it is");
        let address = address.to_owned();
        Self { process, folder, address }
    }

    /// Apache Kafka out of a folder of jars, with a heap of 1 GiB and its own defaults otherwise.
    pub(crate) fn kafka(jars: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (client, control) = (free_port(), free_port());
        let settings = folder.path().join("server.properties");
        let data = folder.path().join("data");
        let lines = [
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{control}"),
            "controller.listener.names=CONTROLLER".to_owned(),
            "listener.security.protocol.map=EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            "inter.broker.listener.name=EXTERNAL".to_owned(),
            format!("listeners=EXTERNAL://127.0.0.1:{client},CONTROLLER://127.0.0.1:{control}"),
            format!("log.dirs={}", data.display()),
        ];
        fs::write(&settings, lines.join("\n")).unwrap();
        let classes = format!("{}/*", jars.display());
        let format = ["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"];
        let formatted = Command::new("java").args(["-cp", &classes]).args(format).arg(&settings).output().unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new("java")
            .args(["-Xms1g", "-Xmx1g", "-cp", &classes, "kafka.Kafka"])
            .arg(&settings)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let node = Self { process, folder, address: format!("127.0.0.1:{client}") };
        let started = Instant::now();
        while TcpStream::connect(&node.address).is_err() {
            assert!(started.elapsed() < START_MAX, "Kafka does not start");
            sleep(Duration::from_millis(100));
        }
        // It listens a little before it serves.
        sleep(Duration::from_secs(3));
        node
    }

    /// Makes a topic of one partition.
    pub(crate) fn create_topic(&self, name: &str, settings: &[&str]) {
        let mut args = vec!["topic", "create", name, "--partitions", "1"];
        for setting in settings {
            args.extend(["--config", setting]);
        }
        self.tool(&args);
    }

    /// Runs a command of ours against it, and gives what it printed.
    pub(crate) fn tool(&self, args: &[&str]) -> String {
        let ended = Command::new(GRACCHUS).args(args).args(["--bootstrap", &self.address]).output().unwrap();
        assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    }

    /// The first segment of a topic's only partition.
    pub(crate) fn first_segment(&self, topic: &str) -> PathBuf {
        self.folder.path().join(format!("data/{topic}-0/00000000000000000000.log"))
    }

    pub(crate) fn usage(&self) -> Usage {
        usage(self.process.id())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself; the folder goes either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn usage(pid: u32) -> Usage {
    // Linux tells in hundredths of a second on every machine that this runs on.
    const TICKS_PER_S: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident_kib: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    Usage { cpu_s: (ticks(11) + ticks(12)) / TICKS_PER_S, resident_mib: resident_kib / 1024.0 }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
