//! The store's side of the door: operations and their completions.
//!
//! Operations on one log are carried out in the order given. A completion names the log and what it covers; the core ignores one that the
//! log has since contradicted. After [`StorageDone::Failed`] the store refuses everything for that log until it is opened again.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::payload::Payload;
use crate::epoch::{LeaderEpoch, QuorumEpoch};
use crate::ids::{LogId, TopicName};
use crate::metadata::{FoundSnapshots, SnapshotId};
use crate::offset::Offset;
use crate::record::{BatchHeader, Voter};
use crate::time::Timestamp;

/// Work for the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageOp {
    /// Opens a log, recovering what a crash left; makes nothing on disk for one that does not exist. Answered by [`StorageDone::Opened`].
    Open {
        /// The log.
        log: LogId,
        /// The topic's name, which the folder bears; the metadata log has its own.
        topic: TopicName,
        /// How it is kept.
        settings: LogSettings,
    },
    /// Changes how a log is kept.
    Configure {
        /// The log.
        log: LogId,
        /// How it is kept from here on.
        settings: LogSettings,
    },
    /// Writes a batch at the log's end, base offset and leader epoch patched in; or the first batch of a log that starts inside it. Answered by
    /// [`StorageDone::Written`] and, once it is on disk, [`StorageDone::Synced`]; both cover all that came before. A log whose every write is
    /// synced, and which no other node copies from this one, is only told to be synced: nobody would do anything about the first.
    Append {
        /// The log.
        log: LogId,
        /// The batch's header, with the base offset and the leader epoch that it gets.
        header: BatchHeader,
        /// The whole batch as the producer sent it, header included.
        payload: Payload,
        /// Whether other nodes copy the log from this one, which they may before it is on disk.
        has_followers: bool,
    },
    /// Asks for a sync of all that was appended, though the settings ask for none. Answered by [`StorageDone::Synced`].
    Sync {
        /// The log.
        log: LogId,
    },
    /// Moves the log's start up and drops the segments below it, for good: durable before [`StorageDone::Trimmed`] answers.
    Trim {
        /// The log.
        log: LogId,
        /// The first offset that is kept.
        log_start: Offset,
    },
    /// Drops everything from `to` on. Answered by [`StorageDone::Truncated`], once durable.
    Truncate {
        /// The log.
        log: LogId,
        /// The log's end afterwards; its start too, if that lies above.
        to: Offset,
    },
    /// Keeps the state of producers as of an offset, so that recovery reads only what lies behind it. The store syncs the log up to there
    /// first. Answered by [`StorageDone::SnapshotKept`], of this one or of a later one that was asked for meanwhile.
    KeepSnapshot {
        /// The log.
        log: LogId,
        /// The snapshot covers everything below.
        upto: Offset,
        /// The core's own bytes.
        producers: Bytes,
    },
    /// Reads whole batches of an internal log into memory. Answered by [`StorageDone::Read`].
    Read {
        /// The log.
        log: LogId,
        /// The first offset wanted.
        from: Offset,
        /// Where to stop.
        upto: Offset,
        /// Bytes of batches to return at most; one whole batch always.
        bytes_max: u32,
    },
    /// Looks for a record by time. Answered by [`StorageDone::Found`].
    Find {
        /// The log.
        log: LogId,
        /// Names the search in its answer.
        search: SearchId,
        /// What is wanted.
        target: TimeTarget,
        /// Records from here on are not looked at.
        upto: Offset,
    },
    /// Compacts closed segments: of records with one key only the latest stays. Answered by [`StorageDone::SegmentsCompacted`] for each part of
    /// the log that is replaced, and by [`StorageDone::Compacted`] in the end, also for a log that is gone by then. It has no order with other
    /// operations on the log; what those change meanwhile is left as it is.
    Compact {
        /// The log.
        log: LogId,
        /// What is to be done.
        compaction: Compaction,
    },
    /// Deletes a log and all its files. Answered by [`StorageDone::Removed`], also behind a [`StorageDone::Failed`] where files are left: the
    /// next log of this name is empty all the same.
    Remove {
        /// The log.
        log: LogId,
    },
    /// Deletes every partition's log but these: what topics left behind that were removed while the node was down. Answered by
    /// [`StorageDone::OthersRemoved`]: until then nothing new may be opened, for it would be one of the others.
    RemoveOthers {
        /// The logs that there are.
        known: Vec<LogId>,
    },
    /// Persists the quorum's vote. Answered by [`StorageDone::ElectionKept`], once durable.
    KeepElection(ElectionState),
    /// Reads the quorum's vote. Answered by [`StorageDone::Election`].
    LoadElection,
    /// Keeps a snapshot of the cluster's metadata (KIP-630), whole or not at all, and removes all but the latest few
    /// ([`METADATA_SNAPSHOTS_KEPT`](crate::limits::METADATA_SNAPSHOTS_KEPT)). Answered by [`StorageDone::MetadataSnapshotKept`], once durable,
    /// or by [`StorageDone::MetadataSnapshotNotKept`]. It has no order with other operations on the metadata log.
    KeepMetadataSnapshot {
        /// Its name.
        id: SnapshotId,
        /// The core's own bytes.
        content: Bytes,
    },
    /// Looks for snapshots of the cluster's metadata and reads the latest sound one. Answered by [`StorageDone::MetadataSnapshots`].
    LoadMetadataSnapshots,
    /// Reads a piece of a snapshot of the cluster's metadata. Answered by [`StorageDone::MetadataSnapshotRead`].
    ReadMetadataSnapshot {
        /// Its name.
        id: SnapshotId,
        /// Bytes before the piece.
        position: u64,
        /// Bytes of the piece at most.
        bytes_max: u32,
    },
}

