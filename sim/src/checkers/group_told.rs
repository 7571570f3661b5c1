//! What checkers are told of groups by those who are members of them.

use std::collections::BTreeSet;
use std::time::Duration;

use gracchus_core::group::OFFSETS_TOPIC;
use gracchus_core::ids::{NodeId, TopicPartition};

use super::group_claims::GroupHeard;
use super::groups::{GroupAsked, GroupHistories};
use super::topic_book::Topic;
use super::{Checkers, Violation};
use crate::platform::clock::simulated_time;

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

    /// A member of the consumer protocol is about to be heard of.
    pub fn group_has_consumers(&mut self, group: &str) {
        self.groups.has_consumers(group);
    }

    /// A member has no more than these, and is about to say so, if to anybody.
    pub fn group_owns(&mut self, group: &str, member: &str, owned: &BTreeSet<TopicPartition>) {
        self.groups.owns(group, member, owned);
    }

    /// A member is about to be heard of by a node, and is not to be taken for gone before `until` if that is its coordinator.
    #[must_use]
    pub fn group_ask_heard(&self, group: &str, node: NodeId, until: Duration) -> GroupHeard {
        let elections = self.coordinates(node, group).then(|| self.cluster.elections().1);
        GroupHeard { node, elections, until }
    }

    /// A member has been told that all is well, and perhaps what it gets.
    ///
    /// # Errors
    /// When another has it too.
    pub fn group_heard(
        &mut self,
        group: &str,
        member: &str,
        heard: &GroupHeard,
        assigned: Option<&BTreeSet<TopicPartition>>,
    ) -> Result<(), Violation> {
        if self.are_groups_excused() {
            return Ok(());
        }
        let has_coordinated = heard.elections.is_some() && *heard == self.group_ask_heard(group, heard.node, heard.until);
        self.groups.heard(group, member, (simulated_time(), has_coordinated.then_some(heard.until)), assigned)
    }

    /// Whether the controller has named a node the leader of what a group is kept in.
    fn coordinates(&self, node: NodeId, group: &str) -> bool {
        let keeps = |(_, topic): &(TopicPartition, &Topic)| topic.name.as_str() == OFFSETS_TOPIC;
        let kept: Vec<TopicPartition> = self.topics.all().filter(keeps).map(|(partition, _)| partition).collect();
        // Where Kafka keeps it: Java's hash of its name over so many partitions.
        let hash = group.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let count = i32::try_from(kept.len()).expect("partitions are few").max(1);
        let place = hash.checked_abs().unwrap_or_default() % count;
        !self.is_cluster() || kept.into_iter().any(|id| id.partition.0 == place && self.cluster.is_led_by(id, node))
    }

    /// A member has been told that its commit is kept: in its generation or epoch, of a partition up to an offset.
    ///
    /// # Errors
    /// When there was a later generation already, or another had the partition.
    pub fn group_committed(
        &mut self,
        group: &str,
        member: &str,
        committed: (i32, TopicPartition, i64),
        asked: &GroupAsked,
    ) -> Result<(), Violation> {
        if self.are_groups_excused() { Ok(()) } else { self.groups.committed(group, member, committed, asked) }
    }

    /// A member has been told how far its group has come.
    ///
    /// # Errors
    /// When that is less than was committed.
    pub fn group_fetched(&self, group: &str, partition: TopicPartition, offset: i64, asked: &GroupAsked) -> Result<(), Violation> {
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
