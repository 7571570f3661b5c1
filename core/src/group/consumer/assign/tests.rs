//! What assignors promise, over groups that grow, shrink and change their minds.

use super::*;
use crate::ids::Uuid;
use crate::rng::Random;

/// Members of a group, with what they subscribe to and have.
struct Drawn {
    members: BTreeMap<String, (Rc<BTreeSet<TopicId>>, Partitions)>,
    counts: Counts,
}

fn topic(number: u32) -> TopicId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    TopicId(Uuid(bytes))
}

fn id(number: u32, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic(number), partition: PartitionIndex(partition) }
}

impl Drawn {
    fn of(members: &[(&str, &[u32])], counts: &[i32]) -> Self {
        let topics = |topics: &[u32]| Rc::new(topics.iter().copied().map(topic).collect());
        Self {
            members: members.iter().map(|(name, of)| ((*name).to_owned(), (topics(of), Partitions::new()))).collect(),
            counts: (0..).zip(counts).map(|(number, count)| (topic(number), *count)).collect(),
        }
    }

    fn assign(&mut self, assignor: Assignor) {
        let subscribers: Vec<_> =
            self.members.values().map(|(topics, held)| Subscriber { instance_id: None, topics: Rc::clone(topics), held }).collect();
        let assigned = assignor.assign(&subscribers, &self.counts);
        self.check(&assigned);
        for ((_, held), given) in self.members.values_mut().zip(assigned) {
            *held = given;
        }
    }

    /// Every partition that somebody subscribes to has one owner, who subscribes to it.
    fn check(&self, assigned: &[Partitions]) {
        assert_eq!(assigned.len(), self.members.len());
        let mut given = BTreeSet::new();
        for ((topics, _), partitions) in self.members.values().zip(assigned) {
            for id in partitions {
                assert!(topics.contains(&id.topic), "it subscribes to what it gets");
                assert!(given.insert(*id), "nobody else gets it");
            }
        }
        let subscribed: BTreeSet<_> = self.members.values().flat_map(|(topics, _)| topics.iter().copied()).collect();
        let all: BTreeSet<_> = subscribed.into_iter().flat_map(|topic| partitions_of(topic, &self.counts)).collect();
        assert_eq!(given, all, "nothing is left");
    }

    fn held(&self, name: &str) -> &Partitions {
        &self.members[name].1
    }

    fn owners(&self) -> BTreeMap<TopicPartition, String> {
        self.members.iter().flat_map(|(name, (_, held))| held.iter().map(|id| (*id, name.clone()))).collect()
    }

    fn loads(&self) -> Vec<usize> {
        self.members.values().map(|(_, held)| held.len()).collect()
    }

    /// Nobody could give a partition to one that has two less.
    fn is_even(&self) -> bool {
        self.members.values().all(|(_, held)| {
            let least_of = |topic: &TopicId| {
                let subscribers = self.members.values().filter(|(topics, _)| topics.contains(topic));
                subscribers.map(|(_, held)| held.len()).min().unwrap()
            };
            held.iter().all(|id| held.len() <= least_of(&id.topic) + 1)
        })
    }
}

#[test]
fn uniform_shares_alike_and_moves_what_it_must() {
    let mut random = Random::new([1; 32]);
    for _ in 0..200 {
        let counts: Vec<i32> = (0..1 + random.below(4)).map(|_| i32::try_from(random.below(9)).unwrap()).collect();
        let topics: Vec<u32> = (0..u32::try_from(counts.len()).unwrap()).collect();
        let mut drawn = Drawn::of(&[("m", &topics)], &counts);
        drawn.assign(Assignor::Uniform);
        for _ in 0..12 {
            let name = format!("m{}", random.below(8));
            let (before, size) = (drawn.owners(), drawn.members.len());
            if drawn.members.remove(&name).is_none() {
                let of = Rc::clone(&drawn.members["m"].0);
                drawn.members.insert(name.clone(), (of, Partitions::new()));
            }
            drawn.assign(Assignor::Uniform);
            let (least, most) = (drawn.loads().into_iter().min().unwrap(), drawn.loads().into_iter().max().unwrap());
            assert!(most <= least + 1, "{:?}", drawn.loads());
            let after = drawn.owners();
            let moved = before.iter().filter(|(id, owner)| after[*id] != **owner).count();
            let must =
                if drawn.members.len() > size { drawn.held(&name).len() } else { before.values().filter(|owner| **owner == name).count() };
            assert_eq!(moved, must, "only the newcomer gets what others had, only what the leaver had goes");
        }
    }
}

