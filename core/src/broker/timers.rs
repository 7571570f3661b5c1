//! What the broker waits for by the clock.

use serde::{Deserialize, Serialize};

use crate::ids::RequestId;

/// A timer; each fires at most once for each time it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Timer {
    /// A produce has waited as long as its client allows.
    Produce(RequestId),
    /// A fetch has waited as long as its client allows.
    Fetch(RequestId),
    /// Logs are to be looked through for segments that may go (`log.retention.check.interval.ms`).
    Retention,
    /// Producers that have been silent for long are to be forgotten (`producer.id.expiration.check.interval.ms`).
    ProducerExpiry,
}
