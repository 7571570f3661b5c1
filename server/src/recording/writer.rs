//! Writing a recording, from the turn loop.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::time::Now;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::Serialize;

use super::reader::has_state;
use super::{FRAME_HEAD_BYTES, HALF_HEAD_BYTES, HEADER_BYTES, Header, MAGIC, RollingHash, RunHash, crc, start_of};

/// A recording has so many bytes at least.
pub const RECORD_BYTES_MIN: u64 = 256 << 10;

/// Writes what the core is told to a file. What is written is in the page cache at once, and survives the process.
///
/// A recording that fails ends, with a warning, and the node goes on.
#[derive(Debug)]
pub struct FlightRecorder {
    path: PathBuf,
    file: File,
    half_bytes: u64,
    /// Counts halves, and how many bytes there are in this one: none before the first has begun.
    half: u64,
    at: u64,
    has_failed: bool,
    steps: u64,
    hash: RollingHash,
    frame: Vec<u8>,
    effects: Vec<u8>,
}

/// A [`Checkpoint`](super::Checkpoint) of a state that somebody else has.
#[derive(Serialize)]
struct CheckpointOf<'a> {
    steps: u64,
    hash: RunHash,
    rolling: RollingHash,
    broker: &'a Broker,
}

impl FlightRecorder {
    /// Begins a recording of so many bytes, which are set aside on the disk. A recording that is there is kept, under the same name with `.previous`
    /// behind it: it may be that of a run that has just failed.
    ///
    /// # Errors
    /// The file can't be made, or there is no room for it.
    pub fn create(path: &Path, bytes_max: u64, node: i32) -> io::Result<Self> {
        let mut previous = path.as_os_str().to_owned();
        previous.push(".previous");
        match File::open(path) {
            // One without a whole state is of a process that never came to its first step, and no reason to lose another.
            Ok(file) if has_state(&file)? => fs::rename(path, previous)?,
            Ok(_) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // It has names and settings: nobody else needs to read them.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let bytes_max = bytes_max.max(RECORD_BYTES_MIN);
        let half_bytes = (bytes_max - HEADER_BYTES) / 2;
        match fallocate(&file, FallocateFlags::empty(), 0, bytes_max) {
            // A disk that fills up later is what one wants to see afterwards. Not every file system can set room aside.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        let header = Header { version: env!("CARGO_PKG_VERSION").to_owned(), node, process: std::process::id(), half_bytes };
        let mut bytes = MAGIC.to_vec();
        serde_json::to_writer(&mut bytes, &header)?;
        bytes.push(b'\n');
        bytes.resize(usize::try_from(HEADER_BYTES).expect("it is small"), 0);
        file.write_all_at(&bytes, 0)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            half_bytes,
            half: 0,
            at: 0,
            has_failed: false,
            steps: 0,
            hash: RollingHash::default(),
            frame: Vec::new(),
            effects: Vec::new(),
        })
    }

    /// The broker is about to be told `input`.
    pub fn before(&mut self, now: Now, input: &Input, broker: &Broker) {
        if self.has_failed {
            return;
        }
        let written = self.input(now, input, broker);
        self.check(written);
    }

    /// It has taken the step, and this follows.
    pub fn after(&mut self, effects: &Effects) {
        if self.has_failed {
            return;
        }
        self.effects.clear();
        let bytes = postcard::to_extend(effects, std::mem::take(&mut self.effects)).expect("effects are plain data");
        self.hash.number(bytes.len() as u64);
        self.hash.bytes(&bytes);
        self.effects = bytes;
        self.steps += 1;
    }

    /// The hash of all steps so far.
    #[must_use]
    pub fn hash(&self) -> RunHash {
        self.hash.value()
    }

    fn input(&mut self, now: Now, input: &Input, broker: &Broker) -> io::Result<()> {
        if self.at == 0 {
            self.begin_half(broker)?;
        }
        self.fill(&(self.hash.value(), now, input));
        if self.at + self.frame.len() as u64 > self.half_bytes {
            self.begin_half(broker)?;
            self.fill(&(self.hash.value(), now, input));
            if self.at + self.frame.len() as u64 > self.half_bytes {
                return Err(self.too_large("an input", 2));
            }
        }
        self.write()?;
        let content = self.frame.get(FRAME_HEAD_BYTES..).expect("a frame has a head");
        self.hash.number(content.len() as u64);
        self.hash.bytes(content);
        Ok(())
    }

    /// Begins the other half with the state as it is.
    fn begin_half(&mut self, broker: &Broker) -> io::Result<()> {
        let half = if self.at == 0 { 0 } else { self.half + 1 };
        (self.half, self.at) = (half, HALF_HEAD_BYTES as u64);
        self.fill(&CheckpointOf { steps: self.steps, hash: self.hash.value(), rolling: self.hash, broker });
        if self.frame.len() as u64 > self.half_bytes / 2 {
            return Err(self.too_large("the state", 4));
        }
        self.file.write_all_at(&half.to_le_bytes(), start_of(half, self.half_bytes))?;
        self.write()
    }

    /// Why a recording ends that what is in the frame does not fit into.
    fn too_large(&self, what: &str, shares: u64) -> io::Error {
        let (bytes, needs) = (self.frame.len(), self.frame.len() as u64 * shares + HEADER_BYTES);
        io::Error::other(format!("{what} has {bytes} bytes, for which a recording needs {needs} at least"))
    }

    /// Makes a frame of a value.
    fn fill(&mut self, value: &impl Serialize) {
        self.frame.clear();
        self.frame.extend([0; FRAME_HEAD_BYTES]);
        self.frame = postcard::to_extend(value, std::mem::take(&mut self.frame)).expect("it is plain data");
        let half = self.half;
        let (head, content) = self.frame.split_at_mut(FRAME_HEAD_BYTES);
        let length = u32::try_from(content.len()).expect("a state is shorter than 4 GiB");
        let (of_length, of_crc) = head.split_at_mut(4);
        of_length.copy_from_slice(&length.to_le_bytes());
        of_crc.copy_from_slice(&crc(half, content).to_le_bytes());
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.frame, start_of(self.half, self.half_bytes) + self.at)?;
        self.at += self.frame.len() as u64;
        Ok(())
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!("the recording {} ends: {error}", self.path.display());
            self.has_failed = true;
        }
    }
}
