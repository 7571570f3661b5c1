//! A group of the consumer protocol (KIP-848): its members only send heartbeats, and the coordinator says who gets what.
//!
//! Three epochs tell how far it is. The *group's* counts the changes of who subscribes to what, the *assignment's* is that which partitions were
//! last assigned for, and each *member* has the one that it has come to. A heartbeat takes its member on: the group's epoch grows if it has changed
//! its mind, partitions are assigned if the group's epoch is ahead, and the member is told the next step towards what it is to get.
//!
//! | state of the group | until |
//! | --- | --- |
//! | `Empty` | a member joins |
//! | `Assigning` | a heartbeat has partitions assigned for the group's epoch; of those who come and go at one time once (KIP-1263) |
//! | `Reconciling` | all members have come to that epoch |
//! | `Stable` | a member joins, leaves, is silent or changes its mind, or topics change |
//!
//! | standing of a member | goes on when |
//! | --- | --- |
//! | [`Standing::Stable`] | the assignment's epoch is another: it gives up first what it is to give up, and stays in its epoch meanwhile |
//! | [`Standing::Unrevoked`] | it says what it has, and none of what it was to give up; fenced, if that takes longer than it said it would |
//! | [`Standing::Unreleased`] | others have given up what it is to get |
//!
//! A partition has one owner from when it is assigned to when that member has said that it has given it up, or is gone: nobody else gets it
//! meanwhile. All that is decided is kept, but for when members were heard, and whether topics have changed since a group last looked.

mod assign;
mod classic_members;
mod commit;
mod describe;
mod heartbeat;
mod interest;
mod leave;
mod member;
mod migration;
mod pattern;
mod reconcile;
mod record;
mod subscriptions;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::assign::Assignor;
use self::interest::Interest;
pub use self::member::{ConsumerMember, Standing};
pub use self::record::{ConsumerRecord, KeptClassic, KeptCurrent, KeptEpoch, KeptMatch, KeptSubscriber};
use super::{GroupRecord, Groups};
use crate::config::{Bounded, BrokerConfigs};
use crate::epoch::GroupEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::ids::{TopicName, TopicPartition};
use crate::metadata::{ConfigTarget, Image};
use crate::time::{Monotonic, Wait};

/// Partitions that somebody is to get.
pub type Partitions = BTreeSet<TopicPartition>;

/// Partitions that somebody has, each with the epoch since which it does.
pub type Assigned = BTreeMap<TopicPartition, GroupEpoch>;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerGroup {
    pub(super) epoch: GroupEpoch,
    /// What the topics that are subscribed to looked like by then.
    topics_hash: i64,
    pub(super) assignment_epoch: GroupEpoch,
    pub(super) members: BTreeMap<String, ConsumerMember>,
    /// What they subscribe to.
    interest: Interest,
    /// The ids of static members, by their own names (KIP-345).
    pub(super) instances: BTreeMap<String, String>,
    /// Who has a partition, or has not said that it has given it up.
    owners: BTreeMap<TopicPartition, String>,
    /// The topics that regular expressions stand for.
    patterns: BTreeMap<String, BTreeSet<TopicName>>,
    /// Whether topics may have changed since it last looked.
    is_stale: bool,
    /// Whether a member has gone since it last looked: what that one subscribed to may be nobody's.
    has_shrunk: bool,
    /// Until when members are to be heard of often.
    settles_until: Monotonic,
    /// From when on partitions may be assigned again for those who come and go.
    assigns_from: Monotonic,
    /// Who has said that it has what it was last told to have: of the others the answer that told them may be lost.
    knowing: BTreeSet<String>,
}

impl Default for ConsumerGroup {
    fn default() -> Self {
        Self {
            epoch: GroupEpoch::NONE,
            topics_hash: 0,
            assignment_epoch: GroupEpoch::NONE,
            members: BTreeMap::new(),
            interest: Interest::default(),
            instances: BTreeMap::new(),
            owners: BTreeMap::new(),
            patterns: BTreeMap::new(),
            is_stale: true,
            has_shrunk: false,
            settles_until: Monotonic(0),
            assigns_from: Monotonic(0),
            knowing: BTreeSet::new(),
        }
    }
}

/// What groups may set for themselves.
const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";
const ASSIGNMENT: &str = "consumer.assignment.interval.ms";

