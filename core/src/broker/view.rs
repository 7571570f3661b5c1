//! What checkers and metrics may see: everything, and nothing to be changed.

use super::Broker;
use super::compaction::dirty_ratio;
use super::lifecycle::Stage;
use crate::epoch::QuorumEpoch;
use crate::group::{Group, GroupTally};
use crate::ids::{IncarnationId, PartitionIndex, TopicId, TopicName, TopicPartition};
use crate::log::Log;
use crate::metadata::{Image, VoterRegistration};
use crate::offset::Offset;
use crate::partition::{Leader, Partition};
use crate::quorum::{Role, Voters};

/// A look at a node's state between two steps.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    broker: &'a Broker,
}

impl<'a> View<'a> {
    pub(super) fn of(broker: &'a Broker) -> Self {
        Self { broker }
    }

    /// How far the node has come.
    #[must_use]
    pub fn stage(&self) -> &'a Stage {
        &self.broker.stage
    }

    /// Whether it serves clients.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.broker.is_serving()
    }

    /// Whether the controller has registered this run: it knows how the one before ended.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.broker.is_registered()
    }

    /// This run.
    #[must_use]
    pub fn incarnation(&self) -> IncarnationId {
        self.broker.settings.incarnation
    }

    /// The committed metadata.
    #[must_use]
    pub fn image(&self) -> &'a Image {
        &self.broker.image
    }

    /// What it is in the metadata quorum, and in which epoch.
    #[must_use]
    pub fn quorum(&self) -> (&'a Role, QuorumEpoch) {
        (self.broker.quorum.role(), self.broker.quorum.quorum_epoch())
    }

    /// Whether it leads the metadata quorum, or hears who does.
    #[must_use]
    pub fn hears_quorum(&self) -> bool {
        self.broker.quorum.hears_leader()
    }

    /// Who votes in the metadata quorum.
    #[must_use]
    pub fn voters(&self) -> &'a Voters {
        self.broker.quorum.voters()
    }

    /// The same with their folders and where they are, as the node's log says up to its end.
    #[must_use]
    pub fn registered_voters(&self) -> Vec<VoterRegistration> {
        self.broker.registered_voters()
    }

    /// How far the metadata log is committed.
    #[must_use]
    pub fn metadata_high_watermark(&self) -> Option<Offset> {
        self.broker.metadata.as_ref().map(|metadata| metadata.high_watermark())
    }

    /// The metadata log, once it is open.
    #[must_use]
    pub fn metadata_log(&self) -> Option<&'a Log> {
        self.broker.metadata.as_ref().map(|metadata| metadata.log())
    }

    /// The partitions that it has a copy of.
    pub fn partitions(&self) -> impl Iterator<Item = &'a Partition> + use<'a> {
        self.broker.partitions.values()
    }

    /// The partitions that it leads: which, of which topic, and the leader.
    pub fn leaders(&self) -> impl Iterator<Item = (TopicPartition, &'a TopicName, &'a Leader)> + use<'a> {
        self.partitions().filter_map(|partition| partition.leader().ok().map(|leader| (partition.id, &partition.topic, leader)))
    }

    /// Requests that wait: produces, fetches.
    #[must_use]
    pub fn waiting_requests(&self) -> (usize, usize) {
        (self.broker.produces.len(), self.broker.fetches.len())
    }

    /// The groups that it coordinates, of those coordinators that have loaded.
    pub fn groups(&self) -> impl Iterator<Item = (&'a String, &'a Group)> + use<'a> {
        self.broker.coordinators.groups().flat_map(|(_, groups)| groups.iter())
    }

    /// What its coordinators have done since it started.
    #[must_use]
    pub fn group_tally(&self) -> GroupTally {
        self.broker.coordinators.tally()
    }

    /// How far a partition is committed, if the node has a copy of it: what a follower has heard of that.
    #[must_use]
    pub fn high_watermark(&self, topic: TopicId, partition: PartitionIndex) -> Option<Offset> {
        let copy = self.broker.partitions.get(&TopicPartition { topic, partition })?;
        Some(copy.replica()?.high_watermark())
    }

    /// The largest share of a log that is to be compacted and is not, from 0 to 1.
    #[must_use]
    pub fn dirty_ratio_max(&self) -> f64 {
        let copies = self.broker.compactions.dirty().filter_map(|id| self.broker.partitions.get(id)?.replica());
        copies.filter_map(|replica| dirty_ratio(replica, self.broker.now)).fold(0.0, f64::max)
    }

    /// Bytes free on its disk, as last told.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        self.broker.free_bytes
    }
}
