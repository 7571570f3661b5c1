//! What has to hold after every step. What is committed is what these checks have seen acknowledged, never what a broker claims.

use std::collections::BTreeMap;

use bytes::Bytes;
use gracchus_core::boundary::Payload;
use gracchus_core::epoch::{LeaderEpoch, QuorumEpoch};
use gracchus_core::ids::{LogId, NodeId, TopicPartition};
use gracchus_core::metadata::Image;
use gracchus_core::offset::Offset;
use gracchus_core::quorum::Role;
use gracchus_core::record::{HEADER_BYTES, Records};

use crate::cluster::Node;

#[derive(Debug, Default)]
pub(crate) struct Checks {
    quorum_leaders: BTreeMap<QuorumEpoch, NodeId>,
    leaders: BTreeMap<LeaderEpoch, NodeId>,
    /// The latest epoch that any node has known, also one that has started anew since.
    latest: Option<LeaderEpoch>,
    images: BTreeMap<Offset, Image>,
    acknowledged: BTreeMap<Offset, Bytes>,
    quorum_epochs: BTreeMap<NodeId, QuorumEpoch>,
    metadata_high_watermarks: BTreeMap<NodeId, Offset>,
}

impl Checks {
    pub(crate) fn acknowledged_count(&self) -> usize {
        self.acknowledged.len()
    }

    pub(crate) fn restarted(&mut self, node: NodeId) {
        // What a node knows to be committed it learns anew.
        self.metadata_high_watermarks.remove(&node);
    }

    pub(crate) fn after_step(&mut self, id: NodeId, nodes: &BTreeMap<NodeId, Node>) {
        let view = nodes[&id].broker.view();
        let (role, quorum_epoch) = view.quorum();
        if let Role::Leader(_) = role {
            let leader = *self.quorum_leaders.entry(quorum_epoch).or_insert(id);
            assert_eq!(leader, id, "ElectionSafety: quorum epoch {quorum_epoch} has two leaders");
        }
        let before = self.quorum_epochs.insert(id, quorum_epoch);
        if view.metadata_high_watermark().is_some_and(|offset| offset > Offset::ZERO) {
            assert!(before <= Some(quorum_epoch), "Monotonic: {id} goes back to quorum epoch {quorum_epoch}");
        }
        if let Some(high_watermark) = view.metadata_high_watermark() {
            let before = self.metadata_high_watermarks.insert(id, high_watermark);
            assert!(before <= Some(high_watermark), "Monotonic: {id}'s metadata high watermark goes back to {high_watermark}");
            let image = self.images.entry(high_watermark).or_insert_with(|| view.image().clone());
            assert_eq!(image, view.image(), "MetadataLogMatching: {id} differs at {high_watermark}");
        }
        let known = view.image().topics.values().flat_map(|topic| topic.partitions.values()).map(|state| state.leader_epoch).max();
        self.latest = self.latest.max(known);
        for (partition, _, leader) in view.leaders() {
            let first = *self.leaders.entry(leader.leader_epoch()).or_insert(id);
            assert_eq!(first, id, "ElectionSafety: leader epoch {} has two leaders", leader.leader_epoch());
            if leader.isr().committed().contains(&id) {
                self.holds_all(id, partition, leader.leader_epoch(), nodes);
            }
        }
    }

    /// LeaderCompleteness: a leader whose epoch the controller still knows holds all that was acknowledged.
    fn holds_all(&self, id: NodeId, partition: TopicPartition, leader_epoch: LeaderEpoch, nodes: &BTreeMap<NodeId, Node>) {
        if self.latest != Some(leader_epoch) {
            return;
        }
        let held = records(&nodes[&id], partition);
        for (offset, record) in &self.acknowledged {
            assert_eq!(held.get(offset).map(|(held, _)| held), Some(record), "LeaderCompleteness: {id} lacks {offset} in epoch {leader_epoch}");
        }
    }

    /// A record was acknowledged: it is on the disks of as many as were promised, and stands alone at its offset.
    pub(crate) fn acknowledged(&mut self, offset: Offset, record: Bytes, nodes: &BTreeMap<NodeId, Node>) {
        let partition = nodes.values().flat_map(|node| node.broker.view().partitions().map(|partition| partition.id)).next().unwrap();
        let on_disk = |node: &Node| records(node, partition).get(&offset).is_some_and(|(held, is_synced)| *held == record && *is_synced);
        let isr = nodes.values().filter_map(|node| node.broker.view().image().partition(partition)).max_by_key(|state| state.partition_epoch);
        for member in &isr.unwrap().isr {
            assert!(nodes.get(member).is_some_and(on_disk), "AckedIsDurable: {offset} is not on the disk of {member}");
        }
        let former = self.acknowledged.insert(offset, record.clone());
        assert!(former.is_none_or(|former| former == record), "two records at {offset}");
    }

    /// Every node holds the same records, all that was acknowledged among them, and knows them to be committed.
    pub(crate) fn are_whole(&self, nodes: &BTreeMap<NodeId, Node>) -> bool {
        let partition = nodes.values().flat_map(|node| node.broker.view().partitions().map(|partition| partition.id)).next().unwrap();
        let logs: Vec<BTreeMap<Offset, Bytes>> =
            nodes.values().map(|node| records(node, partition).into_iter().map(|(offset, (record, _))| (offset, record)).collect()).collect();
        let are_committed = nodes.values().all(|node| {
            node.broker.view().partitions().all(|held| held.replica().is_some_and(|replica| replica.high_watermark() == replica.log().end()))
        });
        let first = &logs[0];
        are_committed
            && logs.iter().all(|log| log == first)
            && self.acknowledged.iter().all(|(offset, record)| first.get(offset) == Some(record))
    }
}

/// The records of a partition on a node by offset, and whether they are on its disk.
fn records(node: &Node, partition: TopicPartition) -> BTreeMap<Offset, (Bytes, bool)> {
    let mut records = BTreeMap::new();
    for (base_offset, batch, is_synced) in node.disk.batches(LogId::Partition(partition)) {
        let payload = Payload::new(batch);
        for record in Records::new(&payload.bytes()[HEADER_BYTES..]) {
            let record = record.unwrap();
            let offset = base_offset.plus(i64::from(record.offset_delta));
            records.insert(offset, (Bytes::copy_from_slice(record.value.unwrap()), is_synced));
        }
    }
    records
}
