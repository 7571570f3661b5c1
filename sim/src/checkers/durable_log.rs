//! How far a log would reach if the power went at this moment and took all that it may.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gracchus_core::boundary::{Effects, Input, StorageDone, StorageOp};
use gracchus_core::ids::{LogId, NodeId, TopicName, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::{BatchHeader, check_crc};

use crate::platform::disk::SimDisk;

/// There while a compacted segment takes the place of others.
const SWAP: &str = "compacted-segment";

/// Where a log was found whole so far.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    segment: Offset,
    /// The file that has the segment's name: compaction puts another in its place.
    file: Option<u64>,
    position: usize,
    end: Offset,
}

/// The logs on a disk, each read no further than needed.
#[derive(Debug, Default)]
pub(super) struct DurableLogs {
    cursors: BTreeMap<(NodeId, TopicPartition), Cursor>,
}

impl DurableLogs {
    /// Forgets what was found on a node: files may have been cut.
    pub(super) fn rescan(&mut self, node: NodeId) {
        self.cursors.retain(|(on, _), _| *on != node);
    }

    /// Forgets what was found of a log that is cut.
    pub(super) fn follow(&mut self, node: NodeId, input: &Input, effects: &Effects) {
        // A topic of the same name may have had the folder before.
        if let Input::Storage(
            StorageDone::Truncated { log: LogId::Partition(partition), .. } | StorageDone::Opened { log: LogId::Partition(partition), .. },
        ) = input
        {
            self.cursors.remove(&(node, *partition));
        }
        for op in &effects.storage {
            if let StorageOp::Truncate { log: LogId::Partition(partition), .. } = op {
                self.cursors.remove(&(node, *partition));
            }
        }
    }

    /// Behind the last batch that is on disk with all before it, from the log's start on: what lies below is on its way out.
    pub(super) fn end(&mut self, node: NodeId, partition: TopicPartition, topic: &TopicName, disk: &SimDisk) -> Offset {
        let folder = PathBuf::from(format!("{topic}-{}", partition.partition));
        let log_start = log_start(&folder, disk);
        // Only names around the log's start are looked at: a log may have many segments, and this is asked at each acknowledgement.
        let last = segment_name(log_start);
        let first_kept = disk.last_durable_name(&folder, last.as_ref(), base_offset);
        let Some(first) = first_kept.or_else(|| disk.first_durable_name(&folder, base_offset)) else { return log_start };
        let file = |segment: Offset| disk.durable_file(&folder.join(segment_name(segment)));
        let known = self.cursors.get(&(node, partition)).copied();
        let known = known.filter(|cursor| cursor.segment >= first && cursor.file.is_some() && file(cursor.segment) == cursor.file);
        let from = |segment: Offset| Cursor { segment, file: file(segment), position: 0, end: segment };
        let mut cursor = go_on(known.unwrap_or_else(|| from(first)), &folder, disk);
        if disk.durable_file(&folder.join(SWAP)).is_some()
            && let Some(oldest) = disk.first_durable_name(&folder, base_offset)
        {
            // Some of those whose place a compacted segment takes may be left, and lead nowhere.
            let other = go_on(from(oldest), &folder, disk);
            cursor = if other.end > cursor.end { other } else { cursor };
        }
        self.cursors.insert((node, partition), cursor);
        cursor.end.max(log_start)
    }
}

/// Goes on from segment to segment.
fn go_on(mut cursor: Cursor, folder: &Path, disk: &SimDisk) -> Cursor {
    loop {
        disk.with_durable(&folder.join(segment_name(cursor.segment)), |bytes| cursor.advance(bytes));
        let next = disk.durable_file(&folder.join(segment_name(cursor.end)));
        if cursor.segment == cursor.end || next.is_none() {
            return cursor;
        }
        cursor = Cursor { segment: cursor.end, file: next, position: 0, end: cursor.end };
    }
}

impl Cursor {
    /// Goes on over whole and sound batches that follow each other.
    fn advance(&mut self, bytes: &[u8]) {
        while let Some(rest) = bytes.get(self.position..) {
            let Ok(header) = BatchHeader::parse(rest) else { return };
            let length = usize::try_from(header.batch_bytes).expect("a batch in memory has a length that fits");
            let Some(batch) = rest.get(..length) else { return };
            if header.base_offset != self.end || check_crc(batch).is_err() {
                return;
            }
            self.position += length;
            self.end = header.next_offset();
        }
    }
}

/// Of a segment, by its name; of other files, none.
fn base_offset(name: &OsStr) -> Option<Offset> {
    name.to_str()?.strip_suffix(".log")?.parse().ok().map(Offset)
}

/// Sorted as the base offsets are.
fn segment_name(base_offset: Offset) -> String {
    format!("{:020}.log", base_offset.0)
}

/// Where the log starts by its checkpoint: a version, the offset and a checksum, each on a line.
fn log_start(folder: &Path, disk: &SimDisk) -> Offset {
    let parse = |content: &[u8]| std::str::from_utf8(content).ok()?.lines().nth(1)?.parse().ok().map(Offset);
    disk.with_durable(&folder.join("log-start-offset-checkpoint"), parse).flatten().unwrap_or_default()
}
