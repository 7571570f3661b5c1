//! Who leads a partition and who is in sync (KIP-966).
//!
//! The leader comes from the ISR; without one there from the eligible leader replicas, which hold all that is committed; without any of those
//! the partition waits for one replica: the one that led last, as in Kafka; but if that one ended uncleanly while others were still
//! eligible, the one of those that did so last. Only where the topic allows it any replica does instead. A member that leaves the ISR is
//! eligible while the ISR is smaller than `min.insync.replicas`: then nothing is committed without it.
//!
//! An unclean end takes eligibility, though a process that dies takes no records with it: what is known here is the order in which replicas
//! came back, not which of them lost its page cache. In a `replicated` topic two such ends may therefore cost what was committed, whichever
//! is waited for.
//!
//! A reassignment (KIP-455) is complete once every replica that is to stay is in sync: then those that are to go, go.

use std::collections::BTreeMap;

use crate::boundary::Durability;
use crate::config::{BrokerConfigs, TopicSettings};
use crate::ids::{NodeId, TopicId, TopicPartition};
use crate::metadata::{ConfigTarget, Image, MetadataRecord, PartitionRegistration};

/// The image as it is, but for one broker that comes or goes.
pub(super) struct Electorate<'a> {
    image: &'a Image,
    defaults: &'a BrokerConfigs,
    changed: Option<(NodeId, Change)>,
}

/// What becomes of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It may lead from here on.
    Comes,
    /// It may not, and keeps what it holds.
    Goes,
    /// It may not, and what it held in its page cache may be gone.
    GoesUncleanly,
    /// It may not, and holds nothing of what it held: its disk is another, or damaged.
    GoesEmpty,
}

/// What a topic asks of its partitions' ISRs.
#[derive(Clone, Copy)]
struct Rules {
    min_insync_replicas: usize,
    is_flushed: bool,
    may_be_unclean: bool,
}

impl<'a> Electorate<'a> {
    pub(super) fn new(image: &'a Image, defaults: &'a BrokerConfigs) -> Self {
        Self { image, defaults, changed: None }
    }

    pub(super) fn with(self, node: NodeId, change: Change) -> Self {
        Self { changed: Some((node, change)), ..self }
    }

    fn is_up(&self, node: NodeId) -> bool {
        match self.changed {
            Some((changed, change)) if changed == node => change == Change::Comes,
            Some(_) | None => self.image.brokers.get(&node).is_some_and(|broker| !broker.is_fenced),
        }
    }

    fn has_forgotten(&self, node: NodeId, rules: Rules) -> bool {
        self.changed == Some((node, Change::GoesEmpty)) || self.changed == Some((node, Change::GoesUncleanly)) && !rules.is_flushed
    }

    /// What becomes of all partitions that the broker has a copy of.
    pub(super) fn settle_all(&self) -> Vec<MetadataRecord> {
        let Some((node, _)) = self.changed else { return Vec::new() };
        let mut records = Vec::new();
        for (id, topic) in &self.image.topics {
            let mut rules = None;
            for (index, partition) in topic.partitions.iter().filter(|(_, partition)| partition.replicas.contains(&node)) {
                let rules = *rules.get_or_insert_with(|| self.rules(*id));
                let next = self.settle(partition, partition.clone(), rules);
                let id = TopicPartition { topic: *id, partition: *index };
                records.extend(next.map(|state| MetadataRecord::Partition { id, state }));
            }
        }
        records
    }

    /// What becomes of some of the partitions that the broker has a copy of.
    pub(super) fn settle_some(&self, partitions: impl IntoIterator<Item = TopicPartition>) -> Vec<MetadataRecord> {
        let settled = partitions.into_iter().filter_map(|id| {
            let partition = self.image.partition(id)?;
            let state = self.settle(partition, partition.clone(), self.rules(id.topic))?;
            Some(MetadataRecord::Partition { id, state })
        });
        settled.collect()
    }

    /// The state of a partition whose leader has found that its ISR should be another.
    pub(super) fn with_isr(&self, id: TopicPartition, partition: &PartitionRegistration, isr: Vec<NodeId>) -> Option<PartitionRegistration> {
        self.settle(partition, PartitionRegistration { isr, ..partition.clone() }, self.rules(id.topic))
    }

