//! The next step of a member towards what it is to get.

use super::member::{ConsumerMember, Standing};
use super::record::KeptCurrent;
use super::{Assigned, Partitions};
use crate::epoch::GroupEpoch;
use crate::ids::TopicPartition;

/// What a member has after a heartbeat in which it said that it had `owned`, if it said that. `is_free` says whether nobody else has a
/// partition, `epoch` is the assignment's.
pub(super) fn next(
    member: &ConsumerMember,
    epoch: GroupEpoch,
    owned: Option<&Partitions>,
    is_free: impl Fn(&TopicPartition) -> bool,
) -> KeptCurrent {
    let current = &member.current;
    match current.standing {
        Standing::Stable if current.epoch == epoch => current.clone(),
        Standing::Unrevoked if has_any(owned, &current.revoking) => current.clone(),
        // It is a step further than before: what it gave up may be another's when the next revocation is done.
        Standing::Unrevoked => step(member, current.epoch.next().min(epoch), epoch, owned, is_free),
        Standing::Stable | Standing::Unreleased => step(member, current.epoch, epoch, owned, is_free),
        // It has said that it has nothing: it begins anew.
        Standing::Unknown => step(member, epoch, epoch, owned, is_free),
    }
}

/// What it has is taken back first, in the epoch `from`; then it gets what nobody else has, in the epoch `to`.
fn step(
    member: &ConsumerMember,
    from: GroupEpoch,
    to: GroupEpoch,
    owned: Option<&Partitions>,
    is_free: impl Fn(&TopicPartition) -> bool,
) -> KeptCurrent {
    let current = &member.current;
    let (mut assigned, revoking): (Assigned, Assigned) = current.assigned.iter().partition(|(id, _)| member.target.contains(id));
    if !revoking.is_empty() && has_any(owned, &revoking) {
        return KeptCurrent { epoch: from, previous_epoch: current.epoch, standing: Standing::Unrevoked, assigned, revoking };
    }
    let mut standing = Standing::Stable;
    for id in &member.target {
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

/// Whether it may still have any of these: it has, as far as it does not say.
fn has_any(owned: Option<&Partitions>, these: &Assigned) -> bool {
    owned.is_none_or(|owned| these.keys().any(|id| owned.contains(id)))
}
