//! Rare events: where each is set, which a campaign has to reach, and how often one did.

use std::collections::BTreeSet;
use std::fmt;

use gracchus_core::boundary::Mark;

use super::Summary;

/// Each mark with the lines that set it, as the core's sources have them.
const PLACES: &[(&str, &[&str])] = include!(concat!(env!("OUT_DIR"), "/mark_places.rs"));

/// A mark, and how often a campaign reached it.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkCount {
    /// Its name.
    pub name: String,
    /// How often it was reached.
    pub reached: u64,
    /// The same in a thousand seeds.
    pub per_thousand: f64,
    /// Whether a campaign of seeds of one node, and whether one of several nodes, has to reach it.
    pub is_required: (bool, bool),
    /// The lines that set it.
    pub places: &'static [&'static str],
}

/// All marks that there are, the rarest first.
#[must_use]
pub fn mark_counts(summary: &Summary) -> Vec<MarkCount> {
    let names = |marks: &[Mark]| marks.iter().map(|mark| format!("{mark:?}")).collect::<BTreeSet<_>>();
    let (alone, together) = (names(&REQUIRED_MARKS), names(&REQUIRED_CLUSTER_MARKS));
    let count = |(name, places): &(&str, &'static [&'static str])| {
        let reached = summary.marks.get(*name).copied().unwrap_or_default();
        let is_required = (alone.contains(*name), alone.contains(*name) || together.contains(*name));
        let per_thousand = reached as f64 * 1_000.0 / summary.seeds.max(1) as f64;
        MarkCount { name: (*name).to_owned(), reached, per_thousand, is_required, places }
    };
    let mut counts: Vec<MarkCount> = PLACES.iter().map(count).collect();
    counts.sort_by_key(|count| count.reached);
    counts
}

impl fmt::Display for MarkCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = match self.is_required {
            (true, _) => "always",
            (false, true) => "of several nodes",
            (false, false) => "",
        };
        write!(f, "{:<34}{:>10}{:>12.1}  {required:<18}{}", self.name, self.reached, self.per_thousand, self.places.join(" "))
    }
}

/// Rare events that a campaign has to reach: one that does not has stopped testing what they are about.
pub(super) const REQUIRED_MARKS: [Mark; 23] = [
    Mark::DuplicateBatchAnswered,
    Mark::DurabilityRaised,
    Mark::FetchAboveLogEnd,
    Mark::FetchBelowLogStart,
    Mark::FetchTimedOut,
    Mark::FetchWokenByAppend,
    Mark::GroupCommit,
    Mark::GroupDowngraded,
    Mark::GroupUpgraded,
    Mark::GroupsLoaded,
    Mark::LogEmptied,
    Mark::MemberUnreleased,
    Mark::MemberUnrevoked,
    Mark::OutOfOrderSequence,
    Mark::ProduceRefusedForSpace,
    Mark::ProducersRebuilt,
    Mark::RecordsDeleted,
    Mark::ReplicaFailed,
    Mark::RetentionAdvanced,
    Mark::SegmentsCompacted,
    Mark::TopicDeletedWithAppendsInFlight,
    Mark::TornTailCut,
    Mark::UnknownProducerStarted,
];

/// Those that one of several nodes has to reach beside.
pub(super) const REQUIRED_CLUSTER_MARKS: [Mark; 35] = [
    Mark::BrokerFenced,
    Mark::BrokerGone,
    Mark::CatchUpPaced,
    Mark::CaughtUpFromSnapshot,
    Mark::CommittedByFollower,
    Mark::CoordinatorDeposed,
    Mark::CutOffLeaderAnswered,
    Mark::DecisionsAbandoned,
    Mark::DeletionAwaitedReplicas,
    Mark::EligibleLeaderElected,
    Mark::FollowerBeganAnew,
    Mark::FollowerRead,
    Mark::FollowerTruncated,
    Mark::IsrExpanded,
    Mark::IsrShrunk,
    Mark::LastKnownLeaderElected,
    Mark::LeaderDeposed,
    Mark::LeaderResigned,
    Mark::LogBegunInsideBatch,
    Mark::MetadataAwaitedLeader,
    Mark::MetadataSnapshotLoaded,
    Mark::MetadataSnapshotTaken,
    Mark::MetadataTrimmed,
    Mark::MetadataTruncated,
    Mark::PreVoteRefused,
    Mark::PreferredLeaderElected,
    Mark::PreferredReplicaNamed,
    Mark::ReassignmentCompleted,
    Mark::RefusedBehindRefused,
    Mark::ReplicaFailed,
    Mark::UncleanRestart,
    Mark::VoterAdded,
    Mark::VoterPinned,
    Mark::VoterRemoved,
    Mark::WantCrossedAnswer,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_set_somewhere() {
        let counts = mark_counts(&Summary::default());
        for mark in REQUIRED_MARKS.iter().chain(&REQUIRED_CLUSTER_MARKS) {
            let count = counts.iter().find(|count| count.name == format!("{mark:?}"));
            assert!(count.is_some_and(|count| count.is_required.1), "{mark:?}");
        }
        let unset: Vec<&MarkCount> = counts.iter().filter(|count| count.places.is_empty()).collect();
        assert!(counts.len() > 50 && unset.is_empty(), "{} marks, and nothing sets {unset:?}", counts.len());
    }

    #[test]
    fn the_rarest_come_first() {
        let summary =
            Summary { seeds: 500, marks: [("GroupCommit".to_owned(), 1_000), ("TornTailCut".to_owned(), 2)].into(), ..Summary::default() };
        let counts: Vec<MarkCount> = mark_counts(&summary).into_iter().filter(|count| count.reached > 0).collect();
        let found: Vec<(&str, f64)> = counts.iter().map(|count| (count.name.as_str(), count.per_thousand)).collect();
        assert_eq!(found, [("TornTailCut", 4.0), ("GroupCommit", 2_000.0)]);
    }
}
