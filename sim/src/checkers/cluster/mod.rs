//! What must be true of several nodes together, one file a property. These checkers see the state of every node after every step of one of them;
//! of a node that is down they know what it held.
//!
//! What is committed they find out themselves: an offset counts once everyone who has to hold what lies below is seen to hold it.

mod assigned_copies;
mod election_safety;
mod held;
mod isr_rules;
mod leader_candidate_completeness;
mod log_matching;
mod metadata_commit;
mod metadata_log_matching;
mod monotonic;
mod registry;
mod replication_quorum_superset;
mod voter_sets;
mod votes;
mod whole;

use std::collections::BTreeSet;

use gracchus_core::boundary::{Durability, Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::partition::Partition;
use gracchus_core::record::Voter;

use self::election_safety::ElectionSafety;
use self::held::Nodes;
use self::leader_candidate_completeness::Committed;
use self::log_matching::LogMatching;
use self::metadata_commit::MetadataCommit;
use self::metadata_log_matching::MetadataLogMatching;
use self::monotonic::Monotonic;
use self::registry::{Registered, Registry};
pub(crate) use self::voter_sets::VoterChange;
use self::voter_sets::VoterSets;
use self::votes::Votes;
use super::Violation;
use super::excused::Excused;
use super::topic_book::TopicBook;

/// A step of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stepped<'a> {
    pub(super) node: NodeId,
    pub(super) input: &'a Input,
    pub(super) effects: &'a Effects,
    pub(super) broker: &'a Broker,
    /// Its partitions that are not what they were.
    pub(super) changed: &'a [&'a Partition],
}

/// The checkers of a cluster.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    nodes: Nodes,
    registry: Registry,
    committed: Committed,
    election_safety: ElectionSafety,
    log_matching: LogMatching,
    metadata_log_matching: MetadataLogMatching,
    metadata_commit: MetadataCommit,
    monotonic: Monotonic,
    votes: Votes,
    voter_sets: VoterSets,
}

impl Cluster {
    /// Says of which partitions what is owed no longer, and from where on.
    pub(super) fn step(
        &mut self,
        stepped: Stepped<'_>,
        topics: &TopicBook,
        excused: &Excused,
    ) -> Result<Vec<(TopicPartition, Offset)>, Violation> {
        let Stepped { node, input, effects, broker, changed } = stepped;
        let view = broker.view();
        let mut gone = Vec::new();
        self.committed.runs(node, view.incarnation());
        self.voter_sets.learn(effects);
        self.election_safety.step(node, &view, changed)?;
        self.votes.step(broker, input, effects, self.voter_sets.before(node, &view))?;
        self.monotonic.step(node, &view)?;
        self.metadata_commit.step(broker, self.voter_sets.before(node, &view))?;
        self.voter_sets.stepped(node, broker)?;
        self.metadata_log_matching.step(node, effects, &view)?;
        assigned_copies::check(node, &view)?;
        self.log_matching.appended(node, effects, topics, excused)?;
        if self.registry.learn(&view) {
            isr_rules::check(&self.registry, view.image())?;
            gone = self.committed.registered(&self.nodes, &self.registry);
            for (id, _) in self.registry.all().filter(|(id, _)| !excused.has(*id)) {
                let is_flushed = topics.durability(id) == Some(Durability::Flushed);
                self.committed.reregistered(id, is_flushed, &self.nodes, &self.registry)?;
            }
        }
        self.nodes.gave_up(node, effects);
        for moved in self.nodes.look(node, changed) {
            let id = moved.id;
            if excused.has(id) {
                continue;
            }
            if !self.committed.is_gone(id) {
                // Whoever was left out may hold what was committed before more was lost than is promised.
                self.log_matching.check(node, id, &self.nodes)?;
            }
            replication_quorum_superset::check(node, id, &self.nodes, &self.registry)?;
            let is_flushed = topics.durability(id) == Some(Durability::Flushed);
            self.committed.moved(node, moved, is_flushed, &self.nodes, &self.registry)?;
        }
        Ok(gone)
    }

    /// What the controller has decided since this was asked last, in words.
    pub(super) fn take_remarks(&mut self) -> Vec<String> {
        self.registry.take_remarks()
    }

    /// A node's process has ended: it holds what it had written.
    pub(super) fn node_ended(&mut self, node: NodeId) {
        self.nodes.ended(node);
        self.monotonic.ended(node, self.votes.kept_epoch(node));
        self.metadata_log_matching.ended(node);
        self.voter_sets.ended(node);
    }

    /// A power loss has left a node with a log that ends at `kept`, and nothing of it had been promised to be there.
    ///
    /// Where what is left ends, if nobody holds all that was committed.
    pub(super) fn replica_lost(&mut self, node: NodeId, partition: TopicPartition, kept: Offset) -> Option<Offset> {
        self.nodes.cut_to(node, partition, kept);
        if self.is_replicated(partition) {
            return self.committed.lost(node, partition, &self.nodes, &self.registry);
        }
        if self.registry.get(partition).is_some() && !self.has_copy(node, partition) {
            // It was given to another, and is whole there.
            return None;
        }
        self.committed.forget_from(partition, kept);
        Some(kept)
    }

