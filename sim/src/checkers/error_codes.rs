//! Error codes: a client is told no error but what it asked and what has gone wrong so far explain.
//!
//! | error | explained by |
//! | --- | --- |
//! | `NOT_LEADER_OR_FOLLOWER` | the node has begun to end; a topic that comes and goes; a read, what follows: it may find its log closed before the node does |
//! | `KAFKA_STORAGE_ERROR` | the disk has misbehaved since the process started |
//! | `NOT_CONTROLLER`, `COORDINATOR_NOT_AVAILABLE` | the node has begun to end |
//! | `UNKNOWN_TOPIC_OR_PARTITION`, `UNKNOWN_TOPIC_ID` | a topic that comes and goes |
//! | `OFFSET_OUT_OF_RANGE` | the offset lies outside of log start and high watermark, or a trim that the store was asked for has taken it |
//! | `RECORD_LIST_TOO_LARGE` | a batch that is longer than a segment |
//! | `REQUEST_TIMED_OUT` | a produce that waited as long as it said; in a cluster a deletion too |
//! | `OUT_OF_ORDER_SEQUENCE_NUMBER` | a batch before it is not in the log |
//! | `TOPIC_ALREADY_EXISTS`, `INVALID_PARTITIONS` | a topic that is there already, with as many partitions |
//!
//! Where there are several nodes, one that is asked need not lead, nor know a topic yet, nor hear the controller, and too few replicas may be
//! in sync.

use std::collections::BTreeMap;
use std::time::Duration;

use gracchus_core::boundary::{Input, StorageDone};
use gracchus_core::ids::{LogId, NodeId};
use gracchus_core::offset::Offset;
use gracchus_net::client::WireError;

use super::Violation;
use super::asked::{Asked, Connected, Subject};

const COORDINATOR_NOT_AVAILABLE: WireError = WireError(15);
const RECORD_LIST_TOO_LARGE: WireError = WireError(18);
const INVALID_PARTITIONS: WireError = WireError(37);
const POLICY_VIOLATION: WireError = WireError(44);
const OUT_OF_ORDER_SEQUENCE_NUMBER: WireError = WireError(45);
const KAFKA_STORAGE_ERROR: WireError = WireError(56);
const NOT_ENOUGH_REPLICAS: WireError = WireError(19);
const NOT_ENOUGH_REPLICAS_AFTER_APPEND: WireError = WireError(20);
const INVALID_REPLICATION_FACTOR: WireError = WireError(38);
const INVALID_REPLICA_ASSIGNMENT: WireError = WireError(39);
const OFFSET_NOT_AVAILABLE: WireError = WireError(78);
const PREFERRED_LEADER_NOT_AVAILABLE: WireError = WireError(80);
const ELECTION_NOT_NEEDED: WireError = WireError(84);
const NO_REASSIGNMENT_IN_PROGRESS: WireError = WireError(85);

/// What a client asked, as far as it bears on the errors that it may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Records from a position on.
    Fetch {
        /// The first offset wanted.
        position: Offset,
        /// The version that it asks at, for who reads of a violation.
        version: i16,
    },
    /// To append a batch.
    Produce {
        /// Whether a batch of its session that goes before it may not be in the log.
        is_behind_another: bool,
        /// How long it is.
        batch_bytes: usize,
        /// How long it lets the node take.
        patience: Duration,
    },
    /// Where something is.
    ListOffsets,
    /// To delete what lies below an offset.
    DeleteRecords {
        /// The first offset that is kept.
        before: Offset,
        /// How long it lets the node take.
        patience: Duration,
    },
    /// A producer id.
    InitProducerId,
    /// To make a topic.
    CreateTopic,
    /// To delete one.
    DeleteTopic,
    /// To give one more partitions.
    CreatePartitions,
    /// To give a partition to other replicas, or to give that up.
    Reassign,
    /// To have a preferred replica lead.
    ElectPreferred,
    /// To alter a topic that exists all along, or one that comes and goes.
    AlterTopic {
        /// Whether it comes and goes.
        is_passing: bool,
    },
}

