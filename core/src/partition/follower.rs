//! A follower of a partition: it fetches from the leader that the controller has named, or waits for one.

use serde::{Deserialize, Serialize};

use super::{Around, Leader, Reading, Replica};
use crate::boundary::WantedPartition;
use crate::epoch::LeaderEpoch;
use crate::ids::{NodeId, TopicPartition};
use crate::metadata::PartitionRegistration;
use crate::offset::Offset;
use crate::replica::{Positions, last_fetched_epoch};

/// A follower.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Follower {
    /// Its copy.
    pub replica: Replica,
    /// Whom it fetches from.
    pub(super) leader: Option<NodeId>,
    pub(super) leader_epoch: LeaderEpoch,
    /// Where its log is to start: it may be on its way there.
    start_heard: Offset,
}

impl Follower {
    /// A copy that follows nobody yet.
    pub(super) fn new(replica: Replica, registered: &PartitionRegistration) -> Self {
        let start_heard = replica.log().start();
        Self { replica, leader: None, leader_epoch: registered.leader_epoch, start_heard }
    }

    /// Its leader's log starts at `leader_start`. Says whether this one is to start there too and is not on its way already. A start beyond
    /// what is committed here is not heard: the leader tells it again.
    pub fn hear_start(&mut self, leader_start: Offset) -> bool {
        let is_news = leader_start > self.start_heard.max(self.replica.log().start()) && leader_start <= self.replica.high_watermark();
        if is_news {
            self.start_heard = leader_start;
        }
        is_news
    }

    /// What it wants of its leader next, `bytes_max` of it at once.
    #[must_use]
    pub fn wanted(&self, id: TopicPartition, bytes_max: u32) -> WantedPartition {
        let log = self.replica.log();
        WantedPartition {
            id,
            leader_epoch: self.leader_epoch,
            at: Positions { fetch_offset: log.end(), written_offset: log.written(), durable_offset: log.synced() },
            last_fetched_epoch: last_fetched_epoch(log, log.end()),
            high_watermark: self.replica.high_watermark(),
            log_start: log.start(),
            start_heard: self.start_heard.max(log.start()),
            bytes_max,
        }
    }

    /// Follows whom the controller has named. Nobody follows itself: a node that is to lead under an epoch of an earlier run waits for the
    /// next one.
    pub(super) fn follow(&mut self, me: NodeId, registered: &PartitionRegistration) {
        self.leader = registered.leader.filter(|leader| *leader != me);
        self.leader_epoch = registered.leader_epoch;
    }

    /// Leads from here on.
    pub(super) fn become_leader(self, me: NodeId, registered: &PartitionRegistration, around: &Around<'_>) -> Leader {
        Leader::new(self.replica, me, registered, around)
    }

    /// What it says to consumers that may read from any replica.
    #[must_use]
    pub fn reading(&self) -> Reading<'_> {
        Reading { replica: &self.replica, leader_epoch: self.leader_epoch, is_leading: false }
    }

    /// Whom it fetches from.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// The epoch of that leader.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }
}
