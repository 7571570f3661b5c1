//! LeaderCandidateCompleteness, StrongIsr and LeaderCompleteness: everyone in sync or eligible holds all that is committed, as the topic's
//! durability says, and a leader does from its first step on. MinInSync: it commits only while as many are in sync as the topic asks for.
//!
//! A leader's claim of what is committed counts only once everyone who has to hold that is seen to. A node that has lost what no promise made it
//! keep is none of them until it has registered anew: by then the controller has to know. While there is another, nothing of the partition is
//! lost.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::ids::{IncarnationId, NodeId, TopicPartition};
use gracchus_core::offset::Offset;

use super::held::{HeldAs, Moved, Nodes};
use super::registry::{Registered, Registry};
use crate::checkers::Violation;

#[derive(Debug, Default)]
pub(super) struct Committed {
    /// All below is committed.
    upto: BTreeMap<TopicPartition, Offset>,
    lost: BTreeMap<NodeId, Lost>,
    runs: BTreeMap<NodeId, BTreeSet<IncarnationId>>,
    /// Partitions of which nobody was left who held all that was committed.
    gone: BTreeSet<TopicPartition>,
    /// How often something was gone that had been committed.
    losses: usize,
}

/// What a node has lost since it registered.
#[derive(Debug, Default)]
struct Lost {
    /// The runs that it had had by then.
    former_runs: BTreeSet<IncarnationId>,
    partitions: BTreeSet<TopicPartition>,
    /// Its disk is an empty one: of partitions that are made before it registers anew it holds nothing either.
    is_emptied: bool,
}

impl Committed {
    /// A node holds something else, or claims more.
    pub(super) fn moved(
        &mut self,
        node: NodeId,
        Moved { id, has_committed, committed_with }: Moved,
        is_flushed: bool,
        nodes: &Nodes,
        registry: &Registry,
    ) -> Result<(), Violation> {
        let (Some(held), Some(registered)) = (nodes.get(node, id), registry.get(id)) else { return Ok(()) };
        let upto = self.upto.entry(id).or_default();
        if let HeldAs::Leader { leader_epoch, .. } = &held.role {
            if *leader_epoch == registered.state.leader_epoch && held.log_end < *upto && !has_lost(&self.lost, node, id) {
                let what = format!("{id}: node {node} leads in epoch {leader_epoch} with a log to {} of {upto}", held.log_end);
                return Err(Violation::safety("LeaderCompleteness", what));
            }
            if let Some(isr) = committed_with.filter(|isr| *isr < registered.min_insync) {
                let what = format!("{id}: node {node} commits to {} with {isr} in sync of {}", held.high_watermark, registered.min_insync);
                return Err(Violation::safety("MinInSync", what));
            }
            // What one that does not know that it is deposed held for committed before may have been lost since.
            if has_committed || *leader_epoch == registered.state.leader_epoch {
                *upto = held.high_watermark.max(*upto);
            }
        }
        let upto = *upto;
        self.check(id, upto, is_flushed, nodes, registered)
    }

    /// The controller has registered it otherwise.
    pub(super) fn reregistered(&self, id: TopicPartition, is_flushed: bool, nodes: &Nodes, registry: &Registry) -> Result<(), Violation> {
        let (Some(upto), Some(registered)) = (self.upto.get(&id), registry.get(id)) else { return Ok(()) };
        self.check(id, *upto, is_flushed, nodes, registered)
    }

    fn check(&self, id: TopicPartition, upto: Offset, is_flushed: bool, nodes: &Nodes, registered: &Registered) -> Result<(), Violation> {
        for candidate in registered.candidates().filter(|candidate| !self.has_lost(*candidate, id)) {
            let held = nodes.get(candidate, id);
            if held.is_some_and(|held| held.role == HeldAs::Offline) {
                // It says so, and is taken off the list once the controller hears of it; what it holds shows when it has started anew.
                continue;
            }
            let kept = held.map(|held| held.kept(is_flushed)).unwrap_or_default();
            if kept < upto {
                let what = format!("{id}: node {candidate} holds it to {kept} of {upto}, and {:?} is registered", registered.state);
                return Err(Violation::safety("LeaderCandidateCompleteness", what));
            }
        }
        Ok(())
    }

    /// The controller has registered other states: who has registered anew counts again.
    ///
    /// Where everyone is off the list that holds what was committed, that is gone: the partition, and where what is left ends. A controller
    /// that does not know yet of a loss may do that, of a topic that commits what is held by fewer than two.
    pub(super) fn registered(&mut self, nodes: &Nodes, registry: &Registry) -> Vec<(TopicPartition, Offset)> {
        let mut gone = self.emptied_of_candidates(nodes, registry);
        // That of a run before the loss may be committed after it.
        self.lost.retain(|node, lost| registry.incarnation(*node).is_none_or(|registered| lost.former_runs.contains(&registered)));
        let nodes_lost: Vec<NodeId> = self.lost.keys().copied().collect();
        for node in nodes_lost {
            let named = registry
                .all()
                .filter(|(id, registered)| self.has_lost(node, *id) && registered.candidates().any(|candidate| candidate == node));
            let lost = self.lost.get(&node).into_iter().flat_map(|lost| lost.partitions.clone());
            let partitions: BTreeSet<TopicPartition> = lost.chain(named.map(|(id, _)| id)).collect();
            for id in partitions {
                let upto = self.upto.get(&id).copied().unwrap_or_default();
                if let Some(kept) = self.what_is_left(node, id, nodes, registry).filter(|kept| *kept < upto) {
                    self.forget_from(id, kept);
                    gone.push((id, kept));
                }
            }
        }
        gone
    }

