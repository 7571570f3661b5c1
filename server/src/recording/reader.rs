//! Reading a recording, also that of a process that was killed while it wrote.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use gracchus_core::boundary::Effects;
use gracchus_core::broker::Broker;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{Checkpoint, FRAME_HEAD_BYTES, HALF_HEAD_BYTES, HEADER_BYTES, Header, MAGIC, Recorded, RollingHash, RunHash, crc, start_of};

/// Why a file is no recording that can be used.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as a recording does.
    #[error("it is no recording")]
    NoRecording,
    /// Nothing in it is whole.
    #[error("it has no whole state: the process may have ended before it had written one")]
    Empty,
    /// Its state was written by a program that has other states.
    #[error("it was written by gracchus {version}, which this program can't read: {cause}")]
    Foreign {
        /// The version that wrote it.
        version: String,
        /// What can't be read.
        cause: postcard::Error,
    },
}

/// A state, and what followed.
#[derive(Debug)]
pub struct Recording {
    /// What it says of itself.
    pub header: Header,
    /// Where it begins.
    pub checkpoint: Checkpoint,
    /// What followed, in order.
    pub inputs: Vec<Recorded>,
}

/// The content of each whole frame of a half.
struct Half<'a> {
    number: u64,
    frames: Vec<&'a [u8]>,
}

impl Recording {
    /// Whether a file's content begins as that of a recording does.
    #[must_use]
    pub fn is_one(content: &[u8]) -> bool {
        content.starts_with(MAGIC)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn load(path: &Path) -> Result<Self, RecordingError> {
        Self::parse(&std::fs::read(path)?)
    }

    /// Reads what a file of one holds: from the older checkpoint that is whole, to the last input that is.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn parse(content: &[u8]) -> Result<Self, RecordingError> {
        let header = header(content).ok_or(RecordingError::NoRecording)?;
        let mut halves: Vec<Half<'_>> = (0..2).filter_map(|place| half(content, place, &header)).collect();
        halves.sort_by_key(|half| half.number);
        // One that is left of an earlier turn of the ring would leave a gap.
        if let [older, newer] = halves.as_slice()
            && older.number + 1 != newer.number
        {
            halves.remove(0);
        }
        let foreign = |cause| RecordingError::Foreign { version: header.version.clone(), cause };
        let mut recording: Option<Self> = None;
        for half in halves {
            let (first, inputs) = half.frames.split_first().ok_or(RecordingError::Empty)?;
            let checkpoint = parse::<Checkpoint>(first).map_err(foreign)?;
            // What a half lost of its end would be missing in between.
            let goes_on = recording.take().filter(|older| older.checkpoint.steps + older.inputs.len() as u64 == checkpoint.steps);
            let recording = recording.insert(goes_on.unwrap_or_else(|| Self { header: header.clone(), checkpoint, inputs: Vec::new() }));
            for input in inputs {
                recording.inputs.push(parse(input).map_err(foreign)?);
            }
        }
        recording.ok_or(RecordingError::Empty)
    }

    /// Takes every step once more, and shows each with what followed. Says what came of it. What followed from the last one was not recorded.
    ///
    /// # Panics
    /// Where the process did that was recorded. `before_step` is told of each step before it is taken.
    pub fn replay(self, mut before_step: impl FnMut(u64, &Recorded), mut show: impl FnMut(u64, &Recorded, &Effects, &Broker)) -> Replayed {
        let Checkpoint { mut steps, rolling: mut hash, mut broker, .. } = self.checkpoint;
        let mut effects = Effects::default();
        for recorded in self.inputs {
            if hash.value() != recorded.hash {
                return Replayed { steps, hash: hash.value(), differs_behind: Some(steps) };
            }
            take_in(&mut hash, &(recorded.hash, recorded.now, &recorded.input));
            effects.clear();
            before_step(steps + 1, &recorded);
            broker.step(recorded.now, recorded.input.clone(), &mut effects);
            steps += 1;
            show(steps, &recorded, &effects, &broker);
            take_in(&mut hash, &effects);
        }
        Replayed { steps, hash: hash.value(), differs_behind: None }
    }
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Steps that the recorded process had taken by then.
    pub steps: u64,
    /// The hash of all of them.
    pub hash: RunHash,
    /// The step behind which the hash was not the recorded one.
    pub differs_behind: Option<u64>,
}

/// Whether a file is a recording with a whole state. Only as much of it is read as tells.
pub(super) fn has_state(file: &File) -> io::Result<bool> {
    let Some(header) = header(&read(file, 0, HEADER_BYTES)?) else { return Ok(false) };
    for place in 0..2 {
        let start = start_of(place, header.half_bytes);
        let head = read(file, start, (HALF_HEAD_BYTES + FRAME_HEAD_BYTES) as u64)?;
        let Some((number, rest)) = head.split_first_chunk::<HALF_HEAD_BYTES>() else { continue };
        let Some((length, _)) = rest.split_first_chunk::<4>() else { continue };
        let bytes = (FRAME_HEAD_BYTES as u64 + u64::from(u32::from_le_bytes(*length))).min(header.half_bytes);
        let first = read(file, start + HALF_HEAD_BYTES as u64, bytes)?;
        if frame(&first).is_some_and(|frame| frame.is_of(u64::from_le_bytes(*number))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// So many bytes of a file, or as many as there are.
fn read(mut file: &File, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(bytes).read_to_end(&mut content)?;
    Ok(content)
}

fn header(content: &[u8]) -> Option<Header> {
    let line = content.strip_prefix(MAGIC)?.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(line).ok()
}

fn take_in(hash: &mut RollingHash, value: &impl serde::Serialize) {
    let bytes = postcard::to_stdvec(value).expect("it is plain data");
    hash.number(bytes.len() as u64);
    hash.bytes(&bytes);
}

fn parse<T: DeserializeOwned>(content: &[u8]) -> postcard::Result<T> {
    postcard::from_bytes(content)
}

/// The half that begins at a place.
fn half<'a>(content: &'a [u8], place: u64, header: &Header) -> Option<Half<'a>> {
    let start = usize::try_from(start_of(place, header.half_bytes)).ok()?;
    let end = start.saturating_add(usize::try_from(header.half_bytes).ok()?);
    let (number, mut rest) = content.get(start..end.min(content.len()))?.split_first_chunk::<HALF_HEAD_BYTES>()?;
    let number = u64::from_le_bytes(*number);
    let mut frames = Vec::new();
    while let Some(frame) = frame(rest).filter(|frame| frame.is_of(number)) {
        frames.push(frame.content);
        rest = rest.get(FRAME_HEAD_BYTES + frame.content.len()..)?;
    }
    (!frames.is_empty()).then_some(Half { number, frames })
}

struct Frame<'a> {
    crc: u32,
    content: &'a [u8],
}

impl Frame<'_> {
    fn is_of(&self, half: u64) -> bool {
        crc(half, self.content) == self.crc
    }
}

fn frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (of_crc, rest) = rest.split_first_chunk::<4>()?;
    let content = rest.get(..u32::from_le_bytes(*length) as usize).filter(|content| !content.is_empty())?;
    Some(Frame { crc: u32::from_le_bytes(*of_crc), content })
}
