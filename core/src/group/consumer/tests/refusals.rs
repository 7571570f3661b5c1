//! Who is fenced, and what makes no sense.

use super::*;

#[test]
fn what_makes_no_sense_is_refused_in_kafkas_words() {
    let mut rig = Rig::new();
    let join = || joining("one", &["orders"]);
    let blank = || Some(String::new());
    for (asked, words) in [
        (ConsumerGroupHeartbeatRequest { group: String::new(), ..join() }, "GroupId can't be empty."),
        (ConsumerGroupHeartbeatRequest { instance_id: blank(), ..join() }, "InstanceId can't be empty."),
        (ConsumerGroupHeartbeatRequest { rack_id: blank(), ..join() }, "RackId can't be empty."),
        (joining("", &["orders"]), "MemberId can't be empty."),
        (bare("", 1), "MemberId can't be empty."),
        (bare("", -1), "MemberId can't be empty."),
        (ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: None, ..join() }, "RebalanceTimeoutMs must be provided in first request."),
        (ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: Some(0), ..join() }, "RebalanceTimeoutMs must be positive."),
        (ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: Some(-7), ..join() }, "RebalanceTimeoutMs must be positive."),
        (ConsumerGroupHeartbeatRequest { owned: None, ..join() }, "TopicPartitions must be empty when (re-)joining."),
        (
            ConsumerGroupHeartbeatRequest { topics: None, ..join() },
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (bare("one", -2), "InstanceId can't be null."),
        (bare("one", -3), "MemberEpoch is invalid."),
    ] {
        let refused = rig.ask(&asked).unwrap_err();
        assert_eq!((refused.code, refused.message.as_deref()), (ErrorCode::InvalidRequest, Some(words)));
    }
    let refused = rig.ask(&ConsumerGroupHeartbeatRequest { assignor: Some("best".to_owned()), ..join() }).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnsupportedAssignor);
    assert_eq!(refused.message.unwrap(), "ServerAssignor best is not supported. Supported assignors: uniform, range.");
    let long = "a".repeat(17 << 10);
    assert_eq!(rig.refusal(&joining(&long, &["orders"])), ErrorCode::InvalidRequest);
    assert!(rig.kept.is_empty() && rig.groups.get("readers").is_none(), "nothing comes of it");
}

#[test]
fn a_group_begins_with_who_joins_it() {
    let mut rig = Rig::new();
    for epoch in [1, -1] {
        assert_eq!(rig.refusal(&bare("one", epoch)), ErrorCode::GroupIdNotFound);
    }
    rig.join(&joining("one", &["orders"]));
    for epoch in [1, -1] {
        assert_eq!(rig.refusal(&bare("two", epoch)), ErrorCode::UnknownMemberId);
    }
}

#[test]
fn a_full_group_takes_nobody_and_keeps_whom_it_has() {
    let mut rig = Rig::new();
    rig.bounds.consumer.members_max = 1;
    rig.join(&joining("one", &["orders"]));
    assert_eq!(rig.refusal(&joining("two", &["orders"])), ErrorCode::GroupMaxSizeReached);
    rig.join(&joining("one", &["orders"]));
}

#[test]
fn a_group_that_has_had_all_epochs_begins_anew_once_it_is_empty() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    rig.join(&joining("two", &["orders"]));
    let record = ConsumerRecord::Group(Some(KeptEpoch { epoch: GroupEpoch::LAST, topics_hash: 0 }));
    rig.groups.replay(GroupRecord::Consumer { group: "readers".to_owned(), record });
    assert_eq!(rig.refusal(&joining("three", &["orders"])), ErrorCode::UnknownServerError);
    assert_eq!(rig.refusal(&bare("one", 1)), ErrorCode::UnknownServerError);
    rig.ask(&bare("two", -1)).unwrap();
    assert_eq!(rig.group().epoch, GroupEpoch::LAST);
    rig.wait_ms(45_000);
    assert!(!rig.has("one"), "it is not heard");
    let first = rig.join(&joining("three", &["orders"]));
    assert_eq!((first.epoch, first.owned.len()), (1, 6));
    assert_eq!(rig.successor(true).group().epoch, GroupEpoch(1));
}

#[test]
fn who_is_in_another_epoch_is_fenced() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.settle(&mut [&mut first, &mut second]);
    assert_eq!(first.epoch, 2);
    assert_eq!(rig.refusal(&bare("one", 3)), ErrorCode::FencedMemberEpoch);
    // The answer that told of its epoch was lost.
    let late = |partitions: &Partitions| ConsumerGroupHeartbeatRequest { owned: Some(owned(partitions)), ..bare("one", 1) };
    assert_eq!(rig.ask(&late(&first.owned)).unwrap().member_epoch, 2);
    assert_eq!(rig.ask(&late(&Partitions::new())).unwrap().member_epoch, 2);
    assert_eq!(rig.refusal(&late(&partitions("orders", 0..6))), ErrorCode::FencedMemberEpoch, "it has what is another's");
    assert_eq!(rig.refusal(&bare("one", 1)), ErrorCode::FencedMemberEpoch, "it does not say what it has");
}

#[test]
fn who_was_fenced_joins_anew_under_the_same_id() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.beat(&mut first);
    // It gives up all that it had, what it was to give up too.
    let again = rig.join(&joining("one", &["orders"]));
    assert_eq!((again.epoch, again.owned.len()), (2, 3));
    rig.settle(&mut [&mut second]);
    assert_eq!(second.owned.len(), 3);
}

#[test]
fn a_standing_of_a_later_release_is_begun_anew() {
    let mut rig = Rig::new();
    rig.join(&joining("one", &["orders"]));
    let current = KeptCurrent { standing: Standing::Unknown, ..rig.group().members["one"].current.clone() };
    let record = ConsumerRecord::Current("one".to_owned(), Some(current));
    rig.groups.replay(GroupRecord::Consumer { group: "readers".to_owned(), record });
    assert_eq!(rig.refusal(&bare("one", 1)), ErrorCode::FencedMemberEpoch);
    let again = rig.join(&joining("one", &["orders"]));
    assert_eq!((rig.standing(&again), again.owned.len()), (Standing::Stable, 6));
}
