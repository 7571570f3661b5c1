//! The in-sync replicas of a partition as its leader sees them.
//!
//! Always: the maximal ISR is the committed one and the one that is proposed, together (KIP-497). There is one proposal at a time, and neither
//! shrinking nor expanding is thought of before the controller has answered it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::boundary::{Durability, IsrProposal};
use crate::epoch::{BrokerEpoch, PartitionEpoch};
use crate::ids::NodeId;
use crate::metadata::PartitionRegistration;
use crate::offset::Offset;
use crate::replica::{Positions, Progress};
use crate::time::{Monotonic, Wait};

/// The ISR, the followers and what is proposed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Isr {
    me: NodeId,
    replicas: Vec<NodeId>,
    replication_factor: usize,
    committed: BTreeSet<NodeId>,
    partition_epoch: PartitionEpoch,
    proposed: Option<BTreeSet<NodeId>>,
    followers: BTreeMap<NodeId, Fetching>,
}

/// A follower that fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fetching {
    /// The run that it fetches in (KIP-903).
    broker_epoch: BrokerEpoch,
    progress: Progress,
    /// Where its log starts, once it has said so.
    log_start: Option<Offset>,
}

/// What decides on who is in sync.
#[derive(Clone, Copy, Debug)]
pub(super) struct Criteria {
    /// How a replica's position is measured.
    pub(super) durability: Durability,
    /// A member must hold all below.
    pub(super) high_watermark: Offset,
    /// And all of the epochs before this leader's.
    pub(super) epoch_start: Offset,
    /// Where the leader's log ends.
    pub(super) log_end: Offset,
    /// A member may be behind for so long (`replica.lag.time.max.ms`).
    pub(super) lag_max: Wait,
    /// The time.
    pub(super) now: Monotonic,
}

impl Isr {
    /// As the controller has registered it.
    pub(super) fn new(me: NodeId, registered: &PartitionRegistration) -> Self {
        Self {
            me,
            replicas: registered.replicas.clone(),
            replication_factor: registered.replication_factor(),
            committed: registered.isr.iter().copied().collect(),
            partition_epoch: registered.partition_epoch,
            proposed: None,
            followers: BTreeMap::new(),
        }
    }

    /// Takes what the controller has committed. A proposal that it does not answer is over all the same: it was made for an older state.
    pub(super) fn commit(&mut self, registered: &PartitionRegistration) {
        if registered.partition_epoch > self.partition_epoch {
            self.replicas.clone_from(&registered.replicas);
            self.replication_factor = registered.replication_factor();
            self.committed = registered.isr.iter().copied().collect();
            self.partition_epoch = registered.partition_epoch;
            self.proposed = None;
            self.followers.retain(|node, _| registered.replicas.contains(node));
        }
    }

    /// The controller has refused what was proposed in that epoch.
    pub(super) fn refused(&mut self, partition_epoch: PartitionEpoch) {
        if partition_epoch == self.partition_epoch {
            self.proposed = None;
        }
    }

    /// A replica fetches. What it held in an earlier run counts no longer.
    pub(super) fn fetched(&mut self, node: NodeId, broker_epoch: BrokerEpoch, at: Positions, by: &Criteria) {
        if !self.replicas.contains(&node) {
            return;
        }
        let fresh = Fetching { broker_epoch, progress: Progress::unheard(by.now), log_start: None };
        let follower = self.followers.entry(node).or_insert(fresh);
        if follower.broker_epoch > broker_epoch {
            return;
        }
        if follower.broker_epoch < broker_epoch {
            *follower = fresh;
        }
        follower.progress.fetched(at, by.durability, by.log_end, by.now);
    }

    /// A replica that fetches has told where its log starts.
    pub(super) fn starts_at(&mut self, node: NodeId, broker_epoch: BrokerEpoch, log_start: Offset) {
        if let Some(follower) = self.followers.get_mut(&node).filter(|follower| follower.broker_epoch == broker_epoch) {
            follower.log_start = Some(log_start);
        }
    }

    /// Where a replica's log starts, if it has said so.
    pub(super) fn start_of(&self, node: NodeId) -> Option<Offset> {
        self.followers.get(&node)?.log_start
    }

    /// What a replica could serve to consumers: from its log's start to where it has written; none of one that has not fetched.
    #[must_use]
    pub fn holds(&self, node: NodeId) -> Option<RangeInclusive<Offset>> {
        let follower = self.followers.get(&node)?;
        Some(follower.log_start?..=follower.progress.at.written_offset)
    }

