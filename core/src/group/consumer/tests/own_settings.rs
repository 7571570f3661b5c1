//! Groups that have settings of their own (KIP-848).

use super::*;
use crate::metadata::MetadataRecord;
use crate::offset::Offset;

fn set(rig: &mut Rig, name: &str, value: Option<&str>) {
    let target = ConfigTarget::Group("readers".to_owned());
    let record = MetadataRecord::Config { target, name: name.to_owned(), value: value.map(str::to_owned) };
    rig.image.replay(Offset(0), &record);
}

#[test]
fn members_are_heard_of_as_often_as_their_group_says() {
    let mut rig = Rig::new();
    let mut member = rig.join(&joining("one", &["orders"]));
    rig.wait_ms(5_000);
    set(&mut rig, HEARTBEAT, Some("12000"));
    assert_eq!(rig.beat(&mut member).heartbeat_interval_ms, 12_000);
    set(&mut rig, HEARTBEAT, None);
    assert_eq!(rig.beat(&mut member).heartbeat_interval_ms, HEARTBEAT_MS);
}

#[test]
fn a_member_may_be_silent_for_as_long_as_its_group_says_from_when_it_is_next_heard() {
    let mut rig = Rig::new();
    let mut member = rig.join(&joining("one", &["orders"]));
    set(&mut rig, SESSION, Some("60000"));
    rig.beat(&mut member);
    rig.wait_ms(59_999);
    assert!(rig.has("one"), "the broker's own 45 seconds are over");
    rig.wait_ms(1);
    assert!(!rig.has("one"));
}

#[test]
fn partitions_are_assigned_anew_when_the_group_lets_them() {
    let mut rig = Rig::new();
    set(&mut rig, ASSIGNMENT, Some("10000"));
    rig.join(&joining("one", &["orders"]));
    rig.join(&joining("two", &["orders"]));
    assert_eq!(rig.group().state_name(), "Assigning");
    rig.wait_ms(10_000);
    rig.ask(&bare("one", 1)).unwrap();
    assert_eq!(rig.group().assignment_epoch(), rig.group().epoch());
}
