//! What coordinators have done, counted for whoever watches.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How often each was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTally {
    /// Generations of the classic protocol that were assigned to their members.
    pub classic_rebalances: u64,
    /// Epochs of groups of the consumer protocol.
    pub consumer_rebalances: u64,
    /// Offsets that were committed, each partition's for itself.
    pub offset_commits: u64,
    /// Offsets that were taken back because they were too old.
    pub expired_offsets: u64,
}

/// So many of one kind.
pub(super) fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

impl AddAssign for GroupTally {
    fn add_assign(&mut self, more: Self) {
        let Self { classic_rebalances, consumer_rebalances, offset_commits, expired_offsets } = more;
        self.classic_rebalances += classic_rebalances;
        self.consumer_rebalances += consumer_rebalances;
        self.offset_commits += offset_commits;
        self.expired_offsets += expired_offsets;
    }
}
