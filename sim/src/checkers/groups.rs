//! Groups, as their members are told of them.
//!
//! GroupOwnership: a partition has one owner at most in each generation of a group of the classic protocol, and of either protocol one at a time
//! (`group_claims`).
//! GroupFencing: a commit of a generation does not count any more once a member has been told what it gets in a later one; where members are of the
//! consumer protocol, and each in an epoch of its own, once another has been told to have the partition.
//! CommitsKept: an offset that was committed, and said to be, is not lost and does not go back.
//!
//! Members commit ever more, each from where the one before it had come to, so that less is a loss.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gracchus_core::ids::TopicPartition;

use super::Violation;
use super::group_claims::Claims;

/// What was known of a group and a partition when somebody asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupAsked {
    /// The latest generation that a member has been told what it gets in.
    generation: i32,
    /// The furthest that was committed, and said to be.
    committed: Option<i64>,
    /// Who was the last to be told to have it.
    last_told: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct GroupHistories {
    groups: BTreeMap<String, GroupHistory>,
}

#[derive(Debug, Default)]
struct GroupHistory {
    /// Whether anybody of the consumer protocol has ever been in it, or may have.
    has_consumers: bool,
    claims: Claims,
    generation: i32,
    owners: BTreeMap<(i32, TopicPartition), String>,
    committed: BTreeMap<TopicPartition, i64>,
}

impl GroupHistories {
    pub(super) fn ask(&self, group: &str, partition: TopicPartition) -> GroupAsked {
        let Some(history) = self.groups.get(group) else { return GroupAsked::default() };
        GroupAsked {
            generation: history.generation,
            committed: history.committed.get(&partition).copied(),
            last_told: history.claims.last_told(partition).cloned(),
        }
    }

    pub(super) fn synced(&mut self, group: &str, generation: i32, member: &str, assigned: &[TopicPartition]) -> Result<(), Violation> {
        let history = self.groups.entry(group.to_owned()).or_default();
        if history.has_consumers {
            return Ok(());
        }
        history.generation = history.generation.max(generation);
        for partition in assigned {
            let owner = history.owners.entry((generation, *partition)).or_insert_with(|| member.to_owned());
            if owner != member {
                let what = format!("in generation {generation} of group {group} both {owner} and {member} own {partition}");
                return Err(Violation::safety("GroupOwnership", what));
            }
        }
        Ok(())
    }

    /// A member of the consumer protocol is about to be heard of.
    pub(super) fn has_consumers(&mut self, group: &str) {
        self.groups.entry(group.to_owned()).or_default().has_consumers = true;
    }

    /// A member of any protocol has no more than these.
    pub(super) fn owns(&mut self, group: &str, member: &str, owned: &BTreeSet<TopicPartition>) {
        if let Some(history) = self.groups.get_mut(group) {
            history.claims.owns(member, owned);
        }
    }

    /// A member has been heard of, by its coordinator, unless `until` is none.
    pub(super) fn heard(
        &mut self,
        group: &str,
        member: &str,
        (now, until): (Duration, Option<Duration>),
        assigned: Option<&BTreeSet<TopicPartition>>,
    ) -> Result<(), Violation> {
        let claims = &mut self.groups.entry(group.to_owned()).or_default().claims;
        let Some(until) = until else {
            claims.unsure(assigned);
            return Ok(());
        };
        let heard = claims.heard(member, until, now, assigned);
        heard.map_err(|violation| Violation { what: format!("group {group}: {}", violation.what), ..violation })
    }

    /// A commit of a member in an epoch or generation, of a partition up to an offset, is said to be kept.
    pub(super) fn committed(
        &mut self,
        group: &str,
        member: &str,
        (epoch, partition, offset): (i32, TopicPartition, i64),
        asked: &GroupAsked,
    ) -> Result<(), Violation> {
        let history = self.groups.entry(group.to_owned()).or_default();
        let later = asked.generation;
        if epoch < later && !history.has_consumers {
            let what = format!("group {group} has taken offset {offset} of {partition} from generation {epoch}, and {later} had begun");
            return Err(Violation::safety("GroupFencing", what));
        }
        if let Some(other) = asked.last_told.as_ref().filter(|other| *other != member) {
            let what = format!("group {group} has taken offset {offset} of {partition} from {member} in {epoch}, and {other} had it by then");
            return Err(Violation::safety("GroupFencing", what));
        }
        let furthest = history.committed.entry(partition).or_insert(offset);
        *furthest = offset.max(*furthest);
        Ok(())
    }

    pub(super) fn fetched(group: &str, partition: TopicPartition, offset: i64, asked: &GroupAsked) -> Result<(), Violation> {
        match asked.committed.filter(|committed| offset < *committed) {
            Some(committed) => {
                let what = format!("group {group} has committed {committed} of {partition}, and is told {offset}");
                Err(Violation::safety("CommitsKept", what))
            }
            None => Ok(()),
        }
    }
}
