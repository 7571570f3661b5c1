//! What members subscribe to, as topics that there are, and what they are to get of those.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::assign::{Counts, Subscriber};
use super::member::ConsumerMember;
use super::pattern::Pattern;
use super::record::{ConsumerRecord, KeptEpoch, KeptMatch};
use super::{ConsumerGroup, Partitions};
use crate::group::{Decided, Groups, Moment};
use crate::ids::{TopicId, TopicName};
use crate::metadata::Image;
use crate::time::Wait;

/// What a member says that it subscribes to: topics, and an expression for more.
type Subscription<'a> = (&'a BTreeSet<TopicName>, Option<&'a String>);

impl ConsumerGroup {
    /// The topics that a member subscribes to, by name or by expression.
    pub(super) fn topics_of<'a>(&'a self, member: &'a ConsumerMember) -> impl Iterator<Item = &'a TopicName> {
        let matched = member.said.pattern.as_ref().and_then(|pattern| self.patterns.get(pattern));
        member.said.topics.iter().chain(matched.into_iter().flatten())
    }

    /// Whether a member subscribes to a topic, by name or by expression.
    pub(super) fn subscribes(&self, member: &ConsumerMember, topic: &TopicName) -> bool {
        let matched = member.said.pattern.as_ref().and_then(|pattern| self.patterns.get(pattern));
        member.said.topics.contains(topic) || matched.is_some_and(|matched| matched.contains(topic))
    }

    /// The topics that any of its members subscribes to.
    pub(in crate::group) fn subscribed(&self) -> BTreeSet<&TopicName> {
        let matched = self.interest.patterns().filter_map(|pattern| self.patterns.get(pattern));
        self.interest.topics().chain(matched.flatten()).collect()
    }

    /// Whether any of its members may subscribe to any of these topics.
    pub(super) fn may_concern(&self, topics: &BTreeSet<TopicName>) -> bool {
        self.interest.patterns().len() > 0 || topics.iter().any(|topic| self.interest.names(topic))
    }

    /// What the expressions that are in use stand for: what has changed of that. One that the group knows is matched only if topics may have
    /// changed. One in use that is not sound was kept by somebody else.
    fn matched_anew(&self, is_stale: bool, image: &Image) -> Vec<(String, Option<BTreeSet<TopicName>>)> {
        let is_unused = |pattern: &&String| self.interest.users(pattern) == 0;
        let unused = self.patterns.keys().filter(is_unused).map(|pattern| (pattern.clone(), None));
        let due = self.interest.patterns().filter(|pattern| is_stale || !self.patterns.contains_key(*pattern));
        let matched = due.filter_map(|pattern| {
            let topics = Pattern::parse(pattern).map(|pattern| pattern.matches(image)).unwrap_or_default();
            (self.patterns.get(pattern) != Some(&topics)).then(|| (pattern.clone(), Some(topics)))
        });
        matched.chain(unused).collect()
    }

    /// What the topics that are subscribed to look like: which there are, and how many partitions they have. 0 if there are none.
    fn hash_topics(&self, image: &Image) -> i64 {
        let there = self.subscribed().into_iter().filter_map(|name| image.topic_named(name)).collect::<Vec<_>>();
        if there.is_empty() {
            return 0;
        }
        // FNV-1a.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for (id, topic) in there {
            let count = u64::try_from(topic.partitions.len()).unwrap_or(u64::MAX);
            for byte in id.0.0.into_iter().chain(count.to_be_bytes()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        i64::from_be_bytes(hash.to_be_bytes())
    }

    /// What each member is to get for the group's epoch, by the assignor that most want.
    fn assign(&self, moment: &Moment<'_>) -> Vec<(String, Partitions)> {
        let image = moment.image;
        let mut counts = Counts::new();
        let mut alike: BTreeMap<Subscription<'_>, Rc<BTreeSet<TopicId>>> = BTreeMap::new();
        let subscribers = self.members.values().map(|member| {
            let topics = alike.entry((&member.said.topics, member.said.pattern.as_ref())).or_insert_with(|| {
                let there: Vec<_> = self.topics_of(member).filter_map(|name| image.topic_named(name)).collect();
                counts.extend(there.iter().map(|(id, topic)| (*id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))));
                Rc::new(there.into_iter().map(|(id, _)| id).collect())
            });
            Subscriber { instance_id: member.said.instance_id.as_deref(), topics: Rc::clone(topics), held: &member.target }
        });
        let subscribers: Vec<_> = subscribers.collect();
        let assigned = self.assignor(&moment.bounds.consumer).assign(&subscribers, &counts);
        self.members.keys().cloned().zip(assigned).collect()
    }
}

