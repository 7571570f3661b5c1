//! The records of a batch, read in place from a section that is not compressed.
//!
//! ```text
//! length  attributes i8  timestamp delta  offset delta  key length  key  value length  value  header count  headers…
//! header: key length  key  value length  value
//! ```
//!
//! All integers but the attributes are signed and of variable length; a length of -1 means null. Nothing is allocated, and no more is read
//! than is there, whatever the lengths claim.

use serde::{Deserialize, Serialize};

use super::header::{BatchHeader, CorruptBatch, TimestampType};
use super::varint::{read_i32, read_i64};
use crate::time::Timestamp;

/// A record, borrowed from its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset, counted from the batch's base offset.
    pub offset_delta: i32,
    /// Its timestamp in milliseconds, counted from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none is a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: RecordHeaders<'a>,
}

/// A record's headers, known to be well formed. The same key may stand there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeaders<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> RecordHeaders<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.count).expect("a header takes two bytes, and they are in memory")
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Key and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.bytes;
        (0..self.count).map(move |_| read_header(&mut rest).expect("the record was parsed whole"))
    }
}

/// Reads the records of a section one by one. After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Reads `section`: what follows a batch's header, decompressed if need be.
    #[must_use]
    pub fn new(section: &'a [u8]) -> Self {
        Self { rest: section }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, CorruptBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = read_record(&mut self.rest);
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(CorruptBatch::Record))
    }
}

/// What a look at every record of a batch has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsSummary {
    /// The smallest timestamp; [`Timestamp::NONE`] without records.
    pub min_timestamp: Timestamp,
    /// The largest timestamp; [`Timestamp::NONE`] without records.
    pub max_timestamp: Timestamp,
    /// Offset of the first record that has the largest timestamp, counted from the base offset; 0 without records.
    pub offset_delta_of_max_timestamp: i32,
    /// Whether a record has no key.
    pub has_keyless_record: bool,
}

/// Checks that `section` holds exactly the records that `header` announces: as many as its count, each of the length that it claims, with
/// offsets that ascend and stay within the batch. Where the header counts a record for every offset, as a producer's does, that leaves
/// offsets 0, 1, 2 and so on; compaction leaves gaps.
///
/// The maximum timestamp in the header is not compared with the one that is found.
///
/// # Errors
/// [`CorruptBatch::Record`] for a record that is malformed or out of its place, [`CorruptBatch::Count`] for too many or too few.
pub fn validate_records(section: &[u8], header: &BatchHeader) -> Result<RecordsSummary, CorruptBatch> {
    let is_append_time = header.timestamp_type == TimestampType::LogAppendTime;
    let mut count = 0;
    let mut last_offset_delta = -1;
    let mut summary = None;
    for record in Records::new(section) {
        let record = record?;
        if record.offset_delta <= last_offset_delta || record.offset_delta > header.last_offset_delta {
            return Err(CorruptBatch::Record);
        }
        last_offset_delta = record.offset_delta;
        // No overflow: offsets ascend within 31 bits.
        count += 1;
        let timestamp = if is_append_time {
            header.max_timestamp
        } else {
            Timestamp(header.base_timestamp.0.checked_add(record.timestamp_delta).ok_or(CorruptBatch::Record)?)
        };
        let summary = summary.get_or_insert(RecordsSummary {
            min_timestamp: timestamp,
            max_timestamp: timestamp,
            offset_delta_of_max_timestamp: record.offset_delta,
            has_keyless_record: false,
        });
        summary.include(&record, timestamp);
    }
    if count != header.record_count {
        return Err(CorruptBatch::Count { count: header.record_count, last_offset_delta: header.last_offset_delta });
    }
    Ok(summary.unwrap_or(RecordsSummary::EMPTY))
}

impl RecordsSummary {
    const EMPTY: Self =
        Self { min_timestamp: Timestamp::NONE, max_timestamp: Timestamp::NONE, offset_delta_of_max_timestamp: 0, has_keyless_record: false };

