//! The next step of a member towards what it is to get.

use super::member::{ConsumerMember, Standing};
use super::record::KeptCurrent;
use super::{Assigned, Partitions};
use crate::epoch::GroupEpoch;
use crate::ids::TopicPartition;

/// What members are to come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// The assignment's epoch.
    pub(super) epoch: GroupEpoch,
    /// Whether the group is ahead of it.
    pub(super) is_outdated: bool,
}

/// What a member has after a heartbeat in which it said that it had `owned`, if it said that. `is_free` says whether nobody else has a
/// partition, `is_wanted` whether the member subscribes to its topic: who has changed its mind gives up what it has of others before it is
/// assigned for again.
pub(super) fn next(
    member: &ConsumerMember,
    goal: Goal,
    owned: Option<&Partitions>,
    is_free: impl Fn(&TopicPartition) -> bool,
    is_wanted: impl Fn(&TopicPartition) -> bool,
) -> KeptCurrent {
    let (current, epoch) = (&member.current, goal.epoch);
    let target: Partitions = match current.standing {
        Standing::Stable if current.epoch == epoch && (!goal.is_outdated || current.assigned.keys().all(&is_wanted)) => {
            return current.clone();
        }
        Standing::Unrevoked if has_any(owned, &current.revoking) => return give_up_more(current, is_wanted),
        Standing::Stable | Standing::Unrevoked | Standing::Unreleased | Standing::Unknown => {
            member.target.iter().filter(|id| is_wanted(id)).copied().collect()
        }
    };
    let step = |from| step(current, &target, from, epoch, owned, is_free);
    match current.standing {
        // It is a step further than before: what it gave up may be another's when the next revocation is done.
        Standing::Unrevoked => step(current.epoch.next().min(epoch)),
        Standing::Stable | Standing::Unreleased => step(current.epoch),
        // It has said that it has nothing: it begins anew.
        Standing::Unknown => step(epoch),
    }
}

/// What it has is taken back first, in the epoch `from`; then it gets what nobody else has, in the epoch `to`.
fn step(
    current: &KeptCurrent,
    target: &Partitions,
    from: GroupEpoch,
    to: GroupEpoch,
    owned: Option<&Partitions>,
    is_free: impl Fn(&TopicPartition) -> bool,
) -> KeptCurrent {
    let (mut assigned, revoking): (Assigned, Assigned) = current.assigned.iter().partition(|(id, _)| target.contains(id));
    if !revoking.is_empty() && has_any(owned, &revoking) {
        return KeptCurrent { epoch: from, previous_epoch: current.epoch, standing: Standing::Unrevoked, assigned, revoking };
    }
    let mut standing = Standing::Stable;
    for id in target {
        if assigned.contains_key(id) {
            continue;
        }
        if is_free(id) {
            assigned.insert(*id, to);
        } else {
            standing = Standing::Unreleased;
        }
    }
    KeptCurrent { epoch: to, previous_epoch: current.epoch, standing, assigned, revoking: Assigned::new() }
}

/// It has not given up what it was to, and is to give up what it does not subscribe to as well.
fn give_up_more(current: &KeptCurrent, is_wanted: impl Fn(&TopicPartition) -> bool) -> KeptCurrent {
    let (assigned, unwanted): (Assigned, Assigned) = current.assigned.iter().partition(|(id, _)| is_wanted(id));
    let revoking = current.revoking.iter().map(|(id, since)| (*id, *since)).chain(unwanted).collect();
    KeptCurrent { assigned, revoking, ..current.clone() }
}

/// Whether it may still have any of these: it has, as far as it does not say.
fn has_any(owned: Option<&Partitions>, these: &Assigned) -> bool {
    owned.is_none_or(|owned| these.keys().any(|id| owned.contains(id)))
}
