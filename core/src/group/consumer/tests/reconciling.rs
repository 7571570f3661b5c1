//! Members come, go and share.

use super::*;

#[test]
fn the_first_to_join_gets_all() {
    let mut rig = Rig::new();
    let first = rig.join(&joining("one", &["orders"]));
    assert_eq!((first.epoch, first.owned), (1, partitions("orders", 0..6)));
    assert_eq!(rig.group().state_name(), "Stable");
}

#[test]
fn nobody_gets_what_another_has_not_given_up() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    assert_eq!((second.epoch, second.owned.len()), (2, 0));
    assert_eq!((rig.standing(&second), rig.group().state_name()), (Standing::Unreleased, "Reconciling"));
    let had = first.owned.clone();
    let told = rig.beat(&mut first);
    assert_eq!((told.member_epoch, first.owned.len()), (1, 3), "it stays in its epoch until it has given up the others");
    assert_eq!(rig.standing(&first), Standing::Unrevoked);
    // It takes its time: it still has them.
    let busy = ConsumerGroupHeartbeatRequest { owned: Some(owned(&had)), ..bare("one", 1) };
    assert_eq!(rig.ask(&busy).unwrap().assignment, Some(first.owned.clone()), "it may not know of it");
    assert_eq!(rig.ask(&bare("one", 1)).unwrap().member_epoch, 1, "what it does not say it may have");
    rig.beat(&mut second);
    assert!(second.owned.is_empty());
    assert_eq!(rig.beat(&mut first).member_epoch, 2);
    let told = rig.beat(&mut second);
    assert_eq!((told.member_epoch, second.owned.len()), (2, 3));
    assert!(first.owned.is_disjoint(&second.owned));
    assert_eq!(rig.group().state_name(), "Stable");
    assert_eq!(rig.beat(&mut second).assignment, None, "it is told what it has when that changes");
    assert_eq!(rig.tally.consumer_rebalances, 2, "one for each that has joined");
}

#[test]
fn a_full_heartbeat_is_answered_in_full() {
    let mut rig = Rig::new();
    let first = rig.join(&joining("one", &["orders"]));
    let full = ConsumerGroupHeartbeatRequest { owned: Some(owned(&first.owned)), member_epoch: 1, ..joining("one", &["orders"]) };
    assert_eq!(rig.ask(&full).unwrap().assignment, Some(first.owned));
    assert_eq!(rig.group().epoch, GroupEpoch(1));
}

#[test]
fn who_has_not_said_that_it_has_what_it_was_told_is_told_again() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    rig.beat(&mut first);
    rig.join(&joining("two", &["orders"]));
    let less = rig.ask(&bare("one", 1)).unwrap().assignment.expect("others come");
    assert!(less.len() < first.owned.len());
    assert_eq!(rig.ask(&bare("one", 1)).unwrap().assignment, Some(less.clone()), "the answer may be lost");
    let said = ConsumerGroupHeartbeatRequest { owned: Some(owned(&first.owned)), ..bare("one", 1) };
    assert_eq!(rig.ask(&said).unwrap().assignment, Some(less), "it does not know of it");
    rig.beat(&mut first);
    rig.beat(&mut first);
    assert_eq!(rig.ask(&bare("one", first.epoch)).unwrap().assignment, None, "it has said that it has that");
}

#[test]
fn members_are_heard_of_often_while_they_wait_for_each_other() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let often = i32::try_from(crate::limits::RECONCILING_HEARTBEAT_MS).unwrap();
    assert_eq!(rig.beat(&mut first).heartbeat_interval_ms, often, "others may be about to come");
    rig.wait_ms(5_000);
    assert_eq!(rig.beat(&mut first).heartbeat_interval_ms, HEARTBEAT_MS);
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.wait_ms(5_000);
    assert_eq!(rig.beat(&mut second).heartbeat_interval_ms, often, "it waits for the first");
    assert_eq!(rig.beat(&mut first).heartbeat_interval_ms, often);
    rig.settle(&mut [&mut first, &mut second]);
    assert_eq!(rig.beat(&mut second).heartbeat_interval_ms, HEARTBEAT_MS);
}

