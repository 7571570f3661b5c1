//! Looking for a record by its timestamp: the time index says where to start, headers say which batch, the records say which offset.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use gracchus_core::boundary::{FoundRecord, Generation, ReadFailure, StorageError, TimeTarget, Void};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, Codec, HEADER_BYTES, Record, Records, TimestampType, check_crc};
use gracchus_core::time::Timestamp;
use gracchus_net::limits::DECOMPRESSED_BYTES_MAX;
use gracchus_net::records::decompress;

use super::failure;
use super::lookup::SegmentReader;
use super::task::DiskTask;
use super::view::{Segment, View};
use crate::platform::{Disk, Platform};

/// The log as it was when the search began.
struct Searched {
    generation: Generation,
    log_start: Offset,
    segments: Vec<Segment>,
}

/// The record that is wanted, of those below `upto`.
pub(super) async fn find<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    target: TimeTarget,
    upto: Offset,
) -> Result<Option<FoundRecord>, ReadFailure> {
    loop {
        let swaps = {
            let _unswapped = view.swaps.read().await;
            view.swaps_seen.load(Ordering::Relaxed)
        };
        let found = find_once(task, view, target, upto).await;
        // Files are found by name: while none was swapped for another they are those that were meant.
        if view.swaps_seen.load(Ordering::Relaxed) == swaps {
            return found;
        }
    }
}

async fn find_once<P: Platform>(task: &DiskTask<P>, view: &View, target: TimeTarget, upto: Offset) -> Result<Option<FoundRecord>, ReadFailure> {
    let searched = {
        let state = view.lock();
        let generation = state.generation.ok_or(ReadFailure::Void(Void::Closed))?;
        let segments = state.segments.iter().filter(|segment| segment.base_offset < upto).copied().collect();
        Searched { generation, log_start: state.log_start, segments }
    };
    let found = search(task, view, &searched, target, upto).await;
    match view.voids(searched.generation, searched.log_start) {
        // What was read may have been cut off meanwhile.
        Some(void @ (Void::Truncated | Void::Closed)) => Err(ReadFailure::Void(void)),
        // What was found may be behind the new start; what was missed may have been before it.
        Some(void @ Void::Trimmed { log_start }) => match found {
            Ok(Some(record)) if record.offset >= log_start => Ok(Some(record)),
            Ok(_) | Err(_) => Err(ReadFailure::Void(void)),
        },
        None => Ok(found?),
    }
}

async fn search<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    searched: &Searched,
    target: TimeTarget,
    upto: Offset,
) -> Result<Option<FoundRecord>, StorageError> {
    let timestamp = match target {
        TimeTarget::AtLeast(timestamp) => Some(timestamp),
        TimeTarget::Max => max_timestamp(task, view, searched, upto).await?,
    };
    match timestamp {
        Some(timestamp) => at_least(task, view, searched, timestamp, upto).await,
        None => Ok(None),
    }
}

/// The largest timestamp of records from the log's start up to `upto`; none without any.
async fn max_timestamp<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    searched: &Searched,
    upto: Offset,
) -> Result<Option<Timestamp>, StorageError> {
    let (mut max, from) = in_first_batch(task, view, searched).await?;
    for segment in searched.segments.iter().filter(|segment| segment.bytes > 0 && segment.end_offset > from) {
        // A segment's largest timestamp may belong to a batch that is not looked at.
        let is_looked_at_whole = segment.base_offset >= from && segment.end_offset <= upto;
        if max.is_some_and(|max| segment.max_timestamp <= max) {
            continue;
        }
        let of_segment = if is_looked_at_whole {
            Some(segment.max_timestamp)
        } else {
            let reader = SegmentReader::open(task, &view.folder, *segment).await?;
            reader.max_timestamp(from, upto).await?
        };
        max = max.max(of_segment);
    }
    Ok(max)
}

/// If the log starts inside a batch, the largest timestamp of the rest of that batch, and where the next one starts; otherwise the log's
/// start.
async fn in_first_batch<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    searched: &Searched,
) -> Result<(Option<Timestamp>, Offset), StorageError> {
    let log_start = searched.log_start;
    let Some(segment) = searched.segments.iter().find(|segment| segment.end_offset > log_start) else { return Ok((None, log_start)) };
    if segment.base_offset >= log_start {
        return Ok((None, log_start));
    }
    let reader = SegmentReader::open(task, &view.folder, *segment).await?;
    let mut headers = reader.headers(reader.position_of(log_start).await?);
    match headers.next().await? {
        Some((position, header)) if header.base_offset < log_start => {
            let batch = read(task, &reader, position, &header).await?;
            Ok((max_in_batch(&header, &batch, log_start), header.next_offset()))
        }
        Some(_) | None => Ok((None, log_start)),
    }
}

/// A batch, checked.
async fn read<P: Platform>(
    task: &DiskTask<P>,
    reader: &SegmentReader<'_, P>,
    position: u64,
    header: &BatchHeader,
) -> Result<Bytes, StorageError> {
    let length = usize::try_from(header.batch_bytes).expect("a batch fits into memory");
    let batch = task.disk.read_at(reader.file(), position, length).await.map_err(|error| failure::from_io(&error))?;
    check_crc(&batch).map_err(|error| reader.corrupt(format!("at byte {position}: {error:?}")))?;
    Ok(batch)
}

