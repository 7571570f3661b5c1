//! Groups of consumers, and whoever else shares work: their members and their offsets, as one partition of `__consumer_offsets` keeps them.
//!
//! [`Groups`] is an event-sourced coordinator: a request is decided into records and answers, and what the records say is in the state at once,
//! as it would be if they were replayed. The broker appends them, and lets the answers leave once they are committed. Whoever decides has made sure that records can be
//! appended: nothing is taken back.
//!
//! What is not kept (who joins, who has been heard) belongs to this coordinator and ends with it.

mod classic;
mod commit;
pub mod consumer;
mod describe;
mod embedded;
mod join;
mod member;
pub mod record;
mod tally;
mod timers;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::classic::{ClassicGroup, Gathering, Member, Phase};
use self::consumer::{ConsumerBounds, ConsumerGroup};
pub use self::record::{CommittedOffset, GroupRecord, KeptGroup, KeptMember};
pub use self::tally::GroupTally;
pub use self::timers::GroupTimer;
pub use self::wire::CorruptRecord;
use crate::boundary::{GroupResponse, Mark};
use crate::config::BrokerConfigs;
use crate::deadlines::Deadlines;
use crate::error::ErrorCode;
use crate::ids::{PartitionIndex, RequestId, TopicName};
use crate::metadata::Image;
use crate::rng::Random;
use crate::time::{Monotonic, Now, Wait};

/// The topic that groups are kept in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The groups of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<String, Group>,
    deadlines: Deadlines<GroupTimer>,
}

/// A group: who is in it, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Blank where its members are of the other protocol.
    classic: ClassicGroup,
    consumer: Option<ConsumerGroup>,
    offsets: BTreeMap<TopicName, BTreeMap<PartitionIndex, CommittedOffset>>,
}

impl Group {
    /// Its members, if they are of the classic protocol.
    #[must_use]
    pub fn classic(&self) -> &ClassicGroup {
        &self.classic
    }

    /// Its members, if they are of the consumer protocol (KIP-848).
    #[must_use]
    pub fn consumer(&self) -> Option<&ConsumerGroup> {
        self.consumer.as_ref()
    }

    /// Whether it has no members.
    fn is_empty(&self) -> bool {
        self.consumer.as_ref().map_or_else(|| self.classic.is_empty(), |consumer| consumer.members().next().is_none())
    }

    /// How many members it has.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.consumer.as_ref().map_or(self.classic.members.len(), |consumer| consumer.members.len())
    }

    /// How far it has come, by topic and partition.
    #[must_use]
    pub fn offsets(&self) -> &BTreeMap<TopicName, BTreeMap<PartitionIndex, CommittedOffset>> {
        &self.offsets
    }
}

/// What a decision is made by.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The time.
    pub now: Now,
    /// Where ids come from.
    pub random: &'a mut Random,
    /// How groups are to be.
    pub bounds: &'a GroupBounds,
    /// The topics that there are.
    pub image: &'a Image,
}

impl Moment<'_> {
    /// How a group of the consumer protocol is to be: it may have settings of its own.
    fn consumer_bounds(&self, group: &str) -> ConsumerBounds {
        self.bounds.consumer.of_group(group, self.image)
    }
}

/// A client, as its members are described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name for itself.
    pub id: String,
    /// Where it is.
    pub host: String,
}

/// What a request, or a time that has come, comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// What is to be appended. It is in the state already.
    pub records: Vec<GroupRecord>,
    /// What leaves once that is committed.
    pub answers: Vec<(RequestId, GroupResponse)>,
    /// Rare events that were reached.
    pub marks: Vec<Mark>,
    /// What was done of what is counted.
    pub tally: GroupTally,
}

/// Settings of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBounds {
    /// `group.min.session.timeout.ms`.
    session_ms_min: i64,
    /// `group.max.session.timeout.ms`.
    session_ms_max: i64,
    /// `group.initial.rebalance.delay.ms`.
    initial_delay: Wait,
    /// `group.max.size`.
    members_max: usize,
    /// `offset.metadata.max.bytes`.
    metadata_bytes_max: usize,
    /// `offsets.retention.minutes`.
    retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    retention_check: Wait,
    /// Of groups of the consumer protocol.
    consumer: ConsumerBounds,
}

