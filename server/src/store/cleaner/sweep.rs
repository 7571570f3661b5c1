//! What compaction leaves of a batch.

use bytes::Bytes;
use gracchus_core::boundary::StorageError;
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, Codec, Fate, HEADER_BYTES, Record, Records, Remainder, TimestampType, assemble, retain_records};
use gracchus_core::time::Timestamp;
use gracchus_net::limits::DECOMPRESSED_BYTES_MAX;
use gracchus_net::records::{compress, decompress};

use super::keys::Keys;
use crate::store::failure;

/// By what records are judged.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    /// The latest record of each key.
    pub(super) keys: &'a Keys,
    /// Last offsets of batches that stay, ascending.
    pub(super) kept_batches: &'a [Offset],
    /// The time of day.
    pub(super) now: Timestamp,
    /// How long what has no value stays.
    pub(super) delete_retention_ms: i64,
}

/// What is left of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It, as it was.
    Unchanged,
    /// This.
    Changed(BatchHeader, Bytes),
    /// Nothing.
    Nothing,
}

impl Sweep<'_> {
    /// Judges a batch.
    ///
    /// # Errors
    /// When its records are not what the header says.
    pub(super) fn apply(&self, header: &BatchHeader, batch: &Bytes) -> Result<Left, StorageError> {
        if header.is_control || header.is_transactional {
            // There are no transactions yet whose outcome would tell.
            return Ok(Left::Unchanged);
        }
        let is_kept = self.kept_batches.binary_search(&header.last_offset()).is_ok() && header.producer.is_some();
        let section = section_of(header, batch)?;
        let horizon = Timestamp(self.now.0.saturating_add(self.delete_retention_ms));
        let left = retain_records(header, &section, horizon, |offset, record| self.fate(header, offset, record));
        match left.map_err(|error| corrupt(header, &error))? {
            Remainder::All if header.record_count > 0 || is_kept => Ok(Left::Unchanged),
            Remainder::Some(header, section) => Ok(changed(&header, &compress(header.codec, level(header.codec), &section))),
            Remainder::Nothing if is_kept => {
                // A retry is answered with the time of the append, where the broker's counts.
                let max_timestamp = match header.timestamp_type {
                    TimestampType::CreateTime => Timestamp::NONE,
                    TimestampType::LogAppendTime => header.max_timestamp,
                };
                Ok(changed(
                    &BatchHeader { codec: Codec::None, record_count: 0, base_timestamp: Timestamp::NONE, max_timestamp, ..*header },
                    &[],
                ))
            }
            Remainder::All | Remainder::Nothing => Ok(Left::Nothing),
        }
    }

    fn fate(&self, header: &BatchHeader, offset: Offset, record: &Record<'_>) -> Fate {
        // One without a key was written before the topic was compacted: nobody can ask for it.
        let Some(key) = record.key else { return Fate::Goes };
        if self.keys.latest(key).is_some_and(|latest| offset < latest) {
            return Fate::Goes;
        }
        if record.value.is_some() {
            return Fate::Stays;
        }
        if header.has_delete_horizon && header.base_timestamp < self.now { Fate::Goes } else { Fate::StaysForNow }
    }
}

/// Notes a batch's records with their keys.
///
/// # Errors
/// When its records are not what the header says.
pub(super) fn note(keys: &mut Keys, header: &BatchHeader, batch: &Bytes, from: Offset) -> Result<(), StorageError> {
    if header.is_control || header.record_count == 0 {
        return Ok(());
    }
    // Room was made for as many as the header counts, and nobody need have looked into a compressed batch before.
    let (mut count, mut last_offset_delta) = (0, -1);
    for record in Records::new(&section_of(header, batch)?) {
        let record = record.map_err(|error| corrupt(header, &error))?;
        count += 1;
        if count > header.record_count || record.offset_delta <= last_offset_delta || record.offset_delta > header.last_offset_delta {
            return Err(failure::corrupt(format!("the batch at offset {} does not hold the records that it counts", header.base_offset)));
        }
        last_offset_delta = record.offset_delta;
        let offset = header.base_offset.plus(i64::from(record.offset_delta));
        if let Some(key) = record.key.filter(|_| offset >= from) {
            keys.put(key, offset);
        }
    }
    Ok(())
}

fn section_of(header: &BatchHeader, batch: &Bytes) -> Result<Bytes, StorageError> {
    let section = batch.slice(HEADER_BYTES.min(batch.len())..);
    if header.codec == Codec::None || header.record_count == 0 {
        return Ok(section);
    }
    decompress(header.codec, &section, DECOMPRESSED_BYTES_MAX).map_err(|error| corrupt(header, &error))
}

fn changed(header: &BatchHeader, section: &[u8]) -> Left {
    let batch = assemble(header, section);
    Left::Changed(BatchHeader::parse(&batch).expect("it was just made"), batch)
}

/// The codecs' own defaults.
fn level(codec: Codec) -> i32 {
    match codec {
        Codec::Gzip => -1,
        Codec::Zstd => 3,
        Codec::None | Codec::Snappy | Codec::Lz4 => 0,
    }
}

fn corrupt(header: &BatchHeader, error: &impl std::fmt::Debug) -> StorageError {
    failure::corrupt(format!("the batch at offset {}: {error:?}", header.base_offset))
}

