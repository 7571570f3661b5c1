//! The metadata snapshots on a node's disk, and when another is due.
//!
//! Two are kept: the log begins where the older one ends, so that a member that is a little behind still finds records, and a start that finds
//! the newer one damaged has the older one and the log behind it. A log that does not begin at offset 0 begins where a snapshot ends.

use serde::{Deserialize, Serialize};

use super::snapshot::SnapshotId;
use crate::epoch::LeaderEpoch;
use crate::limits::METADATA_SNAPSHOTS_KEPT;
use crate::offset::Offset;

/// What the store has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundSnapshots {
    /// Those that are sound, ascending.
    pub sound: Vec<SnapshotId>,
    /// Those that are not what was kept.
    pub damaged: Vec<SnapshotId>,
}

/// A node's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSnapshots {
    /// On disk, ascending; those that the log begins behind are not named.
    kept: Vec<SnapshotId>,
    /// Being kept.
    unkept: Option<SnapshotId>,
    /// Where the last one ends that was to be kept, whatever became of it.
    tried: Offset,
}

impl KeptSnapshots {
    /// Those that are on disk, ascending.
    #[must_use]
    pub fn new(kept: Vec<SnapshotId>) -> Self {
        let tried = kept.last().map(|latest| latest.end_offset).unwrap_or_default();
        Self { kept, unkept: None, tried }
    }

    /// Takes that the store is asked to keep one.
    pub(super) fn keeping(&mut self, id: SnapshotId) {
        self.unkept = Some(id);
        self.tried = id.end_offset;
    }

    /// Takes that one is on disk. Where the log may begin from here on.
    pub(super) fn kept(&mut self, id: SnapshotId) -> Option<Offset> {
        self.unkept.take_if(|unkept| *unkept == id);
        if self.latest().is_none_or(|latest| latest.end_offset < id.end_offset) {
            self.kept.push(id);
        }
        let before = self.kept.len().checked_sub(METADATA_SNAPSHOTS_KEPT)?;
        self.kept.get(before).map(|oldest| oldest.end_offset)
    }

    /// Takes that one could not be kept.
    pub(super) fn not_kept(&mut self, id: SnapshotId) {
        self.unkept.take_if(|unkept| *unkept == id);
    }

    /// Follows the log, which begins at `log_start`.
    pub(super) fn trim_to(&mut self, log_start: Offset) {
        self.kept.retain(|id| id.end_offset >= log_start);
    }

    /// Whether one is being kept.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.unkept.is_some()
    }

    /// Where the last one ends that was to be kept.
    #[must_use]
    pub fn tried(&self) -> Offset {
        self.tried
    }

    /// The one that ends last.
    #[must_use]
    pub fn latest(&self) -> Option<SnapshotId> {
        self.kept.last().copied()
    }

    /// Whether it is on disk.
    #[must_use]
    pub fn has(&self, id: SnapshotId) -> bool {
        self.kept.contains(&id)
    }

    /// The epoch of the last entry below `offset`, if one ends there.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.kept.iter().find(|id| id.end_offset == offset).map(|id| id.leader_epoch)
    }
}
