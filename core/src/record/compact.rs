//! Taking records out of a batch, which keeps its offsets, its sequences and its place (KIP-534 for what goes without a value).

use super::builder::write_record;
use super::header::{BatchHeader, CorruptBatch, TimestampType};
use super::records::{Record, Records};
use crate::offset::Offset;
use crate::time::Timestamp;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Stays,
    /// It stays until the batch's delete horizon has passed: it has no value, and tells readers that the key is gone.
    StaysForNow,
    /// It goes.
    Goes,
}

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// All of it, as it is.
    All,
    /// These records: the header, in which length, CRC and codec are still those of before, and the records uncompressed.
    Some(BatchHeader, Vec<u8>),
    /// No record.
    Nothing,
}

/// Takes the records out of a batch that go. A batch of which something stays for now gets `horizon`, unless it has one: until then it stays.
///
/// # Errors
/// [`CorruptBatch`] when `section`, decompressed, does not hold the records that the header announces.
pub fn retain_records(
    header: &BatchHeader,
    section: &[u8],
    horizon: Timestamp,
    mut fate: impl FnMut(Offset, &Record<'_>) -> Fate,
) -> Result<Remainder, CorruptBatch> {
    // A byte a record: a batch of small ones is read twice rather than kept.
    let mut stays = Vec::new();
    let (mut kept_count, mut stays_for_now) = (0, false);
    for record in Records::new(section) {
        let record = record?;
        let fate = fate(header.base_offset.plus(i64::from(record.offset_delta)), &record);
        stays_for_now |= fate == Fate::StaysForNow;
        kept_count += i32::from(fate != Fate::Goes);
        stays.push(fate != Fate::Goes);
        if i32::try_from(stays.len()).is_ok_and(|count| count > header.record_count) {
            break;
        }
    }
    if i32::try_from(stays.len()) != Ok(header.record_count) {
        let count = header.record_count;
        return Err(CorruptBatch::Count { count, last_offset_delta: header.last_offset_delta });
    }
    let gets_horizon = stays_for_now && !header.has_delete_horizon;
    if kept_count == 0 {
        return Ok(if header.record_count == 0 { Remainder::All } else { Remainder::Nothing });
    }
    if kept_count == header.record_count && !gets_horizon {
        return Ok(Remainder::All);
    }
    // The horizon stands where the base timestamp does, which the records' own are counted from.
    let base_timestamp = if gets_horizon { horizon } else { header.base_timestamp };
    let shift = header.base_timestamp.0.checked_sub(base_timestamp.0).ok_or(CorruptBatch::Record)?;
    let mut remaining = Vec::with_capacity(section.len());
    let mut max_timestamp = Timestamp::NONE;
    for (record, _) in Records::new(section).zip(stays).filter(|(_, stays)| *stays) {
        let record = record?;
        let timestamp_delta = record.timestamp_delta.checked_add(shift).ok_or(CorruptBatch::Record)?;
        max_timestamp = max_timestamp.max(Timestamp(base_timestamp.0.checked_add(timestamp_delta).ok_or(CorruptBatch::Record)?));
        let headers: Vec<_> = record.headers.iter().collect();
        write_record(&mut remaining, record.offset_delta, timestamp_delta, record.key, record.value, &headers);
    }
    let max_timestamp = match header.timestamp_type {
        TimestampType::CreateTime => max_timestamp,
        TimestampType::LogAppendTime => header.max_timestamp,
    };
    let has_delete_horizon = header.has_delete_horizon || gets_horizon;
    Ok(Remainder::Some(BatchHeader { base_timestamp, max_timestamp, has_delete_horizon, record_count: kept_count, ..*header }, remaining))
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, HEADER_BYTES, assemble, check_crc, empty_batch, validate_records};
    use super::*;
    use crate::epoch::{LeaderEpoch, ProducerEpoch};
    use crate::ids::ProducerId;
    use crate::record::BatchProducer;

    type Left = (Offset, i64, Option<Vec<u8>>, Option<Vec<u8>>);

    fn batch() -> (BatchHeader, Vec<u8>) {
        let producer = BatchProducer { id: ProducerId(5), epoch: ProducerEpoch(1), base_sequence: 40 };
        let mut builder = BatchBuilder::new(Offset(100), LeaderEpoch(3)).producer(producer);
        builder.append(Timestamp(1_000), Some(b"a"), Some(b"1"), &[]);
        builder.append(Timestamp(3_000), Some(b"b"), None, &[]);
        builder.append(Timestamp(2_000), Some(b"c"), Some(b"3"), &[(b"h", None)]);
        let bytes = builder.build();
        (BatchHeader::parse(&bytes).unwrap(), bytes[HEADER_BYTES..].to_vec())
    }

    fn retain(header: &BatchHeader, section: &[u8], fates: &[Fate]) -> Remainder {
        let mut fates = fates.iter();
        retain_records(header, section, Timestamp(9_000), |_, _| *fates.next().unwrap()).unwrap()
    }

    /// Offsets, timestamps, keys and values of what is left.
    fn records(remainder: Remainder) -> (BatchHeader, Vec<Left>) {
        let Remainder::Some(header, section) = remainder else { panic!("{remainder:?}") };
        let batch = assemble(&header, &section);
        check_crc(&batch).unwrap();
        let header = BatchHeader::parse(&batch).unwrap();
        validate_records(&section, &header).unwrap();
        let record = |record: Result<Record<'_>, CorruptBatch>| {
            let record = record.unwrap();
            let offset = header.base_offset.plus(record.offset_delta.into());
            (offset, header.base_timestamp.0 + record.timestamp_delta, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec))
        };
        (header, Records::new(&section).map(record).collect())
    }

    #[test]
    fn what_stays_keeps_its_offset_its_time_and_its_sequence() {
        let (header, section) = batch();
        let (left, found) = records(retain(&header, &section, &[Fate::Goes, Fate::Goes, Fate::Stays]));
        assert_eq!(found, [(Offset(102), 2_000, Some(b"c".to_vec()), Some(b"3".to_vec()))]);
        assert_eq!((left.base_offset, left.last_offset(), left.producer), (Offset(100), Offset(102), header.producer));
        assert_eq!((left.max_timestamp, left.has_delete_horizon), (Timestamp(2_000), false));
    }

    #[test]
    fn what_has_no_value_gets_a_horizon_once() {
        let (header, section) = batch();
        let remainder = retain(&header, &section, &[Fate::Goes, Fate::StaysForNow, Fate::Stays]);
        let Remainder::Some(_, first) = remainder.clone() else { panic!("it was changed") };
        let (left, found) = records(remainder);
        assert_eq!(found.iter().map(|(_, timestamp, ..)| *timestamp).collect::<Vec<_>>(), [3_000, 2_000]);
        assert_eq!((left.base_timestamp, left.has_delete_horizon), (Timestamp(9_000), true));
        assert_eq!(retain(&left, &first, &[Fate::StaysForNow, Fate::Stays]), Remainder::All);
        let (later, found) = records(retain(&left, &first, &[Fate::Goes, Fate::Stays]));
        assert_eq!((later.base_timestamp, later.has_delete_horizon, found.len()), (Timestamp(9_000), true, 1));
    }

    #[test]
    fn a_batch_of_which_all_or_nothing_stays_is_not_made_anew() {
        let (header, section) = batch();
        assert_eq!(retain(&header, &section, &[Fate::Stays; 3]), Remainder::All);
        assert_eq!(retain(&header, &section, &[Fate::Goes; 3]), Remainder::Nothing);
        let short = BatchHeader { record_count: 2, ..header };
        assert!(retain_records(&short, &section, Timestamp(0), |_, _| Fate::Stays).is_err());
    }

    #[test]
    fn append_time_stays_that_of_the_batch() {
        let (header, section) = batch();
        let stamped = BatchHeader { timestamp_type: TimestampType::LogAppendTime, max_timestamp: Timestamp(7), ..header };
        let Remainder::Some(left, _) = retain(&stamped, &section, &[Fate::Stays, Fate::Goes, Fate::Goes]) else { panic!("two went") };
        assert_eq!(left.max_timestamp, Timestamp(7));
    }

    #[test]
    fn an_empty_batch_covers_its_offsets_and_is_a_filler() {
        let (header, bytes) = empty_batch(Offset(7), Offset(30), LeaderEpoch(2));
        check_crc(&bytes).unwrap();
        assert_eq!((header.next_offset(), header.leader_epoch, bytes.len()), (Offset(30), LeaderEpoch(2), HEADER_BYTES));
        assert!(header.is_filler() && !batch().0.is_filler());
    }
}
