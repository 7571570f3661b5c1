//! Groups, as their members are told of them.
//!
//! GroupOwnership: a partition has one owner at most in each generation of a group.
//! GroupFencing: a commit of a generation does not count any more once a member has been told what it gets in a later one.
//! CommitsKept: an offset that was committed, and said to be, is not lost and does not go back.
//!
//! Members commit ever more, each from where the one before it had come to, so that less is a loss.

use std::collections::BTreeMap;

use gracchus_core::ids::TopicPartition;

use super::Violation;

/// What was known of a group and a partition when somebody asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupAsked {
    /// The latest generation that a member has been told what it gets in.
    generation: i32,
    /// The furthest that was committed, and said to be.
    committed: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct GroupHistories {
    groups: BTreeMap<String, GroupHistory>,
}

#[derive(Debug, Default)]
struct GroupHistory {
    generation: i32,
    owners: BTreeMap<(i32, TopicPartition), String>,
    committed: BTreeMap<TopicPartition, i64>,
}

impl GroupHistories {
    pub(super) fn ask(&self, group: &str, partition: TopicPartition) -> GroupAsked {
        let Some(history) = self.groups.get(group) else { return GroupAsked::default() };
        GroupAsked { generation: history.generation, committed: history.committed.get(&partition).copied() }
    }

    pub(super) fn synced(&mut self, group: &str, generation: i32, member: &str, assigned: &[TopicPartition]) -> Result<(), Violation> {
        let history = self.groups.entry(group.to_owned()).or_default();
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

    pub(super) fn committed(
        &mut self,
        group: &str,
        generation: i32,
        partition: TopicPartition,
        offset: i64,
        asked: GroupAsked,
    ) -> Result<(), Violation> {
        let later = asked.generation;
        if generation < later {
            let what = format!("group {group} has taken offset {offset} of {partition} from generation {generation}, and {later} had begun");
            return Err(Violation::safety("GroupFencing", what));
        }
        let furthest = self.groups.entry(group.to_owned()).or_default().committed.entry(partition).or_insert(offset);
        *furthest = offset.max(*furthest);
        Ok(())
    }

    pub(super) fn fetched(group: &str, partition: TopicPartition, offset: i64, asked: GroupAsked) -> Result<(), Violation> {
        match asked.committed.filter(|committed| offset < *committed) {
            Some(committed) => {
                let what = format!("group {group} has committed {committed} of {partition}, and is told {offset}");
                Err(Violation::safety("CommitsKept", what))
            }
            None => Ok(()),
        }
    }
}
