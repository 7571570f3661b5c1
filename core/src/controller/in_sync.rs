//! ISRs as leaders propose them (KIP-497, KIP-903).

use std::collections::BTreeSet;

use super::Controller;
use super::elections::Electorate;
use crate::boundary::{AlterPartitions, IsrProposal};
use crate::config::BrokerConfigs;
use crate::epoch::{LeaderEpoch, PartitionEpoch};
use crate::error::ErrorCode;
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::{MetadataRecord, PartitionRegistration};

/// New states, and the proposals that were refused.
pub(crate) type AlteredPartitions = (Vec<MetadataRecord>, Vec<(TopicPartition, PartitionEpoch)>);

impl Controller {
    /// Decides on the ISRs that a leader has proposed, each for itself.
    ///
    /// # Errors
    /// STALE_BROKER_EPOCH: the leader's run is over.
    pub(crate) fn alter_partitions(
        &self,
        node: NodeId,
        altered: &AlterPartitions,
        defaults: &BrokerConfigs,
    ) -> Result<AlteredPartitions, ErrorCode> {
        let is_current = self.image().brokers.get(&node).is_some_and(|broker| broker.broker_epoch == altered.broker_epoch && !broker.is_fenced);
        if !is_current {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        let (mut records, mut refused) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for (id, leader_epoch, proposal) in altered.partitions.iter().filter(|(id, ..)| seen.insert(*id)) {
            match self.proposed_isr(node, *id, *leader_epoch, proposal) {
                Some((partition, isr)) => {
                    let next = Electorate::new(self.image(), defaults).with_isr(*id, partition, isr);
                    match next {
                        Some(state) => records.push(MetadataRecord::Partition { id: *id, state }),
                        None => refused.push((*id, proposal.partition_epoch)),
                    }
                }
                None => refused.push((*id, proposal.partition_epoch)),
            }
        }
        Ok((records, refused))
    }

    /// The ISR that is proposed, if it may be.
    fn proposed_isr(
        &self,
        node: NodeId,
        id: TopicPartition,
        leader_epoch: LeaderEpoch,
        proposal: &IsrProposal,
    ) -> Option<(&PartitionRegistration, Vec<NodeId>)> {
        let partition = self.image().partition(id)?;
        let is_leaders = partition.leader == Some(node) && partition.leader_epoch == leader_epoch;
        let is_next = partition.partition_epoch == proposal.partition_epoch;
        // KIP-903: a member that was registered anew since it fetched may have lost what it held then.
        let may_be_member = |(member, broker_epoch): &(NodeId, Option<crate::epoch::BrokerEpoch>)| {
            partition.replicas.contains(member)
                && self
                    .image()
                    .brokers
                    .get(member)
                    .is_some_and(|broker| !broker.is_fenced && (*member == node || Some(broker.broker_epoch) == *broker_epoch))
        };
        let is_sound = is_leaders && is_next && proposal.members.iter().any(|(member, _)| *member == node);
        if !is_sound || !proposal.members.iter().all(may_be_member) {
            return None;
        }
        let in_order = partition.replicas.iter().copied().filter(|replica| proposal.members.iter().any(|(member, _)| member == replica));
        Some((partition, in_order.collect()))
    }
}