/// How a log is to be compacted.
///
/// Offsets keep their content: a batch keeps its first and its last offset, and where whole batches go one without records stands for them, so that
/// there is a batch for every offset and an epoch for each as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// The log's generation: of another one nothing is compacted.
    pub generation: Generation,
    /// Among the records below no two have one key.
    pub clean_upto: Offset,
    /// Records from here on are left alone: the end of a closed segment, committed, and covered by a snapshot that was kept.
    pub upto: Offset,
    /// Last offsets of the batches by which producers' retries are recognised, ascending. Those stay, if need be without records.
    pub kept_batches: Vec<Offset>,
    /// How long a record without a value stays after the first compaction that meets it, in milliseconds (`delete.retention.ms`, KIP-534).
    pub delete_retention_ms: i64,
    /// Memory for the keys at most (`log.cleaner.dedupe.buffer.size`): what they don't fit into is left for another compaction.
    pub keys_bytes_max: u64,
    /// Bytes that are read and written in a second at most (`log.cleaner.io.max.bytes.per.second`).
    pub bytes_per_second_max: u64,
    /// How the log is kept.
    pub settings: LogSettings,
}

/// A search by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SearchId(pub u64);

/// Which record a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeTarget {
    /// The first record whose timestamp is at least this.
    AtLeast(Timestamp),
    /// The first record that has the largest timestamp (KIP-734).
    Max,
}

/// How a log is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSettings {
    /// Whether an append counts once it is synced, or once it is written.
    pub durability: Durability,
    /// A segment is closed before it would grow past this (`segment.bytes`).
    pub segment_bytes_max: u32,
    /// A segment is closed when its first record is older than this in milliseconds (`segment.ms`).
    pub segment_age_max_ms: i64,
    /// Bytes of records between two entries of the offset index (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// A deleted log's files linger this long in milliseconds (`file.delete.delay.ms`).
    pub file_delete_delay_ms: i64,
}

/// When an append counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// When `fdatasync` has returned: a power loss takes nothing that was acknowledged.
    Flushed,
    /// When it is in the page cache of the replicas that must have it: Kafka's own meaning.
    Replicated,
}

/// What a quorum member must not forget (KIP-595's quorum-state).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionState {
    /// The epoch.
    pub quorum_epoch: QuorumEpoch,
    /// Whom this node voted for in it.
    pub voted_for: Option<Voter>,
}

