//! A platform that has a simulated disk and a clock, and nobody to talk to.
//!
//! Its tasks live in the [`LocalSet`](tokio::task::LocalSet) that they were spawned from and die with it, wherever they stand: that is how a
//! process is killed here. Its clock is tokio's, so that a test which pauses that one waits for nothing.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::time::{Monotonic, Now, Timestamp};
use gracchus_server::platform::{FileOf, Part, Platform};
use gracchus_sim::platform::disk::SimDisk;
use tokio::time::Instant;

/// One process on a simulated disk.
#[derive(Clone, Debug)]
pub struct LoneDisk {
    disk: SimDisk,
    started: Instant,
    drawn: Arc<AtomicU64>,
}

impl LoneDisk {
    /// A process that starts on `disk`. `drawn` counts how often entropy was asked for, over all processes.
    #[must_use]
    pub fn new(disk: SimDisk, drawn: Arc<AtomicU64>) -> Self {
        Self { disk, started: Instant::now(), drawn }
    }
}

impl Platform for LoneDisk {
    type Listener = Infallible;
    type Reader = tokio::io::Empty;
    type Writer = Infallible;
    type Disk = SimDisk;

    fn now(&self) -> Now {
        let elapsed = self.started.elapsed();
        Now {
            monotonic: Monotonic(u64::try_from(elapsed.as_nanos()).expect("a test is shorter than 500 years")),
            wall: Timestamp(i64::try_from(elapsed.as_millis()).expect("a test is shorter than 500 years")),
        }
    }

    fn entropy(&self) -> [u8; 32] {
        // It has to differ each time, among all processes on the disk.
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 32];
        for (byte, of_drawn) in bytes.iter_mut().zip(drawn.to_be_bytes()) {
            *byte = of_drawn;
        }
        bytes
    }

    async fn sleep_until(&self, deadline: Monotonic) {
        tokio::time::sleep_until(self.started + Duration::from_nanos(deadline.0)).await;
    }

    fn spawn(&self, _name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        tokio::task::spawn_local(task);
    }

    fn spawn_disk<F, T>(&self, _name: &'static str, task: F)
    where
        F: FnOnce(SimDisk) -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        tokio::task::spawn_local(task(self.disk.clone()));
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }

    async fn bind(&self, _address: &str) -> io::Result<(Infallible, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept(&self, listener: &mut Infallible) -> io::Result<(tokio::io::Empty, Infallible, SocketAddr)> {
        match *listener {}
    }

    async fn connect(&self, _address: &str) -> io::Result<(tokio::io::Empty, Infallible)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn send(&self, writer: &mut Infallible, _parts: Vec<Part<FileOf<Self>>>) -> io::Result<()> {
        match *writer {}
    }

    fn observe(&self, _now: Now, _input: &Input, _effects: &mut Effects, _broker: &Broker) {}
}
