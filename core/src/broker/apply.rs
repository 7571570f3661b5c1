//! Committed metadata, as this broker follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::describe::{first_of, last_of};
use super::lifecycle::Stage;
use super::storage::Stranded;
use super::{Bounds, Broker};
use crate::boundary::{Durability, Effects, Mark, StorageOp};
use crate::config::TopicSettings;
use crate::error::ErrorCode;
use crate::ids::{LogId, TopicId, TopicPartition};
use crate::metadata::{ConfigTarget, Image, MetadataRecord, PartitionRegistration};
use crate::offset::Offset;
use crate::partition::{Partition, log_settings};

impl Broker {
    /// Replays what was committed into the broker's image, and follows it.
    pub(super) fn apply_committed(&mut self, effects: &mut Effects) {
        let mut changed = BTreeSet::new();
        while let Some((offset, record)) = self.metadata.as_mut().and_then(|metadata| metadata.pop_committed()) {
            changed.extend(self.topic_changed_by(&record));
            self.unlist(&record, effects);
            self.mark_election(&record, effects);
            self.mark_voters(&record, effects);
            self.image.replay(offset, &record);
            self.follow(&record, effects);
        }
        self.coordinators.topics_changed(&changed);
        self.finish_calls(effects);
        self.settle_doubtful_metadata(effects);
        self.snapshot_if_due(effects);
    }

    /// Puts an image that is later in the place of this one, and follows what differs.
    pub(super) fn leap_to(&mut self, image: Image, effects: &mut Effects) {
        let changes = self.image.difference(&image);
        let changed = changes.iter().filter_map(|record| self.topic_changed_by(record)).collect();
        changes.iter().for_each(|record| self.unlist(record, effects));
        self.image = image;
        effects.metadata_changed = true;
        changes.iter().for_each(|record| self.follow(record, effects));
        self.coordinators.topics_changed(&changed);
    }

    /// Connections are not to know a topic that is about to go; the image still says its name.
    fn unlist(&mut self, record: &MetadataRecord, effects: &mut Effects) {
        if let MetadataRecord::RemoveTopic { id } = record
            && let Some(topic) = self.image.topics.get(id)
        {
            let name = topic.name.clone();
            self.topics.remove(&name, *id);
            self.forget_offsets(&name, effects);
        }
    }

    /// Notes who leads that is not simply the next of the ISR, and replicas that go.
    fn mark_election(&self, record: &MetadataRecord, effects: &mut Effects) {
        let MetadataRecord::Partition { id, state } = record else { return };
        let (Some(before), Some(leader)) = (self.image.partition(*id), state.leader) else { return };
        if before.removing.iter().any(|node| !state.replicas.contains(node)) {
            effects.mark(Mark::ReassignmentCompleted);
        }
        let is_given_back = before.leader.is_some_and(|former| former != leader && state.isr.contains(&former));
        if is_given_back && state.replicas.first() == Some(&leader) {
            effects.mark(Mark::PreferredLeaderElected);
        }
        if before.leader == Some(leader) || before.isr.contains(&leader) {
            return;
        }
        if before.elr.contains(&leader) {
            effects.mark(Mark::EligibleLeaderElected);
        } else if before.last_known_leader == Some(leader) {
            effects.mark(Mark::LastKnownLeaderElected);
        }
    }

    fn follow(&mut self, record: &MetadataRecord, effects: &mut Effects) {
        match record {
            MetadataRecord::Topic { id, .. } => self.resettle_topic(*id, effects),
            MetadataRecord::Partition { id, state } => self.follow_partition(*id, state, effects),
            MetadataRecord::RemoveTopic { id } => self.remove_topic(*id, effects),
            MetadataRecord::Config { target, .. } => self.resettle(target, effects),
            MetadataRecord::RegisterBroker { node, .. } | MetadataRecord::UnregisterBroker { node } => {
                self.lost.remove(node);
                effects.metadata_changed = true;
            }
            MetadataRecord::UnfenceBroker { .. } | MetadataRecord::FenceBroker { .. } => {}
            MetadataRecord::ProducerIds { .. } | MetadataRecord::Feature { .. } => {}
            // Followed as soon as it is appended; here it is committed.
            MetadataRecord::Voters { .. } => self.follow_voters(effects),
        }
    }

