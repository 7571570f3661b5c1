//! A node's process, and what becomes of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::UnboundedSender;

use super::layout::NodeFolder;

/// A node that was started.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) node: u16,
    /// Where it logs.
    pub(super) log: PathBuf,
    pub(super) has_ended: bool,
    pid: Pid,
}

/// Something that happened to a node.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) node: u16,
    pub(super) what: Happened,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Happened {
    /// It serves.
    Ready,
    /// It has ended, as the system says it.
    Ended(String),
}

impl Process {
    /// Starts a node, of which `events` are told from then on.
    pub(super) fn start(node: &NodeFolder, settings: &[String], events: UnboundedSender<Event>) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(&node.log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--stop-with-parent", "--config"]).arg(&node.settings);
        for setting in settings {
            command.args(["--set", setting]);
        }
        // In a group of its own: a Ctrl-C in the terminal reaches this process alone, which then stops the nodes once.
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0).spawn()?;
        let process = Self { node: node.id, log: node.log.clone(), has_ended: false, pid: Pid::from_child(&child) };
        let id = node.id;
        let watch = move || {
            // Nobody listens any more when this process ends.
            let _ = events.send(Event { node: id, what: watch(&mut child, || drop(events.send(Event { node: id, what: Happened::Ready }))) });
        };
        thread::Builder::new().name(format!("node-{id}")).spawn(watch)?;
        Ok(process)
    }

    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(super) fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if !self.has_ended {
            // It may have ended meanwhile.
            let _ = kill_process(self.pid, signal);
        }
    }
}

/// Waits for the line that says that the node serves, and for its end.
fn watch(child: &mut Child, ready: impl FnOnce()) -> Happened {
    if let Some(out) = child.stdout.take() {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        if out.read_line(&mut line).is_ok_and(|read| read > 0) {
            ready();
        }
        let _ = out.read_to_end(&mut Vec::new());
    }
    Happened::Ended(match child.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    })
}