/// Each member beats when it was told to, and does as it is told at once.
#[test]
fn a_hundred_that_join_at_once_settle_within_five_seconds() {
    let mut rig = Rig::new();
    rig.bounds = GroupBounds::of(&BrokerConfigs::default());
    rig.create("many", 400);
    let mut clients: Vec<(i64, Client848)> = (0..100).map(|at| (at, rig.join(&joining(&format!("m{at:02}"), &["many"])))).collect();
    let mut now_ms = 0;
    while rig.group().state_name() != "Stable" || clients.iter().any(|(_, client)| client.owned.len() != 4) {
        let (due, client) = clients.iter_mut().min_by_key(|(due, _)| *due).unwrap();
        rig.wait_ms(*due - now_ms);
        now_ms = *due;
        let heard = rig.beat(client);
        *due += i64::from(heard.heartbeat_interval_ms);
        assert!(now_ms < 5_000, "{:?}", rig.group());
    }
    let targets = rig.kept.iter().filter(|record| matches!(record, GroupRecord::Consumer { record: ConsumerRecord::Target(..), .. }));
    assert!(targets.count() <= 2 * 100, "all of them were assigned for at once");
}

/// KIP-1263.
#[test]
fn those_who_come_and_go_at_one_time_are_assigned_for_once() {
    let mut rig = Rig::new();
    rig.bounds = GroupBounds::of(&BrokerConfigs::default());
    rig.create("bills", 1);
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    let mut third = rig.join(&joining("three", &["orders"]));
    assert_eq!((second.epoch, second.owned.len(), rig.group().state_name()), (1, 0, "Assigning"));
    rig.wait_ms(999);
    rig.beat(&mut second);
    assert_eq!(rig.group().assignment_epoch, GroupEpoch(1));
    rig.wait_ms(1);
    rig.beat(&mut second);
    assert_eq!(rig.group().assignment_epoch, GroupEpoch(3));
    rig.settle(&mut [&mut first, &mut second, &mut third]);
    assert_eq!([&first, &second, &third].map(|client| client.owned.len()), [2, 2, 2]);
    // Who changes its mind does not go on with what it had, and is assigned for as those who come are.
    let asked = ConsumerGroupHeartbeatRequest { topics: Some(vec![TopicName::from("bills")]), ..bare("one", 3) };
    assert_eq!(rig.ask(&asked).unwrap().assignment, Some(Partitions::new()));
    assert_eq!((rig.group().assignment_epoch, rig.standing(&first)), (GroupEpoch(3), Standing::Unrevoked));
    first.owned.clear();
    rig.beat(&mut first);
    assert_eq!((first.owned.len(), rig.standing(&first)), (0, Standing::Stable), "it does not get that again");
    rig.wait_ms(1_000);
    rig.beat(&mut first);
    assert_eq!(rig.group().assignment_epoch, GroupEpoch(4));
    rig.settle(&mut [&mut first, &mut second, &mut third]);
    assert_eq!([&first, &second, &third].map(|client| client.owned.len()), [1, 3, 3]);
}

#[test]
fn what_a_leaver_had_goes_to_those_who_stay() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.settle(&mut [&mut first, &mut second]);
    let left = rig.ask(&bare("one", -1)).unwrap();
    assert_eq!((left.member_epoch, left.assignment), (-1, None));
    assert_eq!(rig.group().state_name(), "Assigning");
    rig.settle(&mut [&mut second]);
    assert_eq!(second.owned, partitions("orders", 0..6));
    assert_eq!(rig.refusal(&bare("one", 2)), ErrorCode::UnknownMemberId);
    rig.ask(&bare("two", -1)).unwrap();
    assert_eq!(rig.group().state_name(), "Empty");
}

#[test]
fn who_is_silent_for_a_session_is_out() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    rig.wait_ms(44_999);
    assert!(rig.has("one"));
    rig.ask(&bare("one", 1)).unwrap();
    rig.wait_ms(44_999);
    assert!(rig.has("one"));
    rig.wait_ms(1);
    assert!(!rig.has("one"));
    assert!(rig.group().owners.is_empty());
}

#[test]
fn who_does_not_give_up_in_time_is_out() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    let had = first.owned.clone();
    rig.beat(&mut first);
    for _ in 0..5 {
        rig.wait_ms(11_999);
        rig.beat(&mut second);
        rig.ask(&ConsumerGroupHeartbeatRequest { owned: Some(owned(&had)), ..bare("one", 1) }).unwrap();
    }
    rig.wait_ms(5);
    assert!(!rig.has("one"), "it lives, and does not do as it was told");
    rig.settle(&mut [&mut second]);
    assert_eq!(second.owned.len(), 6);
}

