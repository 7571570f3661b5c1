//! The simulated world that a node runs in.

pub mod clock;
pub mod disk;
pub mod net;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::ids::NodeId;
use gracchus_core::time::{Monotonic, Now};
use gracchus_server::platform::{Part, Platform};
use tokio::io::AsyncWriteExt;

use self::clock::SimClock;
use self::disk::{SimDisk, SimFile};
use self::net::{SimListener, SimNet, SimReader, SimWriter};
use crate::draw::Draw;
use crate::trace::Recorder;

/// Bytes of a file that leave at one time: between two such pieces everybody else has a turn, as with `sendfile`.
const FILE_PIECE_BYTES: u64 = 16 << 10;

/// How long a host tries to reach another.
const CONNECT_MAX: Duration = Duration::from_secs(60);

/// A node's world, for one run of its process.
#[derive(Clone, Debug)]
pub struct SimPlatform {
    /// Which node it is.
    pub node: NodeId,
    /// The address of its host.
    pub host: IpAddr,
    /// Its clocks.
    pub clock: SimClock,
    /// The network that it is on.
    pub net: SimNet,
    /// Its disk, as this process has it.
    pub disk: SimDisk,
    /// Who watches its steps.
    pub recorder: Recorder,
    /// Where its entropy comes from.
    pub entropy: Arc<Mutex<Draw>>,
}

impl Platform for SimPlatform {
    type Listener = SimListener;
    type Reader = SimReader;
    type Writer = SimWriter;
    type Disk = SimDisk;

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn entropy(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        lock(&self.entropy).fill(&mut bytes);
        bytes
    }

    async fn sleep_until(&self, deadline: Monotonic) {
        self.clock.sleep_until(deadline).await;
    }

    fn spawn(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        drop(madsim::task::spawn(task));
    }

    fn spawn_disk<F, T>(&self, _name: &'static str, task: F)
    where
        F: FnOnce(SimDisk) -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        drop(madsim::task::spawn_local(task(self.disk.clone())));
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // Others get their turn before it is done, as they would beside a thread.
        tokio::task::yield_now().await;
        work()
    }

    async fn bind(&self, address: &str) -> io::Result<(SimListener, SocketAddr)> {
        SimNet::bind(address).await
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(SimReader, SimWriter, SocketAddr)> {
        self.net.accept(listener).await
    }

    async fn connect(&self, address: &str) -> io::Result<(SimReader, SimWriter)> {
        let address = address.parse().map_err(|_| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        self.net.connect(self.host, address, CONNECT_MAX).await
    }

    async fn send(&self, writer: &mut SimWriter, parts: Vec<Part<SimFile>>) -> io::Result<()> {
        for part in parts {
            match part {
                Part::Bytes(bytes) => writer.write_all(&bytes).await?,
                Part::File(file, range) => send_file(writer, &file, range).await?,
            }
        }
        Ok(())
    }

    fn observe(&self, now: Now, input: &Input, effects: &mut Effects, broker: &Broker) {
        self.recorder.step(self.node, now, input, effects, broker);
    }
}

async fn send_file(writer: &mut SimWriter, file: &SimFile, range: Range<u64>) -> io::Result<()> {
    let Range { start: mut at, end } = range;
    while at < end {
        let bytes = file.read(at..end.min(at + FILE_PIECE_BYTES)).await?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        writer.write_all(&bytes).await?;
        at += bytes.len() as u64;
    }
    Ok(())
}

/// Locks, even behind a panic: what unwinds drops what it holds, and that must not panic again.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
