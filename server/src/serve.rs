//! `gracchus serve`: runs a node in this process until it is told to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use gracchus_core::ids::{IncarnationId, Uuid};
use rustix::process::{Resource, Rlimit, Signal as ProcessSignal, getrlimit, set_parent_process_death_signal, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::{self, ConfigError, OperatorSettings, ServeArgs};
use crate::format::{self, Formatted};
use crate::http::Site;
use crate::node::{self, Ready};
use crate::platform::Platform;
use crate::platform::real::Real;
use crate::recording::RecordTo;

/// Stack of each thread that waits for files.
const THREAD_STACK_BYTES: usize = 512 << 10;

/// Threads that wait for files at one time: more would only queue up at the disk.
const FILE_THREADS_MAX: usize = 8;

/// How a process ends that a second signal stops: as a shell says it of SIGINT.
const INTERRUPTED: i32 = 130;

/// Runs a node to its end.
#[must_use]
pub fn run(args: &ServeArgs) -> ExitCode {
    abort_on_panic();
    // One thread for all tasks: an answer does not change threads on its way, which two workers were measured to pay for with half of a
    // small request's time. What takes long has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK_BYTES)
        .max_blocking_threads(FILE_THREADS_MAX)
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(args)),
        Err(error) => Err(format!("the runtime can't start: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

/// Says why it does not go on, in one line.
#[must_use]
pub fn failure(error: &str) -> ExitCode {
    eprintln!("gracchus: {error}");
    ExitCode::FAILURE
}

async fn serve(args: &ServeArgs) -> Result<(), String> {
    let signals = signals().map_err(|error| format!("can't wait for signals: {error}"))?;
    if args.stop_with_parent {
        let told = set_parent_process_death_signal(Some(ProcessSignal::TERM));
        told.map_err(|error| format!("can't learn of the end of the process that started this one: {error}"))?;
    }
    let mut operator = read_settings(args).map_err(|error| error.to_string())?;
    operator.fit(raise_open_files_max());
    let (folder, formatted) = format::open_or_format(&operator).map_err(|error| error.to_string())?;
    if let Formatted::New { .. } = formatted {
        tracing::info!("{formatted}");
    }
    let platform = Real::new(operator.data_dir.clone(), operator.send_by_copy);
    let (incarnation, seed) = drawn(&platform);
    let settings = operator.on(folder, incarnation, seed);

    let record = args.record.clone().map(|file| RecordTo { file, bytes_max: args.record_bytes });

    let site = Site::default();
    let http = match &settings.http {
        Some(address) => Some(site.serve(address).await.map_err(|error| format!("can't listen on {address} (http): {error}"))?),
        None => None,
    };
    let line = format!("data={} node.id={} cluster.id={}", settings.data_dir.display(), settings.broker.node, settings.broker.cluster_id);
    let (ready, started) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(announce(started, site.clone(), http, line));
    tokio::spawn(watch(signals, site, stop));
    let stop = async {
        let _ = stopped.await;
    };
    node::run(platform, settings, stop, ready, record).await.map_err(|error| error.to_string())
}

/// Lets the process have as many open files as the operating system allows it, and says how many.
fn raise_open_files_max() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        return current.unwrap_or(u64::MAX);
    }
    maximum.unwrap_or(u64::MAX)
}

fn read_settings(args: &ServeArgs) -> Result<OperatorSettings, ConfigError> {
    let (settings, warnings) = config::load(args.config.as_deref(), &args.overrides()?, std::env::vars())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

/// This run's id, and the seed of what the core draws.
fn drawn(platform: &Real) -> (IncarnationId, [u8; 32]) {
    let [high, low] = [platform.entropy(), platform.entropy()];
    let mut id = [0; 16];
    id.copy_from_slice(high.first_chunk::<16>().expect("it is longer"));
    (IncarnationId(Uuid(id)), low)
}

/// Says on standard output that clients may come, once they may.
async fn announce(started: oneshot::Receiver<Ready>, site: Site, http: Option<SocketAddr>, rest: String) {
    // Without it the node did not start, which `run` says.
    let Ok(ready) = started.await else { return };
    let listeners: Vec<String> = ready.listeners.iter().map(ToString::to_string).collect();
    let http = http.map(|http| format!(" http={http}")).unwrap_or_default();
    site.is_ready(ready);
    let mut out = io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    // Nobody may be listening, and the node serves all the same.
    let _ = writeln!(out, "gracchus {version} is ready: listeners={}{http} {rest}", listeners.join(",")).and_then(|()| out.flush());
}

fn signals() -> io::Result<[Signal; 2]> {
    Ok([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?])
}

/// Asks the node to stop at the first signal and ends the process at the second.
async fn watch([mut terminate, mut interrupt]: [Signal; 2], site: Site, stop: oneshot::Sender<()>) {
    let mut next = async || {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tracing::info!("stopping");
    site.is_stopping();
    let _ = stop.send(());
    next().await;
    tracing::warn!("stopped by a second signal: what was acknowledged is kept");
    std::process::exit(INTERRUPTED);
}

/// A part of the node that has panicked leaves the others waiting for ever, or working on what it had broken: the process ends instead, and
/// recovery brings back what was promised.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}
