//! What the broker waits for by the clock.

use serde::{Deserialize, Serialize};

use crate::boundary::CallId;
use crate::ids::{NodeId, RequestId, TopicPartition};

/// A timer; each fires at most once for each time it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Timer {
    /// A produce has waited as long as its client allows.
    Produce(RequestId),
    /// A fetch has waited as long as its client allows.
    Fetch(RequestId),
    /// A DeleteRecords has waited as long as its client allows.
    Deletion(RequestId),
    /// Logs are to be looked through for segments that may go (`log.retention.check.interval.ms`).
    Retention,
    /// Logs are to be looked through for something to compact (`log.cleaner.backoff.ms`).
    Compaction,
    /// The quorum waits no longer.
    Quorum,
    /// A fetch of metadata has not been answered.
    FetchMetadata,
    /// A member's fetch of metadata has waited long enough for news.
    ParkedMetadata(NodeId),
    /// A client has waited long enough for the controller.
    Call(CallId),
    /// Calls that may be lost are to be made again.
    Calls,
    /// A Metadata request has waited long enough for a leader.
    Metadata(RequestId),
    /// The controller is to hear from this broker.
    Heartbeat,
    /// Followers are to say that they live, and leaders to look at their ISRs.
    Replication,
    /// The controller has not answered for a session.
    CutOff,
    /// Whoever this node led has had time enough to be led by others: it stops.
    HandOver,
    /// A broker's session may have ended.
    Sessions,
    /// Throttled followers may be sent more (KIP-73).
    ThrottledFollowers,
    /// Followers that catch up may be sent the next round.
    CatchingUp,
    /// Throttled copies of this node may fetch more.
    ThrottledCopies,
    /// Leadership is to go back to preferred replicas (`leader.imbalance.check.interval.seconds`).
    Balance,
    /// Producers that have been silent for long are to be forgotten (`producer.id.expiration.check.interval.ms`).
    ProducerExpiry,
    /// Something of the groups that are kept in a partition is due.
    Groups(TopicPartition),
    /// Who asked for other voters has waited long enough.
    Voters,
    /// A snapshot of the metadata is due, if anything was committed since the last (`metadata.log.max.snapshot.interval.ms`).
    MetadataSnapshot,
}
