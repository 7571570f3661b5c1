//! What a dump shows, in columns or as JSON lines.

use std::fmt::Write as _;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gracchus_core::metadata::{Image, MetadataRecord, MetadataSnapshot};
use gracchus_core::record::{BatchHeader, ControlRecord, Record, Records, TimestampType};
use serde::Serialize;

use super::super::batch;
use super::super::error::CliError;
use super::super::text::{JsonBytes, show_timestamp};
use super::index::IndexKind;

/// Writes a dump and counts what is wrong.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    only_problems: bool,
    with_records: bool,
    file: PathBuf,
    has_columns: bool,
    batches: u64,
    records: u64,
    problems: u64,
    first_problem: Option<String>,
    out: BufWriter<StdoutLock<'static>>,
}

#[derive(Debug, Serialize)]
struct JsonBatch<'a> {
    file: &'a Path,
    position: u64,
    base_offset: i64,
    last_offset: i64,
    records: i32,
    bytes: u32,
    leader_epoch: i32,
    codec: String,
    timestamp_type: &'static str,
    base_timestamp: i64,
    max_timestamp: i64,
    crc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<JsonProducer>,
    transactional: bool,
    control: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<JsonRecord>>,
}

#[derive(Debug, Serialize)]
struct JsonProducer {
    id: i64,
    epoch: i16,
    base_sequence: i32,
}

#[derive(Debug, Serialize)]
struct JsonRecord {
    offset: i64,
    timestamp: i64,
    key: Option<JsonBytes>,
    value: Option<JsonBytes>,
    headers: Vec<(JsonBytes, Option<JsonBytes>)>,
}

#[derive(Debug, Serialize)]
struct JsonRemark<'a> {
    file: &'a Path,
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonIndexEntry<'a> {
    file: &'a Path,
    position: u64,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    points_to: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
}

#[derive(Debug, Serialize)]
struct JsonSnapshot<'a> {
    file: &'a Path,
    end_offset: i64,
    leader_epoch: i32,
    brokers: usize,
    topics: usize,
    partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<String>>,
}

impl Report {
    /// Nothing shown yet.
    pub(super) fn new(json: bool, only_problems: bool, with_records: bool) -> Self {
        Self {
            json,
            only_problems,
            with_records,
            file: PathBuf::new(),
            has_columns: false,
            batches: 0,
            records: 0,
            problems: 0,
            first_problem: None,
            out: BufWriter::new(io::stdout().lock()),
        }
    }

    /// What follows is of this file.
    pub(super) fn start_file(&mut self, path: &Path) -> Result<(), CliError> {
        path.clone_into(&mut self.file);
        self.has_columns = false;
        if self.json || self.only_problems { Ok(()) } else { self.line(&path.display().to_string()) }
    }

    /// Shows a batch.
    pub(super) fn batch(&mut self, position: u64, header: &BatchHeader, bytes: &Bytes) -> Result<(), CliError> {
        self.batches += 1;
        self.records += u64::from(header.record_count.unsigned_abs());
        if self.only_problems {
            return Ok(());
        }
        // What does not decompress has been told of by whoever checked it.
        let section = if self.with_records { batch::open(header, bytes).ok() } else { None };
        if self.json {
            let entries = section
                .map(|section| Records::new(&section).filter_map(|record| record.ok().map(|record| json_record(header, &record))).collect());
            return write_json(&mut self.out, &json_batch(&self.file, position, header, entries));
        }
        if !self.has_columns {
            self.has_columns = true;
            let columns = format!(
                "  {:>10} {:>12} {:>12} {:>8} {:>9} {:<6} {:>5} {:<24}  {}",
                "POSITION", "FIRST", "LAST", "RECORDS", "BYTES", "CODEC", "EPOCH", "MAX TIMESTAMP", "PRODUCER"
            );
            self.line(&columns)?;
        }
        self.line(&batch_line(position, header))?;
        if let Some(section) = section {
            for record in Records::new(&section).map_while(Result::ok) {
                self.line(&record_line(header, &record))?;
            }
        }
        Ok(())
    }

