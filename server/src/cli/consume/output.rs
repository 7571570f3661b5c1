//! Records as lines.

use std::io::{self, BufWriter, StdoutLock, Write};

use gracchus_core::record::{BatchHeader, Record, Records, TimestampType, check_crc};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::super::batch;
use super::super::error::CliError;
use super::super::text::{JsonBytes, Separator};
use super::reader::Fetched;

const BUFFER_BYTES: usize = 256 << 10;

/// What a line is.
#[derive(Clone, Debug)]
pub(super) enum Style {
    /// A record's value, with its key before it where a separator is given.
    Lines {
        /// Between key and value.
        key_separator: Option<Separator>,
    },
    /// All there is to a record.
    Json,
}

/// Writes records to standard output.
#[derive(Debug)]
pub(super) struct Output {
    topic: String,
    style: Style,
    remaining: Option<u64>,
    out: BufWriter<StdoutLock<'static>>,
}

#[derive(Debug, Serialize)]
struct JsonRecord<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<JsonBytes>,
    value: Option<JsonBytes>,
    headers: Vec<(JsonBytes, Option<JsonBytes>)>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    partition: i32,
    offset: i64,
    timestamp: i64,
}

impl Output {
    /// At most `count` records.
    pub(super) fn new(topic: &str, style: Style, count: Option<u64>) -> Self {
        let out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        Self { topic: topic.to_owned(), style, remaining: count, out }
    }

    /// Whether there is to be no more.
    pub(super) fn is_complete(&self) -> bool {
        self.remaining == Some(0)
    }

    /// Writes those records of what was read that lie in its range.
    pub(super) fn write(&mut self, fetched: &Fetched) -> Result<(), CliError> {
        for (header, bytes) in &fetched.batches {
            if header.is_control {
                continue;
            }
            let place = format!("{}-{}: the batch at offset {}", self.topic, fetched.partition, header.base_offset);
            let corrupt = |wrong: String| CliError::failure(format!("{place} is corrupt: {wrong}"));
            check_crc(bytes).map_err(|wrong| corrupt(wrong.to_string()))?;
            let section = batch::open(header, bytes).map_err(|wrong| corrupt(wrong.to_string()))?;
            for record in Records::new(&section) {
                let record = record.map_err(|wrong| corrupt(wrong.to_string()))?;
                let place = Place::of(fetched.partition, header, &record);
                if self.is_complete() {
                    return Ok(());
                }
                if fetched.range.contains(&place.offset) {
                    self.write_record(place, &record).map_err(CliError::output)?;
                    self.remaining = self.remaining.map(|remaining| remaining - 1);
                }
            }
        }
        Ok(())
    }

    /// Shows what was written, and ends where nobody reads it: `consume --follow | head` would not see that by writing alone.
    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(CliError::output)?;
        let mut watched = [PollFd::new(self.out.get_ref(), PollFlags::empty())];
        let polled = poll(&mut watched, Some(&Timespec::default()));
        let is_gone = polled.is_ok() && watched.iter().any(|out| out.revents().contains(PollFlags::ERR));
        if is_gone { Err(CliError::BrokenPipe) } else { Ok(()) }
    }

    fn write_record(&mut self, place: Place, record: &Record<'_>) -> io::Result<()> {
        match &self.style {
            Style::Lines { key_separator } => {
                if let Some(Separator(separator)) = key_separator {
                    self.out.write_all(record.key.unwrap_or_default())?;
                    self.out.write_all(separator)?;
                }
                self.out.write_all(record.value.unwrap_or_default())?;
            }
            Style::Json => {
                let headers = record.headers.iter().map(|(key, value)| (JsonBytes::from_bytes(key), value.map(JsonBytes::from_bytes)));
                let line = JsonRecord {
                    topic: &self.topic,
                    partition: place.partition,
                    offset: place.offset,
                    timestamp: place.timestamp,
                    key: record.key.map(JsonBytes::from_bytes),
                    value: record.value.map(JsonBytes::from_bytes),
                    headers: headers.collect(),
                };
                serde_json::to_writer(&mut self.out, &line)?;
            }
        }
        self.out.write_all(b"\n")
    }
}

impl Place {
    fn of(partition: i32, header: &BatchHeader, record: &Record<'_>) -> Self {
        let timestamp = match header.timestamp_type {
            TimestampType::CreateTime => header.base_timestamp.0.saturating_add(record.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp.0,
        };
        Self { partition, offset: header.base_offset.plus(i64::from(record.offset_delta)).0, timestamp }
    }
}