    /// A replica that waits at the log's end has shown that it lives.
    pub(super) fn heard(&mut self, node: NodeId, by: &Criteria) {
        if let Some(follower) = self.followers.get_mut(&node) {
            follower.progress.heard = by.now;
            if follower.progress.at.kept(by.durability) >= by.log_end {
                follower.progress.caught_up = Some(by.now);
            }
        }
    }

    /// How far everyone holds the log who must, or is about to: the followers' part of the commit rule.
    pub(super) fn followers_hold(&self, by: &Criteria, may_join: impl Fn(NodeId, BrokerEpoch) -> bool) -> impl Iterator<Item = Offset> {
        let of_isr = self
            .maximal()
            .filter(|node| *node != self.me)
            .map(|node| self.followers.get(&node).map_or(Offset::ZERO, |follower| follower.progress.at.kept(by.durability)));
        // Kafka's rule: the high watermark waits for a replica that keeps up and may join, or it would never reach it.
        let joining = self.followers.iter().filter(|(node, follower)| {
            !self.is_maximal(**node) && !is_lagging(&follower.progress, by) && may_join(**node, follower.broker_epoch)
        });
        of_isr.chain(joining.map(|(_, follower)| follower.progress.at.kept(by.durability))).collect::<Vec<_>>().into_iter()
    }

    /// What the ISR should be, if that is something else, and nothing is proposed already.
    pub(super) fn propose(&mut self, by: &Criteria, may_join: impl Fn(NodeId, BrokerEpoch) -> bool) -> Option<IsrProposal> {
        if self.proposed.is_some() {
            return None;
        }
        let stays = |node: &NodeId| *node == self.me || self.followers.get(node).is_some_and(|follower| !is_lagging(&follower.progress, by));
        let joins = |node: &NodeId| {
            let Some(follower) = self.followers.get(node) else { return false };
            let held = follower.progress.at.kept(by.durability);
            let is_heard = by.now.since(follower.progress.heard) <= by.lag_max;
            is_heard && held >= by.high_watermark && held >= by.epoch_start && may_join(*node, follower.broker_epoch)
        };
        let wanted: BTreeSet<NodeId> =
            self.replicas.iter().copied().filter(|node| if self.committed.contains(node) { stays(node) } else { joins(node) }).collect();
        if wanted == self.committed {
            return None;
        }
        let members = wanted.iter().map(|node| (*node, self.followers.get(node).map(|follower| follower.broker_epoch))).collect();
        self.proposed = Some(wanted);
        Some(IsrProposal { members, partition_epoch: self.partition_epoch })
    }

    /// Gives a new leader's members the time to fetch.
    pub(super) fn expect_members(&mut self, broker_epoch_of: impl Fn(NodeId) -> Option<BrokerEpoch>, now: Monotonic) {
        for node in self.committed.iter().copied().filter(|node| *node != self.me) {
            let Some(broker_epoch) = broker_epoch_of(node) else { continue };
            self.followers.insert(node, Fetching { broker_epoch, progress: Progress::expected(now), log_start: None });
        }
    }

    /// Members that the controller knows of.
    #[must_use]
    pub fn committed(&self) -> &BTreeSet<NodeId> {
        &self.committed
    }

    /// Members as far as anybody may take them for such.
    pub fn maximal(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.replicas.iter().copied().filter(|node| self.is_maximal(*node))
    }

    pub(super) fn is_maximal(&self, node: NodeId) -> bool {
        self.committed.contains(&node) || self.proposed.as_ref().is_some_and(|proposed| proposed.contains(&node))
    }

    /// Whether a commit waits for a replica: of a member always, of another while it keeps up.
    pub(super) fn waits_for(&self, node: NodeId, by: &Criteria) -> bool {
        self.is_maximal(node) || self.followers.get(&node).is_some_and(|follower| !is_lagging(&follower.progress, by))
    }

    /// The state that the committed ISR belongs to.
    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// The leader itself.
    #[must_use]
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// How many replicas there are but for those that a reassignment adds.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.replication_factor
    }

    /// Who has a copy.
    #[must_use]
    pub fn replicas(&self) -> &[NodeId] {
        &self.replicas
    }

    /// What a follower holds, as far as is known.
    #[must_use]
    pub fn progress(&self, node: NodeId) -> Option<&Progress> {
        self.followers.get(&node).map(|follower| &follower.progress)
    }
}

