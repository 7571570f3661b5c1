//! The trace of a run: its last events as they went into its hash, and the hash after every so many of all events.
//!
//! Two runs that should be equal and are not differ from some event on: the hashes say between which two it lies, and the events, where they
//! are kept, which it is.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use gracchus_core::boundary::{Effects, Input};
use gracchus_core::ids::NodeId;
use gracchus_core::time::Now;
use serde::{Deserialize, Serialize};

use super::event::{Event, Step, What};
use super::{RollingHash, RunHash};
use crate::plan::Plan;
use crate::world::Ending;

/// Events from one hash that is kept to the next.
const HASH_INTERVAL: u64 = 256;

/// What the file of a trace begins with.
const HEADER: &[u8] = b"gracchus trace 1\n";

/// What an event in the hash begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Tag {
    /// A node's step: when, which node, its clocks, input and effects.
    Step,
    /// What befell the world: when, which node, what.
    Note,
}

/// The last events of a run, within a bound, and hashes of all.
#[derive(Debug, Default)]
pub struct Kept {
    bytes_max: usize,
    bytes: VecDeque<u8>,
    lengths: VecDeque<u32>,
    events: u64,
    hashes: Vec<RunHash>,
}

impl Kept {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Takes an event, and the hash of all up to it.
    pub(super) fn take(&mut self, event: &[u8], hash: &RollingHash) {
        self.events += 1;
        if self.events.is_multiple_of(HASH_INTERVAL) {
            self.hashes.push(hash.value());
        }
        let Ok(length) = u32::try_from(event.len()) else { return };
        while self.bytes.len() + event.len() > self.bytes_max {
            let Some(first) = self.lengths.pop_front() else { return };
            self.bytes.drain(..first as usize);
        }
        self.bytes.extend(event);
        self.lengths.push_back(length);
    }

    /// The number of the first event that is kept.
    fn first(&self) -> u64 {
        self.events + 1 - self.lengths.len() as u64
    }
}

/// A run, as it was recorded.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trace {
    /// What was run.
    pub plan: Plan,
    /// How it ended.
    pub ending: Ending,
    /// The run's hash.
    pub hash: RunHash,
    /// How many events there were.
    pub events: u64,
    /// The number of the first event that is kept.
    pub first: u64,
    /// The step hash after every 256 events.
    hashes: Vec<RunHash>,
    /// The events, as they were hashed.
    #[serde(skip)]
    kept: Vec<Vec<u8>>,
}

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It does not begin as a trace does.
    #[error("it is no trace")]
    NoTrace,
    /// It ends early, or has been changed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Where two traces part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parted {
    /// At this event.
    At(u64),
    /// Behind the first of these events, and with the second at the latest: what lies between is kept by one of them alone, or by none.
    Within(u64, u64),
}

impl Trace {
    /// What was recorded of a run.
    #[must_use]
    pub fn new(plan: Plan, ending: Ending, hash: RunHash, mut kept: Kept) -> Self {
        let (first, mut events) = (kept.first(), Vec::with_capacity(kept.lengths.len()));
        for length in std::mem::take(&mut kept.lengths) {
            events.push(kept.bytes.drain(..length as usize).collect());
        }
        Self { plan, ending, hash, events: kept.events, first, hashes: kept.hashes, kept: events }
    }

    /// Whether a file's content begins as that of a trace does.
    #[must_use]
    pub fn is_one(content: &[u8]) -> bool {
        content.starts_with(HEADER)
    }

    /// Writes it to a file: a line that says what it is, one of JSON with all but the events, and those, each behind its length in four bytes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let mut content = HEADER.to_vec();
        serde_json::to_writer(&mut content, self)?;
        content.push(b'\n');
        for event in &self.kept {
            let length = u32::try_from(event.len()).expect("it was taken with such a length");
            content.extend(length.to_le_bytes());
            content.extend(event);
        }
        fs::write(file, content)
    }

    /// Reads what a file of one holds.
    ///
    /// # Errors
    /// [`TraceError`].
    pub fn parse(content: &[u8]) -> Result<Self, TraceError> {
        let rest = content.strip_prefix(HEADER).ok_or(TraceError::NoTrace)?;
        let damaged = |what: &str| TraceError::Damaged(what.to_owned());
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("its second line has no end"))?;
        let (header, mut rest) = rest.split_at(end);
        let mut trace: Self = serde_json::from_slice(header).map_err(|error| TraceError::Damaged(error.to_string()))?;
        rest = rest.get(1..).unwrap_or_default();
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (event, behind) =
                behind.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| damaged("an event is cut off"))?;
            trace.kept.push(event.to_vec());
            rest = behind;
        }
        let is_whole = rest.is_empty() && trace.events.checked_sub(trace.kept.len() as u64) == trace.first.checked_sub(1);
        if is_whole { Ok(trace) } else { Err(damaged("events are missing")) }
    }

    /// The events that are kept. What changed of a node's standing is not among what they say.
    ///
    /// # Errors
    /// One does not decode: it was recorded by another build.
    pub fn events(&self) -> impl Iterator<Item = Result<Event, TraceError>> {
        let damaged = |number: u64, error: postcard::Error| TraceError::Damaged(format!("event {number}: {error}"));
        self.kept.iter().zip(self.first..).map(move |(bytes, number)| decode(number, bytes).map_err(|error| damaged(number, error)))
    }

    /// Where it parts from another, if it does.
    #[must_use]
    pub fn parts_from(&self, other: &Self) -> Option<Parted> {
        if (self.events, self.hash) == (other.events, other.hash) {
            return None;
        }
        // The first hash that differs: equal ones stand before it.
        let equal = self.hashes.iter().zip(&other.hashes).take_while(|(one, other)| one == other).count() as u64;
        let after = equal * HASH_INTERVAL;
        let shorter = self.events.min(other.events);
        let at_latest = (after + HASH_INTERVAL).min(shorter + 1);
        // The last event behind which one that is not kept by both may differ.
        let mut behind = None;
        for number in after + 1..=shorter.min(after + HASH_INTERVAL) {
            match (self.kept_event(number), other.kept_event(number)) {
                (Some(one), Some(two)) if one == two => {}
                (Some(_), Some(_)) => return Some(behind.map_or(Parted::At(number), |behind| Parted::Within(behind, number))),
                _ => behind = behind.or(Some(number - 1)),
            }
        }
        if let Some(behind) = behind {
            return Some(Parted::Within(behind, at_latest));
        }
        if self.events != other.events {
            return Some(Parted::At(shorter + 1));
        }
        // What is left are draws and disks, of which a trace knows the last state alone.
        Some(Parted::At(shorter))
    }

    fn kept_event(&self, number: u64) -> Option<&[u8]> {
        self.kept.get(usize::try_from(number.checked_sub(self.first)?).ok()?).map(Vec::as_slice)
    }
}