    /// The state of a partition that is to have other replicas.
    pub(super) fn reassigned(
        &self,
        id: TopicPartition,
        partition: &PartitionRegistration,
        to: PartitionRegistration,
    ) -> Option<PartitionRegistration> {
        self.settle(partition, to, self.rules(id.topic))
    }

    /// The state of a partition that is to be led whatever is lost by it; none if no replica is up.
    pub(super) fn elect_uncleanly(&self, id: TopicPartition, partition: &PartitionRegistration) -> Option<PartitionRegistration> {
        let rules = Rules { may_be_unclean: true, ..self.rules(id.topic) };
        self.settle(partition, partition.clone(), rules).filter(|state| state.leader.is_some())
    }

    /// The state of a partition that its preferred replica is to lead; none if that is not in sync, or down.
    pub(super) fn elect_preferred(&self, partition: &PartitionRegistration) -> Option<PartitionRegistration> {
        let preferred = *partition.replicas.first().filter(|node| partition.isr.contains(node) && self.is_up(**node))?;
        let (leader_epoch, partition_epoch) = (partition.leader_epoch.next(), partition.partition_epoch.next());
        Some(PartitionRegistration { leader: Some(preferred), leader_epoch, partition_epoch, ..partition.clone() })
    }

    /// Whether a topic's partitions may be led by a replica that lacks what was committed.
    pub(super) fn may_be_unclean(&self, topic: TopicId) -> bool {
        self.rules(topic).may_be_unclean
    }

    /// The state that follows where `next` is wanted; none if it is the one that was.
    fn settle(&self, was: &PartitionRegistration, mut next: PartitionRegistration, rules: Rules) -> Option<PartitionRegistration> {
        next.isr.retain(|member| self.is_up(*member));
        complete_reassignment(&mut next);
        next.elr = self.eligible(was, &next, rules);
        // Set here too, so that who led before is not elected at once.
        let last_eligible = self.last_eligible(was, &next);
        next.last_known_leader = last_eligible.or(next.last_known_leader);
        let is_led = was.leader.is_some_and(|leader| next.isr.contains(&leader));
        if !is_led {
            next.leader = self.elect(&mut next, rules);
            if next.leader.is_none() {
                let last = last_eligible.or(was.leader).or(was.last_known_leader);
                next.last_known_leader = last
                    .filter(|node| next.replicas.contains(node))
                    .filter(|node| self.changed != Some((*node, Change::GoesEmpty)) || next.replicas.len() == 1);
            } else {
                next.last_known_leader = None;
            }
        }
        if next == *was {
            return None;
        }
        // What a replica held that goes must not be taken for what it holds should it come back in the same epoch.
        let has_gone = was.replicas.iter().any(|replica| !next.replicas.contains(replica));
        if next.leader != was.leader || has_gone {
            next.leader_epoch = was.leader_epoch.next();
        }
        next.partition_epoch = was.partition_epoch.next();
        Some(next)
    }

    /// The replica whose unclean end this is, if it was the last that was eligible.
    fn last_eligible(&self, was: &PartitionRegistration, next: &PartitionRegistration) -> Option<NodeId> {
        let (node, change) = self.changed?;
        let is_last = was.elr.contains(&node) && next.isr.is_empty() && next.elr.is_empty();
        (is_last && change == Change::GoesUncleanly).then_some(node)
    }

    fn eligible(&self, was: &PartitionRegistration, next: &PartitionRegistration, rules: Rules) -> Vec<NodeId> {
        let isr = &next.isr;
        if !self.image.has_eligible_replicas() || isr.len() >= rules.min_insync_replicas.min(next.replication_factor()) {
            return Vec::new();
        }
        let held = next.replicas.iter().copied().filter(|node| was.isr.contains(node) || was.elr.contains(node));
        held.filter(|node| !isr.contains(node) && !self.has_forgotten(*node, rules)).collect()
    }