    fn include(&mut self, record: &Record<'_>, timestamp: Timestamp) {
        self.has_keyless_record |= record.key.is_none();
        self.min_timestamp = self.min_timestamp.min(timestamp);
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.offset_delta_of_max_timestamp = record.offset_delta;
        }
    }
}

fn read_record<'a>(bytes: &mut &'a [u8]) -> Option<Record<'a>> {
    let length = read_i32(bytes)?;
    let mut body = take(bytes, length)?;
    // The attributes have no use yet; Kafka's own brokers look past them too.
    body = body.get(1..)?;
    let timestamp_delta = read_i64(&mut body)?;
    let offset_delta = read_i32(&mut body)?;
    let key = read_nullable(&mut body)?;
    let value = read_nullable(&mut body)?;
    let count = u32::try_from(read_i32(&mut body)?).ok()?;
    let headers = RecordHeaders { count, bytes: body };
    for _ in 0..count {
        read_header(&mut body)?;
    }
    body.is_empty().then_some(Record { offset_delta, timestamp_delta, key, value, headers })
}

fn read_header<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let length = read_i32(bytes)?;
    Some((take(bytes, length)?, read_nullable(bytes)?))
}

/// Bytes behind their length. The outer option is none for what does not parse, the inner one for null.
fn read_nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match read_i32(bytes)? {
        -1 => Some(None),
        length => take(bytes, length).map(Some),
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: i32) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, HEADER_BYTES};
    use super::*;
    use crate::epoch::LeaderEpoch;
    use crate::offset::Offset;

    type Headers<'a> = &'a [(&'a [u8], Option<&'a [u8]>)];
    type Appended<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>, Headers<'a>);

    fn batch(records: &[Appended<'_>]) -> (BatchHeader, Vec<u8>) {
        let mut builder = BatchBuilder::new(Offset(0), LeaderEpoch::NONE);
        for &(timestamp, key, value, headers) in records {
            builder.append(Timestamp(timestamp), key, value, headers);
        }
        let bytes = builder.build();
        (BatchHeader::parse(&bytes).unwrap(), bytes[HEADER_BYTES..].to_vec())
    }

    fn three() -> (BatchHeader, Vec<u8>) {
        batch(&[
            (1_000, Some(b"a"), Some(b"one"), &[]),
            (3_000, Some(b""), None, &[(b"h", Some(b"x")), (b"h", None)]),
            (2_000, None, Some(b""), &[(b"", Some(b""))]),
        ])
    }

    #[test]
    fn records_are_read_as_they_were_appended() {
        let (_, section) = three();
        let records: Vec<_> = Records::new(&section).map(Result::unwrap).collect();
        assert_eq!(records.iter().map(|record| record.offset_delta).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(records.iter().map(|record| record.timestamp_delta).collect::<Vec<_>>(), [0, 2_000, 1_000]);
        assert_eq!(records.iter().map(|record| record.key).collect::<Vec<_>>(), [Some(&b"a"[..]), Some(&b""[..]), None]);
        assert_eq!(records.iter().map(|record| record.value).collect::<Vec<_>>(), [Some(&b"one"[..]), None, Some(&b""[..])]);
        assert_eq!(records.iter().map(|record| record.headers.len()).collect::<Vec<_>>(), [0, 2, 1]);
        assert_eq!(records[1].headers.iter().collect::<Vec<_>>(), [(&b"h"[..], Some(&b"x"[..])), (&b"h"[..], None)]);
        assert!(records[0].headers.is_empty());
    }

    #[test]
    fn a_sound_section_is_summed_up() {
        let (header, section) = three();
        let summary = validate_records(&section, &header).unwrap();
        assert_eq!(summary.min_timestamp, Timestamp(1_000));
        assert_eq!(summary.max_timestamp, Timestamp(3_000));
        assert_eq!(summary.offset_delta_of_max_timestamp, 1);
        assert!(summary.has_keyless_record);
    }

    #[test]
    fn of_equal_largest_timestamps_the_first_counts() {
        let (header, section) = batch(&[(5, Some(b""), None, &[]), (9, Some(b""), None, &[]), (9, Some(b""), None, &[])]);
        let summary = validate_records(&section, &header).unwrap();
        assert_eq!(summary.offset_delta_of_max_timestamp, 1);
        assert!(!summary.has_keyless_record);
    }

    #[test]
    fn append_time_stands_for_the_time_of_every_record() {
        let (mut header, section) = three();
        header.timestamp_type = TimestampType::LogAppendTime;
        header.max_timestamp = Timestamp(77);
        let summary = validate_records(&section, &header).unwrap();
        assert_eq!((summary.min_timestamp, summary.max_timestamp), (Timestamp(77), Timestamp(77)));
        assert_eq!(summary.offset_delta_of_max_timestamp, 0);
    }

    #[test]
    fn a_count_that_is_not_that_of_the_records_is_refused() {
        let (mut header, section) = three();
        for (count, last_offset_delta) in [(2, 2), (4, 3), (0, 2)] {
            header.record_count = count;
            header.last_offset_delta = last_offset_delta;
            assert_eq!(validate_records(&section, &header), Err(CorruptBatch::Count { count, last_offset_delta }));
        }
    }

    #[test]
    fn compaction_may_leave_gaps_but_no_record_outside_the_batch() {
        let (mut header, section) = three();
        header.last_offset_delta = 9;
        assert!(validate_records(&section, &header).is_ok());
        header.last_offset_delta = 1;
        assert_eq!(validate_records(&section, &header), Err(CorruptBatch::Record));
    }

    #[test]
    fn offsets_that_do_not_ascend_are_refused() {
        let (header, section) = three();
        let mut lengths = Records::new(&section);
        let mut ends = Vec::new();
        while lengths.next().is_some() {
            ends.push(section.len() - lengths.rest.len());
        }
        let swapped = [&section[ends[0]..ends[1]], &section[..ends[0]], &section[ends[1]..]].concat();
        assert_eq!(validate_records(&swapped, &header), Err(CorruptBatch::Record));
        let doubled = [&section[..ends[0]], &section[..ends[0]], &section[ends[1]..]].concat();
        assert_eq!(validate_records(&doubled, &header), Err(CorruptBatch::Record));
    }

    #[test]
    fn an_emptied_batch_is_sound() {
        let (mut header, _) = three();
        header.record_count = 0;
        assert_eq!(validate_records(&[], &header), Ok(RecordsSummary::EMPTY));
    }

    #[test]
    fn a_section_that_is_cut_off_or_goes_on_is_refused() {
        let (header, section) = three();
        for length in 0..section.len() {
            assert!(validate_records(&section[..length], &header).is_err(), "{length} bytes");
        }
        let longer = [&section[..], &[0]].concat();
        assert_eq!(validate_records(&longer, &header), Err(CorruptBatch::Record));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        // Length, attributes, timestamp delta, offset delta, key length, value length, header count.
        let good = [12, 0, 0, 0, 1, 1, 0];
        assert!(Records::new(&good).all(|record| record.is_ok()));
        for (at, lie) in [(0, 10), (0, 14), (0, 1), (4, 3), (4, 2), (5, 2), (5, 3), (6, 1), (6, 2), (6, 0x7e)] {
            let mut bad = good;
            bad[at] = lie;
            assert!(Records::new(&bad).any(|record| record.is_err()), "byte {at} = {lie}");
        }
    }

    #[test]
    fn nothing_is_read_behind_an_error() {
        let mut records = Records::new(&[1, 12, 0, 0, 0, 1, 1, 0]);
        assert_eq!(records.next(), Some(Err(CorruptBatch::Record)));
        assert_eq!(records.next(), None);
    }

    #[test]
    fn a_timestamp_beyond_64_bits_is_refused() {
        let (mut header, section) = three();
        header.base_timestamp = Timestamp(i64::MAX - 1_999);
        assert_eq!(validate_records(&section, &header), Err(CorruptBatch::Record));
    }
}