/// The event of that number that was written so.
pub(super) fn decode(number: u64, bytes: &[u8]) -> postcard::Result<Event> {
    let (tag, rest) = postcard::take_from_bytes(bytes)?;
    let event = |nanos, what| Event { number, at: Duration::from_nanos(nanos), what };
    match tag {
        Tag::Step => {
            let (nanos, node, now, input, effects): (u64, NodeId, Now, Input, Effects) = postcard::from_bytes(rest)?;
            Ok(event(nanos, What::Step(Box::new(Step { node, now, input, effects, changed: Vec::new() }))))
        }
        Tag::Note => {
            let (nanos, node, text): (u64, Option<NodeId>, String) = postcard::from_bytes(rest)?;
            Ok(event(nanos, What::Note { node, text }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of so many events, of which `odd` is another than usual, and of which so many bytes are kept.
    fn trace(events: u64, odd: Option<u64>, bytes_max: usize) -> Trace {
        let (mut kept, mut hash) = (Kept::new(bytes_max), RollingHash::default());
        for number in 1..=events {
            let event = postcard::to_stdvec(&(Tag::Note, number, None::<NodeId>, if odd == Some(number) { "b" } else { "a" })).unwrap();
            hash.bytes(&event);
            kept.take(&event, &hash);
        }
        Trace::new(Plan::draw_for(1, 1), Ending::Clean, hash.value(), kept)
    }

    #[test]
    fn the_last_events_are_kept_and_numbered_as_they_were() {
        let all = trace(1_000, None, 1 << 20);
        assert_eq!((all.first, all.events().count()), (1, 1_000));
        let last = trace(1_000, None, 700);
        let kept: Vec<Event> = last.events().map(Result::unwrap).collect();
        assert!(kept.len() < 200 && kept.first().unwrap().number == last.first, "{}", kept.len());
        assert_eq!(kept.last().unwrap().at, Duration::from_nanos(1_000));
    }

    #[test]
    fn two_traces_part_at_the_first_event_that_differs_as_far_as_it_is_kept() {
        let (whole, short) = (1 << 20, 700);
        assert_eq!(trace(1_000, None, whole).parts_from(&trace(1_000, None, short)), None);
        assert_eq!(trace(1_000, None, whole).parts_from(&trace(1_000, Some(700), whole)), Some(Parted::At(700)));
        assert_eq!(trace(1_000, None, whole).parts_from(&trace(1_000, Some(990), short)), Some(Parted::Within(768, 990)));
        assert_eq!(trace(1_000, None, short).parts_from(&trace(1_000, Some(990), 3_000)), Some(Parted::Within(768, 990)));
        assert_eq!(trace(1_000, None, 3_000).parts_from(&trace(1_000, Some(990), 3_000)), Some(Parted::At(990)));
        assert_eq!(trace(1_000, None, short).parts_from(&trace(1_000, Some(300), whole)), Some(Parted::Within(256, 512)));
        assert_eq!(trace(1_000, None, whole).parts_from(&trace(900, None, whole)), Some(Parted::At(901)));
    }

    #[test]
    fn a_trace_is_read_back_from_its_file_and_one_that_is_cut_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        trace(300, None, 700).save(file.path()).unwrap();
        let content = fs::read(file.path()).unwrap();
        assert!(Trace::is_one(&content));
        let read = Trace::parse(&content).unwrap();
        assert_eq!(read.parts_from(&trace(300, None, 700)), None);
        assert_eq!(read.events().count(), trace(300, None, 700).events().count());
        assert!(matches!(Trace::parse(&content[..content.len() - 2]), Err(TraceError::Damaged(_))));
        assert!(matches!(Trace::parse(b"{}"), Err(TraceError::NoTrace)));
    }
}
