//! Of each topic everyone who subscribes to it gets a range of partitions, in the order of the members: static members first, by their own names,
//! so that who comes back under another id gets the same; then the others by their ids. The first ranges are the longer ones. Topics that have as
//! many partitions and subscribers go to the same members partition by partition, which is what joins of streams need.

use std::collections::BTreeMap;
use std::vec::IntoIter;

use super::{Counts, Subscriber, partitions_of};
use crate::group::consumer::Partitions;
use crate::ids::{TopicId, TopicPartition};

/// What is left of a topic.
struct Left {
    partitions: IntoIter<TopicPartition>,
    /// What everyone gets.
    share: usize,
    /// How many get one more.
    longer: usize,
}

pub(super) fn assign(members: &[Subscriber<'_>], counts: &Counts) -> Vec<Partitions> {
    let mut subscribers: BTreeMap<TopicId, usize> = BTreeMap::new();
    for topic in members.iter().flat_map(|member| member.topics.iter()) {
        *subscribers.entry(*topic).or_default() += 1;
    }
    let left = subscribers.into_iter().map(|(topic, subscribers)| {
        let partitions: Vec<_> = partitions_of(topic, counts).collect();
        let (share, longer) = (partitions.len() / subscribers, partitions.len() % subscribers);
        (topic, Left { partitions: partitions.into_iter(), share, longer })
    });
    let mut left: BTreeMap<TopicId, Left> = left.collect();
    let mut order: Vec<(usize, &Subscriber<'_>)> = members.iter().enumerate().collect();
    // What is equal stays in the order of the ids.
    order.sort_by_key(|(_, member)| (member.instance_id.is_none(), member.instance_id));
    let mut assigned = vec![Partitions::new(); members.len()];
    for (at, member) in order {
        let Some(given) = assigned.get_mut(at) else { continue };
        for topic in member.topics.iter() {
            let Some(left) = left.get_mut(topic) else { continue };
            let length = left.share + usize::from(left.longer > 0);
            left.longer = left.longer.saturating_sub(1);
            given.extend(left.partitions.by_ref().take(length));
        }
    }
    assigned
}