    /// Partitions of which nobody is in sync or eligible any more, since the last of those has lost what it held. Who may lead again led last;
    /// where what that one holds ends, if that is less than was committed.
    fn emptied_of_candidates(&mut self, nodes: &Nodes, registry: &Registry) -> Vec<(TopicPartition, Offset)> {
        let is_beyond = |id: TopicPartition, registered: &Registered| {
            let has_lost = registered.state.replicas.iter().any(|replica| self.has_lost(*replica, id));
            registered.candidates().next().is_none() && has_lost
        };
        let left = |id: TopicPartition, registered: &Registered| {
            let last = registered.state.last_known_leader.and_then(|last| nodes.get(last, id));
            last.map(|held| held.written).unwrap_or_default()
        };
        let emptied = registry.all().filter(|(id, registered)| is_beyond(*id, registered));
        let emptied: Vec<_> = emptied.map(|(id, registered)| (id, left(id, registered))).collect();
        self.gone.extend(emptied.iter().map(|(id, _)| *id));
        let is_less = |(id, kept): &(TopicPartition, Offset)| self.upto.get(id).is_some_and(|upto| kept < upto);
        let gone: Vec<_> = emptied.into_iter().filter(is_less).collect();
        for (id, kept) in &gone {
            self.forget_from(*id, *kept);
        }
        gone
    }

    /// A node runs.
    pub(super) fn runs(&mut self, node: NodeId, incarnation: IncarnationId) {
        self.runs.entry(node).or_default().insert(incarnation);
    }

    fn note_loss(&mut self, node: NodeId) -> &mut Lost {
        let lost = self.lost.entry(node).or_default();
        lost.former_runs.clone_from(self.runs.entry(node).or_default());
        lost
    }

    /// A node's disk is an empty one.
    pub(super) fn emptied(&mut self, node: NodeId) {
        self.note_loss(node).is_emptied = true;
    }

    pub(super) fn has_lost(&self, node: NodeId, id: TopicPartition) -> bool {
        has_lost(&self.lost, node, id)
    }

    /// A node has lost what it need not have kept. If nobody else holds what was committed: where what is left ends.
    pub(super) fn lost(&mut self, node: NodeId, id: TopicPartition, nodes: &Nodes, registry: &Registry) -> Option<Offset> {
        self.note_loss(node).partitions.insert(id);
        let kept = self.what_is_left(node, id, nodes, registry)?;
        self.forget_from(id, kept);
        Some(kept)
    }

    /// Where a partition ends of which `node` is the last to have lost what was committed; none while somebody else holds it.
    fn what_is_left(&self, node: NodeId, id: TopicPartition, nodes: &Nodes, registry: &Registry) -> Option<Offset> {
        let registered = registry.get(id)?;
        let candidates: BTreeSet<NodeId> = registered.candidates().chain(registered.state.last_known_leader).collect();
        if !candidates.contains(&node) || registered.candidates().any(|candidate| !self.has_lost(candidate, id)) {
            return None;
        }
        Some(candidates.iter().filter_map(|candidate| nodes.get(*candidate, id)).map(|held| held.written).min().unwrap_or_default())
    }

    /// How often more went of a partition than was promised to be kept.
    pub(super) fn losses(&self) -> usize {
        self.losses
    }

    pub(super) fn is_gone(&self, id: TopicPartition) -> bool {
        self.gone.contains(&id)
    }

    /// What lies from `kept` on is not owed any more.
    pub(super) fn forget_from(&mut self, id: TopicPartition, kept: Offset) {
        self.gone.insert(id);
        if let Some(upto) = self.upto.get_mut(&id).filter(|upto| **upto > kept) {
            *upto = kept;
            self.losses += 1;
        }
    }

    /// Whether others hold all that is committed of what this node has a copy of, wherever there are others.
    pub(super) fn may_lose(&self, node: NodeId, registry: &Registry) -> bool {
        registry.all().filter(|(_, registered)| registered.state.replicas.len() > 1).all(|(id, registered)| {
            let is_candidate = registered.candidates().any(|candidate| candidate == node);
            !is_candidate || registered.candidates().any(|candidate| candidate != node && !self.has_lost(candidate, id))
        })
    }
}

fn has_lost(lost: &BTreeMap<NodeId, Lost>, node: NodeId, id: TopicPartition) -> bool {
    lost.get(&node).is_some_and(|lost| lost.is_emptied || lost.partitions.contains(&id))
}