    /// A partition is new, or is in another state.
    fn follow_partition(&mut self, id: TopicPartition, state: &PartitionRegistration, effects: &mut Effects) {
        if !self.follows_partitions() {
            return;
        }
        let is_replica = state.replicas.contains(&self.settings.node);
        if self.partitions.contains_key(&id) && !is_replica {
            self.drop_partition(id, ErrorCode::NotLeaderOrFollower, effects);
        } else if self.partitions.contains_key(&id) {
            self.settle_partition(id, effects);
        } else if is_replica {
            self.take_up(id, effects);
        }
    }

    /// Opens the log of a partition that this node is to have a copy of, as soon as it may.
    fn take_up(&mut self, id: TopicPartition, effects: &mut Effects) {
        if self.may_not_open() {
            self.deferred.insert(id);
        } else {
            self.open_partition(id, effects);
        }
    }

    /// A log is removed, and may be opened anew.
    pub(super) fn log_removed(&mut self, id: TopicPartition, effects: &mut Effects) {
        if self.removing.remove(&id) && self.follows_partitions() {
            self.take_up(id, effects);
        }
    }

    /// Makes of a copy what committed metadata says that it is.
    pub(super) fn settle_partition(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(registered) = self.image.partition(id).cloned() else { return };
        let me = self.settings.node;
        let is_deposed = registered.leader != Some(me) && self.leads(id);
        if is_deposed {
            effects.mark(Mark::LeaderDeposed);
        }
        let follows = |partition: &mut Partition| partition.follower_mut().is_some_and(|held| held.leader_epoch() < registered.leader_epoch);
        // Consumers of a follower are to hear of the new epoch.
        let is_over = is_deposed || self.partitions.get_mut(&id).is_some_and(follows);
        let stranded = if is_over { self.strand(id) } else { Stranded::default() };
        let may_lead = self.image.brokers.get(&me).is_some_and(|broker| !broker.is_fenced && broker.incarnation == self.settings.incarnation);
        let around = around!(self);
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.settle(me, &registered, may_lead, &around);
        if partition.is_offline() && registered.isr.contains(&me) {
            // The controller has not heard of it, or sees nobody else.
            let is_damaged = partition.is_damaged();
            self.report_failed(id, is_damaged, effects);
        }
        self.release(stranded, ErrorCode::NotLeaderOrFollower, effects);
        self.follow_replicas(id, &registered);
        self.coordinate(id, effects);
        self.serve_waiting(id, effects);
        self.retake_wants(id, effects);
    }

    fn leads(&self, id: TopicPartition) -> bool {
        self.partitions.get(&id).is_some_and(|partition| partition.leader().is_ok())
    }

    /// While the log is replayed at start, partitions come and go that are gone by its end: only what is left is opened.
    fn follows_partitions(&self) -> bool {
        matches!(self.stage, Stage::Opening { .. } | Stage::Unfencing | Stage::Serving)
    }

    pub(super) fn open_partition(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(topic) = self.image.topics.get(&id.topic) else { return };
        // What waited to be opened may have been given to others meanwhile.
        let is_replica = topic.partitions.get(&id.partition).is_some_and(|registered| registered.replicas.contains(&self.settings.node));
        if !is_replica || self.removing.contains(&id) {
            return;
        }
        let Some(settings) = self.topics.get(id.topic) else { return };
        let partition = Partition::opening(id, topic.name.clone());
        effects.storage.push(StorageOp::Open { log: LogId::Partition(id), topic: topic.name.clone(), settings: log_settings(settings) });
        self.partitions.insert(id, partition);
        self.opening.insert(id);
    }

