//! `gracchus dev`: a whole cluster on this machine, a process a node.
//!
//! This process serves nothing: it makes the nodes' folders, runs `gracchus serve` in each, says when all serve, and stops them when it is
//! stopped. The nodes end with it, even when it is killed.

mod layout;
mod process;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::layout::Layout;
use self::process::{Event, Happened, Process};

/// How long nodes may take to stop before they are killed.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Run a whole cluster on this machine: a process a node, with Kafka listeners on consecutive ports.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Each node has a folder in the data folder, made when the cluster is first started:
  node-1/gracchus.toml   its settings, written anew at each start
  node-1/data            its data
  node-1/gracchus.log    what it logs

Examples:
  gracchus dev                                     three nodes on 127.0.0.1:9092, 9093 and 9094
  gracchus topic create orders --partitions 6 --bootstrap 127.0.0.1:9093
  gracchus dev --nodes 5 --port 19092 --data-dir /tmp/cluster --set num.partitions=3

To see how the cluster takes a death, kill a node (its process id is in the ready line) and start it again:
  kill -9 PID
  gracchus serve --config gracchus-dev/node-2/gracchus.toml

Ctrl-C or SIGTERM stops all nodes. The same command starts the cluster again with its data.")]
pub struct DevArgs {
    /// How many nodes.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=15))]
    pub nodes: u16,
    /// Where clients connect to the first node; the others follow on the next ports.
    #[arg(long, value_name = "PORT", default_value_t = 9092, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Where the nodes' folders are.
    #[arg(long, value_name = "FOLDER", default_value = "./gracchus-dev")]
    pub data_dir: PathBuf,
    /// A setting for every node, such as num.partitions=3. Can be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,
}

/// Runs a cluster until it is told to stop.
#[must_use]
pub fn run(args: &DevArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run_cluster(args)),
        Err(error) => Err(format!("the runtime can't start: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::serve::failure(&error),
    }
}

async fn run_cluster(args: &DevArgs) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("can't wait for signals: {error}"))?;
    let layout = Layout::prepare(args)?;
    let (events, happened) = mpsc::unbounded_channel();
    let mut cluster = Cluster { processes: Vec::new(), happened };
    for node in layout.nodes() {
        match Process::start(&node, &args.settings, events.clone()) {
            Ok(process) => cluster.processes.push(process),
            Err(error) => {
                cluster.stop(&mut signals).await;
                return Err(format!("node {} can't be started: {error}", node.id));
            }
        }
    }
    // Only nodes that run keep the channel open.
    drop(events);
    let ended = cluster.run(&layout, &mut signals).await;
    cluster.stop(&mut signals).await;
    ended
}

/// The nodes that were started.
struct Cluster {
    processes: Vec<Process>,
    happened: mpsc::UnboundedReceiver<Event>,
}

impl Cluster {
    /// Waits for a signal, or until there is nothing left to run.
    async fn run(&mut self, layout: &Layout, signals: &mut Signals) -> Result<(), String> {
        let mut starting = self.processes.len();
        loop {
            let event = select! {
                biased;
                () = signals.next() => return Ok(()),
                event = self.happened.recv() => event.ok_or("no node is left")?,
            };
            let log = self.process(event.node).log.display().to_string();
            match event.what {
                Happened::Ready => {
                    starting -= 1;
                    if starting == 0 {
                        self.announce(layout);
                    }
                }
                Happened::Ended(how) => {
                    self.process(event.node).has_ended = true;
                    if starting > 0 {
                        return Err(format!("node {} ended before all served ({how}): see {log}", event.node));
                    }
                    eprintln!("gracchus: node {} ended ({how}): see {log}", event.node);
                }
            }
        }
    }

    /// Says on standard output that clients may come.
    fn announce(&self, layout: &Layout) {
        let pids: Vec<String> = self.processes.iter().map(|process| format!("{}:{}", process.node, process.id())).collect();
        let line = format!(
            "gracchus {} is ready: bootstrap={} data={} cluster.id={} nodes={}",
            env!("CARGO_PKG_VERSION"),
            layout.bootstrap(),
            layout.folder.display(),
            layout.cluster_id,
            pids.join(",")
        );
        let mut out = io::stdout().lock();
        // Nobody may be listening, and the cluster serves all the same.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// Stops every node and waits for it; kills those that do not stop in time, or all at another signal.
    async fn stop(&mut self, signals: &mut Signals) {
        self.processes.iter().for_each(Process::ask_to_stop);
        let in_time = select! {
            biased;
            () = signals.next() => false,
            ended = timeout(STOP_MAX, self.all_ended()) => ended.is_ok(),
        };
        if !in_time {
            self.processes.iter().for_each(Process::kill);
            self.all_ended().await;
        }
    }

    async fn all_ended(&mut self) {
        while !self.processes.iter().all(|process| process.has_ended) {
            let Some(event) = self.happened.recv().await else { return };
            if let Happened::Ended(_) = event.what {
                self.process(event.node).has_ended = true;
            }
        }
    }

    fn process(&mut self, node: u16) -> &mut Process {
        self.processes.iter_mut().find(|process| process.node == node).expect("events are of nodes that were started")
    }
}

/// Signals that ask for an end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
