//! What all handles of a disk share.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gracchus_server::platform::Space;
use tokio::sync::Notify;

use super::Pace;
use super::content::{ChangeMark, Content};
use super::faults::{CAPACITY_BYTES, DiskFaultCounts, DiskFaults};
use super::names::{FileId, Names, View};
use crate::draw::Draw;
use crate::trace::{Recorder, RollingHash, RunHash, What};

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Open,
    Write,
    Read,
    Sync,
    Truncate,
    Allocate,
    Length,
    Rename,
    Remove,
    List,
    SyncDir,
    Lock,
    Space,
}

/// How long an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Yields(u64),
    Sleeps(Duration),
}

/// An end that is near: see [`SimDisk::halt_after`](super::SimDisk::halt_after).
#[derive(Debug)]
struct Halt {
    steps_left: u64,
    reached: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct State {
    names: Names,
    contents: BTreeMap<FileId, Content>,
    /// Files that have a name: they alone count as used space.
    named: BTreeSet<FileId>,
    used_bytes: u64,
    locks: BTreeSet<PathBuf>,
    /// Files whose last read returned a flipped bit: the next one does not.
    flipped: BTreeSet<FileId>,
    incarnation: u64,
    /// Errors that there had been when the process started.
    errors_before: u64,
    halt: Option<Halt>,
    pub(super) faults: DiskFaults,
    pub(super) counts: DiskFaultCounts,
    draw: Draw,
    trace: RollingHash,
    pub(super) recorder: Option<Recorder>,
}

impl State {
    pub(super) fn new(draw: Draw, faults: DiskFaults) -> Self {
        Self {
            names: Names::new(),
            contents: BTreeMap::new(),
            named: BTreeSet::new(),
            used_bytes: 0,
            locks: BTreeSet::new(),
            flipped: BTreeSet::new(),
            incarnation: 0,
            errors_before: 0,
            halt: None,
            faults,
            counts: DiskFaultCounts::default(),
            draw,
            trace: RollingHash::default(),
            recorder: None,
        }
    }

    pub(super) fn check_alive(&self, incarnation: u64) -> io::Result<()> {
        if incarnation == self.incarnation { Ok(()) } else { Err(io::Error::other("the process that opened this is dead")) }
    }

    pub(super) fn errors_of_process(&self) -> u64 {
        // What is rotten stays so.
        self.counts.errors() - self.errors_before + self.counts.rotten
    }

    pub(super) fn halt_after(&mut self, steps: u64) -> Arc<Notify> {
        let reached = Arc::new(Notify::new());
        self.halt = Some(Halt { steps_left: steps, reached: Arc::clone(&reached) });
        reached
    }

    pub(super) fn go_on(&mut self) {
        self.halt = None;
    }

    /// Takes a step of an operation. False if it is one too many, and every later one.
    pub(super) fn take_step(&mut self) -> bool {
        let Some(halt) = &mut self.halt else { return true };
        if halt.steps_left == 0 {
            halt.reached.notify_one();
            return false;
        }
        halt.steps_left -= 1;
        true
    }

    /// Carries out an operation and takes it into the trace.
    pub(super) fn carry_out<T>(&mut self, operation: Operation, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let outcome = act(self);
        self.trace.bytes(&[operation as u8, u8::from(outcome.is_ok())]);
        outcome
    }

    pub(super) fn trace_hash(&self) -> RunHash {
        let mut trace = self.trace;
        let (position, next) = self.draw.fingerprint();
        trace.bytes(&position.to_le_bytes());
        trace.number(next);
        trace.value()
    }

    pub(super) fn draw_wait(&mut self, operation: Operation, pace: Pace) -> Wait {
        let slow = self.draw.chance(self.faults.slow);
        self.counts.slow += u64::from(slow);
        let ms_max = match operation {
            _ if slow => self.faults.slow_ms_max,
            Operation::Sync | Operation::SyncDir => self.faults.sync_ms_max,
            Operation::Create
            | Operation::Open
            | Operation::Write
            | Operation::Read
            | Operation::Truncate
            | Operation::Allocate
            | Operation::Length
            | Operation::Rename
            | Operation::Remove
            | Operation::List
            | Operation::Lock
            | Operation::Space => 0,
        };
        if ms_max == 0 {
            return Wait::Yields(1 + self.draw.below(3));
        }
        match pace {
            Pace::Yields => Wait::Yields(1 + self.draw.below(ms_max)),
            Pace::Sleeps => Wait::Sleeps(Duration::from_micros(self.draw.within(1..ms_max * 1000))),
        }
    }

