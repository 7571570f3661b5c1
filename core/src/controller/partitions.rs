//! Where replicas go.

use std::collections::BTreeSet;

use crate::error::{ApiError, ErrorCode};
use crate::ids::NodeId;
use crate::metadata::Image;

/// New partitions that want places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// Number of the first one, from which the rotation over brokers goes on.
    pub(super) first: i64,
    /// How many.
    pub(super) partition_count: i64,
    /// Replicas of each.
    pub(super) replication_factor: i64,
}

/// Places partitions over the registered brokers, each partition starting one broker further on.
pub(super) fn place(image: &Image, wanted: &Placement) -> Result<Vec<Vec<NodeId>>, ApiError> {
    let brokers: Vec<NodeId> = image.brokers.keys().copied().collect();
    let factor = usize::try_from(wanted.replication_factor).unwrap_or(usize::MAX);
    if factor > brokers.len() {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {} broker(s) are registered.",
            brokers.len()
        );
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    let first = usize::try_from(wanted.first).unwrap_or(0);
    let count = usize::try_from(wanted.partition_count).unwrap_or(0);
    let replicas_from = |start: usize| brokers.iter().copied().cycle().skip(start % brokers.len()).take(factor).collect();
    Ok((first..first + count).map(replicas_from).collect())
}

/// Checks an assignment made by hand. `replication_factor` is the one that the topic has, if it exists.
pub(super) fn check_assignment(image: &Image, placed: &[Vec<NodeId>], replication_factor: Option<usize>) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
    let mut expected = replication_factor;
    for replicas in placed {
        if replicas.is_empty() {
            return refuse("The manual partition assignment includes an empty replica list.".into());
        }
        let mut seen = BTreeSet::new();
        for replica in replicas {
            if !image.brokers.contains_key(replica) {
                return refuse(format!("The manual partition assignment includes broker {replica}, but no such broker is registered."));
            }
            if !seen.insert(replica) {
                return refuse(format!("The manual partition assignment includes the broker {replica} more than once."));
            }
        }
        let expected = *expected.get_or_insert(replicas.len());
        if replicas.len() != expected {
            return refuse(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous partitions, which have {expected} replica(s).",
                replicas.len()
            ));
        }
    }
    Ok(())
}
