//! A data partition on this node.
//!
//! | from | on | to |
//! | --- | --- | --- |
//! | opening | its log is open | follower: of whom the controller has named, or of nobody |
//! | follower | the controller names this node, in this run of it | leader |
//! | follower | its log is truncated | opening: what it knows of producers is read anew |
//! | leader | the controller gives it a new epoch or ISR | leader, in that |
//! | leader | the controller names another, or nobody | follower |
//! | opening, follower, leader | its disk fails | offline, for the rest of this run |
//!
//! A node that starts does not lead before the controller has said so in this run of it: what it held in its last epoch may be gone.

mod follower;
mod isr;
mod leader;
mod reading;
mod replica;
mod waiting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use follower::Follower;
pub use isr::Isr;
pub use leader::{AppendError, Appended, Around, Leader};
pub use reading::{ReadError, Readable, Reading};
pub use replica::{Discontinuous, Replica, Unsound};
pub use waiting::{Slot, Waiting, requests_of};

use crate::boundary::{Batch, LogSettings, Recovered, StorageError};
use crate::config::TopicSettings;
use crate::error::ErrorCode;
use crate::ids::{NodeId, TopicName, TopicPartition};
use crate::metadata::PartitionRegistration;
use crate::offset::Offset;
use crate::producer::{RefusedProducers, Verdict};
use crate::record::BatchHeader;
use crate::time::Timestamp;

/// A partition that this node has a copy of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Partition {
    /// Which.
    pub id: TopicPartition,
    /// Its topic's name.
    pub topic: TopicName,
    /// What it is.
    pub role: PartitionRole,
    refused: RefusedProducers,
}

/// What a partition's copy is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PartitionRole {
    /// Its log is being opened.
    Opening {
        /// What is known to be committed, if it was open before in this run.
        high_watermark: Offset,
    },
    /// It fetches from the leader, or waits for one.
    Follower(Box<Follower>),
    /// It leads.
    Leader(Box<Leader>),
    /// Its disk has failed.
    Offline(StorageError),
}

impl Partition {
    /// A partition whose log is about to be opened.
    #[must_use]
    pub fn opening(id: TopicPartition, topic: TopicName) -> Self {
        Self { id, topic, role: PartitionRole::Opening { high_watermark: Offset::ZERO }, refused: RefusedProducers::default() }
    }

    /// Takes its opened log, and follows nobody yet.
    ///
    /// # Errors
    /// [`Unsound`]: what the store found contradicts itself, or what the controller knows.
    pub fn opened(
        &mut self,
        recovered: &Recovered,
        registered: &PartitionRegistration,
        settings: Arc<TopicSettings>,
        now: Timestamp,
    ) -> Result<(), Unsound> {
        if let PartitionRole::Opening { high_watermark } = self.role {
            if let Some(last) = recovered.epochs.last().filter(|last| last.leader_epoch > registered.leader_epoch) {
                return Err(Unsound::EpochAhead { held: last.leader_epoch, given: registered.leader_epoch });
            }
            let mut replica = Replica::recovered(recovered, settings, now)?;
            replica.follow_high_watermark(high_watermark);
            self.role = PartitionRole::Follower(Box::new(Follower::new(replica, registered)));
        }
        Ok(())
    }

    /// Becomes what the controller has registered. `may_lead`: whether that was said to this run of the node. Of a leader that becomes a
    /// follower nobody may be waiting.
    pub fn settle(&mut self, me: NodeId, registered: &PartitionRegistration, may_lead: bool, around: &Around<'_>) {
        let is_named = registered.leader == Some(me) && may_lead;
        let role = std::mem::replace(&mut self.role, PartitionRole::Opening { high_watermark: Offset::ZERO });
        self.role = match role {
            PartitionRole::Follower(follower) if is_named => PartitionRole::Leader(Box::new(follower.become_leader(me, registered, around))),
            PartitionRole::Follower(mut follower) => {
                follower.follow(me, registered);
                PartitionRole::Follower(follower)
            }
            PartitionRole::Leader(mut leader) if registered.leader == Some(me) => {
                leader.lead_on(me, registered, around);
                PartitionRole::Leader(leader)
            }
            PartitionRole::Leader(leader) => {
                assert!(leader.is_waited_on_by_nobody(), "who waits for a leader is told before it follows another");
                PartitionRole::Follower(Box::new(leader.become_follower(me, registered)))
            }
            PartitionRole::Opening { high_watermark } => PartitionRole::Opening { high_watermark },
            PartitionRole::Offline(error) => PartitionRole::Offline(error),
        };
    }

    /// Follows its topic's settings.
    pub fn configure(&mut self, settings: Arc<TopicSettings>, around: &Around<'_>) {
        match &mut self.role {
            PartitionRole::Leader(leader) => leader.configure(settings, around),
            PartitionRole::Follower(follower) => follower.replica.configure(settings),
            PartitionRole::Opening { .. } | PartitionRole::Offline(_) => {}
        }
    }