#[test]
fn uniform_evens_out_what_not_all_subscribe_to() {
    let mut random = Random::new([2; 32]);
    for _ in 0..200 {
        let counts: Vec<i32> = (0..2 + random.below(5)).map(|_| i32::try_from(random.below(12)).unwrap()).collect();
        let mut drawn = Drawn::of(&[], &counts);
        for _ in 0..10 {
            let name = format!("m{}", random.below(6));
            let topics: BTreeSet<_> = drawn.counts.keys().filter(|_| random.below(2) == 0).copied().collect();
            let held = drawn.members.remove(&name).map(|(_, held)| held).unwrap_or_default();
            if random.below(4) > 0 {
                drawn.members.insert(name, (Rc::new(topics), held));
            }
            if drawn.members.is_empty() {
                continue;
            }
            drawn.assign(Assignor::Uniform);
            assert!(drawn.is_even(), "{:?}", drawn.members);
            let settled = drawn.owners();
            drawn.assign(Assignor::Uniform);
            assert_eq!(drawn.owners(), settled, "what is settled stays");
        }
    }
}

#[test]
fn uniform_gives_to_who_can_take_little_else() {
    let mut drawn = Drawn::of(&[("a", &[0, 1]), ("b", &[1])], &[2, 2]);
    drawn.assign(Assignor::Uniform);
    assert_eq!((drawn.held("a"), drawn.held("b")), (&[id(0, 0), id(0, 1)].into(), &[id(1, 0), id(1, 1)].into()));
}

#[test]
fn range_gives_the_same_of_each_topic() {
    let mut drawn = Drawn::of(&[("a", &[0, 1]), ("b", &[0, 1])], &[3, 3]);
    drawn.assign(Assignor::Range);
    assert_eq!(drawn.held("a"), &[id(0, 0), id(0, 1), id(1, 0), id(1, 1)].into());
    assert_eq!(drawn.held("b"), &[id(0, 2), id(1, 2)].into());
}

#[test]
fn range_counts_only_who_subscribes() {
    let mut drawn = Drawn::of(&[("a", &[0]), ("b", &[0, 1]), ("c", &[1])], &[3, 2]);
    drawn.assign(Assignor::Range);
    assert_eq!(drawn.held("a"), &[id(0, 0), id(0, 1)].into());
    assert_eq!(drawn.held("b"), &[id(0, 2), id(1, 0)].into());
    assert_eq!(drawn.held("c"), &[id(1, 1)].into());
}

#[test]
fn range_leaves_the_last_without_where_there_are_too_few() {
    let mut drawn = Drawn::of(&[("a", &[0]), ("b", &[0]), ("c", &[0])], &[2]);
    drawn.assign(Assignor::Range);
    assert_eq!(drawn.loads(), [1, 1, 0]);
}

#[test]
fn range_keeps_a_static_members_place_whatever_its_id() {
    let (topics, counts) = (Rc::new(BTreeSet::from([topic(0)])), Counts::from([(topic(0), 4)]));
    let held = Partitions::new();
    let member = |instance_id| Subscriber { instance_id, topics: Rc::clone(&topics), held: &held };
    let assigned = Assignor::Range.assign(&[member(None), member(Some("second")), member(Some("first"))], &counts);
    assert_eq!(assigned, [[id(0, 3)].into(), [id(0, 2)].into(), Partitions::from([id(0, 0), id(0, 1)])]);
}

#[test]
fn a_thousand_members_share_ten_thousand_partitions() {
    let counts: Vec<i32> = vec![100; 100];
    let topics: Vec<u32> = (0..100).collect();
    let names: Vec<String> = (0..1_000).map(|number| format!("m{number:04}")).collect();
    for unlike in [false, true] {
        let subscription = |number: usize| if unlike && number.is_multiple_of(2) { &topics[..90] } else { &topics[..] };
        let members: Vec<(&str, &[u32])> = names.iter().enumerate().map(|(number, name)| (name.as_str(), subscription(number))).collect();
        let mut drawn = Drawn::of(&members, &counts);
        drawn.assign(Assignor::Uniform);
        assert!(drawn.loads().into_iter().all(|load| load == 10));
    }
}