    /// Elects a leader, and makes the ISR what follows from that.
    fn elect(&self, next: &mut PartitionRegistration, rules: Rules) -> Option<NodeId> {
        let in_order = |members: &[NodeId]| next.replicas.iter().copied().find(|node| members.contains(node) && self.is_up(*node));
        if let Some(leader) = in_order(&next.isr) {
            return Some(leader);
        }
        let last_known = next.last_known_leader.filter(|node| next.elr.is_empty() && self.is_up(*node) && next.replicas.contains(node));
        let any = || next.replicas.iter().copied().find(|node| rules.may_be_unclean && self.is_up(*node));
        let leader = in_order(&next.elr).or(last_known).or_else(any)?;
        next.isr = vec![leader];
        next.elr.retain(|node| *node != leader);
        if rules.min_insync_replicas.min(next.replication_factor()) <= 1 {
            next.elr.clear();
        }
        Some(leader)
    }

    fn rules(&self, topic: TopicId) -> Rules {
        let own: BTreeMap<String, String> = self.image.configs_of(&ConfigTarget::Topic(topic));
        let settings = TopicSettings::resolve(&own, self.defaults);
        let unclean = own.get("unclean.leader.election.enable").map(|value| value == "true");
        Rules {
            min_insync_replicas: usize::try_from(settings.min_insync_replicas).unwrap_or(usize::MAX),
            // What was committed before an alteration to `flushed` may have been in page caches alone.
            is_flushed: settings.durability == Durability::Flushed && !self.image.topics.get(&topic).is_some_and(|topic| topic.was_replicated),
            may_be_unclean: unclean.unwrap_or_else(|| self.defaults.boolean("unclean.leader.election.enable")),
        }
    }
}