    /// Shows a snapshot of the cluster's metadata, and the records that would lead to it.
    pub(super) fn snapshot(&mut self, snapshot: &MetadataSnapshot) -> Result<(), CliError> {
        if self.only_problems {
            return Ok(());
        }
        let MetadataSnapshot { id, image } = snapshot;
        let (brokers, topics) = (image.brokers.len(), image.topics.len());
        let partitions = image.topics.values().map(|topic| topic.partitions.len()).sum();
        let records: Vec<MetadataRecord> = if self.with_records { Image::default().difference(image) } else { Vec::new() };
        let entries = records.iter().map(|record| format!("{record:?}"));
        if self.json {
            let (end_offset, leader_epoch) = (id.end_offset.0, id.leader_epoch.0);
            let entries = self.with_records.then(|| entries.collect());
            let document = JsonSnapshot { file: &self.file, end_offset, leader_epoch, brokers, topics, partitions, entries };
            return write_json(&mut self.out, &document);
        }
        let (end_offset, leader_epoch) = (id.end_offset, id.leader_epoch);
        self.line(&format!(
            "  the metadata below offset {end_offset}, the last of epoch {leader_epoch}: {brokers} brokers, {topics} topics, {partitions} partitions"
        ))?;
        for entry in entries {
            self.line(&format!("    {entry}"))?;
        }
        Ok(())
    }

    /// Shows an entry of an index.
    pub(super) fn index_entry(&mut self, position: u64, kind: IndexKind, offset: i64, value: i64) -> Result<(), CliError> {
        if self.only_problems {
            return Ok(());
        }
        if self.json {
            let (points_to, timestamp) = match kind {
                IndexKind::Offset => (Some(value), None),
                IndexKind::Time => (None, Some(value)),
            };
            return write_json(&mut self.out, &JsonIndexEntry { file: &self.file, position, offset, points_to, timestamp });
        }
        self.line(&match kind {
            IndexKind::Offset => format!("  offset {offset} by position {value}"),
            IndexKind::Time => format!("  time {} by offset {offset}", show_timestamp(value)),
        })
    }

    /// Remarks on what is not wrong.
    pub(super) fn note(&mut self, position: u64, note: &str) -> Result<(), CliError> {
        if self.only_problems {
            return Ok(());
        }
        if self.json {
            return write_json(&mut self.out, &JsonRemark { file: &self.file, position, problem: None, note: Some(note) });
        }
        self.line(&format!("  {position:>10} {note}"))
    }

    /// Tells what is wrong.
    pub(super) fn problem(&mut self, position: u64, problem: &str) -> Result<(), CliError> {
        self.problems += 1;
        let place = format!("{}, position {position}: {problem}", self.file.display());
        self.first_problem.get_or_insert(place.clone());
        if self.json {
            return write_json(&mut self.out, &JsonRemark { file: &self.file, position, problem: Some(problem), note: None });
        }
        self.line(&format!("CORRUPT {place}"))
    }

    /// Sums up; an error if something is wrong.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        if !self.json {
            let (batches, records) = (self.batches, self.records);
            let counted = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
            let (batches, records) = (counted(batches, "batch", "batches"), counted(records, "record", "records"));
            self.line(&format!("{batches}, {records}, {}", counted(self.problems, "problem", "problems")))?;
        }
        self.out.flush().map_err(CliError::output)?;
        match (self.first_problem, self.problems) {
            (None, _) => Ok(()),
            (Some(first), 1) => Err(CliError::failure(first)),
            (Some(first), problems) => Err(CliError::failure(format!("{first} (the first of {problems} problems)"))),
        }
    }

    fn line(&mut self, line: &str) -> Result<(), CliError> {
        writeln!(self.out, "{line}").map_err(CliError::output)
    }
}

