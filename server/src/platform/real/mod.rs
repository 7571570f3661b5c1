//! The world as it is: tokio, the operating system's clocks, files and sockets.
//!
//! Nothing here blocks a runtime worker: a disk's system calls run on the thread of its task, and bytes that a socket is to be fed from are
//! read in on another thread when they are not in the page cache.

mod disk;
mod executor;
mod send;
mod socket;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::time::{Monotonic, Now, Timestamp};
use rustix::rand::GetRandomFlags;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use self::disk::{RealDisk, RealFile};
use self::send::FileSending;
pub use self::send::Writer;
use super::{Part, Platform};

/// Computations that run at one time.
const COMPUTATIONS_MAX: usize = 2;

/// The platform of production. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Real {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    data_dir: PathBuf,
    files: FileSending,
    /// A permit for each computation that may run: the connections and the disk need the processors too.
    computing: Semaphore,
    locks: disk::Locks,
    /// Threads of the disk's tasks that look for more to do.
    lookers: executor::Lookers,
}

impl Real {
    /// A platform whose disk is the folder `data_dir`. With `send_by_copy` files go to sockets through memory, not by `sendfile`.
    #[must_use]
    pub fn new(data_dir: PathBuf, send_by_copy: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                started: Instant::now(),
                data_dir,
                files: FileSending::new(send_by_copy),
                computing: Semaphore::new(COMPUTATIONS_MAX),
                locks: disk::Locks::default(),
                lookers: executor::Lookers::default(),
            }),
        }
    }
}

impl Platform for Real {
    type Listener = TcpListener;
    type Reader = OwnedReadHalf;
    type Writer = Writer;
    type Disk = RealDisk;

    const OBSERVES: bool = false;

    fn now(&self) -> Now {
        let wall_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
        let monotonic_ns = self.shared.started.elapsed().as_nanos();
        Now {
            monotonic: Monotonic(u64::try_from(monotonic_ns).unwrap_or(u64::MAX)),
            wall: Timestamp(i64::try_from(wall_ms).unwrap_or(i64::MAX)),
        }
    }

    fn entropy(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let filled = rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty()).expect("Linux gives entropy");
        // getrandom(2): up to 256 bytes are never cut short.
        assert_eq!(filled, 32);
        bytes
    }

    async fn sleep_until(&self, deadline: Monotonic) {
        // A deadline at the end of time lies beyond what an Instant can say.
        match self.shared.started.checked_add(Duration::from_nanos(deadline.0)) {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }

    fn spawn(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn spawn_disk<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(RealDisk) -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let runtime = Handle::current();
        let run = move || {
            // Timers and tasks of the disk's task belong to the runtime, though it runs on a thread of its own.
            let _entered = runtime.enter();
            let disk = RealDisk::new(Arc::clone(&shared));
            executor::block_on(&shared.lookers, task(disk));
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run).expect("a thread for the disk");
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _turn = self.shared.computing.acquire().await.expect("this semaphore is never closed");
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    async fn bind(&self, address: &str) -> io::Result<(TcpListener, SocketAddr)> {
        socket::bind(address).await
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<(OwnedReadHalf, Writer, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok((reader, Writer::new(writer), peer))
    }

    async fn connect(&self, address: &str) -> io::Result<(OwnedReadHalf, Writer)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok((reader, Writer::new(writer)))
    }

    async fn send(&self, writer: &mut Writer, parts: Vec<Part<RealFile>>) -> io::Result<()> {
        writer.send(parts, &self.shared.files).await
    }

    fn observe(&self, _now: Now, _input: &Input, _effects: &mut Effects, _broker: &Broker) {}
}
