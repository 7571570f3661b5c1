//! What happens to groups by the clock.

use serde::{Deserialize, Serialize};

use super::classic::Phase;
use super::consumer::ConsumerGroup;
use super::tally::count;
use super::{Decided, Groups, Moment};
use crate::ids::TopicName;
use crate::time::Timestamp;

/// A timer of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GroupTimer {
    /// A member has been silent for its session.
    Session {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// A member of the consumer protocol has had time enough to give up what it was told to.
    Revocation {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// A member of the classic protocol in a group of the other has had time enough to join anew.
    Rejoining {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// The same to ask for what it gets.
    Resyncing {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// Nobody has joined with an id that was given out.
    Invitation {
        /// The group.
        group: String,
        /// The id.
        member: String,
    },
    /// Members have had time enough to join.
    Joining(String),
    /// Members have had time enough to ask for what they get.
    Syncing(String),
    /// Offsets that are too old are to go.
    Expiry,
}

impl Groups {
    /// Does the next thing whose time has come; none if there is none.
    pub fn fire(&mut self, moment: &Moment<'_>) -> Option<Decided> {
        let mut decided = Decided::default();
        match self.deadlines.pop_due(moment.now.monotonic)? {
            GroupTimer::Session { group, member } if self.consumer(&group).is_some() => {
                self.remove_consumer(&group, &member, moment, &mut decided);
            }
            GroupTimer::Session { group, member } => self.remove_member(&group, &member, moment, &mut decided),
            GroupTimer::Rejoining { group, member } | GroupTimer::Resyncing { group, member } => {
                self.remove_consumer(&group, &member, moment, &mut decided);
            }
            GroupTimer::Revocation { group, member } => self.revocation_ended(&group, &member, moment, &mut decided),
            GroupTimer::Invitation { group, member } => {
                if let Some(held) = self.groups.get_mut(&group) {
                    held.classic.invited.remove(&member);
                }
                self.complete_if_all_joined(&group, moment, &mut decided);
                self.forget_blank(&group);
            }
            GroupTimer::Joining(group) => self.joining_ended(&group, moment, &mut decided),
            GroupTimer::Syncing(group) => self.syncing_ended(&group, moment, &mut decided),
            GroupTimer::Expiry => {
                self.expire(moment, &mut decided);
                self.deadlines.set(GroupTimer::Expiry, moment.now.monotonic.after(moment.bounds.retention_check));
            }
        }
        Some(decided)
    }

    /// Whoever has not asked for what it gets is gone.
    fn syncing_ended(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.groups.get_mut(name) else { return };
        match group.classic.phase {
            Phase::CompletingRebalance | Phase::Stable => {}
            Phase::Empty | Phase::PreparingRebalance { .. } => return,
        }
        for member_id in std::mem::take(&mut group.classic.unsynced) {
            self.remove_member(name, &member_id, moment, decided);
        }
    }

    /// Takes back what nobody has committed for as long as it is kept, and groups that nothing is left of.
    fn expire(&mut self, moment: &Moment<'_>, decided: &mut Decided) {
        let (wall, retention_ms) = (moment.now.wall, moment.bounds.retention_ms);
        let mut old = Vec::new();
        for (name, group) in self.groups.iter().filter(|(_, group)| group.is_empty() || group.consumer.is_some()) {
            // What a group has read it keeps for as long as it has members, of the consumer protocol ones that subscribe to it. One that never had
            // any is judged by its commits.
            let left_at = group.classic.protocol_type.as_ref().map(|_| group.classic.since);
            let read = group.consumer.as_ref().map(ConsumerGroup::subscribed).unwrap_or_default();
            for (topic, partitions) in group.offsets.iter().filter(|(topic, _)| !read.contains(topic)) {
                for (partition, committed) in partitions {
                    let since = left_at.map_or(committed.committed_at, |left| left.max(committed.committed_at));
                    let ends = committed.expires_at.unwrap_or(Timestamp(since.0.saturating_add(retention_ms)));
                    if ends <= wall {
                        old.push((name.clone(), topic.clone(), *partition));
                    }
                }
            }
        }
        decided.tally.expired_offsets += count(old.len());
        for (group, topic, partition) in old {
            self.take_back(group, topic, partition, decided);
        }
        let empty = |(name, group): (&String, &super::Group)| {
            let is_over = group.is_empty() && group.classic.invited.is_empty() && group.offsets.is_empty();
            is_over.then(|| name.clone())
        };
        let over: Vec<String> = self.groups.iter().filter_map(empty).collect();
        for name in over {
            self.drop_group(name, decided);
        }
    }

    /// Topics are gone: what was committed of them means nothing.
    pub fn topics_deleted(&mut self, topics: &[TopicName]) -> Decided {
        let mut decided = Decided::default();
        let mut gone = Vec::new();
        for (name, group) in &self.groups {
            for topic in topics {
                let partitions = group.offsets.get(topic).into_iter().flat_map(|partitions| partitions.keys());
                gone.extend(partitions.map(|partition| (name.clone(), topic.clone(), *partition)));
            }
        }
        for (group, topic, partition) in gone {
            self.take_back(group, topic, partition, &mut decided);
        }
        decided
    }
}
