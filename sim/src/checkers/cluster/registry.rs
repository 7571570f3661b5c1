//! Partitions as the controller has registered them: the latest state that is committed, as far as any node has applied it.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::broker::View;
use gracchus_core::epoch::BrokerEpoch;
use gracchus_core::ids::{IncarnationId, NodeId, TopicPartition};
use gracchus_core::metadata::{ConfigTarget, PartitionRegistration};
use gracchus_core::offset::Offset;

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) topic: String,
    pub(super) state: PartitionRegistration,
    /// So many have to be in sync for a commit.
    pub(super) min_insync: usize,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    upto: Offset,
    partitions: BTreeMap<TopicPartition, Registered>,
    /// The runs that are registered.
    brokers: BTreeMap<NodeId, IncarnationId>,
    /// Registrations, and whether each is fenced.
    states: BTreeMap<NodeId, (BrokerEpoch, bool)>,
    /// Partitions that ever had several replicas.
    shared: BTreeSet<TopicPartition>,
    remarks: Vec<String>,
}

impl Registry {
    /// Takes what a node has applied. True if that goes further than any did before.
    pub(super) fn learn(&mut self, view: &View<'_>) -> bool {
        let Some(upto) = view.metadata_high_watermark().filter(|upto| *upto > self.upto) else { return false };
        self.upto = upto;
        let before = std::mem::take(&mut self.partitions);
        for (id, topic) in &view.image().topics {
            let configs = view.image().configs_of(&ConfigTarget::Topic(*id));
            let min_insync: usize = configs.get("min.insync.replicas").and_then(|value| value.parse().ok()).unwrap_or(1);
            for (index, state) in &topic.partitions {
                let id = TopicPartition { topic: *id, partition: *index };
                if state.replicas.len() > 1 {
                    self.shared.insert(id);
                }
                let min_insync = min_insync.min(state.replication_factor());
                self.partitions.insert(id, Registered { topic: topic.name.to_string(), state: state.clone(), min_insync });
            }
        }
        self.remark_partitions(&before);
        self.remark_brokers(view);
        self.brokers = view.image().brokers.iter().map(|(node, broker)| (*node, broker.incarnation)).collect();
        true
    }

    fn remark_partitions(&mut self, before: &BTreeMap<TopicPartition, Registered>) {
        for (id, registered) in self.partitions.iter().filter(|(id, registered)| before.get(id) != Some(registered)) {
            let PartitionRegistration { isr, elr, leader, last_known_leader, leader_epoch, partition_epoch, replicas, adding, removing } =
                &registered.state;
            let name = format!("{}-{} ({id})", registered.topic, id.partition);
            let led = match (leader, last_known_leader) {
                (Some(leader), _) => format!("node {leader} leads in epoch {leader_epoch}"),
                (None, Some(last)) => format!("nobody leads, last node {last} in epoch {leader_epoch}"),
                (None, None) => format!("nobody leads in epoch {leader_epoch}"),
            };
            let moves = if registered.state.is_reassigned() { format!(" (+{} -{})", list(adding), list(removing)) } else { String::new() };
            let what = format!("{name}: {led}, ISR {}, ELR {}, of {}{moves}, state {partition_epoch}", list(isr), list(elr), list(replicas));
            self.remarks.push(what);
        }
    }

    fn remark_brokers(&mut self, view: &View<'_>) {
        for (node, broker) in &view.image().brokers {
            let state = (broker.broker_epoch, broker.is_fenced);
            if self.states.insert(*node, state) != Some(state) {
                let fenced = if broker.is_fenced { "fenced" } else { "not fenced" };
                self.remarks.push(format!("broker {node} is registered since {}, {fenced}", broker.broker_epoch));
            }
        }
    }

    /// What has changed since this was asked last, in words.
    pub(super) fn take_remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    pub(super) fn get(&self, partition: TopicPartition) -> Option<&Registered> {
        self.partitions.get(&partition)
    }

    /// Whether a partition ever had several replicas: a reassignment may have given it to others.
    pub(super) fn was_shared(&self, partition: TopicPartition) -> bool {
        self.shared.contains(&partition)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (TopicPartition, &Registered)> {
        self.partitions.iter().map(|(id, registered)| (*id, registered))
    }

    /// The run that a broker is registered in.
    pub(super) fn incarnation(&self, node: NodeId) -> Option<IncarnationId> {
        self.brokers.get(&node).copied()
    }
}

impl Registered {
    /// Whether nobody leads, and nobody who comes back would.
    pub(super) fn has_nobody(&self) -> bool {
        let PartitionRegistration { leader, last_known_leader, .. } = &self.state;
        leader.is_none() && last_known_leader.is_none() && self.candidates().next().is_none()
    }

    /// Who has to hold all that is committed.
    pub(super) fn candidates(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.state.isr.iter().chain(&self.state.elr).copied()
    }
}

fn list(nodes: &[NodeId]) -> String {
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    format!("[{}]", nodes.join(" "))
}