/// The first record whose timestamp is at least `timestamp`.
async fn at_least<P: Platform>(
    task: &DiskTask<P>,
    view: &View,
    searched: &Searched,
    timestamp: Timestamp,
    upto: Offset,
) -> Result<Option<FoundRecord>, StorageError> {
    for segment in searched.segments.iter().filter(|segment| segment.max_timestamp >= timestamp) {
        let reader = SegmentReader::open(task, &view.folder, *segment).await?;
        let mut headers = reader.headers(reader.position_before(timestamp).await?);
        while let Some((position, header)) = headers.next().await? {
            if header.base_offset >= upto {
                return Ok(None);
            }
            if header.max_timestamp < timestamp || header.last_offset() < searched.log_start {
                continue;
            }
            let batch = read(task, &reader, position, &header).await?;
            if let Some(record) = in_batch(&header, &batch, timestamp, searched.log_start).filter(|record| record.offset < upto) {
                return Ok(Some(record));
            }
        }
    }
    Ok(None)
}

/// The first record of a batch from `log_start` on whose timestamp is at least `timestamp`.
///
/// Records that can't be read, which nobody has looked into before if they are compressed, stand as one: a reader that starts at the first
/// misses none.
fn in_batch(header: &BatchHeader, batch: &Bytes, timestamp: Timestamp, log_start: Offset) -> Option<FoundRecord> {
    let found = |(offset, timestamp)| FoundRecord { offset, timestamp, leader_epoch: header.leader_epoch };
    let as_one = || (header.record_count > 0).then_some((header.base_offset.max(log_start), header.max_timestamp));
    let Some(section) = section(header, batch) else { return as_one().map(found) };
    for record in Records::new(&section) {
        let Ok(record) = record else { return as_one().map(found) };
        let (offset, of_record) = stamp(header, &record);
        if offset >= log_start && of_record >= timestamp {
            return Some(found((offset, of_record)));
        }
    }
    None
}

/// The largest timestamp of a batch's records from `log_start` on.
fn max_in_batch(header: &BatchHeader, batch: &Bytes, log_start: Offset) -> Option<Timestamp> {
    let as_one = (header.record_count > 0).then_some(header.max_timestamp);
    let Some(section) = section(header, batch) else { return as_one };
    let mut max = None;
    for record in Records::new(&section) {
        let Ok(record) = record else { return as_one };
        let (offset, of_record) = stamp(header, &record);
        if offset >= log_start {
            max = max.max(Some(of_record));
        }
    }
    max
}

/// A batch's records; none if they have one timestamp, or can't be read.
fn section(header: &BatchHeader, batch: &Bytes) -> Option<Bytes> {
    if header.timestamp_type == TimestampType::LogAppendTime {
        return None;
    }
    let section = batch.slice(HEADER_BYTES..);
    match header.codec {
        Codec::None => Some(section),
        codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => decompress(codec, &section, DECOMPRESSED_BYTES_MAX).ok(),
    }
}

/// A record's offset and timestamp.
fn stamp(header: &BatchHeader, record: &Record<'_>) -> (Offset, Timestamp) {
    let offset = header.base_offset.plus(i64::from(record.offset_delta));
    (offset, Timestamp(header.base_timestamp.0.saturating_add(record.timestamp_delta)))
}

#[cfg(test)]
mod tests {
    use gracchus_core::epoch::LeaderEpoch;
    use gracchus_core::record::{BatchBuilder, assemble};
    use gracchus_net::records::compress;

    use super::*;

    /// Offsets 10 to 14 with timestamps 100, 300, 200, 300, 400.
    fn batch(codec: Codec) -> (BatchHeader, Bytes) {
        let mut builder = BatchBuilder::new(Offset(10), LeaderEpoch(2));
        for timestamp in [100, 300, 200, 300, 400] {
            builder.append(Timestamp(timestamp), None, Some(b"value"), &[]);
        }
        let (header, section) = builder.finish();
        let batch = assemble(&BatchHeader { codec, ..header }, &compress(codec, 1, &section));
        (BatchHeader::parse(&batch).unwrap(), batch)
    }

    #[test]
    fn the_first_record_that_is_late_enough_is_found_however_the_batch_is_compressed() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let (header, batch) = batch(codec);
            let found =
                |timestamp| in_batch(&header, &batch, Timestamp(timestamp), Offset(0)).map(|record| (record.offset.0, record.timestamp.0));
            assert_eq!(found(0), Some((10, 100)), "{codec:?}");
            assert_eq!(found(101), Some((11, 300)), "{codec:?}");
            assert_eq!(found(400), Some((14, 400)), "{codec:?}");
            assert_eq!(found(401), None, "{codec:?}");
        }
    }

    #[test]
    fn records_that_cannot_be_read_stand_as_one() {
        let (header, batch) = batch(Codec::None);
        let header = BatchHeader { codec: Codec::Gzip, ..header };
        assert_eq!(in_batch(&header, &batch, Timestamp(101), Offset(0)).map(|record| (record.offset.0, record.timestamp.0)), Some((10, 400)));
    }

    #[test]
    fn a_log_that_starts_inside_a_batch_shows_the_rest_of_it() {
        let (header, readable) = batch(Codec::None);
        let found = |header: &BatchHeader, timestamp, log_start| {
            in_batch(header, &readable, Timestamp(timestamp), Offset(log_start)).map(|record| (record.offset.0, record.timestamp.0))
        };
        assert_eq!(found(&header, 0, 12), Some((12, 200)));
        assert_eq!(found(&header, 201, 12), Some((13, 300)));
        assert_eq!(max_in_batch(&header, &readable, Offset(12)), Some(Timestamp(400)));
        let stamped = BatchHeader { timestamp_type: TimestampType::LogAppendTime, ..header };
        assert_eq!(found(&stamped, 0, 12), Some((12, 400)));
        let unreadable = BatchHeader { codec: Codec::Gzip, ..header };
        assert_eq!(found(&unreadable, 0, 12), Some((12, 400)));
    }
}
