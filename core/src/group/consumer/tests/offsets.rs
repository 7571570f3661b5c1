//! Offsets of a group of the consumer protocol: who may commit and ask.

use super::*;

fn commit(rig: &mut Rig, id: &str, epoch: i32, index: i32, knows_member_epochs: bool) -> Option<ErrorCode> {
    let part =
        PartitionCommit { partition: PartitionIndex(index), offset: crate::offset::Offset(1), leader_epoch: None, metadata: String::new() };
    let member = Membership { group: "readers".to_owned(), generation: epoch, member_id: id.to_owned(), instance_id: None };
    let topics = vec![(TopicRef::Name("orders".into()), vec![part])];
    let asked = OffsetCommitRequest { member, knows_member_epochs, retention_ms: None, topics };
    let moment = Moment { now: rig.now, random: &mut rig.random, bounds: &rig.bounds, image: &rig.image };
    let mut decided = rig.groups.commit(RequestId { connection: ConnectionId(1), sequence: 1 }, &asked, &rig.image, &moment);
    let (_, GroupResponse::OffsetCommit(answer)) = decided.answers.pop().unwrap() else { panic!("another answer") };
    rig.take(decided);
    answer.topics[0].1[0].1
}

fn fetch(rig: &Rig, id: Option<&str>, epoch: i32) -> Option<ErrorCode> {
    let wanted = OffsetsWanted { group: "readers".to_owned(), topics: None, member_id: id.map(str::to_owned), member_epoch: epoch };
    rig.groups.fetch(&wanted, false, &rig.image).err()
}

#[test]
fn who_commits_is_a_member_in_its_epoch() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    assert_eq!(commit(&mut rig, "one", 1, 0, true), None);
    assert_eq!(commit(&mut rig, "one", 1, 0, false), Some(ErrorCode::UnsupportedVersion));
    assert_eq!(commit(&mut rig, "one", 2, 0, true), Some(ErrorCode::StaleMemberEpoch));
    assert_eq!(commit(&mut rig, "two", 1, 0, true), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut rig, "", -1, 0, true), Some(ErrorCode::UnknownMemberId), "it has members");
    rig.ask(&bare("one", -1)).unwrap();
    assert_eq!(commit(&mut rig, "", -1, 0, true), None);
    assert_eq!(commit(&mut rig, "one", 1, 0, true), Some(ErrorCode::UnknownMemberId));
}

/// KIP-1251.
#[test]
fn who_has_had_a_partition_all_along_may_commit_it_in_the_epoch_before() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    let given = *rig.group().members["two"].target.iter().next().unwrap();
    rig.beat(&mut first);
    assert_eq!(commit(&mut rig, "one", 1, given.partition.0, true), None, "before it gives it up");
    rig.settle(&mut [&mut first, &mut second]);
    let kept = *first.owned.iter().next().unwrap();
    assert_eq!(commit(&mut rig, "one", 1, kept.partition.0, true), None);
    assert_eq!(commit(&mut rig, "one", 1, given.partition.0, true), Some(ErrorCode::StaleMemberEpoch), "it is another's");
    assert_eq!(commit(&mut rig, "two", 1, given.partition.0, true), Some(ErrorCode::StaleMemberEpoch), "it has it since the second");
}

#[test]
fn what_was_given_up_is_not_committed_late_while_more_is_given_up() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.beat(&mut first);
    assert_eq!((first.epoch, first.owned.len()), (1, 3));
    // It has given that up, and is to give up more at once.
    rig.join(&joining("three", &["orders"]));
    rig.beat(&mut first);
    assert_eq!((first.epoch, first.owned.len(), rig.standing(&first)), (2, 2, Standing::Unrevoked));
    rig.beat(&mut second);
    let given = *second.owned.iter().next().unwrap();
    assert_eq!(commit(&mut rig, "one", 1, given.partition.0, true), Some(ErrorCode::StaleMemberEpoch), "it is another's");
    assert_eq!(commit(&mut rig, "one", 2, given.partition.0, true), Some(ErrorCode::StaleMemberEpoch), "in whichever epoch");
    let kept = *first.owned.iter().next().unwrap();
    assert_eq!(commit(&mut rig, "one", 1, kept.partition.0, true), None);
}

#[test]
fn a_member_that_asks_is_in_its_epoch() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    assert_eq!(fetch(&rig, None, -1), None);
    assert_eq!(fetch(&rig, Some(""), -1), None);
    assert_eq!(fetch(&rig, Some("one"), 1), None);
    assert_eq!(fetch(&rig, Some("one"), 0), Some(ErrorCode::StaleMemberEpoch));
    assert_eq!(fetch(&rig, Some("two"), 1), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn offsets_of_what_is_read_are_not_deleted_and_do_not_expire() {
    let mut rig = Rig::new();
    rig.create("bills", 1);
    rig.join(&joining("one", &["orders"]));
    commit(&mut rig, "one", 1, 0, true);
    let asked = OffsetDeleteRequest { group: "readers".to_owned(), topics: vec![(TopicRef::Name("orders".into()), vec![PartitionIndex(0)])] };
    let decided = rig.groups.delete_offsets(RequestId { connection: ConnectionId(1), sequence: 1 }, &asked, &rig.image);
    let GroupResponse::OffsetDelete(answer) = &decided.answers[0].1 else { panic!("another answer") };
    assert_eq!(answer.result.as_ref().unwrap()[0].1[0].1, Some(ErrorCode::GroupSubscribedToTopic));
    let moment = Moment { now: rig.now, random: &mut rig.random, bounds: &rig.bounds, image: &rig.image };
    rig.groups.loaded(&moment);
    for _ in 0..(8 * 24 * 60 * 2) {
        rig.wait_ms(30_000);
        rig.ask(&bare("one", 1)).unwrap();
    }
    assert_eq!(rig.groups.get("readers").unwrap().offsets().len(), 1);
    rig.ask(&bare("one", -1)).unwrap();
    rig.wait_ms(700_000);
    assert!(rig.groups.get("readers").is_none(), "nothing is left of it");
}