/// Settings of groups of the consumer protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerBounds {
    /// `group.consumer.session.timeout.ms`, or the group's own.
    session: Bounded,
    /// `group.consumer.heartbeat.interval.ms`, or the group's own.
    heartbeat: Bounded,
    /// `group.consumer.assignment.interval.ms`, or the group's own.
    assignment: Bounded,
    /// `group.consumer.max.size`.
    pub(super) members_max: usize,
    /// `group.consumer.assignors`, the default first.
    pub(super) assignors: [Option<Assignor>; 2],
    /// Of `group.coordinator.rebalance.protocols`: whether there are to be such groups.
    pub(super) is_offered: bool,
    /// Of `group.consumer.migration.policy`: whether a group of the classic protocol may become one of this.
    pub(super) may_upgrade: bool,
    /// The same the other way.
    pub(super) may_downgrade: bool,
}

impl ConsumerBounds {
    pub(super) fn of(configs: &BrokerConfigs) -> Self {
        let named = |name: &str| configs.text(name).unwrap_or_default();
        let mut assignors: Vec<Assignor> =
            named("group.consumer.assignors").split(',').filter_map(|name| Assignor::named(name.trim())).collect();
        assignors.dedup();
        if assignors.is_empty() {
            assignors = Assignor::ALL.to_vec();
        }
        let policy = named("group.consumer.migration.policy").to_ascii_lowercase();
        Self {
            is_offered: named("group.coordinator.rebalance.protocols").split(',').any(|name| name.trim() == "consumer"),
            session: Bounded::of(configs, SESSION),
            heartbeat: Bounded::of(configs, HEARTBEAT),
            assignment: Bounded::of(configs, ASSIGNMENT),
            members_max: usize::try_from(configs.whole("group.consumer.max.size")).unwrap_or(usize::MAX),
            assignors: [assignors.first().copied(), assignors.get(1).copied()],
            may_upgrade: matches!(policy.as_str(), "upgrade" | "bidirectional"),
            may_downgrade: matches!(policy.as_str(), "downgrade" | "bidirectional"),
        }
    }

    /// The same in a group that has settings of its own.
    #[must_use]
    pub(super) fn of_group(&self, name: &str, image: &Image) -> Self {
        let Some(own) = image.configs.get(&ConfigTarget::Group(name.to_owned())) else { return *self };
        Self {
            session: self.session.with_own(own.get(SESSION)),
            heartbeat: self.heartbeat.with_own(own.get(HEARTBEAT)),
            assignment: self.assignment.with_own(own.get(ASSIGNMENT)),
            ..*self
        }
    }

    /// How long a member may be silent.
    pub(super) fn session(&self) -> Wait {
        Wait::from_ms(self.session.usual)
    }

    /// How often members are to be heard of, in milliseconds.
    pub(super) fn heartbeat_ms(&self) -> i64 {
        self.heartbeat.usual
    }

    /// How long after one assignment there may be another.
    pub(super) fn assignment_interval(&self) -> Wait {
        Wait::from_ms(self.assignment.usual)
    }

    fn assignors(&self) -> impl Iterator<Item = Assignor> {
        self.assignors.into_iter().flatten()
    }
}

impl ConsumerGroup {
    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> GroupEpoch {
        self.epoch
    }

    /// The epoch that partitions were last assigned for.
    #[must_use]
    pub fn assignment_epoch(&self) -> GroupEpoch {
        self.assignment_epoch
    }

    /// Its members, by their ids.
    pub fn members(&self) -> impl Iterator<Item = (&String, &ConsumerMember)> {
        self.members.iter()
    }

