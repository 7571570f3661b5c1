//! Runs in a process of their own, so that one that does not come to an end, or takes its process with it, is only a run that failed.
//!
//! A worker reads what to run from its standard input and writes what came of it to its standard output, a line of JSON each.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::Work;
use crate::plan::Plan;
use crate::platform::lock;
use crate::shrink::Failure;
use crate::trace::Trace;
use crate::world::{Ending, RunReport, note_panics};

/// The subcommand of a worker.
pub const SUBCOMMAND: &str = "worker";

/// A process that runs what it is told to.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    reports: Receiver<RunReport>,
}

impl Worker {
    /// Starts one. It saves the traces of what fails in a folder, if one is given.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start(program: &Path, traces: Option<&Path>) -> io::Result<Self> {
        let mut child = Command::new(program).arg(SUBCOMMAND).args(traces).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { unreachable!("both are piped") };
        let (send, reports) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for report in lines.map_while(|line| serde_json::from_str(&line).ok()) {
                if send.send(report).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, reports })
    }

    /// Runs something, and waits for so long at most. None if that was not enough, or the process is gone: it is of no use any more.
    pub(super) fn run(&mut self, work: &Work, most: Duration) -> Option<RunReport> {
        let mut line = serde_json::to_vec(work).expect("work can be written");
        line.push(b'\n');
        self.input.write_all(&line).and_then(|()| self.input.flush()).ok()?;
        self.reports.recv_timeout(most).ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that is gone already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that run plans, as many as run at one time.
#[derive(Debug)]
pub struct Workers {
    run_time_max: Duration,
    idle: Mutex<Vec<Worker>>,
}

impl Workers {
    /// Ones that wait so long for a run.
    #[must_use]
    pub fn new(run_time_max: Duration) -> Self {
        Self { run_time_max, idle: Mutex::default() }
    }

    /// Runs a plan in one that is idle, or in a new one.
    ///
    /// # Errors
    /// None can be started.
    pub fn run(&self, plan: &Plan) -> io::Result<RunReport> {
        let mut worker = lock(&self.idle).pop();
        let report = run_in(&mut worker, &Work::Saved(PathBuf::new(), Box::new(plan.clone())), self.run_time_max, None);
        lock(&self.idle).extend(worker);
        report
    }
}

/// Runs something in a worker, which is started if there is none, and given up if the run takes longer than it may. The traces of what fails go
/// to a folder, if one is given.
///
/// # Errors
/// No worker can be started.
pub(super) fn run_in(worker: &mut Option<Worker>, work: &Work, most: Duration, traces: Option<&Path>) -> io::Result<RunReport> {
    let mut at_hand = match worker.take() {
        Some(at_hand) => at_hand,
        None => Worker::start(&program()?, traces)?,
    };
    if let Some(report) = at_hand.run(work, most) {
        *worker = Some(at_hand);
        return Ok(report);
    }
    Ok(RunReport { ending: Ending::Hung { seconds: most.as_secs() }, ..work.unknown() })
}

/// The program that workers run: this very one.
fn program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// How much of a run is kept, and how many that failed.
const KEPT_BYTES_MAX: usize = 8 << 20;
const KEPT_TRACES_MAX: usize = 20;

/// Saves a trace, unless there are enough.
fn save_trace(trace: &Trace, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.count() >= KEPT_TRACES_MAX {
        return Ok(());
    }
    trace.save(&folder.join(format!("seed-{}-of-{}-nodes.trace", trace.plan.seed, trace.plan.nodes.len())))
}

/// Runs what standard input says, until it ends. The traces of what fails are saved in a folder, if one is given.
///
/// # Errors
/// It says what is no work, or nobody reads what came of it.
pub fn serve(traces: Option<&Path>) -> io::Result<()> {
    note_panics();
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
        // Whoever asked is gone, and does not wait for a run that may never end.
        std::process::exit(0);
    });
    let mut output = io::stdout().lock();
    for line in lines {
        let work = serde_json::from_str::<Work>(&line)?;
        let (report, trace) = work.record(if traces.is_some() { KEPT_BYTES_MAX } else { 0 });
        if let Some(folder) = traces.filter(|_| Failure::of(&report).is_some()) {
            // What came of the run is told all the same.
            if let Err(error) = save_trace(&trace, folder) {
                eprintln!("the trace of {} is not kept: {error}", report.replay);
            }
        }
        serde_json::to_writer(&mut output, &report)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}