/// The store has finished something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageDone {
    /// A log is open.
    Opened {
        /// The log.
        log: LogId,
        /// What was found.
        recovered: Recovered,
    },
    /// All below `end_offset` is in the page cache.
    Written {
        /// The log.
        log: LogId,
        /// Epoch of the last batch.
        leader_epoch: LeaderEpoch,
        /// Behind the last batch.
        end_offset: Offset,
    },
    /// All below `end_offset` is on disk.
    Synced {
        /// The log.
        log: LogId,
        /// Epoch of the last batch.
        leader_epoch: LeaderEpoch,
        /// Behind the last batch.
        end_offset: Offset,
    },
    /// The active segment was closed and another begun. Retention goes by these.
    Rolled {
        /// The log.
        log: LogId,
        /// The segment that was closed.
        sealed: SealedSegment,
    },
    /// Closed segments were replaced by these, which hold the same offsets.
    SegmentsCompacted {
        /// The log.
        log: LogId,
        /// What there is now, in place of all that lay from the first one's start to the last one's end.
        sealed: Vec<SealedSegment>,
    },
    /// A compaction has ended.
    Compacted {
        /// The log.
        log: LogId,
        /// The generation that was to be compacted.
        generation: Generation,
        /// How far the log is clean now. None if the log is not what it was when the compaction was asked for.
        clean_upto: Result<Option<Offset>, StorageError>,
    },
    /// The log starts at `log_start`, durably.
    Trimmed {
        /// The log.
        log: LogId,
        /// Its first offset.
        log_start: Offset,
    },
    /// The log ends at `end_offset`, durably.
    Truncated {
        /// The log.
        log: LogId,
        /// Its end.
        end_offset: Offset,
        /// The log's generation: slices of an older one are void.
        generation: Generation,
    },
    /// A snapshot is durable.
    SnapshotKept {
        /// The log.
        log: LogId,
        /// It covers everything below.
        upto: Offset,
    },
    /// Batches that were asked for.
    Read {
        /// The log.
        log: LogId,
        /// The offset asked for.
        from: Offset,
        /// Whole batches, checked; the first contains `from`.
        batches: Vec<Bytes>,
    },
    /// The answer to a search.
    Found {
        /// The log.
        log: LogId,
        /// The search.
        search: SearchId,
        /// What was found.
        found: Result<Option<FoundRecord>, ReadFailure>,
    },
    /// A log is gone, and nothing more is told of it.
    Removed {
        /// The log.
        log: LogId,
    },
    /// The logs that were not to be kept are gone.
    OthersRemoved,
    /// The vote is durable.
    ElectionKept(ElectionState),
    /// The vote as it was kept, or none on a fresh disk.
    Election(Option<ElectionState>),
    /// An operation failed: the log is out of service until it is opened again.
    Failed {
        /// The log.
        log: LogId,
        /// Why.
        error: StorageError,
    },
    /// Bytes free on the log's disk, told now and then and after every change that matters.
    Space {
        /// Free for use.
        free_bytes: u64,
        /// In all.
        total_bytes: u64,
    },
    /// A snapshot of the cluster's metadata is durable.
    MetadataSnapshotKept {
        /// Its name.
        id: SnapshotId,
    },
    /// A snapshot of the cluster's metadata could not be kept. Those before it are as they were.
    MetadataSnapshotNotKept {
        /// Its name.
        id: SnapshotId,
        /// Why.
        error: StorageError,
    },
    /// The snapshots of the cluster's metadata that there are.
    MetadataSnapshots {
        /// Their names.
        found: FoundSnapshots,
        /// The bytes of the latest sound one.
        latest: Option<Bytes>,
    },
    /// A piece of a snapshot of the cluster's metadata.
    MetadataSnapshotRead {
        /// Its name.
        id: SnapshotId,
        /// Bytes before the piece.
        position: u64,
        /// The piece, and the bytes of the whole; none if it is gone or can't be read.
        piece: Option<(Bytes, u64)>,
    },
}

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// The first offset.
    pub log_start: Offset,
    /// The end: everything below is valid and, by the time this is told, on disk.
    pub log_end: Offset,
    /// Where each leader epoch starts, ascending.
    pub epochs: Vec<EpochStart>,
    /// Closed segments, oldest first.
    pub sealed: Vec<SealedSegment>,
    /// Bytes of batches in the segment that is written to.
    pub active_bytes: u64,
    /// Largest timestamp of a batch in the segment that is written to, none without batches.
    pub active_max_timestamp: Option<Timestamp>,
    /// The last snapshot: its offset, and the core's bytes.
    pub snapshot: Option<(Offset, Bytes)>,
    /// Below, no two records have one key, since a compaction that was kept.
    pub clean_upto: Offset,
    /// Headers of the batches behind the snapshot, in order.
    pub tail: Vec<BatchHeader>,
    /// Bytes cut from the end because they were no whole batch: a crash's trace.
    pub torn_bytes: u64,
    /// Valid batches were found behind invalid bytes, or bytes that had been synced are bad: the disk has lost something.
    pub damaged: bool,
    /// The log's generation.
    pub generation: Generation,
}

/// Where a leader epoch starts in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochStart {
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// Offset of its first record.
    pub start_offset: Offset,
}

/// A segment that no longer grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSegment {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Behind its last record.
    pub end_offset: Offset,
    /// Bytes of its batches.
    pub bytes: u64,
    /// The largest timestamp of its batches.
    pub max_timestamp: Timestamp,
}

/// Counts the truncations of a log: bytes that a slice of an older generation names may have been cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Generation(pub u64);

/// A record found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// Why the store could not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageError {
    /// The disk is full.
    NoSpace,
    /// Bytes that had been written are not what was written.
    Corrupt(Arc<str>),
    /// The operating system says no.
    Io(Arc<str>),
}

impl std::fmt::Display for StorageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSpace => f.write_str("the disk is full"),
            Self::Corrupt(what) => write!(f, "corrupt: {what}"),
            Self::Io(what) => f.write_str(what),
        }
    }
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadFailure {
    /// The log is not as it was when the read was decided. Nothing is wrong with the disk.
    Void(Void),
    /// The store could not.
    Storage(StorageError),
}

impl From<StorageError> for ReadFailure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// What has become of a log since a read of it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Void {
    /// It starts behind what was to be read.
    Trimmed {
        /// Its start.
        log_start: Offset,
    },
    /// Its end was dropped, and what followed may be something else.
    Truncated,
    /// It is closed: removed, out of service, or on its way to be opened again.
    Closed,
}

/// Records to be sent, described: the store turns it into file ranges and the socket is fed from those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSlice {
    /// The log.
    pub log: LogId,
    /// The log's generation when this was decided.
    pub generation: Generation,
    /// The first offset wanted: the batch that contains it is sent whole.
    pub from: Offset,
    /// Nothing from here on is sent. Always a batch's start or the log's end.
    pub upto: Offset,
    /// Bytes to send at most, counted in whole batches.
    pub bytes_max: u32,
}
