//! What a copy of a partition says to readers: up to where, in which leader epoch, and where its log parts from what they have read. The leader
//! says it to everyone, a follower to consumers that may read from any replica (KIP-392).

use super::Replica;
use crate::boundary::{FetchPartition, LogSlice};
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::LogId;
use crate::offset::Offset;

/// A copy as readers see it, in the leader epoch that it knows.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub(super) replica: &'a Replica,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) is_leading: bool,
}

/// What may be read of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// The high watermark.
    pub high_watermark: Offset,
    /// The last stable offset.
    pub last_stable_offset: Offset,
    /// The log's start.
    pub log_start: Offset,
    /// The reader gets nothing from here on.
    pub end: Offset,
    /// Whether the leader says so.
    pub is_of_leader: bool,
    /// The records, if there are any.
    pub slice: Option<LogSlice>,
    /// How many bytes those are, before any limit.
    pub bytes: u64,
    /// Where the reader's log parts from this one.
    pub diverging: Option<(LeaderEpoch, Offset)>,
}

/// Why nothing may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The reader knows an older leader epoch.
    FencedLeaderEpoch,
    /// The reader knows a newer leader epoch.
    UnknownLeaderEpoch,
    /// Below the log's start.
    BelowLogStart,
    /// Past the log's end.
    AboveLogEnd,
    /// The reader has read an epoch of which this log knows no end.
    LastFetchedEpochUnknown,
}

impl From<ReadError> for ErrorCode {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::FencedLeaderEpoch => Self::FencedLeaderEpoch,
            ReadError::UnknownLeaderEpoch => Self::UnknownLeaderEpoch,
            ReadError::BelowLogStart | ReadError::AboveLogEnd | ReadError::LastFetchedEpochUnknown => Self::OffsetOutOfRange,
        }
    }
}

impl Reading<'_> {
    /// All below is committed, as far as the copy knows.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.replica.high_watermark
    }

    /// Where its log starts.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.replica.log.start()
    }

    /// What a fetch may have from `wanted.fetch_offset` on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, id: LogId, wanted: &FetchPartition, read_committed: bool) -> Result<Readable, ReadError> {
        self.check_epoch(wanted.current_leader_epoch)?;
        let (replica, log, from) = (self.replica, &self.replica.log, wanted.fetch_offset);
        if !self.is_leading && from > log.end() {
            // It is behind the reader, and can't judge it.
            return Err(ReadError::AboveLogEnd);
        }
        let diverging = wanted.last_fetched_epoch.map_or(Ok(None), |epoch| self.divergence(epoch, from))?;
        if from < log.start() {
            return Err(ReadError::BelowLogStart);
        }
        if diverging.is_none() && from > log.end() {
            return Err(ReadError::AboveLogEnd);
        }
        let upto = replica.readable_end(read_committed);
        let bytes_max = u32::try_from(wanted.partition_bytes_max).unwrap_or(0);
        let slice = (diverging.is_none() && from < upto).then(|| LogSlice { log: id, generation: log.generation(), from, upto, bytes_max });
        Ok(Readable {
            high_watermark: replica.high_watermark,
            last_stable_offset: replica.last_stable_offset(),
            log_start: log.start(),
            end: upto,
            is_of_leader: self.is_leading,
            bytes: slice.map_or(0, |_| log.bytes_between(from, upto)),
            slice,
            diverging,
        })
    }

    /// Where a reader that read `epoch` up to `from` parts from this log, if it does (KIP-595).
    fn divergence(&self, epoch: LeaderEpoch, from: Offset) -> Result<Option<(LeaderEpoch, Offset)>, ReadError> {
        let (found, end) = self.end_of_epoch(epoch).ok_or(ReadError::LastFetchedEpochUnknown)?;
        Ok((found < epoch || end < from).then_some((found, end)))
    }

    /// The largest epoch that is not above `epoch`, with its end.
    #[must_use]
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let log = &self.replica.log;
        if epoch == self.leader_epoch {
            return Some((epoch, log.end()));
        }
        log.epochs().end_of(epoch, log.end())
    }

    /// Checks the leader epoch that a client knows (KIP-320).
    ///
    /// # Errors
    /// It is not the one in which this copy is led.
    pub fn check_epoch(&self, known: Option<LeaderEpoch>) -> Result<(), ReadError> {
        match known {
            Some(epoch) if epoch < self.leader_epoch => Err(ReadError::FencedLeaderEpoch),
            Some(epoch) if epoch > self.leader_epoch => Err(ReadError::UnknownLeaderEpoch),
            Some(_) | None => Ok(()),
        }
    }
}