    /// A power loss has left a node with a log that ends at `kept`, with all that had been promised.
    pub(super) fn replica_kept(&mut self, node: NodeId, partition: TopicPartition, kept: Offset) {
        self.nodes.cut_to(node, partition, kept);
    }

    /// A node's disk is an empty one.
    pub(super) fn disk_replaced(&mut self, node: NodeId) {
        self.committed.emptied(node);
        self.nodes.forget(node);
        self.votes.forget(node);
        self.monotonic.forget(node);
        self.voter_sets.disk_replaced(node);
        self.metadata_log_matching.forget(node);
    }

    /// Whether all that was promised of what has several replicas is kept if this node's disk goes.
    pub(super) fn may_lose_disk(&self, node: NodeId) -> bool {
        self.voter_sets.may_lose(node) && self.committed.may_lose(node, &self.registry)
    }

    /// The quorum begins with these voters, of the nodes that may ever vote; `are_folders_unnamed` says that the settings name only the nodes.
    pub(super) fn start_quorum(&mut self, voters: Vec<Voter>, controllers: BTreeSet<NodeId>, are_folders_unnamed: bool) {
        self.voter_sets.start(voters, controllers, are_folders_unnamed);
    }

    /// What an operator might ask for who takes care that a majority of the voters is left.
    pub(super) fn voter_changes(&self) -> Vec<VoterChange> {
        self.voter_sets.changes()
    }

    /// Whether a partition ever had several replicas.
    pub(super) fn was_replicated(&self, partition: TopicPartition) -> bool {
        self.registry.was_shared(partition)
    }

    pub(super) fn is_replicated(&self, partition: TopicPartition) -> bool {
        self.registry.get(partition).is_some_and(|registered| registered.state.replicas.len() > 1)
    }

    /// Whether a node is one of those that are to have a copy.
    pub(super) fn has_copy(&self, node: NodeId, partition: TopicPartition) -> bool {
        self.registry.get(partition).is_some_and(|registered| registered.state.replicas.contains(&node))
    }

    /// Whether that node alone has a copy.
    pub(super) fn is_only_on(&self, partition: TopicPartition, node: NodeId) -> bool {
        self.registry.get(partition).is_some_and(|registered| registered.state.replicas == [node])
    }

    /// The members of the ISR that nothing has befallen which no promise covers.
    pub(super) fn in_sync(&self, partition: TopicPartition) -> impl Iterator<Item = NodeId> {
        let members = self.registry.get(partition).map(|registered| registered.state.isr.clone()).unwrap_or_default();
        members.into_iter().filter(move |member| !self.committed.has_lost(*member, partition))
    }

    /// How often a partition lost more than was promised to be kept.
    pub(super) fn losses(&self) -> usize {
        self.committed.losses()
    }

    /// How often the quorum has had another leader than its first, and partitions another epoch than theirs.
    pub(super) fn elections(&self) -> (usize, usize) {
        self.election_safety.elections()
    }

    /// Whether nobody was left who held all of a partition that had been committed.
    pub(super) fn is_gone(&self, partition: TopicPartition) -> bool {
        self.committed.is_gone(partition)
    }

    /// Whether the controller has named a node the partition's leader.
    pub(super) fn is_led_by(&self, partition: TopicPartition, node: NodeId) -> bool {
        self.registry.get(partition).is_some_and(|registered| registered.state.leader == Some(node))
    }

    /// Where the copies of all in sync start, of those that were seen.
    pub(super) fn starts_in_sync(&self, partition: TopicPartition) -> impl Iterator<Item = (NodeId, Offset)> {
        self.in_sync(partition).filter_map(move |member| Some((member, self.nodes.get(member, partition)?.log_start)))
    }

    /// How far everyone in sync has written a partition.
    pub(super) fn written_end(&self, partition: TopicPartition) -> Option<(Offset, NodeId)> {
        // Who was never seen to have a copy has written nothing.
        self.in_sync(partition).map(|member| (self.nodes.get(member, partition).map(|held| held.written).unwrap_or_default(), member)).min()
    }

    /// Whether only a person could say who leads a partition: everyone who held all that was committed has lost it.
    pub(super) fn is_given_up(&self, partition: TopicPartition) -> bool {
        self.committed.is_gone(partition) && self.registry.get(partition).is_some_and(Registered::has_nobody)
    }

    pub(super) fn what_is_not_whole(&self) -> Option<String> {
        whole::what_is_not(&self.nodes, &self.registry, |partition| self.is_given_up(partition))
    }
}
