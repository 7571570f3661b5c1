//! What clients write: records that say who wrote them, and when.
//!
//! A record's content follows from its id alone, so that whoever reads one can tell whether it is whole. The id stands in a header; keys are few,
//! so that compaction finds something to do, and some records have no value, which says that their key is gone.

use std::fmt;

use bytes::Bytes;
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchBuilder, BatchHeader, BatchProducer, Codec, HEADER_BYTES, Records, assemble};
use gracchus_core::time::Timestamp;
use gracchus_net::records::{compress, decompress};

/// A producer, for as long as it keeps its order: a new one begins where an idempotent producer gets a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session(pub u32);

/// A record: the session that wrote it, and its number within the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId {
    /// Who wrote it.
    pub session: Session,
    /// From 0, in the order of writing.
    pub number: u32,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session.0, self.number)
    }
}

/// Records that are written together: numbers from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first record.
    pub first: RecordId,
    /// How many there are.
    pub count: u32,
    /// When they were made: their timestamps lie around it.
    pub timestamp: Timestamp,
    /// How they are compressed.
    pub codec: Codec,
}

/// Timestamps of the records of a batch are so many milliseconds apart at most, in no order.
const SPREAD_MS: u32 = 40;
/// Level of the codecs that have one.
const LEVEL: i32 = 3;
/// What the header is called that says who a record is.
const ID_HEADER: &[u8] = b"id";
/// How many keys there are.
const KEYS: u64 = 24;
/// How many records have no value: one in so many.
const TOMBSTONES_ARE_ONE_IN: u64 = 12;
/// Bytes of a batch's records at most.
const RECORDS_BYTES_MAX: usize = 1 << 20;

impl Batch {
    /// Its records.
    pub fn ids(&self) -> impl Iterator<Item = RecordId> + use<> {
        let Self { first, count, .. } = *self;
        (0..count).map(move |at| RecordId { number: first.number + at, ..first })
    }

    /// Its bytes.
    #[must_use]
    pub fn build(&self, producer: Option<BatchProducer>) -> Bytes {
        let mut builder = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
        if let Some(producer) = producer {
            builder = builder.producer(producer);
        }
        for id in self.ids() {
            let value = value(id);
            let headers: &[(&[u8], Option<&[u8]>)] = &[(ID_HEADER, Some(&id.to_bytes()))];
            builder.append(record_timestamp(self.timestamp, id), Some(&[key(id)]), value.as_deref(), headers);
        }
        let (header, section) = builder.finish();
        assemble(&BatchHeader { codec: self.codec, ..header }, &compress(self.codec, LEVEL, &section))
    }
}

/// The timestamp of a record whose batch was made at `made`.
#[must_use]
pub fn record_timestamp(made: Timestamp, id: RecordId) -> Timestamp {
    Timestamp(made.0 - i64::from(id.number.wrapping_mul(17) % SPREAD_MS))
}

/// A record's key: one of a few.
#[must_use]
pub fn key(id: RecordId) -> u8 {
    u8::try_from(id.words().next().unwrap_or_default() % KEYS).expect("keys are few")
}

/// Whether a record has no value.
#[must_use]
pub fn is_tombstone(id: RecordId) -> bool {
    id.words().nth(1).unwrap_or_default().is_multiple_of(TOMBSTONES_ARE_ONE_IN)
}

fn value(id: RecordId) -> Option<Vec<u8>> {
    let mut words = id.words().skip(2);
    let length = usize::try_from(words.next().unwrap_or_default() % 24).expect("a value is short");
    (!is_tombstone(id)).then(|| words.take(length).flat_map(u64::to_be_bytes).collect())
}

impl RecordId {
    fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        let (session, number) = bytes.split_at_mut(4);
        session.copy_from_slice(&self.session.0.to_be_bytes());
        number.copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (session, number) = bytes.split_first_chunk::<4>()?;
        let number: [u8; 4] = number.try_into().ok()?;
        Some(Self { session: Session(u32::from_be_bytes(*session)), number: u32::from_be_bytes(number) })
    }

    /// What its content is made of. SplitMix64: any spread will do.
    fn words(self) -> impl Iterator<Item = u64> {
        let mut state = u64::from_be_bytes(self.to_bytes());
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        })
    }
}

/// The ids of a batch's records with their offsets, or what is wrong with one.
///
/// # Errors
/// A record that nobody could have written.
pub fn read_records(header: &BatchHeader, batch: &[u8]) -> Result<Vec<(Offset, RecordId)>, String> {
    let mut found = Vec::new();
    let section = batch.get(HEADER_BYTES..).unwrap_or_default();
    let section = decompress(header.codec, section, RECORDS_BYTES_MAX).map_err(|error| format!("{error} at {}", header.base_offset))?;
    for record in Records::new(&section) {
        let record = record.map_err(|error| format!("{error:?} in the batch at {}", header.base_offset))?;
        let offset = header.base_offset.plus(i64::from(record.offset_delta));
        let stated = record.headers.iter().find(|(name, _)| *name == ID_HEADER).and_then(|(_, id)| RecordId::parse(id?));
        let id = stated.ok_or_else(|| format!("the record at {offset} is none of ours"))?;
        if record.key != Some(&[key(id)]) || record.value != value(id).as_deref() {
            return Err(format!("the record at {offset} is not {id}"));
        }
        found.push((offset, id));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn batch(number: u32, codec: Codec) -> Batch {
        Batch { first: RecordId { session: Session(3), number }, count: 5, timestamp: Timestamp(1_000), codec }
    }

    #[test]
    fn a_batch_reads_back_as_it_was_written_however_it_is_compressed() {
        for codec in CODECS {
            let batch = batch(40, codec);
            let bytes = batch.build(None);
            let header = BatchHeader::parse(&bytes).unwrap();
            let read: Vec<RecordId> = read_records(&header, &bytes).unwrap().into_iter().map(|(_, id)| id).collect();
            assert_eq!(header.codec, codec);
            assert_eq!(read, batch.ids().collect::<Vec<_>>());
            assert_eq!(header.max_timestamp, batch.ids().map(|id| record_timestamp(batch.timestamp, id)).max().unwrap());
        }
    }

    #[test]
    fn a_record_with_a_wrong_byte_is_told() {
        let mut bytes = batch(41, Codec::None).build(None).to_vec();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        let header = BatchHeader::parse(&bytes).unwrap();
        assert!(read_records(&header, &bytes).is_err());
    }
}