    /// # Errors
    /// UNKNOWN_SERVER_ERROR: there is no epoch after its own. Its members are to go, and whoever joins it then begins anew.
    fn check_epoch_left(&self) -> Result<(), ApiError> {
        if self.epoch < GroupEpoch::LAST {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::UnknownServerError, "The group has had all its epochs: its members must leave it."))
    }

    /// The member that bears a name of its own.
    fn bearer(&self, instance: &String) -> Option<(&String, &ConsumerMember)> {
        self.members.get_key_value(self.instances.get(instance)?)
    }

    /// Kafka's name for what it is doing.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().all(|member| member.has_come_to(self.assignment_epoch)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The assignor that most of its members would rather have, the default if none would.
    pub(super) fn assignor(&self, bounds: &ConsumerBounds) -> Assignor {
        let votes = |assignor: &Assignor| {
            let wants = |member: &&ConsumerMember| member.said.assignor.as_deref() == Some(assignor.name());
            self.members.values().filter(wants).count()
        };
        // Of those that as many want the first: `max_by_key` gives the last.
        let offered: Vec<Assignor> = bounds.assignors().collect();
        offered.into_iter().rev().max_by_key(votes).unwrap_or(Assignor::Uniform)
    }

    /// Takes in a fact. Facts about a member may come in any order.
    fn replay(&mut self, record: ConsumerRecord) {
        match record {
            ConsumerRecord::Group(kept) => {
                let KeptEpoch { epoch, topics_hash } = kept.unwrap_or(KeptEpoch { epoch: GroupEpoch::NONE, topics_hash: 0 });
                (self.epoch, self.topics_hash) = (epoch, topics_hash);
            }
            ConsumerRecord::Member(member, Some(said)) => {
                let named = said.instance_id.clone();
                self.interest.add(&said);
                let former = std::mem::replace(&mut self.members.entry(member.clone()).or_default().said, said);
                self.interest.remove(&former);
                self.forget_instance(former.instance_id.as_ref(), &member);
                if let Some(instance) = named {
                    self.instances.insert(instance, member);
                }
            }
            ConsumerRecord::Member(member, None) => {
                self.set_current(&member, KeptCurrent::default());
                let Some(former) = self.members.remove(&member) else { return };
                self.knowing.remove(&member);
                self.interest.remove(&former.said);
                self.forget_instance(former.instance_id(), &member);
            }
            ConsumerRecord::TargetEpoch(epoch) => self.assignment_epoch = epoch.unwrap_or(GroupEpoch::NONE),
            ConsumerRecord::Target(member, Some(partitions)) => self.members.entry(member).or_default().target = partitions,
            ConsumerRecord::Target(member, None) => {
                if let Some(held) = self.members.get_mut(&member) {
                    held.target.clear();
                }
            }
            ConsumerRecord::Current(member, Some(current)) => {
                self.members.entry(member.clone()).or_default();
                self.set_current(&member, current);
            }
            ConsumerRecord::Current(member, None) => self.set_current(&member, KeptCurrent::default()),
            ConsumerRecord::Pattern(pattern, Some(kept)) => {
                self.patterns.insert(pattern, kept.topics);
            }
            ConsumerRecord::Pattern(pattern, None) => {
                self.patterns.remove(&pattern);
            }
        }
    }

    /// A member bears a name no longer, if nobody else has come to bear it.
    fn forget_instance(&mut self, instance: Option<&String>, member: &str) {
        if let Some(instance) = instance
            && self.instances.get(instance).is_some_and(|held| held == member)
        {
            self.instances.remove(instance);
        }
    }

    fn set_current(&mut self, name: &str, current: KeptCurrent) {
        let Some(member) = self.members.get_mut(name) else { return };
        let former = std::mem::replace(&mut member.current, current);
        if !member.current.assigned.keys().eq(former.assigned.keys()) {
            self.knowing.remove(name);
        }
        for id in former.assigned.keys().chain(former.revoking.keys()) {
            if self.owners.get(id).is_some_and(|owner| owner == name) {
                self.owners.remove(id);
            }
        }
        for id in member.current.assigned.keys().chain(member.current.revoking.keys()) {
            self.owners.insert(*id, name.to_owned());
        }
    }
}

impl Groups {
    /// Takes in a fact about a group. One that takes back what is not there says nothing.
    pub(super) fn replay_consumer(&mut self, name: String, record: ConsumerRecord) {
        let takes_back = match &record {
            ConsumerRecord::Group(kept) => kept.is_none(),
            ConsumerRecord::Member(_, kept) => kept.is_none(),
            ConsumerRecord::TargetEpoch(kept) => kept.is_none(),
            ConsumerRecord::Target(_, kept) => kept.is_none(),
            ConsumerRecord::Current(_, kept) => kept.is_none(),
            ConsumerRecord::Pattern(_, kept) => kept.is_none(),
        };
        if record == ConsumerRecord::Group(None) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.consumer = None;
            }
            return self.forget_blank(&name);
        }
        if !takes_back {
            self.groups.entry(name).or_default().consumer.get_or_insert_default().replay(record);
        } else if let Some(group) = self.groups.get_mut(&name).and_then(|group| group.consumer.as_mut()) {
            group.replay(record);
        }
    }

    /// A group of this protocol.
    pub(super) fn consumer(&self, name: &str) -> Option<&ConsumerGroup> {
        self.groups.get(name)?.consumer.as_ref()
    }

    fn consumer_mut(&mut self, name: &str) -> Option<&mut ConsumerGroup> {
        self.groups.get_mut(name)?.consumer.as_mut()
    }

    fn keep_fact(&mut self, name: &str, record: ConsumerRecord, decided: &mut super::Decided) {
        self.keep(GroupRecord::Consumer { group: name.to_owned(), record }, decided);
    }

    /// Tells groups that subscribe to them that topics are new, gone or have more partitions: they look when a member is next heard of.
    pub fn topics_changed(&mut self, topics: &BTreeSet<TopicName>) {
        if topics.is_empty() {
            return;
        }
        for group in self.groups.values_mut().filter_map(|group| group.consumer.as_mut()) {
            group.is_stale |= group.may_concern(topics);
        }
    }
}

#[cfg(test)]
mod tests;