    /// Where a write of `length` bytes pauses, and its end.
    pub(super) fn draw_write_stops(&mut self, length: usize) -> Vec<usize> {
        if length > 1 && self.draw.chance(self.faults.write_split) { vec![1 + self.draw.index(length - 1), length] } else { vec![length] }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<FileId> {
        let file = self.names.create(path)?;
        self.contents.insert(file, Content::default());
        self.named.insert(file);
        Ok(file)
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<FileId> {
        self.names.file(path, View::Seen)
    }

    /// Writes one piece and says where the next one goes.
    pub(super) fn write(&mut self, file: FileId, at: usize, piece: Bytes) -> io::Result<usize> {
        let end = at + piece.len();
        if self.draw.chance(self.faults.write_error) {
            self.counts.write_errors += 1;
            self.remark(file, "a write fails");
            let part = self.draw.index(piece.len() + 1);
            self.put(file, at, piece.slice(..part))?;
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let room = self.room(file)?;
        if end > room {
            self.counts.full += 1;
            self.remark(file, "a write finds no room");
            if room > at {
                self.put(file, at, piece.slice(..room - at))?;
            }
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.put(file, at, piece)?;
        Ok(end)
    }

    pub(super) fn read(&mut self, file: FileId, at: usize, length: usize) -> io::Result<Bytes> {
        if self.draw.chance(self.faults.read_error) {
            self.counts.read_errors += 1;
            self.remark(file, "a read fails");
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let mut bytes = self.content(file)?.read(at, length).to_vec();
        let just_flipped = self.flipped.remove(&file);
        if !bytes.is_empty() && !just_flipped && self.draw.chance(self.faults.read_flip) {
            self.counts.read_flips += 1;
            self.remark(file, "a read flips a bit");
            self.flipped.insert(file);
            let place = self.draw.index(bytes.len());
            let bit = self.draw.below(8);
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << bit;
            }
        }
        self.trace.number(bytes.len() as u64);
        Ok(bytes.into())
    }

    pub(super) fn mark(&mut self, file: FileId, incarnation: u64) -> io::Result<ChangeMark> {
        self.check_alive(incarnation)?;
        Ok(self.content(file)?.mark())
    }

    pub(super) fn sync(&mut self, file: FileId, mark: ChangeMark) -> io::Result<()> {
        if self.draw.chance(self.faults.sync_failure) {
            self.counts.sync_failures += 1;
            self.remark(file, "a sync fails");
            self.content(file)?.fail_sync(mark);
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.content(file)?.sync(mark);
        Ok(())
    }

    pub(super) fn set_length(&mut self, file: FileId, length: usize) -> io::Result<()> {
        if length > self.room(file)? {
            self.counts.full += 1;
            self.remark(file, "an extension finds no room");
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let before = self.content(file)?.length();
        self.content(file)?.set_length(length);
        self.count_space(file, before, length);
        Ok(())
    }

    pub(super) fn extend(&mut self, file: FileId, upto: usize) -> io::Result<()> {
        if upto > self.content(file)?.length() { self.set_length(file, upto) } else { Ok(()) }
    }

    pub(super) fn length(&mut self, file: FileId) -> io::Result<u64> {
        Ok(self.content(file)?.length() as u64)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let replaced = self.names.rename(from, to)?;
        self.unname(replaced);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let files = self.names.remove(path)?;
        self.unname(files);
        Ok(())
    }

    pub(super) fn list(&self, folder: &Path) -> Vec<PathBuf> {
        self.names.list(folder, None, View::Seen).map(PathBuf::from).collect()
    }

    pub(super) fn sync_dir(&mut self, folder: &Path) -> io::Result<()> {
        if self.draw.chance(self.faults.sync_failure) {
            self.counts.sync_failures += 1;
            if let Some(recorder) = &self.recorder {
                recorder.remark(|| What::Remark(format!("the disk: a sync of the folder {} fails", folder.display())));
            }
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.names.sync(folder)
    }

    pub(super) fn lock(&mut self, path: &Path) -> io::Result<()> {
        if !self.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    pub(super) fn space(&mut self) -> Space {
        let total_bytes = self.faults.capacity_bytes;
        self.counts.short_space_told += u64::from(total_bytes < CAPACITY_BYTES);
        Space { free_bytes: total_bytes.saturating_sub(self.used_bytes), total_bytes }
    }

    pub(super) fn crash(&mut self) -> u64 {
        self.next_incarnation()
    }

    pub(super) fn lose_power(&mut self) -> u64 {
        self.names.lose_power(&mut self.draw);
        let kept: BTreeSet<FileId> = self.names.files(View::Durable).into_iter().map(|(_, file)| file).collect();
        self.contents.retain(|file, _| kept.contains(file));
        self.used_bytes = 0;
        for content in self.contents.values_mut() {
            content.lose_power(&mut self.draw);
            self.used_bytes += content.length() as u64;
        }
        self.named = kept;
        self.next_incarnation()
    }

    pub(super) fn replace(&mut self) -> u64 {
        self.names = Names::new();
        self.contents.clear();
        self.named.clear();
        self.used_bytes = 0;
        self.next_incarnation()
    }

    pub(super) fn rot(&mut self, path: &Path, at: u64, bit: u32) -> bool {
        let Ok(at) = usize::try_from(at) else { return false };
        let Some(content) = self.names.file(path, View::Seen).ok().and_then(|file| self.contents.get_mut(&file)) else { return false };
        let is_there = at < content.length();
        content.rot(at, bit);
        self.counts.rotten += u64::from(is_there);
        is_there
    }

    pub(super) fn durable_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = self.names.files(View::Durable).into_iter();
        files.filter_map(|(path, file)| Some((path, self.contents.get(&file)?.durable().to_vec()))).collect()
    }

    pub(super) fn durable_names(&self, folder: &Path, last: Option<&OsStr>) -> impl DoubleEndedIterator<Item = &OsStr> {
        self.names.list(folder, last, View::Durable)
    }

    pub(super) fn durable_file(&self, path: &Path) -> Option<u64> {
        self.names.file(path, View::Durable).ok().map(|FileId(file)| file)
    }

    pub(super) fn durable(&self, path: &Path) -> Option<&[u8]> {
        let file = self.names.file(path, View::Durable).ok()?;
        self.contents.get(&file).map(Content::durable)
    }

    fn next_incarnation(&mut self) -> u64 {
        self.locks.clear();
        self.halt = None;
        self.errors_before = self.counts.errors();
        self.incarnation += 1;
        self.incarnation
    }

    /// Lists what has gone wrong with a file.
    fn remark(&self, file: FileId, what: &str) {
        let Some(recorder) = &self.recorder else { return };
        recorder.remark(|| {
            let files = self.names.files(View::Seen);
            let path =
                files.iter().find(|(_, named)| *named == file).map_or("a file without a name".into(), |(path, _)| path.to_string_lossy());
            What::Remark(format!("the disk: {what}: {path}"))
        });
    }

    fn content(&mut self, file: FileId) -> io::Result<&mut Content> {
        self.contents.get_mut(&file).ok_or_else(|| io::Error::other("the file went with its disk"))
    }

    fn put(&mut self, file: FileId, at: usize, piece: Bytes) -> io::Result<()> {
        self.trace.number(at as u64);
        self.trace.number(piece.len() as u64);
        let before = self.content(file)?.length();
        self.content(file)?.write(at, &piece);
        let after = self.content(file)?.length();
        self.count_space(file, before, after);
        Ok(())
    }

    /// The length that a file can grow to.
    fn room(&mut self, file: FileId) -> io::Result<usize> {
        let length = self.content(file)?.length() as u64;
        let free = self.faults.capacity_bytes.saturating_sub(self.used_bytes);
        Ok(usize::try_from(length + free).unwrap_or(usize::MAX))
    }

    fn count_space(&mut self, file: FileId, before: usize, after: usize) {
        if self.named.contains(&file) {
            self.used_bytes = (self.used_bytes + after as u64).saturating_sub(before as u64);
        }
    }

    fn unname(&mut self, files: impl IntoIterator<Item = FileId>) {
        for file in files {
            if self.named.remove(&file) {
                let length = self.contents.get(&file).map_or(0, Content::length) as u64;
                self.used_bytes = self.used_bytes.saturating_sub(length);
            }
        }
    }
}

// Linux's numbers, so that the errors are of the kinds that production sees.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