impl Groups {
    /// The group's epoch grows if a member has changed its mind, or topics are not what they were.
    pub(super) fn follow_subscriptions(&mut self, name: &str, has_changed: bool, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.consumer_mut(name) else { return };
        let (is_stale, has_shrunk) = (std::mem::take(&mut group.is_stale), std::mem::take(&mut group.has_shrunk));
        if !has_changed && !is_stale && !has_shrunk {
            return;
        }
        let matched = group.matched_anew(is_stale, moment.image);
        let are_others_matched = matched.iter().any(|(_, topics)| topics.is_some());
        for (pattern, topics) in matched {
            let kept = topics.map(|topics| KeptMatch { topics, found_at: moment.now.wall });
            self.keep_fact(name, ConsumerRecord::Pattern(pattern, kept), decided);
        }
        let Some(group) = self.consumer(name) else { return };
        let topics_hash = group.hash_topics(moment.image);
        let is_otherwise = topics_hash != group.topics_hash || are_others_matched;
        if has_changed || (is_otherwise && group.epoch == group.assignment_epoch) {
            self.bump_epoch(name, topics_hash, moment, decided);
        } else if is_otherwise {
            // Partitions are about to be assigned anyway.
            let kept = KeptEpoch { epoch: group.epoch, topics_hash };
            self.keep_fact(name, ConsumerRecord::Group(Some(kept)), decided);
        }
    }

    /// The group is another: its members are asked to be heard of often for a while.
    fn bump_epoch(&mut self, name: &str, topics_hash: i64, moment: &Moment<'_>, decided: &mut Decided) {
        let settles_until = moment.now.monotonic.after(Wait::from_ms(moment.consumer_bounds(name).heartbeat_ms()));
        let Some(group) = self.consumer_mut(name) else { return };
        group.settles_until = settles_until;
        decided.tally.consumer_rebalances += 1;
        let kept = KeptEpoch { epoch: group.epoch.next(), topics_hash };
        self.keep_fact(name, ConsumerRecord::Group(Some(kept)), decided);
    }

    /// A member is gone: partitions are to be assigned anew when another is heard of.
    pub(super) fn bump_without(&mut self, name: &str, moment: &Moment<'_>, decided: &mut Decided) {
        let Some(group) = self.consumer_mut(name) else { return };
        group.has_shrunk = true;
        let topics_hash = group.topics_hash;
        self.bump_epoch(name, topics_hash, moment, decided);
    }

    /// Assigns partitions, if the group is ahead of the last assignment, and that was a while ago or somebody can't wait. The epoch is kept last:
    /// without it they are assigned again.
    pub(super) fn assign_if_due(&mut self, name: &str, is_urgent: bool, moment: &Moment<'_>, decided: &mut Decided) {
        let now = moment.now.monotonic;
        let is_due = |group: &&mut ConsumerGroup| group.epoch > group.assignment_epoch && (is_urgent || now >= group.assigns_from);
        let Some(group) = self.consumer_mut(name).filter(is_due) else { return };
        group.assigns_from = now.after(moment.consumer_bounds(name).assignment_interval());
        let epoch = group.epoch;
        let assigned = group.assign(moment);
        for (member, partitions) in assigned {
            let held = self.consumer(name).and_then(|group| group.members.get(&member));
            if held.is_some_and(|held| held.target != partitions) {
                self.keep_fact(name, ConsumerRecord::Target(member, Some(partitions)), decided);
            }
        }
        self.keep_fact(name, ConsumerRecord::TargetEpoch(Some(epoch)), decided);
    }
}