impl GroupBounds {
    /// As a broker's settings have them.
    #[must_use]
    pub fn of(configs: &BrokerConfigs) -> Self {
        let size = |name| usize::try_from(configs.whole(name)).unwrap_or(usize::MAX);
        Self {
            session_ms_min: configs.whole("group.min.session.timeout.ms"),
            session_ms_max: configs.whole("group.max.session.timeout.ms"),
            initial_delay: Wait::from_ms(configs.whole("group.initial.rebalance.delay.ms")),
            members_max: size("group.max.size"),
            metadata_bytes_max: size("offset.metadata.max.bytes"),
            retention_ms: configs.whole("offsets.retention.minutes").saturating_mul(60_000),
            retention_check: Wait::from_ms(configs.whole("offsets.retention.check.interval.ms")),
            consumer: ConsumerBounds::of(configs),
        }
    }
}

impl GroupBounds {
    /// Whether there may be groups of the consumer protocol.
    #[must_use]
    pub fn offers_consumer_groups(&self) -> bool {
        self.consumer.is_offered
    }
}

impl Groups {
    /// Takes in a record, of this coordinator or of one before it.
    pub fn replay(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset { group, topic, partition, committed: Some(committed) } => {
                self.groups.entry(group).or_default().offsets.entry(topic).or_default().insert(partition, committed);
            }
            GroupRecord::Offset { group: name, topic, partition, committed: None } => {
                let Some(group) = self.groups.get_mut(&name) else { return };
                if let Some(partitions) = group.offsets.get_mut(&topic) {
                    partitions.remove(&partition);
                    if partitions.is_empty() {
                        group.offsets.remove(&topic);
                    }
                }
                self.forget_blank(&name);
            }
            GroupRecord::Classic { group, kept: Some(kept) } => self.groups.entry(group).or_default().classic = ClassicGroup::kept(kept),
            GroupRecord::Classic { group: name, kept: None } => {
                if let Some(group) = self.groups.get_mut(&name) {
                    group.classic = ClassicGroup::default();
                }
                self.forget_blank(&name);
            }
            GroupRecord::Consumer { group, record } => self.replay_consumer(group, record),
        }
    }

    /// All that was kept is replayed: members are heard of from here on, or are not.
    pub fn loaded(&mut self, moment: &Moment<'_>) {
        for group in self.groups.values_mut() {
            let Some(consumer) = &mut group.consumer else { continue };
            consumer.loaded();
            // A log that says both was written by somebody else.
            group.classic = ClassicGroup::default();
        }
        self.hear_all(moment);
        self.deadlines.set(GroupTimer::Expiry, moment.now.monotonic.after(moment.bounds.retention_check));
    }

    /// Whoever could not be heard for a while is not to be missed for that: all members may be silent for a session from here on.
    pub fn hear_all(&mut self, moment: &Moment<'_>) {
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            self.watch_members(&name, moment);
        }
    }

    /// When something is due by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.next()
    }

    /// The groups.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.groups.iter()
    }

    /// A group.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Refuses whoever waits for others: who joins, and who waits to be assigned to.
    pub fn abandon(&mut self, error: ErrorCode) -> Decided {
        let mut decided = Decided::default();
        let members = self.groups.values_mut().flat_map(|group| group.classic.members.iter_mut());
        for (member_id, member) in members {
            if let Some(waiting) = member.joining.take() {
                decided.refuse_join(waiting, error, member_id.clone());
            }
            if let Some(waiting) = member.syncing.take() {
                decided.refuse_sync(waiting, error);
            }
        }
        decided
    }

    fn forget_blank(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(|group| group.classic.is_blank() && group.consumer.is_none() && group.offsets.is_empty()) {
            self.groups.remove(name);
        }
    }
}

#[cfg(test)]
mod tests;
