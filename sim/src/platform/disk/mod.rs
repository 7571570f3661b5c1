//! A disk that does what disks do to those who trust them.
//!
//! **Fault model.** A file's bytes and its names are kept twice, in the page cache and on disk.
//!
//! - A write goes to the cache. Until a [`sync`](Disk::sync) that started after it has returned, a power loss may lose it, keep it, tear it
//!   at a sector of 512 bytes, or keep it without what was written before it elsewhere in the file; a sector goes to disk as it stands in
//!   the cache. A change of length may be kept without the bytes, which then read as zeros.
//! - A name that was created, renamed or removed may be lost or kept until [`sync_dir`](Disk::sync_dir) of its folder, each for itself, and so
//!   may the name of a folder in the one above it. A rename is kept or lost as a whole.
//! - A sync may fail. What it covers reads back from the cache until the power goes and is *not* on disk, whatever a later sync says. A
//!   `sync_dir` may fail too, but names are kept in a journal, which goes on in its order or not at all: a later one that succeeds covers them.
//! - A write may fail after any part of it, for no reason or because the disk is full; what has been allocated can be written all the same. A read may fail. A read may return one flipped bit,
//!   once ([`DiskFaults::read_flip`]) or for good ([`SimDisk::rot`]).
//! - Each operation yields before and after it takes effect, a write that is split in between too, so that a crash can fall on either side;
//!   some take long. These are its steps: [`SimDisk::halt_after`] lets a crash fall behind one of them.
//! - [`SimDisk::crash`] is the death of the process: the cache stays. [`SimDisk::lose_power`] drops the cache. [`SimDisk::replace`] puts an empty
//!   disk in. All three return the handle of the next process; every older handle, and every file opened through one, fails from then on,
//!   however late its holder is dropped.
//!
//! Nothing here needs a runtime unless the disk is told to sleep ([`Pace`]): any executor that polls will do.

mod content;
mod faults;
mod names;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use gracchus_server::platform::{Disk, Space};
use tokio::sync::Notify;

pub use self::faults::{DiskFaultCounts, DiskFaults};
use self::names::FileId;
use self::state::{Operation, State, Wait};
use crate::draw::{Draw, Stream};
use crate::platform::lock;
use crate::trace::{Recorder, RunHash};

/// How a disk lets time pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It yields, and does not know of time.
    Yields,
    /// It also sleeps on madsim's clock.
    Sleeps,
}

/// A simulated disk, as one process has it.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    incarnation: u64,
    pace: Pace,
}

/// A file of a simulated disk, open.
#[derive(Clone, Debug)]
pub struct SimFile {
    disk: SimDisk,
    id: FileId,
}

impl SimDisk {
    /// An empty disk whose random choices follow from `seed`, and which only yields.
    #[must_use]
    pub fn new(seed: u64, faults: DiskFaults) -> Self {
        Self::drawing(Draw::new(seed, Stream::Disk), faults)
    }

    /// As [`new`](Self::new), with random choices from a stream of its own.
    #[must_use]
    pub fn drawing(draw: Draw, faults: DiskFaults) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(draw, faults))), incarnation: 0, pace: Pace::Yields }
    }

    /// The same disk at another pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The same disk, and who lists what goes wrong with it.
    #[must_use]
    pub fn told_to(self, recorder: Recorder) -> Self {
        self.state().recorder = Some(recorder);
        self
    }

    /// Changes what the disk is up to.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.state().faults = faults;
    }

    /// What the disk is up to.
    #[must_use]
    pub fn faults(&self) -> DiskFaults {
        self.state().faults.clone()
    }

    /// The process dies; the operating system and its cache live on.
    #[must_use]
    pub fn crash(&self) -> Self {
        let incarnation = self.state().crash();
        Self { incarnation, ..self.clone() }
    }

    /// The power goes: what was not synced is lost, kept or torn.
    #[must_use]
    pub fn lose_power(&self) -> Self {
        let incarnation = self.state().lose_power();
        Self { incarnation, ..self.clone() }
    }

    /// The disk is replaced by an empty one.
    #[must_use]
    pub fn replace(&self) -> Self {
        let incarnation = self.state().replace();
        Self { incarnation, ..self.clone() }
    }

    /// Lets so many steps of operations pass; then none goes on until the process ends. Tells when one has come to that.
    #[must_use]
    pub fn halt_after(&self, steps: u64) -> Arc<Notify> {
        self.state().halt_after(steps)
    }

    /// The end that was near is off.
    pub fn go_on(&self) {
        self.state().go_on();
    }

    /// Flips a bit of a file for good. False if there is no such byte.
    pub fn rot(&self, path: &Path, at: u64, bit: u32) -> bool {
        self.state().rot(path, at, bit)
    }

    /// Every file that a power loss could not take, with the bytes that it could not take.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.state().durable_files()
    }

    /// What is wanted of the first name for which there is something, of those in a folder that a power loss could not take. `wanted` may not ask
    /// the disk anything.
    pub fn first_durable_name<T>(&self, folder: &Path, wanted: impl Fn(&OsStr) -> Option<T>) -> Option<T> {
        self.state().durable_names(folder, None).find_map(wanted)
    }

    /// As [`first_durable_name`](Self::first_durable_name), of the last one up to `last` and with it.
    pub fn last_durable_name<T>(&self, folder: &Path, last: &OsStr, wanted: impl Fn(&OsStr) -> Option<T>) -> Option<T> {
        self.state().durable_names(folder, Some(last)).rev().find_map(wanted)
    }

    /// Which file has a name that a power loss could not take: another one of that name is another.
    #[must_use]
    pub fn durable_file(&self, path: &Path) -> Option<u64> {
        self.state().durable_file(path)
    }

    /// Looks at the bytes of a file that a power loss could not take.
    pub fn with_durable<T>(&self, path: &Path, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.state().durable(path).map(look)
    }

    /// Bytes in files that have a name.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Faults that took effect so far.
    #[must_use]
    pub fn fault_counts(&self) -> DiskFaultCounts {
        self.state().counts
    }

    /// Operations whose outcome was wrong, since the last crash or power loss.
    #[must_use]
    pub fn errors_of_process(&self) -> u64 {
        self.state().errors_of_process()
    }

    /// The hash of all operations so far, with their outcomes.
    #[must_use]
    pub fn trace_hash(&self) -> RunHash {
        self.state().trace_hash()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lets the time pass that an operation takes, and checks that its process still lives.
    async fn wait(&self, operation: Operation) -> io::Result<()> {
        let wait = self.state().draw_wait(operation, self.pace);
        match wait {
            Wait::Yields(count) => {
                for _ in 0..count {
                    tokio::task::yield_now().await;
                }
            }
            Wait::Sleeps(length) => madsim::time::sleep(length).await,
        }
        self.step().await
    }

    /// Goes on, if the process still lives and its end is not due.
    async fn step(&self) -> io::Result<()> {
        let goes_on = {
            let mut state = self.state();
            state.check_alive(self.incarnation)?;
            state.take_step()
        };
        if goes_on { Ok(()) } else { std::future::pending().await }
    }

    /// Carries out an operation between two waits.
    async fn operate<T>(&self, operation: Operation, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.wait(operation).await?;
        let outcome = self.state().carry_out(operation, act);
        tokio::task::yield_now().await;
        self.step().await?;
        outcome
    }
}

