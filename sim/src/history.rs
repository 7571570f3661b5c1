//! What clients write: records that say who wrote them, and when.
//!
//! A record's content follows from its id alone, so that whoever reads one can tell whether it is whole.

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
            let (key, value) = content(id);
            builder.append(record_timestamp(self.timestamp, id), Some(&key), Some(&value), &[]);
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

/// A record's key and value.
fn content(id: RecordId) -> ([u8; 8], Vec<u8>) {
    let mut key = [0; 8];
    let (session, number) = key.split_at_mut(4);
    session.copy_from_slice(&id.session.0.to_be_bytes());
    number.copy_from_slice(&id.number.to_be_bytes());
    // SplitMix64: any spread will do.
    let mut state = u64::from_be_bytes(key);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let words = next() % 24;
    let value = (0..words).flat_map(|_| next().to_be_bytes()).collect();
    (key, value)
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
        let id = record.key.and_then(parse_key).ok_or_else(|| format!("the key at {offset} is none of ours"))?;
        let (_, value) = content(id);
        if record.value != Some(&value) {
            return Err(format!("the value at {offset} is not that of {id}"));
        }
        found.push((offset, id));
    }
    Ok(found)
}

fn parse_key(key: &[u8]) -> Option<RecordId> {
    let (session, number) = key.split_first_chunk::<4>()?;
    let number: [u8; 4] = number.try_into().ok()?;
    Some(RecordId { session: Session(u32::from_be_bytes(*session)), number: u32::from_be_bytes(number) })
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