/// What is known of the partition when the answer comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) log_start: Option<Offset>,
    /// Where the store was asked to move the log's start.
    pub(super) trimmed: Offset,
    pub(super) is_removed: bool,
    /// Whether its topic is compacted: of such a one records are not deleted, unless it is both.
    pub(super) is_compacted: bool,
    /// A power loss may have taken what lay below the high watermark when it was asked.
    pub(super) is_outdated: bool,
    pub(super) segment_bytes_max: Option<u32>,
    pub(super) disk_faults: u64,
    /// Whether there are several nodes.
    pub(super) is_cluster: bool,
    pub(super) now: Duration,
}

#[derive(Debug, Default)]
pub(super) struct ErrorCodes {
    endings: u64,
    /// As of the end of each node's last process.
    connected: BTreeMap<NodeId, Connected>,
}

impl ErrorCodes {
    pub(super) fn step(&mut self, input: &Input) {
        match input {
            Input::Stop | Input::Storage(StorageDone::Failed { log: LogId::Metadata, .. }) => self.endings += 1,
            Input::Start
            | Input::Peer { .. }
            | Input::PeerLost(_)
            | Input::PeerRefused(_)
            | Input::Request { .. }
            | Input::Disconnected(_)
            | Input::ControllersFound(_)
            | Input::Storage(_)
            | Input::Deadline => {}
        }
    }

    /// A node's process has ended, disks having misbehaved so often until then.
    pub(super) fn process_ended(&mut self, node: NodeId, disk_faults: u64) {
        self.connected.insert(node, Connected { endings: self.endings, disk_faults });
    }

    /// What had gone wrong before the process started that a client reaches at this moment.
    pub(super) fn connected(&self, node: NodeId) -> Connected {
        self.connected.get(&node).copied().unwrap_or_default()
    }

    pub(super) fn check(&self, asked: &Asked, question: Question, error: WireError, known: &Known) -> Result<(), Violation> {
        if self.is_explained(asked, question, error, known) || (known.is_cluster && is_explained_in_cluster(asked, question, error, known)) {
            return Ok(());
        }
        Err(Violation::safety("ErrorCodes", format!("{question:?} of {:?} is answered with {error}: {asked:?}, {known:?}", asked.subject)))
    }

    fn is_explained(&self, asked: &Asked, question: Question, error: WireError, known: &Known) -> bool {
        let is_ending = self.endings > asked.connected.endings;
        let is_passing = matches!(asked.subject, Subject::Passing(_));
        match error {
            WireError::NOT_LEADER_OR_FOLLOWER => {
                // Old fetches know no other word for a disk that fails; and a read finds its log closed before the node does.
                let reads = matches!(question, Question::Fetch { .. } | Question::ListOffsets);
                is_ending || is_passing || (reads && storage_may_fail(asked, question, known))
            }
            KAFKA_STORAGE_ERROR => storage_may_fail(asked, question, known),
            WireError::NOT_CONTROLLER => is_ending && asked.subject == Subject::Topics,
            COORDINATOR_NOT_AVAILABLE => is_ending && question == Question::InitProducerId,
            WireError::UNKNOWN_TOPIC_OR_PARTITION | WireError::UNKNOWN_TOPIC_ID => is_passing || names_passing_topic(question),
            WireError::OFFSET_OUT_OF_RANGE => is_out_of_range(asked, question, known),
            RECORD_LIST_TOO_LARGE => {
                let bytes_max = known.segment_bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
                matches!(question, Question::Produce { batch_bytes, .. } if bytes_max.is_none_or(|bytes_max| batch_bytes > bytes_max))
            }
            WireError::REQUEST_TIMED_OUT => {
                matches!(question, Question::Produce { patience, .. } if known.now.saturating_sub(asked.at) >= patience)
            }
            OUT_OF_ORDER_SEQUENCE_NUMBER => matches!(question, Question::Produce { is_behind_another: true, .. }),
            WireError::TOPIC_ALREADY_EXISTS => question == Question::CreateTopic,
            POLICY_VIOLATION => matches!(question, Question::DeleteRecords { .. }) && known.is_compacted,
            INVALID_PARTITIONS => question == Question::CreatePartitions,
            _ => false,
        }
    }
}

