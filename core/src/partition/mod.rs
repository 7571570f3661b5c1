//! A data partition on this node.
//!
//! | from | on | to |
//! | --- | --- | --- |
//! | opening | its log is open | leader |
//! | leader | the controller gives it a new epoch | leader, in that epoch |
//! | opening, leader | its disk fails | offline, for the rest of this run |

mod leader;
mod waiting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use leader::{AppendError, Appended, Leader, ReadError, Readable};
pub use waiting::{Slot, Waiting, requests_of};

use crate::boundary::{LogSettings, Recovered, StorageError};
use crate::config::TopicSettings;
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::{TopicName, TopicPartition};
use crate::producer::CorruptSnapshot;
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
}

/// What a partition's copy is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PartitionRole {
    /// Its log is being opened.
    Opening {
        /// The epoch that it will lead in.
        leader_epoch: LeaderEpoch,
    },
    /// It leads.
    Leader(Box<Leader>),
    /// Its disk has failed.
    Offline(StorageError),
}

impl Partition {
    /// A partition whose log is about to be opened.
    #[must_use]
    pub fn opening(id: TopicPartition, topic: TopicName, replicas: usize, leader_epoch: LeaderEpoch) -> Self {
        Self { id, topic, replicas, role: PartitionRole::Opening { leader_epoch } }
    }

    /// Takes its opened log and leads.
    ///
    /// # Errors
    /// The state of its producers can't be read, though the store found its bytes whole: another release wrote it.
    pub fn opened(&mut self, recovered: &Recovered, settings: Arc<TopicSettings>, now: Timestamp) -> Result<(), CorruptSnapshot> {
        if let PartitionRole::Opening { leader_epoch } = self.role {
            self.role = PartitionRole::Leader(Box::new(Leader::recovered(leader_epoch, self.replicas, recovered, settings, now)?));
        }
        Ok(())
    }

    /// Leads in another epoch from here on.
    pub fn lead_in(&mut self, leader_epoch: LeaderEpoch) {
        match &mut self.role {
            PartitionRole::Opening { leader_epoch: wanted } => *wanted = leader_epoch,
            PartitionRole::Leader(leader) => leader.lead_in(leader_epoch),
            PartitionRole::Offline(_) => {}
        }
    }

    /// The leader that it is.
    ///
    /// # Errors
    /// What a client is told when it is none.
    pub fn leader(&self) -> Result<&Leader, ErrorCode> {
        match &self.role {
            PartitionRole::Leader(leader) => Ok(leader),
            PartitionRole::Opening { .. } => Err(ErrorCode::NotLeaderOrFollower),
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
            PartitionRole::Opening { .. } => Err(ErrorCode::NotLeaderOrFollower),
            PartitionRole::Offline(_) => Err(ErrorCode::KafkaStorageError),
        }
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
