//! A data partition on this node.
//!
//! | from | on | to |
//! | --- | --- | --- |
//! | opening | its log is open, and it was created in this run | leader |
//! | opening | its log is open, and it is older | awaiting: what it held in its last epoch may be gone, so it serves under a new one only |
//! | awaiting | the controller gives it an epoch | leader |
//! | leader | the controller gives it a new epoch | leader, in that epoch |
//! | opening, awaiting, leader | its disk fails | offline, for the rest of this run |

mod leader;
mod waiting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use leader::{AppendError, Appended, Leader, ReadError, Readable, Unsound};
pub use waiting::{Slot, Waiting, requests_of};

use crate::boundary::{Batch, LogSettings, Recovered, StorageError};
use crate::config::TopicSettings;
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::{TopicName, TopicPartition};
use crate::log::Log;
use crate::producer::RefusedProducers;
use crate::time::Timestamp;

/// A partition that this node has a copy of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Partition {
    /// Which.
    pub id: TopicPartition,
    /// Its topic's name.
    pub topic: TopicName,
    /// How many replicas it has, this one included.
    pub replicas: usize,
    /// What it is.
    pub role: PartitionRole,
    refused: RefusedProducers,
}

/// What a partition's copy is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PartitionRole {
    /// Its log is being opened.
    Opening {
        /// The epoch that it will lead in.
        leader_epoch: LeaderEpoch,
    },
    /// It will lead once the controller gives it an epoch.
    Awaiting(Box<Leader>),
    /// It leads.
    Leader(Box<Leader>),
    /// Its disk has failed.
    Offline(StorageError),
}

impl Partition {
    /// A partition whose log is about to be opened.
    #[must_use]
    pub fn opening(id: TopicPartition, topic: TopicName, replicas: usize, leader_epoch: LeaderEpoch) -> Self {
        Self { id, topic, replicas, role: PartitionRole::Opening { leader_epoch }, refused: RefusedProducers::default() }
    }

    /// Takes its opened log. It leads at once if it `is_new`, created in this run.
    ///
    /// # Errors
    /// [`Unsound`]: what the store found contradicts itself.
    pub fn opened(&mut self, recovered: &Recovered, settings: Arc<TopicSettings>, is_new: bool, now: Timestamp) -> Result<(), Unsound> {
        if let PartitionRole::Opening { leader_epoch } = self.role {
            let leader = Box::new(Leader::recovered(leader_epoch, self.replicas, recovered, settings, now)?);
            self.role = if is_new { PartitionRole::Leader(leader) } else { PartitionRole::Awaiting(leader) };
        }
        Ok(())
    }

    /// Leads in another epoch from here on.
    pub fn lead_in(&mut self, leader_epoch: LeaderEpoch) {
        let role = std::mem::replace(&mut self.role, PartitionRole::Opening { leader_epoch });
        self.role = match role {
            PartitionRole::Awaiting(mut leader) | PartitionRole::Leader(mut leader) => {
                leader.lead_in(leader_epoch);
                PartitionRole::Leader(leader)
            }
            PartitionRole::Opening { .. } => PartitionRole::Opening { leader_epoch },
            PartitionRole::Offline(error) => PartitionRole::Offline(error),
        };
    }

    /// The log's books, if its log is open.
    pub fn log_mut(&mut self) -> Option<&mut Log> {
        match &mut self.role {
            PartitionRole::Awaiting(leader) | PartitionRole::Leader(leader) => Some(leader.log_mut()),
            PartitionRole::Opening { .. } | PartitionRole::Offline(_) => None,
        }
    }

    /// The leader that it is.
    ///
    /// # Errors
    /// What a client is told when it is none.
    pub fn leader(&self) -> Result<&Leader, ErrorCode> {
        match &self.role {
            PartitionRole::Leader(leader) => Ok(leader),
            PartitionRole::Opening { .. } | PartitionRole::Awaiting(_) => Err(ErrorCode::NotLeaderOrFollower),
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
            PartitionRole::Opening { .. } | PartitionRole::Awaiting(_) => Err(ErrorCode::NotLeaderOrFollower),
            PartitionRole::Offline(_) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// Decides on a client's batch as the leader does, if it leads and its disk `has_space`. An unknown producer can't overtake itself: it
    /// begins with the first batch that it was refused.
    ///
    /// # Errors
    /// [`AppendError`]; then nothing has been appended.
    pub fn append(&mut self, batch: &Batch, needs_commit: bool, has_space: bool, now: Timestamp) -> Result<Appended, AppendError> {
        let appended = self.append_in_order(batch, needs_commit, has_space, now);
        match &appended {
            Ok(_) => self.refused.let_in(&batch.header),
            Err(AppendError::NotLed(_) | AppendError::DiskNearlyFull | AppendError::NotEnoughReplicas { .. }) => {
                self.refused.note(&batch.header);
            }
            Err(AppendError::Producer(_)) => {}
        }
        appended
    }

    fn append_in_order(&mut self, batch: &Batch, needs_commit: bool, has_space: bool, now: Timestamp) -> Result<Appended, AppendError> {
        let refused = &self.refused;
        let leader = match &mut self.role {
            PartitionRole::Leader(leader) => leader,
            PartitionRole::Opening { .. } | PartitionRole::Awaiting(_) => return Err(AppendError::NotLed(ErrorCode::NotLeaderOrFollower)),
            PartitionRole::Offline(_) => return Err(AppendError::NotLed(ErrorCode::KafkaStorageError)),
        };
        if !has_space {
            return Err(AppendError::DiskNearlyFull);
        }
        if !batch.header.producer.is_some_and(|producer| leader.producers().knows(producer.id)) {
            refused.check(&batch.header).map_err(AppendError::Producer)?;
        }
        leader.append(batch, needs_commit, now)
    }

    /// Whether its disk has failed.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        matches!(self.role, PartitionRole::Offline(_))
    }
}

/// How the store is to keep a topic's logs.
#[must_use]
pub fn log_settings(settings: &TopicSettings) -> LogSettings {
    LogSettings {
        durability: settings.durability,
        segment_bytes_max: settings.segment_bytes,
        segment_age_max_ms: settings.segment_ms,
        index_interval_bytes: settings.index_interval_bytes,
        file_delete_delay_ms: settings.file_delete_delay_ms,
    }
}