/// What a node may not know yet, or not be, where there are others.
fn is_explained_in_cluster(asked: &Asked, question: Question, error: WireError, known: &Known) -> bool {
    let is_produce = matches!(question, Question::Produce { .. });
    match error {
        WireError::NOT_LEADER_OR_FOLLOWER | WireError::LEADER_NOT_AVAILABLE => true,
        WireError::UNKNOWN_TOPIC_OR_PARTITION | WireError::UNKNOWN_TOPIC_ID => true,
        WireError::NOT_CONTROLLER => !is_produce,
        WireError::REQUEST_TIMED_OUT => {
            let patience = if let Question::DeleteRecords { patience, .. } = question { patience } else { Duration::ZERO };
            !is_produce && known.now.saturating_sub(asked.at) >= patience
        }
        COORDINATOR_NOT_AVAILABLE => question == Question::InitProducerId,
        NOT_ENOUGH_REPLICAS | NOT_ENOUGH_REPLICAS_AFTER_APPEND => is_produce,
        OFFSET_NOT_AVAILABLE => question == Question::ListOffsets,
        INVALID_REPLICATION_FACTOR => matches!(question, Question::CreateTopic | Question::CreatePartitions | Question::Reassign),
        NO_REASSIGNMENT_IN_PROGRESS | INVALID_REPLICA_ASSIGNMENT => question == Question::Reassign,
        ELECTION_NOT_NEEDED | PREFERRED_LEADER_NOT_AVAILABLE => question == Question::ElectPreferred,
        KAFKA_STORAGE_ERROR => known.disk_faults > 0,
        _ => false,
    }
}

fn storage_may_fail(asked: &Asked, question: Question, known: &Known) -> bool {
    let reads = match question {
        Question::ListOffsets => asked.log_start.is_none_or(|log_start| known.trimmed > log_start),
        Question::Fetch { .. } | Question::Produce { .. } | Question::DeleteRecords { .. } | Question::InitProducerId => false,
        Question::CreateTopic | Question::DeleteTopic | Question::CreatePartitions | Question::AlterTopic { .. } => false,
        Question::Reassign | Question::ElectPreferred => false,
    };
    // A search that a trim overtakes, and what a deletion overtakes, finds its files gone.
    known.disk_faults > asked.connected.disk_faults || reads || known.is_removed
}

fn names_passing_topic(question: Question) -> bool {
    match question {
        Question::DeleteTopic | Question::CreatePartitions => true,
        Question::AlterTopic { is_passing } => is_passing,
        Question::Fetch { .. } | Question::Produce { .. } | Question::ListOffsets | Question::DeleteRecords { .. } => false,
        Question::InitProducerId | Question::CreateTopic | Question::Reassign | Question::ElectPreferred => false,
    }
}

fn is_out_of_range(asked: &Asked, question: Question, known: &Known) -> bool {
    let (offset, has_low_bound) = match question {
        Question::Fetch { position, .. } => (position, true),
        Question::DeleteRecords { before, .. } => (before, false),
        Question::Produce { .. } | Question::ListOffsets | Question::InitProducerId => return false,
        Question::CreateTopic | Question::DeleteTopic | Question::CreatePartitions | Question::AlterTopic { .. } => return false,
        Question::Reassign | Question::ElectPreferred => return false,
    };
    // The store may have moved the start already, and the node not know yet: the read then finds out (a read that a trim overtakes).
    let is_below = has_low_bound && (known.log_start.is_some_and(|log_start| offset < log_start) || offset < known.trimmed);
    let is_above = asked.high_watermark.is_none_or(|high_watermark| offset > high_watermark);
    is_below || is_above || known.is_outdated
}