#[cfg(test)]
mod tests {
    use gracchus_core::epoch::{LeaderEpoch, ProducerEpoch};
    use gracchus_core::ids::ProducerId;
    use gracchus_core::record::{BatchBuilder, BatchProducer};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn batch(base: i64, records: &[(&str, Option<&str>)], producer: Option<i64>, codec: Codec) -> (BatchHeader, Bytes) {
        let mut builder = BatchBuilder::new(Offset(base), LeaderEpoch(1));
        if let Some(id) = producer {
            builder = builder.producer(BatchProducer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence: 3 });
        }
        for (key, value) in records {
            builder.append(Timestamp(NOW.0 - 10), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        let (header, section) = builder.finish();
        let batch = assemble(&BatchHeader { codec, ..header }, &compress(codec, 3, &section));
        (BatchHeader::parse(&batch).unwrap(), batch)
    }

    fn keys(batches: &[&(BatchHeader, Bytes)]) -> Keys {
        let mut keys = Keys::new(100, 1 << 20, &[1; 16]);
        for (header, bytes) in batches {
            assert!(keys.has_room_for(usize::try_from(header.record_count).unwrap()));
            note(&mut keys, header, bytes, Offset(0)).unwrap();
        }
        keys
    }

    fn sweep<'a>(keys: &'a Keys, kept_batches: &'a [Offset]) -> Sweep<'a> {
        Sweep { keys, kept_batches, now: NOW, delete_retention_ms: 500 }
    }

    fn left(left: Left) -> Vec<(i64, String)> {
        let Left::Changed(header, bytes) = left else { panic!("{left:?}") };
        let section = section_of(&header, &bytes).unwrap();
        let record = |record: Record<'_>| {
            (header.base_offset.0 + i64::from(record.offset_delta), String::from_utf8(record.key.unwrap().to_vec()).unwrap())
        };
        Records::new(&section).map(|found| record(found.unwrap())).collect()
    }

    #[test]
    fn the_latest_of_each_key_stays_however_it_is_compressed() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let first = batch(0, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))], None, codec);
            let second = batch(3, &[("a", Some("2")), ("c", None)], None, codec);
            let keys = keys(&[&first, &second]);
            let sweep = sweep(&keys, &[]);
            let changed = sweep.apply(&first.0, &first.1).unwrap();
            let Left::Changed(header, _) = &changed else { panic!("{changed:?}") };
            assert_eq!((header.codec, header.base_offset, header.last_offset()), (codec, Offset(0), Offset(2)));
            assert_eq!(left(changed), [(1, "b".to_owned())]);
        }
    }

    #[test]
    fn what_has_no_value_goes_once_its_time_has_passed() {
        let tombstone = batch(7, &[("a", None)], None, Codec::None);
        let keys = keys(&[&tombstone]);
        let Left::Changed(header, bytes) = sweep(&keys, &[]).apply(&tombstone.0, &tombstone.1).unwrap() else { panic!("it gets a horizon") };
        assert_eq!(
            (header.has_delete_horizon, header.base_timestamp, header.max_timestamp),
            (true, Timestamp(NOW.0 + 500), Timestamp(NOW.0 - 10))
        );
        assert_eq!(sweep(&keys, &[]).apply(&header, &bytes).unwrap(), Left::Unchanged);
        let later = Sweep { now: Timestamp(NOW.0 + 501), ..sweep(&keys, &[]) };
        assert_eq!(later.apply(&header, &bytes).unwrap(), Left::Nothing);
    }

    #[test]
    fn a_batch_that_tells_a_retry_stays_without_its_records() {
        let old = batch(0, &[("a", Some("1"))], Some(9), Codec::Zstd);
        let new = batch(1, &[("a", Some("2"))], None, Codec::None);
        let keys = keys(&[&old, &new]);
        assert_eq!(sweep(&keys, &[]).apply(&old.0, &old.1).unwrap(), Left::Nothing);
        let kept = [Offset(0)];
        let Left::Changed(header, bytes) = sweep(&keys, &kept).apply(&old.0, &old.1).unwrap() else { panic!("it stays") };
        assert_eq!((header.record_count, header.producer, header.last_offset(), bytes.len()), (0, old.0.producer, Offset(0), HEADER_BYTES));
        assert_eq!(sweep(&keys, &kept).apply(&header, &bytes).unwrap(), Left::Unchanged);
        assert_eq!(sweep(&keys, &[]).apply(&header, &bytes).unwrap(), Left::Nothing, "once nobody needs it");
    }

    #[test]
    fn a_batch_that_counts_fewer_records_than_it_holds_is_corrupt() {
        let (header, bytes) = batch(0, &[("a", Some("1")), ("b", Some("1"))], None, Codec::Zstd);
        let lying = BatchHeader { record_count: 1, ..header };
        let mut keys = Keys::new(100, 1 << 20, &[1; 16]);
        assert!(matches!(note(&mut keys, &lying, &bytes, Offset(0)), Err(StorageError::Corrupt(_))));
        let far = BatchHeader { last_offset_delta: 0, ..header };
        assert!(matches!(note(&mut keys, &far, &bytes, Offset(0)), Err(StorageError::Corrupt(_))));
    }

    #[test]
    fn a_record_without_a_key_goes_and_one_of_another_key_stays() {
        let mut builder = BatchBuilder::new(Offset(0), LeaderEpoch(1));
        builder.append(NOW, None, Some(b"x"), &[]);
        builder.append(NOW, Some(b"k"), Some(b"x"), &[]);
        let bytes = builder.build();
        let keys = keys(&[]);
        assert_eq!(left(sweep(&keys, &[]).apply(&BatchHeader::parse(&bytes).unwrap(), &bytes).unwrap()), [(1, "k".to_owned())]);
    }
}
