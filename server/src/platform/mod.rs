//! The seams: everything that a node asks of the world. Production gives tokio, files and `sendfile`; the simulator gives its own.
//! Below these two traits nothing is special-cased.

pub mod real;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::time::{Monotonic, Now};
use tokio::io::AsyncRead;

/// A file of a platform's disk.
pub type FileOf<P> = <<P as Platform>::Disk as Disk>::File;

/// The world that a node runs in.
pub trait Platform: Clone + Send + Sync + 'static {
    /// Where connections come in.
    type Listener: Send + 'static;
    /// The half of a connection that is read.
    type Reader: AsyncRead + Unpin + Send + 'static;
    /// The half of a connection that is written.
    type Writer: Send + 'static;
    /// The node's disk.
    type Disk: Disk;

    /// The time on both clocks.
    fn now(&self) -> Now;

    /// Bytes that nobody can guess: in simulation they follow from the seed.
    fn entropy(&self) -> [u8; 32];

    /// Waits until the monotonic clock shows `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> impl Future<Output = ()> + Send;

    /// Runs a task until it ends. One per connection half and per part of the node, never one per request.
    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a task that owns a disk: in production on a thread of that name, which the task's system calls block. The only source of a
    /// [`Disk`].
    fn spawn_disk<F, T>(&self, name: &'static str, task: F)
    where
        F: FnOnce(Self::Disk) -> T + Send + 'static,
        T: Future<Output = ()> + 'static;

    /// Does work that takes long where it keeps nobody else waiting. Little of it is done at once; the rest waits.
    fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> + Send;

    /// Listens on `address` (`host:port`, port 0 for any) and says what was bound.
    fn bind(&self, address: &str) -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// Takes the next connection.
    fn accept(&self, listener: &mut Self::Listener) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer, SocketAddr)>> + Send;

    /// Connects to `address` (`host:port`), however long that takes.
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<(Self::Reader, Self::Writer)>> + Send;

    /// Sends the parts in order and returns when all have left: files by `sendfile`, while another task reads the connection. An error
    /// leaves the connection unusable.
    fn send(&self, writer: &mut Self::Writer, parts: Vec<Part<FileOf<Self>>>) -> impl Future<Output = io::Result<()>> + Send;

    /// Whether [`observe`](Self::observe) wants to see the steps: inputs are then copied for it, which costs nothing otherwise.
    const OBSERVES: bool = true;

    /// Sees every step. Production does nothing; the simulator checks, shuffles, marks and traces.
    fn observe(&self, now: Now, input: &Input, effects: &mut Effects, broker: &Broker);
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub enum Part<File> {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes `range` of a file. The file's bytes there are never overwritten.
    File(File, Range<u64>),
}

/// A folder on a disk. Paths are relative to the node's data folder. Every operation is awaited, so that a crash can fall between any two.
///
/// A name that was created, renamed or removed survives a power loss only after [`sync_dir`](Self::sync_dir) of its folder; bytes and length
/// of a file only after [`sync`](Self::sync).
#[expect(async_fn_in_trait, reason = "a disk's task owns it and never moves to another thread: its futures need not be Send")]
pub trait Disk: 'static {
    /// An open file. Clones name the same file, from any thread.
    type File: Clone + Send + Sync + 'static;

    /// Creates a file that does not exist, with any folders above it.
    async fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    async fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Writes the pieces one behind the other from `at` on: all, or an error and any part of them.
    async fn write_at(&self, file: &Self::File, at: u64, pieces: &[Bytes]) -> io::Result<()>;
    /// Reads `length` bytes from `at` on, fewer only at the end of the file.
    async fn read_at(&self, file: &Self::File, at: u64, length: usize) -> io::Result<Bytes>;
    /// Waits until the file's bytes and length are on disk (`fdatasync`). After an error what was written since the last success is lost,
    /// whatever a later call says.
    async fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Cuts or extends the file to `length`.
    async fn truncate(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Makes room on disk for the range, which reads as zeros and extends the file.
    async fn allocate(&self, file: &Self::File, range: Range<u64>) -> io::Result<()>;
    /// The file's length in bytes.
    async fn length(&self, file: &Self::File) -> io::Result<u64>;
    /// Gives a file or folder another name, replacing a file that has it.
    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file, or a folder with all that is in it; open files stay readable.
    async fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder, sorted; none if there is no such folder.
    async fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Waits until the names in a folder are on disk.
    async fn sync_dir(&self, folder: &Path) -> io::Result<()>;
    /// Locks the data folder against other processes for as long as this process lives.
    async fn lock(&self, path: &Path) -> io::Result<()>;
    /// Bytes free and bytes in all.
    async fn space(&self) -> io::Result<Space>;
}

/// Room on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes free for use.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}