/// Lets those go that are to, once all that are to stay are in sync.
fn complete_reassignment(next: &mut PartitionRegistration) {
    let stays = |node: &NodeId| !next.removing.contains(node);
    let is_complete = next.replicas.iter().filter(|node| stays(node)).all(|node| next.isr.contains(node));
    if next.is_reassigned() && is_complete {
        let replicas = next.replicas.iter().copied().filter(stays).collect();
        let isr = next.isr.iter().copied().filter(stays).collect();
        (next.replicas, next.isr) = (replicas, isr);
        next.adding.clear();
        next.removing.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DirectoryId, IncarnationId, PartitionIndex, Uuid};
    use crate::metadata::ELIGIBLE_LEADER_REPLICAS;
    use crate::offset::Offset;

    const SETTINGS: [(&str, &str); 2] = [("min.insync.replicas", "2"), ("durability", "replicated")];

    fn nodes(numbers: &[i32]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    /// A topic of one partition with these settings, and three brokers of which those are up.
    fn image_of(up: &[i32], state: PartitionRegistration) -> Image {
        let topic = TopicId(Uuid([1; 16]));
        let mut records: Vec<MetadataRecord> = vec![MetadataRecord::Feature { name: ELIGIBLE_LEADER_REPLICAS.to_owned(), level: 1 }];
        for node in nodes(&[1, 2, 3]) {
            let (incarnation, directory) = (IncarnationId::default(), DirectoryId::default());
            records.push(MetadataRecord::RegisterBroker { node, incarnation, directory, rack: None, endpoints: Vec::new() });
        }
        records.extend(nodes(up).into_iter().map(|node| MetadataRecord::UnfenceBroker { node }));
        records.push(MetadataRecord::Topic { id: topic, name: "t".into() });
        records.push(MetadataRecord::Partition { id: TopicPartition { topic, partition: PartitionIndex(0) }, state });
        records.extend(SETTINGS.map(|(name, value)| MetadataRecord::Config {
            target: ConfigTarget::Topic(topic),
            name: name.to_owned(),
            value: Some(value.to_owned()),
        }));
        let mut image = Image::default();
        for (record, offset) in records.iter().zip(0..) {
            image.replay(Offset(offset), record);
        }
        image
    }

    fn settled(isr: &[i32], elr: &[i32], leader: Option<i32>, up: &[i32], change: (i32, Change)) -> Option<PartitionRegistration> {
        let created = PartitionRegistration::created(nodes(&[1, 2, 3]), nodes(isr));
        settled_in(&image_of(up, PartitionRegistration { elr: nodes(elr), leader: leader.map(NodeId), ..created }), change)
    }

    fn settled_in(image: &Image, change: (i32, Change)) -> Option<PartitionRegistration> {
        let defaults = BrokerConfigs::default();
        let records = Electorate::new(image, &defaults).with(NodeId(change.0), change.1).settle_all();
        records.into_iter().find_map(|record| if let MetadataRecord::Partition { state, .. } = record { Some(state) } else { None })
    }

    fn shown(state: &PartitionRegistration) -> (Option<i32>, Vec<i32>, Vec<i32>) {
        let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
        (state.leader.map(|node| node.0), numbers(&state.isr), numbers(&state.elr))
    }

    #[test]
    fn the_next_of_the_isr_leads() {
        let state = settled(&[1, 2, 3], &[], Some(1), &[1, 2, 3], (1, Change::Goes)).unwrap();
        assert_eq!(shown(&state), (Some(2), vec![2, 3], vec![]));
        assert_eq!((state.leader_epoch.0, state.partition_epoch.0), (1, 1));
    }

    #[test]
    fn a_member_that_goes_costs_no_leader_epoch() {
        let state = settled(&[1, 2, 3], &[], Some(1), &[1, 2, 3], (3, Change::Goes)).unwrap();
        assert_eq!(shown(&state), (Some(1), vec![1, 2], vec![]));
        assert_eq!((state.leader_epoch.0, state.partition_epoch.0), (0, 1));
    }

    #[test]
    fn under_the_minimum_who_leaves_stays_eligible() {
        let state = settled(&[1, 2], &[], Some(1), &[1, 2], (1, Change::Goes)).unwrap();
        assert_eq!(shown(&state), (Some(2), vec![2], vec![1]));
    }

    #[test]
    fn the_last_one_that_leaves_leaves_nobody_in_the_isr() {
        let state = settled(&[2], &[1], Some(2), &[2], (2, Change::Goes)).unwrap();
        assert_eq!(shown(&state), (None, vec![], vec![1, 2]));
        assert_eq!(state.last_known_leader, Some(NodeId(2)));
    }

    #[test]
    fn an_eligible_replica_that_comes_back_leads() {
        let state = settled(&[], &[1, 2], None, &[], (1, Change::Comes)).unwrap();
        assert_eq!(shown(&state), (Some(1), vec![1], vec![2]));
    }

    #[test]
    fn a_replica_that_is_neither_in_sync_nor_eligible_waits() {
        assert_eq!(settled(&[], &[1, 2], None, &[], (3, Change::Comes)), None);
    }

    #[test]
    fn an_unclean_restart_takes_eligibility_of_what_is_only_written() {
        let state = settled(&[2], &[1], Some(2), &[2], (2, Change::GoesUncleanly)).unwrap();
        assert_eq!(shown(&state), (None, vec![], vec![1]));
    }

    #[test]
    fn it_does_so_too_of_what_was_written_before_the_topic_was_flushed() {
        let created = PartitionRegistration::created(nodes(&[1, 2, 3]), nodes(&[2]));
        let mut image = image_of(&[2], PartitionRegistration { elr: nodes(&[1]), ..created });
        let target = ConfigTarget::Topic(TopicId(Uuid([1; 16])));
        let flushed = MetadataRecord::Config { target, name: "durability".to_owned(), value: Some("flushed".to_owned()) };
        image.replay(Offset(100), &flushed);
        let state = settled_in(&image, (2, Change::GoesUncleanly)).unwrap();
        assert_eq!(shown(&state), (None, vec![], vec![1]));
    }

    #[test]
    fn who_was_eligible_last_leads_again_and_not_who_had_forgotten_before() {
        let created = PartitionRegistration::created(nodes(&[1, 2, 3]), Vec::new());
        let was = PartitionRegistration { elr: nodes(&[3]), leader: None, last_known_leader: Some(NodeId(1)), ..created };
        let image = image_of(&[1], was.clone());
        let state = settled_in(&image, (3, Change::GoesUncleanly)).unwrap();
        assert_eq!((shown(&state), state.last_known_leader), ((None, vec![], vec![]), Some(NodeId(3))));
        let image = image_of(&[1], state);
        assert_eq!(settled_in(&image, (2, Change::Comes)), None);
        let state = settled_in(&image, (3, Change::Comes)).unwrap();
        assert_eq!((shown(&state), state.last_known_leader), ((Some(3), vec![3], vec![]), None));
    }
}
