//! A log as its writer knows it: whether it is there to be worked on, and what waits for it.

use std::collections::VecDeque;
use std::path::PathBuf;

use bytes::Bytes;
use gracchus_core::boundary::StorageOp;
use gracchus_core::offset::Offset;
use gracchus_core::time::Monotonic;
use tokio::sync::oneshot;

use super::log::Log;
use super::swap::Swap;
use crate::platform::Platform;

/// How many times what a log is synced at may be missing on disk before its appends wait. What comes at once is taken as fast as memory takes it,
/// while the disk is at work from the first on; recovery may have to write so much again.
const BACKLOG_FACTOR: u64 = 8;

/// A log as its writer knows it.
pub(super) struct Slot<P: Platform> {
    /// Who has it.
    pub(super) state: State<P>,
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// How long its files linger when it is deleted, in milliseconds.
    pub(super) file_delete_delay_ms: i64,
    /// What waits until a keeper is done with the log.
    pub(super) waiting: VecDeque<StorageOp>,
    /// Bytes that a keeper is putting on disk, while one is.
    pub(super) syncing: Option<u64>,
    /// Whether another sync was asked for meanwhile.
    pub(super) sync_wanted: bool,
    /// The latest snapshot that is to be kept: with it on disk none is needed that covers less.
    pub(super) snapshot: Option<(Offset, Bytes)>,
    /// What compaction has made and waits to take its place, and who waits for that.
    pub(super) swap: Option<(Box<Swap>, oneshot::Sender<bool>)>,
    /// Who waits for what is taking its place, while it does.
    pub(super) swapping: Option<oneshot::Sender<bool>>,
    /// When the log is noted to be due, if it is.
    pub(super) due_at: Option<Monotonic>,
}

/// Who has a log.
pub(super) enum State<P: Platform> {
    /// Its writer.
    Open(Box<Log<P>>),
    /// A keeper has it.
    Away,
    /// Another log, of a topic that had the name before, has its folder. It is not opened yet.
    Barred,
    /// Something failed: out of service until it is opened again.
    Failed,
}

impl<P: Platform> Slot<P> {
    /// A log that a keeper has.
    pub(super) fn new(folder: PathBuf, file_delete_delay_ms: i64) -> Self {
        Self {
            state: State::Away,
            folder,
            file_delete_delay_ms,
            waiting: VecDeque::new(),
            syncing: None,
            sync_wanted: false,
            snapshot: None,
            swap: None,
            swapping: None,
            due_at: None,
        }
    }

    /// Whether it waits for its folder.
    pub(super) fn is_barred(&self) -> bool {
        matches!(self.state, State::Barred)
    }

    /// Whether no keeper has the log, or is to have it before anything else.
    pub(super) fn is_at_rest(&self) -> bool {
        !matches!(self.state, State::Away | State::Barred) && self.syncing.is_none() && self.snapshot.is_none()
    }

    /// Whether nothing is under way or waits. What waits for another log's folder promised nothing yet.
    pub(super) fn is_idle(&self) -> bool {
        self.is_barred() || (self.is_at_rest() && self.waiting.is_empty() && !self.sync_wanted)
    }

    /// Whether so much is not on disk that more has to wait until a keeper is done.
    pub(super) fn is_saturated(&self, unsynced_bytes_max: u64) -> bool {
        match (&self.state, self.syncing) {
            (State::Open(log), Some(syncing)) => log.unsynced.bytes() + syncing >= unsynced_bytes_max.saturating_mul(BACKLOG_FACTOR),
            (State::Open(_) | State::Away | State::Barred | State::Failed, _) => false,
        }
    }
}
