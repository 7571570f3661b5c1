//! Static members (KIP-345): a name that outlives the ids that bear it.

use super::*;

fn named(id: &str, instance: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some(instance.to_owned()), ..joining(id, &["orders"]) }
}

fn away(id: &str, instance: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some(instance.to_owned()), ..bare(id, -2) }
}

fn join(rig: &mut Rig, id: &str, instance: &str) -> Client848 {
    let asked = named(id, instance);
    Client848 { asked: asked.clone(), ..rig.join(&asked) }
}

#[test]
fn who_is_away_for_less_than_a_session_finds_what_it_had() {
    let mut rig = Rig::new();
    let (mut first, mut second) = (join(&mut rig, "one", "a"), join(&mut rig, "two", "b"));
    rig.settle(&mut [&mut first, &mut second]);
    let epoch = rig.group().epoch;
    assert_eq!(rig.ask(&away("two", "b")).unwrap().member_epoch, -2);
    rig.wait_ms(40_000);
    rig.beat(&mut first);
    assert_eq!(first.owned.len(), 3, "what it had is kept for it");
    let back = join(&mut rig, "three", "b");
    assert_eq!((back.owned, rig.group().epoch), (second.owned, epoch), "nobody is disturbed");
    assert!(!rig.has("two"));
    let zombie = ConsumerGroupHeartbeatRequest { instance_id: Some("b".to_owned()), ..bare("two", second.epoch) };
    assert_eq!(rig.refusal(&zombie), ErrorCode::FencedInstanceId);
}

#[test]
fn who_is_away_for_a_session_is_out() {
    let mut rig = Rig::new();
    join(&mut rig, "one", "a");
    rig.ask(&away("one", "a")).unwrap();
    rig.wait_ms(45_000);
    assert!(!rig.has("one"));
    assert!(rig.group().instances.is_empty());
}

#[test]
fn a_name_that_is_in_use_is_not_given_to_another() {
    let mut rig = Rig::new();
    join(&mut rig, "one", "a");
    assert_eq!(rig.refusal(&named("two", "a")), ErrorCode::UnreleasedInstanceId);
    assert_eq!(rig.refusal(&away("one", "b")), ErrorCode::UnknownMemberId);
    assert_eq!(rig.refusal(&away("two", "a")), ErrorCode::FencedInstanceId);
}

#[test]
fn who_was_away_comes_back_as_a_new_one() {
    let mut rig = Rig::new();
    let first = join(&mut rig, "one", "a");
    rig.ask(&away("one", "a")).unwrap();
    let as_before = ConsumerGroupHeartbeatRequest { instance_id: Some("a".to_owned()), ..bare("one", 1) };
    assert_eq!(rig.refusal(&as_before), ErrorCode::FencedMemberEpoch);
    let back = join(&mut rig, "one", "a");
    assert_eq!(back.owned, first.owned, "under the same id, too");
}

#[test]
fn who_leaves_for_good_gives_up_its_name() {
    let mut rig = Rig::new();
    join(&mut rig, "one", "a");
    let leave = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..away("one", "a") };
    rig.ask(&leave).unwrap();
    assert_eq!(rig.group().state_name(), "Empty");
    join(&mut rig, "two", "a");
}

#[test]
fn a_rolling_restart_disturbs_nobody() {
    let mut rig = Rig::new();
    let mut clients: Vec<Client848> = (0..3).map(|at| join(&mut rig, &format!("m{at}"), &format!("i{at}"))).collect();
    rig.settle(&mut clients.iter_mut().collect::<Vec<_>>());
    let epoch = rig.group().epoch;
    for (at, client) in clients.iter().enumerate() {
        rig.ask(&away(&format!("m{at}"), &format!("i{at}"))).unwrap();
        let back = join(&mut rig, &format!("n{at}"), &format!("i{at}"));
        assert_eq!(back.owned, client.owned);
    }
    assert_eq!((rig.group().epoch, rig.group().state_name()), (epoch, "Stable"));
}

#[test]
fn who_takes_another_name_leaves_its_own_to_whoever_comes() {
    let mut rig = Rig::new();
    join(&mut rig, "one", "a");
    join(&mut rig, "one", "b");
    assert_eq!(rig.group().instances, BTreeMap::from([("b".to_owned(), "one".to_owned())]));
    let next = rig.successor(true);
    assert_eq!((&next.group().instances, &next.group().members), (&rig.group().instances, &rig.group().members));
    rig.ask(&bare("one", -1)).unwrap();
    join(&mut rig, "two", "a");
}
