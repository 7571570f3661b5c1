//! The records that go through the broker: files cut into parts of many sizes.

use std::sync::OnceLock;

use bytes::Bytes;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

use crate::input::{File, files};

/// How many partitions the records go to.
pub(crate) const PARTITIONS: i32 = 3;

/// When the first record was made, or says so.
pub(crate) const FIRST_MS: i64 = 1_600_000_000_000;

/// How long after each group of records the next was made.
pub(crate) const STEP_MS: usize = 1_000;

/// How many records, over all partitions, have one timestamp.
const RECORDS_A_STEP: usize = 5;

/// The lengths that files are cut into, by turns.
const PART_BYTES: [usize; 8] = [100, 1_000, 17, 10_000, 300, 3_000, 1, 700];

/// What a client knows of a record.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
    pub(crate) timestamp_ms: i64,
}

impl Record {
    /// One without headers or a key.
    pub(crate) fn plain(value: impl Into<Bytes>, timestamp_ms: i64) -> Self {
        Self { key: None, value: Some(value.into()), headers: Vec::new(), timestamp_ms }
    }

    pub(crate) fn received(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice))).collect(),
            timestamp_ms: message.timestamp().to_millis().unwrap(),
        }
    }

    pub(crate) fn headers_to_send(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }))
    }
}

/// The records of each partition, in their order.
pub(crate) type Partitions = Vec<Vec<Record>>;

/// The files as records: those of a file go to one partition, the first has the path as its key, and a record without a value ends them.
pub(crate) fn file_records() -> &'static Partitions {
    static RECORDS: OnceLock<Partitions> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let mut partitions: Partitions = (0..PARTITIONS).map(|_| Vec::new()).collect();
        let mut timestamps_ms = (FIRST_MS..).step_by(STEP_MS).flat_map(|ms| [ms; RECORDS_A_STEP]);
        let mut turn = (0..partitions.len()).cycle();
        for file in files() {
            let partition = turn.next().and_then(|turn| partitions.get_mut(turn)).unwrap();
            partition.extend(records_of(file).zip(&mut timestamps_ms).map(|(record, timestamp_ms)| Record { timestamp_ms, ..record }));
        }
        partitions
    })
}

/// A file's records, all made in 1970.
fn records_of(mut file: File) -> impl Iterator<Item = Record> {
    let path = Bytes::from(file.path);
    let mut parts: Vec<Option<Bytes>> = Vec::new();
    for bytes in PART_BYTES.into_iter().cycle() {
        if file.content.is_empty() {
            break;
        }
        parts.push(Some(file.content.split_to(bytes.min(file.content.len()))));
    }
    parts.push(None);
    parts.into_iter().zip(0_u32..).map(move |(value, part)| Record {
        key: (part == 0 || value.is_none()).then(|| path.clone()),
        value,
        headers: headers(&path, part),
        timestamp_ms: 0,
    })
}

/// None, or some of all kinds: text, bytes, nothing, no value at all, and the same name twice.
fn headers(path: &Bytes, part: u32) -> Vec<(String, Option<Bytes>)> {
    if part % 3 == 2 {
        return Vec::new();
    }
    let part = Bytes::copy_from_slice(&part.to_be_bytes());
    let values =
        [("file", Some(path.clone())), ("part", Some(part)), ("empty", Some(Bytes::new())), ("none", None), ("file", Some("again".into()))];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}