fn write_json(out: &mut impl Write, document: &impl Serialize) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, document).map_err(|error| CliError::output(error.into()))?;
    out.write_all(b"\n").map_err(CliError::output)
}

fn codec_name(header: &BatchHeader) -> String {
    format!("{:?}", header.codec).to_lowercase()
}

fn timestamp_of(header: &BatchHeader, record: &Record<'_>) -> i64 {
    match header.timestamp_type {
        TimestampType::CreateTime => header.base_timestamp.0.saturating_add(record.timestamp_delta),
        TimestampType::LogAppendTime => header.max_timestamp.0,
    }
}

fn batch_line(position: u64, header: &BatchHeader) -> String {
    let mut line = format!(
        "  {position:>10} {:>12} {:>12} {:>8} {:>9} {:<6} {:>5} {:<24}  ",
        header.base_offset.0,
        header.last_offset().0,
        header.record_count,
        header.batch_bytes,
        codec_name(header),
        header.leader_epoch.0,
        show_timestamp(header.max_timestamp.0)
    );
    match header.producer {
        Some(producer) => {
            let _ = write!(line, "{} epoch {} from sequence {}", producer.id, producer.epoch.0, producer.base_sequence);
        }
        None => line.push('-'),
    }
    for (is_so, word) in [
        (header.is_transactional, "transactional"),
        (header.is_control, "control"),
        (header.timestamp_type == TimestampType::LogAppendTime, "append time"),
    ] {
        if is_so {
            line.push_str(", ");
            line.push_str(word);
        }
    }
    line
}

fn record_line(header: &BatchHeader, record: &Record<'_>) -> String {
    let offset = header.base_offset.plus(i64::from(record.offset_delta));
    let mut line = format!("    {offset} {}", show_timestamp(timestamp_of(header, record)));
    if header.is_control
        && let Ok(control) = ControlRecord::parse(record)
    {
        let _ = write!(line, " {control:?}");
        return line;
    }
    let _ = write!(line, " key={} value={}", show_bytes(record.key), show_bytes(record.value));
    for (key, value) in record.headers.iter() {
        let _ = write!(line, " header {}={}", show_bytes(Some(key)), show_bytes(value));
    }
    line
}

/// Text in quotes, other bytes in hexadecimal.
fn show_bytes(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|symbol| symbol.is_control() && !symbol.is_whitespace()) => format!("{text:?}"),
        Ok(_) | Err(_) => bytes.iter().fold("0x".to_owned(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    }
}

fn json_batch<'a>(file: &'a Path, position: u64, header: &BatchHeader, entries: Option<Vec<JsonRecord>>) -> JsonBatch<'a> {
    JsonBatch {
        file,
        position,
        base_offset: header.base_offset.0,
        last_offset: header.last_offset().0,
        records: header.record_count,
        bytes: header.batch_bytes,
        leader_epoch: header.leader_epoch.0,
        codec: codec_name(header),
        timestamp_type: match header.timestamp_type {
            TimestampType::CreateTime => "create",
            TimestampType::LogAppendTime => "append",
        },
        base_timestamp: header.base_timestamp.0,
        max_timestamp: header.max_timestamp.0,
        crc: format!("{:#010x}", header.crc),
        producer: header.producer.map(|producer| JsonProducer {
            id: producer.id.0,
            epoch: producer.epoch.0,
            base_sequence: producer.base_sequence,
        }),
        transactional: header.is_transactional,
        control: header.is_control,
        entries,
    }
}

fn json_record(header: &BatchHeader, record: &Record<'_>) -> JsonRecord {
    JsonRecord {
        offset: header.base_offset.plus(i64::from(record.offset_delta)).0,
        timestamp: timestamp_of(header, record),
        key: record.key.map(JsonBytes::from_bytes),
        value: record.value.map(JsonBytes::from_bytes),
        headers: record.headers.iter().map(|(key, value)| (JsonBytes::from_bytes(key), value.map(JsonBytes::from_bytes))).collect(),
    }
}