impl SimFile {
    /// Reads bytes `range`, fewer at the file's end: as [`Disk::read_at`], for those who have no disk.
    ///
    /// # Errors
    /// Those of the disk's faults.
    pub async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.disk.read_at(self, range.start, length).await
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    async fn create(&self, path: &Path) -> io::Result<SimFile> {
        let id = self.operate(Operation::Create, |state| state.create(path)).await?;
        Ok(SimFile { disk: self.clone(), id })
    }

    async fn open(&self, path: &Path) -> io::Result<SimFile> {
        let id = self.operate(Operation::Open, |state| state.open(path)).await?;
        Ok(SimFile { disk: self.clone(), id })
    }

    async fn write_at(&self, file: &SimFile, at: u64, pieces: &[Bytes]) -> io::Result<()> {
        let length = pieces.iter().map(Bytes::len).sum();
        let (mut at, mut written) = (offset(at)?, 0);
        self.wait(Operation::Write).await?;
        let stops = self.state().draw_write_stops(length);
        for upto in stops {
            if written > 0 {
                tokio::task::yield_now().await;
                self.step().await?;
            }
            for piece in cut(pieces, written..upto) {
                at = self.state().carry_out(Operation::Write, |state| state.write(file.id, at, piece))?;
            }
            written = upto;
        }
        tokio::task::yield_now().await;
        self.step().await
    }

    async fn read_at(&self, file: &SimFile, at: u64, length: usize) -> io::Result<Bytes> {
        let at = offset(at)?;
        self.operate(Operation::Read, |state| state.read(file.id, at, length)).await
    }

    async fn sync(&self, file: &SimFile) -> io::Result<()> {
        // What the sync covers is decided when it starts; what it does shows when it ends.
        let mark = self.state().mark(file.id, self.incarnation)?;
        self.operate(Operation::Sync, |state| state.sync(file.id, mark)).await
    }

    async fn truncate(&self, file: &SimFile, length: u64) -> io::Result<()> {
        let length = offset(length)?;
        self.operate(Operation::Truncate, |state| state.set_length(file.id, length)).await
    }

    async fn allocate(&self, file: &SimFile, range: Range<u64>) -> io::Result<()> {
        let upto = offset(range.end)?;
        self.operate(Operation::Allocate, |state| state.extend(file.id, upto)).await
    }

    async fn length(&self, file: &SimFile) -> io::Result<u64> {
        self.operate(Operation::Length, |state| state.length(file.id)).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(Operation::Rename, |state| state.rename(from, to)).await
    }

    async fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate(Operation::Remove, |state| state.remove(path)).await
    }

    async fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.operate(Operation::List, |state| Ok(state.list(folder))).await
    }

    async fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.operate(Operation::SyncDir, |state| state.sync_dir(folder)).await
    }

    async fn lock(&self, path: &Path) -> io::Result<()> {
        self.operate(Operation::Lock, |state| state.lock(path)).await
    }

    async fn space(&self) -> io::Result<Space> {
        self.operate(Operation::Space, |state| Ok(state.space())).await
    }
}

fn offset(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// The bytes of `range` out of pieces that lie one behind the other.
fn cut(pieces: &[Bytes], range: Range<usize>) -> Vec<Bytes> {
    let mut start = 0;
    let mut chosen = Vec::new();
    for piece in pieces {
        let end = start + piece.len();
        let (from, upto) = (range.start.max(start), range.end.min(end));
        if from < upto {
            chosen.push(piece.slice(from - start..upto - start));
        }
        start = end;
    }
    chosen
}
