//! What a node is to each of its logs, in a few words: what it does there, in which epoch, and how far it is.

use std::collections::BTreeMap;
use std::fmt;

use gracchus_core::broker::Broker;
use gracchus_core::ids::LogId;
use gracchus_core::log::Log;
use gracchus_core::offset::Offset;
use gracchus_core::partition::{Partition, PartitionRole};
use gracchus_core::quorum;

use super::event::Changed;

/// What a node is to one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it does there.
    pub role: Role,
    /// The epoch in which it does: of the quorum, or of a partition's leader. 0 where it knows none.
    pub epoch: i32,
    /// Its copy, if the log is open.
    pub copy: Option<Copied>,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where it starts.
    pub start: Offset,
    /// Where it ends.
    pub end: Offset,
    /// How far it is on disk.
    pub synced: Offset,
    /// How far it is known to be committed.
    pub high_watermark: Offset,
}

/// What a node does with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Appends.
    Leads,
    /// Copies what the leader has.
    Follows,
    /// Of the metadata quorum: asks whether it would be elected.
    Asks,
    /// Of the metadata quorum: stands for election.
    Stands,
    /// Of the metadata quorum: knows no leader.
    Waits,
    /// Of the metadata quorum: led the epoch and gave it up.
    Resigned,
    /// Waits for the store to open it.
    Opens,
    /// Has lost it to a failed disk.
    Offline,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leads => "leads",
            Self::Follows => "follows",
            Self::Asks => "asks for votes in advance",
            Self::Stands => "stands for election",
            Self::Waits => "knows no leader",
            Self::Resigned => "resigned",
            Self::Opens => "opens",
            Self::Offline => "is offline",
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, epoch, copy } = self;
        write!(f, "{role}")?;
        if *epoch > 0 || copy.is_some() {
            write!(f, " in epoch {epoch}")?;
        }
        if let Some(Copied { start, end, synced, high_watermark }) = copy {
            write!(f, ", {start}..{end}, synced {synced}, high watermark {high_watermark}")?;
        }
        Ok(())
    }
}

/// What one node is to all of its logs.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    known: BTreeMap<LogId, Standing>,
}

impl Standings {
    /// Takes in the node's state. What has changed of it since this was asked last.
    pub fn look(&mut self, broker: &Broker) -> Vec<Changed> {
        let of_partitions = broker.view().partitions().map(of_partition);
        let of_metadata = Changed { log: LogId::Metadata, topic: None, standing: of_quorum(broker) };
        let all = of_partitions.chain([of_metadata]);
        all.filter(|seen| self.known.insert(seen.log, seen.standing) != Some(seen.standing)).collect()
    }
}

fn of_quorum(broker: &Broker) -> Standing {
    let view = broker.view();
    let (role, epoch) = view.quorum();
    let role = match role {
        quorum::Role::Unattached(_) => Role::Waits,
        quorum::Role::Prospective(_) => Role::Asks,
        quorum::Role::Candidate(_) => Role::Stands,
        quorum::Role::Leader(_) => Role::Leads,
        quorum::Role::Follower(_) => Role::Follows,
        quorum::Role::Resigned(_) => Role::Resigned,
        quorum::Role::Failed => Role::Offline,
    };
    let copy = view.metadata_log().zip(view.metadata_high_watermark()).map(|(log, high_watermark)| copied(log, high_watermark));
    Standing { role, epoch: epoch.0, copy }
}

fn of_partition(partition: &Partition) -> Changed {
    let (role, epoch) = match &partition.role {
        PartitionRole::Leader(leader) => (Role::Leads, leader.leader_epoch().0),
        PartitionRole::Follower(follower) => (Role::Follows, follower.leader_epoch().0),
        PartitionRole::Opening { .. } => (Role::Opens, 0),
        PartitionRole::Offline(_) => (Role::Offline, 0),
    };
    let copy = partition.replica().map(|replica| copied(replica.log(), replica.high_watermark()));
    Changed { log: LogId::Partition(partition.id), topic: Some(partition.topic.clone()), standing: Standing { role, epoch, copy } }
}

fn copied(log: &Log, high_watermark: Offset) -> Copied {
    Copied { start: log.start(), end: log.end(), synced: log.synced(), high_watermark }
}