    /// The copy, if its log is open.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica> {
        match &self.role {
            PartitionRole::Follower(follower) => Some(&follower.replica),
            PartitionRole::Leader(leader) => Some(leader),
            PartitionRole::Opening { .. } | PartitionRole::Offline(_) => None,
        }
    }

    /// The copy, to be changed.
    pub fn replica_mut(&mut self) -> Option<&mut Replica> {
        match &mut self.role {
            PartitionRole::Follower(follower) => Some(&mut follower.replica),
            PartitionRole::Leader(leader) => Some(leader),
            PartitionRole::Opening { .. } | PartitionRole::Offline(_) => None,
        }
    }

    /// What it says to readers: as a follower only to whom `any_replica` will do.
    ///
    /// # Errors
    /// What a client is told when it says nothing.
    pub fn reading(&self, any_replica: bool) -> Result<Reading<'_>, ErrorCode> {
        match &self.role {
            PartitionRole::Leader(leader) => Ok(leader.reading()),
            PartitionRole::Follower(follower) if any_replica => Ok(follower.reading()),
            PartitionRole::Opening { .. } | PartitionRole::Follower(_) => Err(ErrorCode::NotLeaderOrFollower),
            PartitionRole::Offline(_) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// The follower that it is.
    pub fn follower_mut(&mut self) -> Option<&mut Follower> {
        match &mut self.role {
            PartitionRole::Follower(follower) => Some(follower),
            PartitionRole::Opening { .. } | PartitionRole::Leader(_) | PartitionRole::Offline(_) => None,
        }
    }

    /// The leader that it is.
    ///
    /// # Errors
    /// What a client is told when it is none.
    pub fn leader(&self) -> Result<&Leader, ErrorCode> {
        match &self.role {
            PartitionRole::Leader(leader) => Ok(leader),
            PartitionRole::Opening { .. } | PartitionRole::Follower(_) => Err(ErrorCode::NotLeaderOrFollower),
            PartitionRole::Offline(_) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// As [`leader`](Self::leader), to be changed.
    ///
    /// # Errors
    /// What a client is told when it is none.
    pub fn leader_mut(&mut self) -> Result<&mut Leader, ErrorCode> {
        match &mut self.role {
            PartitionRole::Leader(leader) => Ok(leader),
            PartitionRole::Opening { .. } | PartitionRole::Follower(_) => Err(ErrorCode::NotLeaderOrFollower),
            PartitionRole::Offline(_) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// Decides on a client's batch as the leader does, if it leads; what is new needs a disk that `has_space`. One that `is_cut_off` from the controller leads
    /// no replicas. An unknown producer can't overtake itself: it begins with the first batch that it was refused.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing has been appended.
    pub fn append(
        &mut self,
        batch: &Batch,
        needs_commit: bool,
        is_cut_off: bool,
        has_space: bool,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let appended = self.append_in_order(batch, needs_commit, is_cut_off, has_space, now);
        match &appended {
            Ok(_) => self.refused.let_in(&batch.header),
            Err(AppendError::NotLed(_) | AppendError::DiskNearlyFull | AppendError::NotEnoughReplicas { .. }) => {
                self.refused.note(&batch.header);
            }
            Err(AppendError::Producer(_)) => {}
        }
        appended
    }

    fn append_in_order(
        &mut self,
        batch: &Batch,
        needs_commit: bool,
        is_cut_off: bool,
        has_space: bool,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let refused = &self.refused;
        let leader = match &mut self.role {
            PartitionRole::Leader(leader) if is_cut_off && leader.isr().replicas().len() > 1 => {
                return Err(AppendError::NotLed(ErrorCode::NotLeaderOrFollower));
            }
            PartitionRole::Leader(leader) => leader,
            PartitionRole::Opening { .. } | PartitionRole::Follower(_) => return Err(AppendError::NotLed(ErrorCode::NotLeaderOrFollower)),
            PartitionRole::Offline(_) => return Err(AppendError::NotLed(ErrorCode::KafkaStorageError)),
        };
        // What the log holds already needs no space, and its producer may have gone on behind it.
        if !has_space && !matches!(leader.producers().check(&batch.header), Ok(Verdict::Duplicate(_))) {
            return Err(AppendError::DiskNearlyFull);
        }
        if !batch.header.producer.is_some_and(|producer| leader.producers().knows(producer.id)) {
            refused.check(&batch.header).map_err(AppendError::Producer)?;
        }
        leader.append(batch, needs_commit, now)
    }

    /// Whether the gap before a batch is another of the same producer, which was refused for the moment and is to come again.
    #[must_use]
    pub fn awaits_before(&self, header: &BatchHeader, expected: i32) -> bool {
        self.refused.awaits(header, expected)
    }

    /// Whether its disk has failed.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        matches!(self.role, PartitionRole::Offline(_))
    }

    /// Whether it is out of service because records are gone that were kept.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(self.role, PartitionRole::Offline(StorageError::Corrupt(_)))
    }
}

/// How the store is to keep a topic's logs.
#[must_use]
pub fn log_settings(settings: &TopicSettings) -> LogSettings {
    LogSettings {
        durability: settings.durability,
        segment_bytes_max: settings.segment_bytes,
        // What is written to is never compacted: a segment that is to be soon has to close.
        segment_age_max_ms: if settings.cleanup_compact {
            settings.segment_ms.min(settings.max_compaction_lag_ms)
        } else {
            settings.segment_ms
        },
        index_interval_bytes: settings.index_interval_bytes,
        file_delete_delay_ms: settings.file_delete_delay_ms,
    }
}
