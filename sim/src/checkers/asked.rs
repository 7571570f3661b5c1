//! What was known when a client asked: an answer is held against that, and against what is known when it comes.

use std::time::Duration;

use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_core::offset::Offset;

/// What had gone wrong when the process started that a connection leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connected {
    /// How often a node had begun to end, asked to or for want of its metadata log.
    pub(super) endings: u64,
    /// How often the disk had misbehaved.
    pub(super) disk_faults: u64,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Topics and settings, by name.
    Topics,
    /// A partition of a topic that exists all along.
    Lasting(TopicPartition),
    /// A partition of a topic that comes and goes.
    Passing(TopicPartition),
}

/// What was known when a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What it asks about.
    pub subject: Subject,
    /// The node that it asks.
    pub node: NodeId,
    /// When.
    pub at: Duration,
    /// How often the power had been lost.
    pub power_losses: u32,
    pub(super) connected: Connected,
    /// The furthest log start that any client had been told.
    pub(super) log_start_told: Offset,
    /// The log start that the node had reached, if it had ever led the partition.
    pub(super) log_start: Option<Offset>,
    /// The high watermark that it had reached.
    pub(super) high_watermark: Option<Offset>,
}

impl Subject {
    /// The partition, if it is about one.
    #[must_use]
    pub fn partition(&self) -> Option<TopicPartition> {
        match self {
            Self::Topics => None,
            Self::Lasting(partition) | Self::Passing(partition) => Some(*partition),
        }
    }
}