#[test]
fn a_partition_may_come_back_to_who_gives_it_up() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let second = rig.join(&joining("two", &["orders"]));
    rig.beat(&mut first);
    assert_eq!(first.owned.len(), 3);
    rig.ask(&bare(&second.id, -1)).unwrap();
    rig.settle(&mut [&mut first]);
    assert_eq!(first.owned.len(), 6);
}

#[test]
fn who_changes_its_mind_gets_something_else() {
    let mut rig = Rig::new();
    rig.create("bills", 2);
    let mut first = rig.join(&joining("one", &["orders"]));
    let asked = ConsumerGroupHeartbeatRequest { topics: Some(vec![TopicName::from("bills")]), ..bare("one", 1) };
    let told = rig.ask(&asked).unwrap();
    assert_eq!((told.member_epoch, told.assignment), (1, Some(Partitions::new())));
    first.owned.clear();
    rig.settle(&mut [&mut first]);
    assert_eq!(first.owned, partitions("bills", 0..2));
}

#[test]
fn most_members_say_which_assignor_is_used() {
    let mut rig = Rig::new();
    rig.create("bills", 6);
    let with = |assignor: &str, id| ConsumerGroupHeartbeatRequest { assignor: Some(assignor.to_owned()), ..joining(id, &["orders", "bills"]) };
    let mut first = rig.join(&with("range", "one"));
    let mut second = rig.join(&joining("two", &["orders", "bills"]));
    rig.settle(&mut [&mut first, &mut second]);
    let both = |indexes: std::ops::Range<i32>| partitions("orders", indexes.clone()).into_iter().chain(partitions("bills", indexes)).collect();
    assert_eq!((&first.owned, &second.owned), (&both(0..3), &both(3..6)));
    assert_eq!(rig.groups.describe_consumer("readers", &rig.image, &rig.bounds).unwrap().assignor, "range");
    rig.ask(&with("uniform", "three")).unwrap();
    assert_eq!(rig.groups.describe_consumer("readers", &rig.image, &rig.bounds).unwrap().assignor, "uniform", "of as many the first");
}

#[test]
fn who_subscribes_to_nothing_gets_nothing() {
    let mut rig = Rig::new();
    let first = rig.join(&joining("one", &[]));
    assert_eq!((first.epoch, first.owned.len()), (1, 0));
    let second = rig.join(&joining("two", &["nowhere"]));
    assert_eq!((second.epoch, second.owned.len()), (2, 0));
}

#[test]
fn an_id_is_given_to_who_has_none() {
    let mut rig = Rig::new();
    let given = rig.join(&ConsumerGroupHeartbeatRequest { has_own_id: false, ..joining("", &["orders"]) });
    assert!(!given.id.is_empty() && rig.has(&given.id));
}

#[test]
fn a_group_in_full() {
    let mut rig = Rig::new();
    rig.join(&ConsumerGroupHeartbeatRequest { rack_id: Some("r".to_owned()), ..joining("one", &["orders"]) });
    rig.join(&joining("two", &["orders"]));
    let described = rig.groups.describe_consumer("readers", &rig.image, &rig.bounds).unwrap();
    assert_eq!((described.state.as_str(), described.group_epoch, described.assignment_epoch), ("Reconciling", 2, 2));
    let [one, two] = &described.members[..] else { panic!("two are in it") };
    assert_eq!(
        (one.rack_id.as_deref(), one.member_epoch, one.assigned[0].partitions.len(), one.target[0].partitions.len()),
        (Some("r"), 1, 6, 3)
    );
    assert_eq!((two.member_epoch, two.assigned.len(), two.target[0].topic.as_str()), (2, 0, "orders"));
    assert_eq!(rig.groups.describe("readers").unwrap_err().code, ErrorCode::GroupIdNotFound);
    let all = ListGroupsRequest { states: vec!["reconciling".to_owned()], types: vec!["Consumer".to_owned()] };
    assert_eq!(rig.groups.list(&all).count(), 1);
    assert_eq!(rig.groups.list(&ListGroupsRequest { types: vec!["classic".to_owned()], ..all }).count(), 0);
    let mut decided = Decided::default();
    assert_eq!(rig.groups.delete("readers", &mut decided), Err(ErrorCode::NonEmptyGroup));
    for id in ["one", "two"] {
        rig.ask(&bare(id, -1)).unwrap();
    }
    assert_eq!(rig.groups.delete("readers", &mut decided), Ok(()));
    rig.take(decided);
    assert!(rig.groups.get("readers").is_none());
    assert!(rig.successor(true).groups.get("readers").is_none(), "that it is gone is kept");
}
