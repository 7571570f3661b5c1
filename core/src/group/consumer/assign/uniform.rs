//! Everyone gets as many partitions as everyone else, if what they subscribe to allows, and keeps what it had as far as that allows.
//!
//! Where all subscribe to the same, everyone gets its share, and those get one more that had more. Otherwise what nobody has goes to whoever has
//! least, topics with few subscribers first; then topics are evened out one after the other, until nobody could give a partition to one that has
//! two less than itself, or it has gone on for [`ROUNDS_MAX`].

use std::collections::{BTreeMap, BTreeSet};

use super::{Counts, Subscriber, common_topics, partitions_of};
use crate::group::consumer::Partitions;
use crate::ids::{PartitionIndex, TopicId, TopicPartition};

/// How often all topics are evened out at most.
const ROUNDS_MAX: usize = 16;

pub(super) fn assign(members: &[Subscriber<'_>], counts: &Counts) -> Vec<Partitions> {
    match common_topics(members) {
        Some(topics) => assign_alike(members, topics, counts),
        None => assign_unlike(members, counts),
    }
}

/// What members had that they may keep: of what several had the first has it.
fn kept(members: &[Subscriber<'_>], counts: &Counts) -> Vec<Vec<TopicPartition>> {
    let mut taken = BTreeSet::new();
    let exists = |id: &TopicPartition| counts.get(&id.topic).is_some_and(|count| (0..*count).contains(&id.partition.0));
    let of_member = |member: &Subscriber<'_>| {
        let held = member.held.iter().filter(|id| member.topics.contains(&id.topic) && exists(id));
        held.filter(|id| taken.insert(**id)).copied().collect()
    };
    members.iter().map(of_member).collect()
}

fn assign_alike(members: &[Subscriber<'_>], topics: &BTreeSet<TopicId>, counts: &Counts) -> Vec<Partitions> {
    let mut kept = kept(members, counts);
    let total: usize = topics.iter().map(|topic| partitions_of(*topic, counts).count()).sum();
    let share = total / members.len();
    let mut longer = total % members.len();
    // Who has more than its share may have one more, as long as there are any; what is beyond goes to others.
    let mut quotas = Vec::new();
    for held in &mut kept {
        let has_one_more = held.len() > share && longer > 0;
        longer -= usize::from(has_one_more);
        let quota = share + usize::from(has_one_more);
        held.truncate(quota);
        quotas.push(quota);
    }
    let taken: BTreeSet<TopicPartition> = kept.iter().flatten().copied().collect();
    let mut free = topics.iter().flat_map(|topic| partitions_of(*topic, counts)).filter(|id| !taken.contains(id));
    let mut assigned = Vec::new();
    for (held, quota) in kept.into_iter().zip(quotas) {
        let has_one_more = quota == share && longer > 0;
        longer -= usize::from(has_one_more);
        let missing = quota + usize::from(has_one_more) - held.len();
        assigned.push(held.into_iter().chain(free.by_ref().take(missing)).collect());
    }
    assigned
}

/// A topic of those that not all subscribe to.
struct Contended {
    topic: TopicId,
    /// Who subscribes to it, by their places.
    subscribers: Vec<usize>,
}

fn assign_unlike(members: &[Subscriber<'_>], counts: &Counts) -> Vec<Partitions> {
    let mut subscribers: BTreeMap<TopicId, Vec<usize>> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        for topic in member.topics.iter() {
            subscribers.entry(*topic).or_default().push(at);
        }
    }
    let mut topics: Vec<_> = subscribers.into_iter().map(|(topic, subscribers)| Contended { topic, subscribers }).collect();
    topics.sort_by_key(|contended| contended.subscribers.len());
    let mut assigned: Vec<Partitions> = kept(members, counts).into_iter().map(|held| held.into_iter().collect()).collect();
    let mut holders: BTreeMap<TopicPartition, usize> = BTreeMap::new();
    for (at, held) in assigned.iter().enumerate() {
        holders.extend(held.iter().map(|id| (*id, at)));
    }
    for Contended { topic, subscribers } in &topics {
        let mut by_load: BTreeSet<(usize, usize)> = subscribers.iter().map(|at| (load(&assigned, *at), *at)).collect();
        for id in partitions_of(*topic, counts).filter(|id| !holders.contains_key(id)) {
            let Some((_, at)) = by_load.pop_first() else { break };
            if let Some(given) = assigned.get_mut(at) {
                given.insert(id);
            }
            by_load.insert((load(&assigned, at), at));
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut has_changed = false;
        for contended in &topics {
            has_changed |= even_out(contended, &mut assigned);
        }
        if !has_changed {
            break;
        }
    }
    assigned
}

/// Moves partitions of a topic from who has most to who has least. Whether any moved.
fn even_out(Contended { topic, subscribers }: &Contended, assigned: &mut [Partitions]) -> bool {
    let mut by_load: BTreeSet<(usize, usize)> = subscribers.iter().map(|at| (load(assigned, *at), *at)).collect();
    let mut holders: BTreeSet<(usize, usize)> = by_load.iter().filter(|(_, at)| last_of(assigned, *at, *topic).is_some()).copied().collect();
    let mut has_changed = false;
    while let (Some((most, from)), Some((least, to))) = (holders.last().copied(), by_load.first().copied()) {
        if most < least + 2 {
            break;
        }
        let Some(id) = last_of(assigned, from, *topic) else { break };
        for at in [from, to] {
            by_load.remove(&(load(assigned, at), at));
            holders.remove(&(load(assigned, at), at));
        }
        if let Some(giver) = assigned.get_mut(from) {
            giver.remove(&id);
        }
        if let Some(taker) = assigned.get_mut(to) {
            taker.insert(id);
        }
        for at in [from, to] {
            by_load.insert((load(assigned, at), at));
            if last_of(assigned, at, *topic).is_some() {
                holders.insert((load(assigned, at), at));
            }
        }
        has_changed = true;
    }
    has_changed
}

fn load(assigned: &[Partitions], at: usize) -> usize {
    assigned.get(at).map_or(0, BTreeSet::len)
}

/// The last partition of a topic that a member has.
fn last_of(assigned: &[Partitions], at: usize, topic: TopicId) -> Option<TopicPartition> {
    let partition = |index| TopicPartition { topic, partition: PartitionIndex(index) };
    assigned.get(at)?.range(partition(0)..=partition(i32::MAX)).next_back().copied()
}
