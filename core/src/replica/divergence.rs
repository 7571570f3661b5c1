//! Where two copies of a log part (KIP-101, KIP-279, KIP-595): told by the leader, followed by the follower.

use serde::{Deserialize, Serialize};

use crate::epoch::LeaderEpoch;
use crate::log::Log;
use crate::offset::Offset;

/// The end of an epoch in the leader's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochEnd {
    /// The largest epoch of the leader's log that is not above the one that was asked about.
    pub leader_epoch: LeaderEpoch,
    /// Behind its last record.
    pub end_offset: Offset,
}

/// Where a follower's log, whose last record below `fetch_offset` is of `last_fetched_epoch`, parts from the leader's; none while it continues
/// it. The leader knows no end for an epoch above all of its own: then its whole log is told as the common part.
#[must_use]
pub fn divergence(log: &Log, last_fetched_epoch: Option<LeaderEpoch>, fetch_offset: Offset) -> Option<EpochEnd> {
    let Some(asked) = last_fetched_epoch else {
        // A follower without records: it begins where the log does.
        let is_inside = fetch_offset >= log.start() && fetch_offset <= log.end();
        return (!is_inside).then(|| EpochEnd { leader_epoch: LeaderEpoch::NONE, end_offset: log.start() });
    };
    let latest = log.epochs().latest().map_or(LeaderEpoch::NONE, |latest| latest.leader_epoch);
    let (leader_epoch, end_offset) = log.epochs().end_of(asked, log.end()).unwrap_or((latest, log.end()));
    (leader_epoch < asked || end_offset < fetch_offset).then_some(EpochEnd { leader_epoch, end_offset })
}

/// The epoch of the last record below `fetch_offset`, which a follower names when it fetches. None where it holds no record there.
#[must_use]
pub fn last_fetched_epoch(log: &Log, fetch_offset: Offset) -> Option<LeaderEpoch> {
    let last = Offset(fetch_offset.0.checked_sub(1).filter(|last| *last >= log.start().0)?);
    log.epochs().epoch_of(last)
}

/// Where a follower that holds `leader_epoch` up to `fetch_offset` has to cut: to the largest epoch that both know, and to the lesser of its
/// two ends (KIP-279: to the largest common epoch, not to the high watermark). Its log may still diverge there; then it asks again and is told
/// again. Below the log's start nothing of it is common: a partition begins anew there; the metadata log keeps its start, for it is read from
/// there when a node starts.
#[must_use]
pub fn truncation(log: &Log, leaders: EpochEnd) -> Offset {
    let own_end = match log.epochs().end_of(leaders.leader_epoch, log.end()) {
        // It lacks the leader's epoch: what it holds of the one below is not contradicted yet.
        Some((epoch, end)) if epoch < leaders.leader_epoch => end,
        Some((_, end)) => end.min(leaders.end_offset),
        // All that it holds is of older epochs.
        None => leaders.end_offset,
    };
    own_end.min(log.end())
}
