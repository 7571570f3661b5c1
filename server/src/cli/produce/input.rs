//! Lines, and what they say of records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;

use serde::Deserialize;
use tokio::sync::mpsc;

use super::super::error::CliError;
use super::super::text::{JsonBytes, Separator};

const READ_BYTES: usize = 1 << 20;

/// Records handed over at once, and how many times that may wait to be sent.
const CHUNK_RECORDS: usize = 1024;
const CHUNKS_WAITING: usize = 8;

/// How a line is a record.
#[derive(Clone, Debug)]
pub(super) enum Format {
    /// The line is the value, or key and value.
    Lines {
        /// What stands between key and value.
        key_separator: Option<Separator>,
    },
    /// A JSON object.
    Json,
}

/// A record as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InputRecord {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

/// Some records, or what stops the reading.
pub(super) type Chunk = Result<Vec<InputRecord>, CliError>;

/// Reads records on a thread of its own, since files and terminals block.
pub(super) fn read(file: Option<&Path>, format: Format) -> Result<mpsc::Receiver<Chunk>, CliError> {
    let (source, name): (Box<dyn Read + Send>, String) = match file {
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| CliError::failure(format!("{name} can't be read: {error}")))?;
            (Box::new(file), name)
        }
        None => (Box::new(io::stdin()), "standard input".to_owned()),
    };
    let (chunks, receiver) = mpsc::channel(CHUNKS_WAITING);
    let reading = thread::Builder::new().name("input".to_owned()).spawn(move || {
        let ended = read_chunks(BufReader::with_capacity(READ_BYTES, source), &format, &name, &chunks);
        if let Err(error) = ended {
            // Where nobody listens any more, the sending side has failed and says so itself.
            let _ = chunks.blocking_send(Err(error));
        }
    });
    reading.map_err(|error| CliError::failure(format!("no thread can be started for reading: {error}")))?;
    Ok(receiver)
}

fn read_chunks(mut source: BufReader<impl Read>, format: &Format, name: &str, chunks: &mpsc::Sender<Chunk>) -> Result<(), CliError> {
    let mut chunk = Vec::with_capacity(CHUNK_RECORDS);
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        let length = source.read_until(b'\n', &mut line).map_err(|error| CliError::failure(format!("{name} can't be read: {error}")))?;
        if length > 0 {
            number += 1;
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            chunk.push(format.parse(text).map_err(|wrong| CliError::failure(format!("{name}, line {number}: {wrong}")))?);
        }
        // The next read may block: what is there goes first.
        let is_due = chunk.len() == CHUNK_RECORDS || source.buffer().is_empty();
        if is_due && !chunk.is_empty() && chunks.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
            return Ok(());
        }
        if length == 0 {
            return Ok(());
        }
    }
}

impl Format {
    fn parse(&self, line: &[u8]) -> Result<InputRecord, String> {
        match self {
            Self::Lines { key_separator: None } => Ok(InputRecord { value: Some(line.to_vec()), ..InputRecord::default() }),
            Self::Lines { key_separator: Some(Separator(separator)) } => {
                let at = line.windows(separator.len()).position(|window| window == separator.as_slice());
                let (key, rest) = at.map(|at| line.split_at(at)).ok_or("there is no key separator in it")?;
                let value = rest.get(separator.len()..).expect("the separator was found there");
                Ok(InputRecord { key: Some(key.to_vec()), value: Some(value.to_vec()), ..InputRecord::default() })
            }
            Self::Json => JsonRecord::parse(line),
        }
    }
}

/// A line of JSON. What `gracchus consume --json` says beyond a record is taken and not used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRecord {
    #[serde(default)]
    key: Option<JsonBytes>,
    value: Option<JsonBytes>,
    #[serde(default)]
    headers: Vec<(JsonBytes, Option<JsonBytes>)>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default, rename = "topic")]
    _topic: Option<String>,
    #[serde(default, rename = "offset")]
    _offset: Option<i64>,
}

impl JsonRecord {
    fn parse(line: &[u8]) -> Result<InputRecord, String> {
        let record: Self = serde_json::from_slice(line).map_err(|error| format!("this is no record: {error}"))?;
        let headers = record.headers.into_iter().map(|(key, value)| Ok((key.into_bytes()?, value.map(JsonBytes::into_bytes).transpose()?)));
        Ok(InputRecord {
            key: record.key.map(JsonBytes::into_bytes).transpose()?,
            value: record.value.map(JsonBytes::into_bytes).transpose()?,
            headers: headers.collect::<Result<_, String>>()?,
            partition: record.partition,
            timestamp: record.timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Option<&str>, value: Option<&str>) -> InputRecord {
        let bytes = |text: &str| text.as_bytes().to_vec();
        InputRecord { key: key.map(bytes), value: value.map(bytes), ..InputRecord::default() }
    }

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let format = Format::Lines { key_separator: Some(Separator(b"::".to_vec())) };
        assert_eq!(format.parse(b"k::v::w"), Ok(record(Some("k"), Some("v::w"))));
        assert_eq!(format.parse(b"::"), Ok(record(Some(""), Some(""))));
        assert!(format.parse(b"k:v").is_err());
    }

    #[test]
    fn a_line_of_json_says_all_there_is_to_a_record() {
        let line =
            br#"{"key":{"base64":"/w=="},"value":null,"headers":[["h","x"],["h",null]],"partition":2,"timestamp":7,"topic":"t","offset":9}"#;
        let expected = InputRecord {
            key: Some(vec![0xff]),
            value: None,
            headers: vec![(b"h".to_vec(), Some(b"x".to_vec())), (b"h".to_vec(), None)],
            partition: Some(2),
            timestamp: Some(7),
        };
        assert_eq!(Format::Json.parse(line), Ok(expected));
        assert_eq!(Format::Json.parse(br#"{"value":"v"}"#), Ok(record(None, Some("v"))));
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(Format::Json.parse(br#"{"value":"v","kye":"k"}"#).is_err());
        assert!(Format::Json.parse(b"v").is_err());
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let (chunks, mut receiver) = mpsc::channel(8);
        read_chunks(BufReader::new(&b"one\n\ntwo"[..]), &Format::Lines { key_separator: None }, "test", &chunks).unwrap();
        drop(chunks);
        let mut values = Vec::new();
        while let Some(chunk) = receiver.blocking_recv() {
            values.extend(chunk.unwrap().into_iter().map(|record| record.value.unwrap()));
        }
        assert_eq!(values, [&b"one"[..], b"", b"two"]);
    }
}
