//! What a coordinator knows of the one before it.

use super::*;

#[test]
fn a_successor_goes_on_where_the_first_was() {
    for is_compacted in [false, true] {
        let mut rig = Rig::new();
        let mut first = rig.join(&joining("one", &["orders"]));
        let mut second = rig.join(&joining("two", &["orders"]));
        rig.beat(&mut first);
        let mut next = rig.successor(is_compacted);
        assert_eq!(next.group().members, rig.group().members);
        assert_eq!(next.group().owners, rig.group().owners);
        assert_eq!(next.group().state_name(), "Reconciling");
        next.settle(&mut [&mut first, &mut second]);
        assert_eq!((next.group().epoch, first.owned.len(), second.owned.len()), (GroupEpoch(2), 3, 3), "nothing has changed");
    }
}

#[test]
fn sessions_and_revocations_begin_anew() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    let had = first.owned.clone();
    rig.beat(&mut first);
    rig.wait_ms(40_000);
    rig.beat(&mut second);
    let busy = ConsumerGroupHeartbeatRequest { owned: Some(owned(&had)), ..bare("one", 1) };
    let mut next = rig.successor(true);
    next.wait_ms(40_000);
    assert!(next.has("one") && next.has("two"));
    next.ask(&busy).unwrap();
    next.wait_ms(5_000);
    assert!(!next.has("two"), "it has been silent for a session");
    next.wait_ms(15_000);
    assert!(!next.has("one"), "it has had its time again to give up what it was to");
}

#[test]
fn what_topics_became_meanwhile_is_found() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut next = rig.successor(true);
    next.create("orders", 7);
    // It did not hear of it: it was loading.
    next = next.successor(true);
    next.settle(&mut [&mut first]);
    assert_eq!((next.group().epoch, first.owned.len()), (GroupEpoch(2), 7));
}

/// A decision may be spread over batches, of which the last are lost.
#[test]
fn a_join_that_was_kept_in_part_is_made_good() {
    let mut rig = Rig::new();
    let first = rig.join(&joining("one", &["orders"]));
    let before = rig.kept.len();
    rig.join(&joining("two", &["orders"]));
    let whole = rig.kept.clone();
    for cut in before..=whole.len() {
        rig.kept = whole[..cut].to_vec();
        let mut next = rig.successor(false);
        let mut second = next.join(&joining("two", &["orders"]));
        let mut one = first.clone();
        next.settle(&mut [&mut one, &mut second]);
        assert_eq!((one.owned.len(), second.owned.len()), (3, 3), "{cut}");
        assert!(one.owned.is_disjoint(&second.owned));
    }
}

/// Whatever befalls it, no partition has two owners among clients that do as they are told, and all are owned in the end.
#[test]
fn no_partition_has_two_owners_whatever_happens() {
    let mut random = Random::new([9; 32]);
    for _ in 0..60 {
        let mut rig = Rig::new();
        let mut clients: Vec<Client848> = Vec::new();
        for step in 0..120 {
            let at = usize::try_from(random.below(6)).unwrap();
            match random.below(12) {
                0 => clients.push(rig.join(&joining(&format!("m{step}"), &["orders"]))),
                1 if at < clients.len() => {
                    let gone = clients.remove(at);
                    rig.ask(&bare(&gone.id, -1)).unwrap();
                }
                2 => rig = rig.successor(at % 2 == 0),
                3 if step % 40 == 0 => rig.create("orders", 6 + step / 40),
                _ if at < clients.len() => {
                    rig.beat(&mut clients[at]);
                }
                _ => rig.wait_ms(10),
            }
            let mut owners = BTreeMap::new();
            for client in &clients {
                for id in &client.owned {
                    assert_eq!(owners.insert(*id, &client.id), None, "{id:?}");
                }
            }
        }
        if !clients.is_empty() {
            rig.settle(&mut clients.iter_mut().collect::<Vec<_>>());
            let total: usize = clients.iter().map(|client| client.owned.len()).sum();
            assert_eq!(total, rig.image.topics[&topic_id("orders")].partitions.len());
        }
    }
}

#[test]
fn a_log_that_says_both_protocols_is_believed_of_the_later() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    let kept = crate::group::KeptGroup {
        protocol_type: "consumer".to_owned(),
        generation: 3,
        protocol: None,
        leader: None,
        since: Timestamp(1),
        members: Vec::new(),
    };
    rig.kept.push(GroupRecord::Classic { group: "readers".to_owned(), kept: Some(kept) });
    let mut next = rig.successor(true);
    assert_eq!(next.ask(&bare("one", 1)).unwrap().member_epoch, 1);
    assert_eq!(next.groups.get("readers").unwrap().classic(), &crate::group::ClassicGroup::default());
}
