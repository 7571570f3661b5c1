//! Where replicas go.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{ApiError, ErrorCode};
use crate::ids::NodeId;
use crate::metadata::Image;

/// New partitions that want places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    /// Where the rotation over brokers goes on.
    pub(super) first: i64,
    /// How many.
    pub(super) partition_count: i64,
    /// Replicas of each.
    pub(super) replication_factor: i64,
}

/// Places partitions over the brokers, each starting one broker further on. Those that are up come first, so that one of them leads, and
/// brokers of different racks take turns (KIP-36).
pub(super) fn place(image: &Image, wanted: &Placement) -> Result<Vec<Vec<NodeId>>, ApiError> {
    let (up, down): (Vec<NodeId>, Vec<NodeId>) = by_turns(image).into_iter().partition(|node| is_up(image, *node));
    let factor = usize::try_from(wanted.replication_factor).unwrap_or(usize::MAX);
    if factor > image.brokers.len() {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {} broker(s) are registered.",
            image.brokers.len()
        );
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if up.is_empty() {
        let message = format!("Unable to replicate the partition {factor} time(s): All brokers are currently fenced.");
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, message));
    }
    let first = usize::try_from(wanted.first).unwrap_or(0);
    let count = usize::try_from(wanted.partition_count).unwrap_or(0);
    let replicas_from = |start: usize| {
        let turning = up.iter().copied().cycle().skip(start % up.len()).take(up.len());
        spread(image, turning.chain(down.iter().copied()).collect(), factor)
    };
    Ok((first..first + count).map(replicas_from).collect())
}

fn is_up(image: &Image, node: NodeId) -> bool {
    image.brokers.get(&node).is_some_and(|broker| !broker.is_fenced)
}

/// The first of `nodes` in their order, but for those whose rack has had more than its turn.
fn spread(image: &Image, mut nodes: Vec<NodeId>, count: usize) -> Vec<NodeId> {
    let rack_of = |node: &NodeId| image.brokers.get(node).and_then(|broker| broker.rack.as_ref());
    let mut turns: BTreeMap<Option<&String>, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    while chosen.len() < count && !nodes.is_empty() {
        let turn_of = |node: &NodeId| turns.get(&rack_of(node)).copied().unwrap_or(0);
        let least = nodes.iter().map(turn_of).min().unwrap_or(0);
        let at = nodes.iter().position(|node| turn_of(node) == least).unwrap_or(0);
        let node = nodes.remove(at);
        *turns.entry(rack_of(&node)).or_default() += 1;
        chosen.push(node);
    }
    chosen
}

/// The brokers, one of each rack in turn.
fn by_turns(image: &Image) -> Vec<NodeId> {
    let mut seen: BTreeMap<&Option<String>, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &Option<String>, NodeId)> = Vec::new();
    for (node, broker) in &image.brokers {
        let before = seen.entry(&broker.rack).or_default();
        // Without racks all share one, and keep their order.
        turns.push((*before, &broker.rack, *node));
        *before += 1;
    }
    turns.sort_unstable();
    turns.into_iter().map(|(.., node)| node).collect()
}

/// Checks an assignment made by hand. `replication_factor` is the one that the topic has, if it exists.
pub(super) fn check_assignment(image: &Image, placed: &[Vec<NodeId>], replication_factor: Option<usize>) -> Result<(), ApiError> {
    let mut expected = replication_factor;
    for replicas in placed {
        check_replicas(image, replicas)?;
        if !replicas.iter().any(|replica| is_up(image, *replica)) {
            return refuse("All brokers specified in the manual partition assignment are fenced.".into());
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

/// Checks the replicas of one partition that were named by hand.
pub(super) fn check_replicas(image: &Image, replicas: &[NodeId]) -> Result<(), ApiError> {
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
    Ok(())
}

fn refuse(message: String) -> Result<(), ApiError> {
    Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DirectoryId, IncarnationId};
    use crate::metadata::MetadataRecord;
    use crate::offset::Offset;

    /// Brokers 1 to n with their racks, of which those named are up.
    fn image(racks: &[Option<&str>], up: &[i32]) -> Image {
        let mut image = Image::default();
        for (rack, node) in racks.iter().zip(1..) {
            let (incarnation, directory) = (IncarnationId::default(), DirectoryId::default());
            let rack = rack.map(str::to_owned);
            let registered = MetadataRecord::RegisterBroker { node: NodeId(node), incarnation, directory, rack, endpoints: Vec::new() };
            image.replay(Offset(i64::from(node)), &registered);
        }
        up.iter().for_each(|node| image.replay(Offset(100), &MetadataRecord::UnfenceBroker { node: NodeId(*node) }));
        image
    }

    fn placed(image: &Image, replication_factor: i64) -> Result<Vec<Vec<i32>>, ApiError> {
        let placed = place(image, &Placement { first: 0, partition_count: 3, replication_factor })?;
        Ok(placed.into_iter().map(|replicas| replicas.into_iter().map(|node| node.0).collect()).collect())
    }

    #[test]
    fn each_partition_begins_at_the_next_broker() {
        assert_eq!(placed(&image(&[None; 3], &[1, 2, 3]), 2), Ok(vec![vec![1, 2], vec![2, 3], vec![3, 1]]));
    }

    #[test]
    fn a_broker_that_is_down_leads_nothing_that_is_new() {
        assert_eq!(placed(&image(&[None; 3], &[2, 3]), 1), Ok(vec![vec![2], vec![3], vec![2]]));
        assert_eq!(placed(&image(&[None; 3], &[2, 3]), 3), Ok(vec![vec![2, 3, 1], vec![3, 2, 1], vec![2, 3, 1]]));
        assert_eq!(placed(&image(&[None; 3], &[]), 1).unwrap_err().code, ErrorCode::InvalidReplicationFactor);
    }

    #[test]
    fn replicas_lie_in_different_racks() {
        let image = image(&[Some("a"), Some("a"), Some("b"), Some("b")], &[1, 2, 3, 4]);
        for replicas in placed(&image, 2).unwrap() {
            assert_ne!(replicas[0] <= 2, replicas[1] <= 2, "{replicas:?}");
        }
    }
}