    fn remove_topic(&mut self, topic: TopicId, effects: &mut Effects) {
        effects.metadata_changed = true;
        let held: Vec<TopicPartition> = self.partitions.range(first_of(topic)..=last_of(topic)).map(|(id, _)| *id).collect();
        for id in held {
            if self.partitions.get(&id).and_then(|held| held.leader().ok()).is_some_and(|leader| !leader.waiting_for_commit.is_empty()) {
                effects.mark(Mark::TopicDeletedWithAppendsInFlight);
            }
            self.drop_partition(id, ErrorCode::UnknownTopicOrPartition, effects);
        }
    }

    /// Gives up this node's copy: who waits for it is told `code`.
    fn drop_partition(&mut self, id: TopicPartition, code: ErrorCode, effects: &mut Effects) {
        let stranded = self.strand(id);
        self.partitions.remove(&id);
        self.compactions.forget(id);
        self.unfollow(id);
        self.release(stranded, code, effects);
        effects.storage.push(StorageOp::Remove { log: LogId::Partition(id) });
        self.removing.insert(id);
        self.log_at_rest(LogId::Partition(id), Offset(i64::MAX));
        self.no_longer_opening(id, effects);
    }

    /// Works out the settings anew of whatever `target` has a say in.
    fn resettle(&mut self, target: &ConfigTarget, effects: &mut Effects) {
        match target {
            ConfigTarget::Topic(id) => self.resettle_topic(*id, effects),
            ConfigTarget::Broker(node) if *node != self.settings.node => {}
            // A coordinator looks them up when it hears of a member.
            ConfigTarget::Group(_) => {}
            ConfigTarget::Broker(_) | ConfigTarget::DefaultBroker => {
                self.configs.cluster_wide = self.image.configs_of(&ConfigTarget::DefaultBroker);
                self.configs.per_broker = self.image.configs_of(&ConfigTarget::Broker(self.settings.node));
                let bounds = Bounds::of(&self.configs);
                if bounds.leader_throttled_rate != self.bounds.leader_throttled_rate {
                    self.leading.unthrottle();
                }
                if bounds.follower_throttled_rate != self.bounds.follower_throttled_rate {
                    self.following.unthrottle();
                }
                self.bounds = bounds;
                effects.metadata_changed = true;
                let topics: Vec<TopicId> = self.image.topics.keys().copied().collect();
                for topic in topics {
                    self.resettle_topic(topic, effects);
                }
            }
        }
    }

    fn resettle_topic(&mut self, topic: TopicId, effects: &mut Effects) {
        let own: BTreeMap<String, String> = self.image.configs_of(&ConfigTarget::Topic(topic));
        let settings = Arc::new(TopicSettings::resolve(&own, &self.configs));
        let former = self.topics.get(topic);
        if former.is_some_and(|held| *held == settings) {
            return;
        }
        if former.is_some_and(|held| held.throttled_followers != settings.throttled_followers) {
            self.following.unthrottle();
        }
        let name = self.image.topics.get(&topic).expect("only what exists has settings").name.clone();
        self.topics.insert(name, topic, Arc::clone(&settings));
        effects.metadata_changed = true;
        let held: Vec<TopicPartition> = self.partitions.range(first_of(topic)..=last_of(topic)).map(|(id, _)| *id).collect();
        for id in held {
            effects.storage.push(StorageOp::Configure { log: LogId::Partition(id), settings: log_settings(&settings) });
            // What was only written under the old settings must reach the disk before stricter ones hold.
            effects.storage.push(StorageOp::Sync { log: LogId::Partition(id) });
            let around = around!(self);
            if let Some(partition) = self.partitions.get_mut(&id) {
                let is_raised = |durability| durability == Durability::Replicated && settings.durability == Durability::Flushed;
                let has_unsynced = partition
                    .leader()
                    .is_ok_and(|leader| is_raised(leader.settings().durability) && leader.log().synced() < leader.log().end());
                if has_unsynced {
                    effects.mark(Mark::DurabilityRaised);
                }
                partition.configure(Arc::clone(&settings), &around);
            }
            self.compactions.note(id);
            self.serve_waiting(id, effects);
        }
    }
}