/// Whether a follower has been behind for too long, or has not been heard for as long. One that never was in sync is behind.
fn is_lagging(progress: &Progress, by: &Criteria) -> bool {
    let is_late = progress.caught_up.is_none_or(|caught_up| by.now.since(caught_up) > by.lag_max);
    progress.at.kept(by.durability) < by.log_end && is_late || by.now.since(progress.heard) > by.lag_max
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: NodeId = NodeId(1);

    fn isr(committed: &[i32]) -> Isr {
        let nodes = |numbers: &[i32]| numbers.iter().copied().map(NodeId).collect::<Vec<_>>();
        let mut isr = Isr::new(ME, &PartitionRegistration::created(nodes(&[1, 2, 3]), nodes(committed)));
        isr.expect_members(|_| Some(BrokerEpoch(1)), Monotonic(0));
        isr
    }

    fn by(log_end: i64, high_watermark: i64, now_ms: i64) -> Criteria {
        Criteria {
            durability: Durability::Flushed,
            high_watermark: Offset(high_watermark),
            epoch_start: Offset(5),
            log_end: Offset(log_end),
            lag_max: Wait::from_ms(1_000),
            now: Monotonic(0).after(Wait::from_ms(now_ms)),
        }
    }

    /// One that has written all that it has.
    fn at(fetch: i64, durable: i64) -> Positions {
        Positions { fetch_offset: Offset(fetch), written_offset: Offset(fetch), durable_offset: Offset(durable) }
    }

    fn held(isr: &Isr, by: &Criteria) -> Option<Offset> {
        isr.followers_hold(by, |_, _| true).min()
    }

    fn members(proposal: Option<IsrProposal>) -> Option<Vec<i32>> {
        proposal.map(|proposal| proposal.members.into_iter().map(|(node, _)| node.0).collect())
    }

    #[test]
    fn what_a_follower_has_on_disk_counts_where_the_topic_says_flushed() {
        let mut isr = isr(&[1, 2]);
        isr.fetched(NodeId(2), BrokerEpoch(1), at(10, 7), &by(10, 0, 0));
        assert_eq!(held(&isr, &by(10, 0, 0)), Some(Offset(7)));
        assert_eq!(held(&isr, &Criteria { durability: Durability::Replicated, ..by(10, 0, 0) }), Some(Offset(10)));
    }

    #[test]
    fn who_catches_up_from_far_behind_holds_nothing_up() {
        let mut isr = isr(&[1, 2]);
        isr.fetched(NodeId(2), BrokerEpoch(1), at(10, 10), &by(10, 0, 0));
        isr.fetched(NodeId(3), BrokerEpoch(1), at(0, 0), &by(10, 0, 0));
        assert_eq!(held(&isr, &by(10, 0, 0)), Some(Offset(10)));
        isr.fetched(NodeId(3), BrokerEpoch(1), at(10, 10), &by(10, 0, 1));
        isr.fetched(NodeId(2), BrokerEpoch(1), at(12, 12), &by(12, 0, 2));
        assert_eq!(held(&isr, &by(12, 0, 2)), Some(Offset(10)), "who keeps up and may join is waited for");
    }

    #[test]
    fn who_holds_all_that_is_committed_joins_and_who_lags_leaves() {
        let mut isr = isr(&[1, 2]);
        isr.fetched(NodeId(2), BrokerEpoch(1), at(10, 10), &by(10, 8, 0));
        isr.fetched(NodeId(3), BrokerEpoch(1), at(10, 7), &by(10, 8, 0));
        assert_eq!(members(isr.propose(&by(10, 8, 1), |_, _| true)), None, "it does not hold it on disk");
        isr.fetched(NodeId(3), BrokerEpoch(1), at(10, 8), &by(10, 8, 1));
        assert_eq!(members(isr.propose(&by(10, 8, 1), |_, _| true)), Some(vec![1, 2, 3]));
        assert_eq!(isr.maximal().count(), 3, "what is proposed may be so already");
        assert_eq!(members(isr.propose(&by(20, 8, 5_000), |_, _| true)), None, "one proposal at a time");
        isr.refused(PartitionEpoch::FIRST);
        assert_eq!(members(isr.propose(&by(20, 8, 5_000), |_, _| true)), Some(vec![1]), "neither has been heard for long");
    }

    #[test]
    fn what_was_held_in_an_earlier_run_does_not_count() {
        let mut isr = isr(&[1, 2]);
        isr.fetched(NodeId(2), BrokerEpoch(1), at(10, 10), &by(10, 0, 0));
        isr.fetched(NodeId(2), BrokerEpoch(9), at(4, 4), &by(10, 0, 1));
        assert_eq!(held(&isr, &by(10, 0, 1)), Some(Offset(4)));
        isr.fetched(NodeId(2), BrokerEpoch(1), at(10, 10), &by(10, 0, 2));
        assert_eq!(held(&isr, &by(10, 0, 2)), Some(Offset(4)), "a late message of the run before");
    }
}
