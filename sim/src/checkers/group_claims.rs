//! What members of a group have, as they were told and as they say themselves.
//!
//! GroupOwnership: nobody is told to have what another has. A member has what it was told to get, until it says that it has it no longer, leaves, or
//! is told that it is none; and it may be taken for gone once it was silent for its session, or has not given up in time what it was told to.
//!
//! GroupFencing: once another was told to have a partition, a commit of who had it before does not count.
//!
//! A coordinator that is deposed and does not know it may say that a member is well while another one's patience with it comes to an end. So
//! only what the one that the controller has named says counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gracchus_core::ids::{NodeId, TopicPartition};

use super::Violation;

/// What was known of a member's coordinator when it was about to be heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHeard {
    /// The node that was asked.
    pub(super) node: NodeId,
    /// So many elections there had been, if that node was the group's coordinator.
    pub(super) elections: Option<usize>,
    /// When the coordinator may take the member for gone at the earliest, unless it is heard of again.
    pub(super) until: Duration,
}

impl GroupHeard {
    /// Of a run that is over.
    #[must_use]
    pub fn of_nobody(node: NodeId) -> Self {
        Self { node, elections: None, until: Duration::ZERO }
    }
}

#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By the members' ids.
    members: BTreeMap<String, Claim>,
    /// Who was the last to be told to have a partition, as far as it is known.
    last_told: BTreeMap<TopicPartition, String>,
}

/// What a member has.
#[derive(Debug, Default)]
struct Claim {
    partitions: BTreeSet<TopicPartition>,
    until: Duration,
}

impl Claims {
    /// A member says that it has no more than these.
    pub(super) fn owns(&mut self, member: &str, owned: &BTreeSet<TopicPartition>) {
        let Some(claim) = self.members.get_mut(member) else { return };
        claim.partitions.retain(|partition| owned.contains(partition));
        if claim.partitions.is_empty() {
            self.members.remove(member);
        }
    }

    /// A member has been heard of until at least `until`, and may have been told what it gets.
    pub(super) fn heard(
        &mut self,
        member: &str,
        until: Duration,
        now: Duration,
        assigned: Option<&BTreeSet<TopicPartition>>,
    ) -> Result<(), Violation> {
        if until < now {
            // It may be another's by now.
            self.unsure(assigned);
            return Ok(());
        }
        for partition in assigned.into_iter().flatten() {
            let has_it = |(other, claim): &(&String, &Claim)| *other != member && claim.until > now && claim.partitions.contains(partition);
            if let Some((other, _)) = self.members.iter().find(has_it) {
                let what = format!("{member} is told to have {partition}, and {other} has it still");
                return Err(Violation::safety("GroupOwnership", what));
            }
            self.last_told.insert(*partition, member.to_owned());
        }
        if let Some(assigned) = assigned.filter(|assigned| !assigned.is_empty()) {
            self.members.entry(member.to_owned()).or_default().partitions.extend(assigned);
        }
        if let Some(claim) = self.members.get_mut(member) {
            claim.until = until;
        }
        Ok(())
    }

    /// Somebody was told to have these who may not have them any more.
    pub(super) fn unsure(&mut self, assigned: Option<&BTreeSet<TopicPartition>>) {
        for partition in assigned.into_iter().flatten() {
            self.last_told.remove(partition);
        }
    }

    pub(super) fn last_told(&self, partition: TopicPartition) -> Option<&String> {
        self.last_told.get(&partition)
    }
}

#[cfg(test)]
mod tests {
    use gracchus_core::ids::{PartitionIndex, TopicId, Uuid};

    use super::*;

    const P: TopicPartition = TopicPartition { topic: TopicId(Uuid([1; 16])), partition: PartitionIndex(0) };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn held_by_one() -> (Claims, BTreeSet<TopicPartition>) {
        let (mut claims, all) = (Claims::default(), BTreeSet::from([P]));
        claims.heard("one", ms(1_000), ms(10), Some(&all)).unwrap();
        (claims, all)
    }

    #[test]
    fn nobody_is_told_to_have_what_another_has() {
        let (mut claims, all) = held_by_one();
        assert!(claims.heard("one", ms(1_000), ms(20), Some(&all)).is_ok());
        let refused = claims.heard("two", ms(1_500), ms(500), Some(&all)).unwrap_err();
        assert_eq!(refused.property, "GroupOwnership");
    }

    #[test]
    fn who_says_so_has_it_no_longer() {
        let (mut claims, all) = held_by_one();
        claims.owns("one", &BTreeSet::new());
        assert!(claims.heard("two", ms(1_500), ms(500), Some(&all)).is_ok());
        assert_eq!(claims.last_told(P).map(String::as_str), Some("two"));
    }

    #[test]
    fn who_is_silent_may_be_gone() {
        let (mut claims, all) = held_by_one();
        assert!(claims.heard("two", ms(1_500), ms(1_000), Some(&all)).is_ok());
        // What it is told so late it may not have any more.
        claims.heard("one", ms(1_000), ms(1_200), Some(&all)).unwrap();
        assert_eq!(claims.last_told(P), None);
    }
}
