//! Groups, as their members are told of them.
//!
//! GroupOwnership: a partition has one owner at most in each generation of a group.
//! GroupFencing: a commit of a generation does not count any more once a member has been told what it gets in a later one.
//! CommitsKept: an offset that was committed, and said to be, is not lost and does not go back.
//!
//! Members commit ever more, each from where the one before it had come to, so that less is a loss.

use std::collections::BTreeMap;

use gracchus_core::group::OFFSETS_TOPIC;
use gracchus_core::ids::TopicPartition;

use super::topic_book::Topic;
use super::{Checkers, Violation};

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

impl Checkers {
    /// What is known of a group when a member of it asks about a partition.
    #[must_use]
    pub fn group_ask(&self, group: &str, partition: TopicPartition) -> GroupAsked {
        self.groups.ask(group, partition)
    }

    /// A member has been told an error that nothing explains, unless it knows topics of before the disk was replaced.
    ///
    /// # Errors
    /// ErrorCodes.
    pub fn group_refused(&self, what: String) -> Result<(), Violation> {
        if self.is_disk_replaced { Ok(()) } else { Err(Violation::safety("ErrorCodes", what)) }
    }

    /// A member has been told what it gets.
    ///
    /// # Errors
    /// When another has it too.
    pub fn group_synced(&mut self, group: &str, generation: i32, member: &str, assigned: &[TopicPartition]) -> Result<(), Violation> {
        if self.are_groups_excused() { Ok(()) } else { self.groups.synced(group, generation, member, assigned) }
    }

    /// A member has been told that its commit is kept.
    ///
    /// # Errors
    /// When there was a later generation already.
    pub fn group_committed(
        &mut self,
        group: &str,
        generation: i32,
        partition: TopicPartition,
        offset: i64,
        asked: GroupAsked,
    ) -> Result<(), Violation> {
        if self.are_groups_excused() { Ok(()) } else { self.groups.committed(group, generation, partition, offset, asked) }
    }

    /// A member has been told how far its group has come.
    ///
    /// # Errors
    /// When that is less than was committed.
    pub fn group_fetched(&self, group: &str, partition: TopicPartition, offset: i64, asked: GroupAsked) -> Result<(), Violation> {
        if self.are_groups_excused() { Ok(()) } else { GroupHistories::fetched(group, partition, offset, asked) }
    }

    /// Whether what groups are kept in has lost what no promise covers.
    fn are_groups_excused(&self) -> bool {
        let has_lost = |(partition, topic): (TopicPartition, &Topic)| topic.name.as_str() == OFFSETS_TOPIC && self.excused.has(partition);
        self.is_disk_replaced || self.topics.all().any(has_lost)
    }

    /// Whether nobody can be asked to serve groups again: those of one of the partitions that keep them [need not](Self::need_not_serve).
    #[must_use]
    pub fn need_not_serve_groups(&self) -> bool {
        let is_given_up = |(partition, topic): (TopicPartition, &Topic)| topic.name.as_str() == OFFSETS_TOPIC && self.need_not_serve(partition);
        self.topics.all().any(is_given_up)
    }
}
