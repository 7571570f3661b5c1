//! Members of both protocols in one group, and groups that change from one to the other.

use bytes::Bytes;

use super::*;
use crate::group::embedded::{assignment, parse_assignment};

/// What a consumer of the classic protocol says: version 1 of a subscription to orders.
fn subscription(owned: &Partitions) -> Bytes {
    let mut said = b"\0\x01\0\0\0\x01\0\x06orders\xff\xff\xff\xff".to_vec();
    let given = assignment(owned.iter(), 1, &Rig::new().image);
    said.extend(&given[2..given.len() - 4]);
    said.into()
}

fn classic(id: &str, owned: &Partitions) -> JoinGroupRequest {
    JoinGroupRequest {
        group: "readers".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: id.to_owned(),
        instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("cooperative".to_owned(), subscription(owned))],
        needs_member_id: false,
        may_skip_assignment: true,
    }
}

fn membership(id: &str, generation: i32) -> Membership {
    Membership { group: "readers".to_owned(), generation, member_id: id.to_owned(), instance_id: None }
}

impl Rig {
    /// A request of the classic protocol, with all that is answered upon it.
    fn classic(&mut self, decide: impl FnOnce(&mut Groups, RequestId, &mut Moment<'_>) -> Decided) -> Vec<GroupResponse> {
        let id = RequestId { connection: ConnectionId(1), sequence: 1 };
        let mut moment = Moment { now: self.now, random: &mut self.random, bounds: &self.bounds, image: &self.image };
        let decided = decide(&mut self.groups, id, &mut moment);
        self.take(decided);
        self.answers.drain(..).map(|(_, answer)| answer).collect()
    }

    fn join_classic(&mut self, asked: &JoinGroupRequest) -> Option<JoinGroupResponse> {
        let client = Client { id: "old".to_owned(), host: "/127.0.0.1".to_owned() };
        let joined = |answer| if let GroupResponse::JoinGroup(joined) = answer { joined } else { panic!("another answer") };
        self.classic(|groups, id, moment| groups.join(id, asked, &client, moment)).pop().map(joined)
    }

    fn sync(&mut self, id: &str, generation: i32, assignments: Vec<(String, Bytes)>) -> Result<Partitions, ErrorCode> {
        let asked = SyncGroupRequest { member: membership(id, generation), protocol_type: None, protocol: None, assignments };
        let Some(GroupResponse::SyncGroup(answer)) = self.classic(|groups, id, moment| groups.sync(id, &asked, moment)).pop() else {
            panic!("another answer")
        };
        answer.result.map(|synced| parse_assignment(&synced.assignment, &self.image).unwrap())
    }

    fn beat_classic(&mut self, id: &str, generation: i32) -> Option<ErrorCode> {
        let asked = HeartbeatRequest { member: membership(id, generation) };
        let Some(GroupResponse::Heartbeat(answer)) = self.classic(|groups, id, moment| groups.heartbeat(id, &asked, moment)).pop() else {
            panic!("another answer")
        };
        answer.error
    }

    fn leave_classic(&mut self, id: &str) -> Option<ErrorCode> {
        let leaver = Leaver { member_id: id.to_owned(), instance_id: None };
        let asked = LeaveGroupRequest { group: "readers".to_owned(), members: vec![leaver] };
        let Some(GroupResponse::LeaveGroup(answer)) = self.classic(|groups, id, moment| groups.leave(id, &asked, moment)).pop() else {
            panic!("another answer")
        };
        answer.result.unwrap().remove(0).1
    }

    /// A stable group of one of the classic protocol, that has all; its id.
    fn settle_classic(&mut self) -> String {
        assert_eq!(self.join_classic(&classic("", &Partitions::new())), None);
        self.wait_ms(3_000);
        let Some((_, GroupResponse::JoinGroup(joined))) = self.answers.pop() else { panic!("another answer") };
        let all = assignment(partitions("orders", 0..6).iter(), 1, &self.image);
        self.sync(&joined.member_id, 1, vec![(joined.member_id.clone(), all)]).unwrap();
        joined.member_id
    }

    fn classic_state(&self) -> &'static str {
        self.groups.get("readers").unwrap().classic().state_name()
    }
}

fn generation(answer: Option<JoinGroupResponse>) -> i32 {
    answer.expect("it is answered at once").result.expect("it joins").generation
}

#[test]
fn a_group_goes_over_with_all_that_its_members_have() {
    let mut rig = Rig::new();
    let old = rig.settle_classic();
    let mut new = rig.join(&joining("new", &["orders"]));
    assert_eq!((new.epoch, new.owned.len(), rig.classic_state()), (2, 0, "Empty"));
    assert_eq!(rig.beat_classic(&old, 1), Some(ErrorCode::RebalanceInProgress));
    // It is cooperative: it says what it has, and is told what it may keep.
    assert_eq!(generation(rig.join_classic(&classic(&old, &partitions("orders", 0..6)))), 1);
    let kept = rig.sync(&old, 1, Vec::new()).unwrap();
    assert_eq!(kept.len(), 3);
    rig.beat(&mut new);
    assert!(new.owned.is_empty(), "the other has not said that it has given them up");
    assert_eq!(rig.beat_classic(&old, 1), Some(ErrorCode::RebalanceInProgress));
    assert_eq!(generation(rig.join_classic(&classic(&old, &kept))), 2);
    assert_eq!(rig.sync(&old, 2, Vec::new()), Ok(kept.clone()));
    assert_eq!(rig.beat_classic(&old, 2), None);
    rig.beat(&mut new);
    assert_eq!((new.owned.len(), rig.group().state_name()), (3, "Stable"));
    assert!(new.owned.is_disjoint(&kept));
    assert_eq!(rig.successor(true).group().members, rig.group().members);
}

#[test]
fn an_eager_member_has_given_up_all_when_it_joins() {
    let mut rig = Rig::new();
    let old = rig.settle_classic();
    let mut new = rig.join(&joining("new", &["orders"]));
    let eager = JoinGroupRequest {
        protocols: vec![("cooperative".to_owned(), b"\0\0\0\0\0\x01\0\x06orders\0\0\0\0"[..].into())],
        ..classic(&old, &Partitions::new())
    };
    assert_eq!(generation(rig.join_classic(&eager)), 2);
    assert_eq!(rig.sync(&old, 2, Vec::new()).unwrap().len(), 3);
    rig.beat(&mut new);
    assert_eq!(new.owned.len(), 3);
}

#[test]
fn whoever_waits_when_a_group_goes_over_joins_anew() {
    let mut rig = Rig::new();
    assert_eq!(rig.join_classic(&classic("", &Partitions::new())), None);
    rig.join(&joining("new", &["orders"]));
    let Some((_, GroupResponse::JoinGroup(told))) = rig.answers.pop() else { panic!("it is told at once") };
    assert_eq!(told.result, Err(ErrorCode::RebalanceInProgress));
    assert_eq!(generation(rig.join_classic(&classic(&told.member_id, &Partitions::new()))), 1);
    assert_eq!(rig.sync(&told.member_id, 1, Vec::new()).unwrap().len(), 3);
}

#[test]
fn a_group_goes_back_when_the_last_new_member_is_gone() {
    let mut rig = Rig::new();
    let old = rig.settle_classic();
    rig.join(&joining("new", &["orders"]));
    rig.ask(&bare("new", -1)).unwrap();
    assert_eq!(rig.classic_state(), "PreparingRebalance");
    assert!(rig.groups.consumer("readers").is_none());
    assert_eq!(rig.beat_classic(&old, 3), Some(ErrorCode::RebalanceInProgress));
    let joined = rig.join_classic(&classic(&old, &Partitions::new())).unwrap().result.unwrap();
    assert_eq!((joined.generation, &joined.leader, joined.protocol.as_str()), (4, &old, "cooperative"));
    let next = rig.successor(true);
    assert_eq!(next.classic_state(), "Stable");
    assert!(next.groups.consumer("readers").is_none());
}

#[test]
fn a_group_that_no_record_holds_does_not_go_back() {
    let mut rig = Rig::new();
    let mut said = b"\0\x01\0\0\0\x01\0\x06orders\0\x0f\xff\0".to_vec();
    said.resize(said.len() + 0x000f_ff00, b' ');
    let said = Bytes::from(said);
    let large = JoinGroupRequest { protocols: vec![("cooperative".to_owned(), said)], ..classic("", &Partitions::new()) };
    rig.join(&joining("new", &["orders"]));
    let old: Vec<String> = (0..17).map(|_| rig.join_classic(&large).unwrap().member_id).collect();
    rig.ask(&bare("new", -1)).unwrap();
    assert!(rig.group().members.values().all(ConsumerMember::is_classic), "it is as it was");
    assert_eq!(rig.leave_classic(&old[0]), None);
    assert_eq!(rig.leave_classic(&old[1]), None);
    assert_eq!(rig.classic_state(), "PreparingRebalance");
    assert_eq!(rig.groups.get("readers").unwrap().classic().members.len(), 15);
}

#[test]
fn what_two_were_given_is_the_first_ones_when_a_group_goes_over() {
    let mut rig = Rig::new();
    for _ in 0..2 {
        assert_eq!(rig.join_classic(&classic("", &Partitions::new())), None);
    }
    rig.wait_ms(6_000);
    let ids: Vec<String> = rig.groups.get("readers").unwrap().classic().members.keys().cloned().collect();
    let leader = rig.groups.get("readers").unwrap().classic().leader.clone().unwrap();
    let all = assignment(partitions("orders", 0..6).iter(), 1, &rig.image);
    rig.sync(&leader, 1, ids.iter().map(|id| (id.clone(), all.clone())).collect()).unwrap();
    rig.join(&joining("new", &["orders"]));
    let [first, second] = [&ids[0], &ids[1]].map(|id| &rig.group().members[id].current);
    assert_eq!((first.assigned.len(), second.assigned.len()), (6, 0));
    assert!(rig.group().owners.values().all(|owner| *owner == ids[0]));
    assert_eq!(rig.successor(true).group().owners, rig.group().owners);
    assert_eq!(rig.beat_classic(&ids[1], 1), Some(ErrorCode::RebalanceInProgress));
    let told = rig.join_classic(&classic(&ids[1], &partitions("orders", 0..6)));
    assert!(rig.sync(&ids[1], generation(told), Vec::new()).unwrap().is_empty(), "it is to give them up");
}

#[test]
fn a_group_goes_over_only_as_the_policy_says() {
    let mut rig = Rig::new();
    rig.bounds.consumer.may_upgrade = false;
    let old = rig.settle_classic();
    assert_eq!(rig.refusal(&joining("new", &["orders"])), ErrorCode::GroupIdNotFound);
    rig.bounds.consumer.may_upgrade = true;
    rig.bounds.consumer.may_downgrade = false;
    rig.join(&joining("new", &["orders"]));
    rig.ask(&bare("new", -1)).unwrap();
    assert_eq!(rig.beat_classic(&old, 1), Some(ErrorCode::RebalanceInProgress));
    assert_eq!(generation(rig.join_classic(&classic(&old, &partitions("orders", 0..6)))), 3, "it is in a group of the new protocol");
}

#[test]
fn who_is_no_consumer_stays_as_it_is() {
    let mut rig = Rig::new();
    for asked in [
        JoinGroupRequest { protocol_type: "connect".to_owned(), ..classic("", &Partitions::new()) },
        JoinGroupRequest { protocols: vec![("range".to_owned(), Bytes::new())], ..classic("", &Partitions::new()) },
    ] {
        let mut rig = Rig::new();
        assert_eq!(rig.join_classic(&asked), None);
        assert_eq!(rig.refusal(&joining("new", &["orders"])), ErrorCode::GroupIdNotFound);
    }
    rig.join(&joining("new", &["orders"]));
    let other = JoinGroupRequest { protocol_type: "connect".to_owned(), ..classic("", &Partitions::new()) };
    assert_eq!(rig.join_classic(&other).unwrap().result, Err(ErrorCode::InconsistentGroupProtocol));
}

#[test]
fn a_member_of_the_classic_protocol_joins_a_group_of_the_new() {
    let mut rig = Rig::new();
    let mut new = rig.join(&joining("new", &["orders"]));
    let told = rig.join_classic(&JoinGroupRequest { needs_member_id: true, ..classic("", &Partitions::new()) }).unwrap();
    assert_eq!(told.result, Err(ErrorCode::MemberIdRequired));
    let old = told.member_id;
    assert_eq!(generation(rig.join_classic(&classic(&old, &Partitions::new()))), 2);
    assert_eq!(rig.sync(&old, 2, Vec::new()).unwrap().len(), 0);
    assert_eq!(rig.beat_classic(&old, 2), None, "the other has not given up anything");
    rig.beat(&mut new);
    assert_eq!(new.owned.len(), 3);
}

#[test]
fn who_may_get_what_others_have_given_up_joins_anew() {
    let mut rig = Rig::new();
    let mut new = rig.join(&joining("new", &["orders"]));
    let old = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    rig.sync(&old, 2, Vec::new()).unwrap();
    rig.beat(&mut new);
    rig.beat(&mut new);
    assert_eq!(rig.beat_classic(&old, 2), Some(ErrorCode::RebalanceInProgress));
    assert_eq!(generation(rig.join_classic(&classic(&old, &Partitions::new()))), 2);
    assert_eq!(rig.sync(&old, 2, Vec::new()).unwrap().len(), 3);
    assert_eq!(rig.beat_classic(&old, 2), None);
    assert_eq!(rig.beat_classic(&old, 1), Some(ErrorCode::IllegalGeneration));
    assert_eq!(rig.beat_classic("new", 2), Some(ErrorCode::UnknownMemberId), "it speaks the other protocol");
    let described = rig.groups.describe_consumer("readers", &rig.image, &rig.bounds).unwrap();
    assert_eq!(described.members.iter().filter(|member| member.is_classic).count(), 1);
    assert_eq!(rig.leave_classic(&old), None);
    assert_eq!(rig.leave_classic(&old), Some(ErrorCode::UnknownMemberId));
    rig.settle(&mut [&mut new]);
    assert_eq!(new.owned.len(), 6);
}

#[test]
fn who_does_not_join_or_ask_in_time_is_out() {
    let mut rig = Rig::new();
    let mut new = rig.join(&joining("new", &["orders"]));
    let old = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    for _ in 0..12 {
        rig.wait_ms(5_001);
        rig.beat(&mut new);
        rig.beat_classic(&old, 2);
    }
    assert!(!rig.has(&old), "it did not ask for what it gets");
    let old = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    let epoch = rig.group().members[&old].current.epoch.0;
    rig.sync(&old, epoch, Vec::new()).unwrap();
    rig.join(&joining("third", &["orders"]));
    for _ in 0..13 {
        rig.wait_ms(5_000);
        rig.beat(&mut new);
        rig.beat_classic(&old, epoch);
    }
    assert!(!rig.has(&old), "it was told to join anew, and did not");
    let old = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    rig.wait_ms(10_000);
    assert!(!rig.has(&old), "its session is its own");
}

#[test]
fn who_could_not_be_heard_has_its_time_again_to_join_and_to_ask() {
    let mut rig = Rig::new();
    let mut new = rig.join(&joining("new", &["orders"]));
    let late = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    let asleep = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    assert_eq!(rig.beat_classic(&late, 2), Some(ErrorCode::RebalanceInProgress));
    for at in 0..16 {
        rig.wait_ms(7_000);
        rig.beat(&mut new);
        rig.beat_classic(&late, 2);
        rig.beat_classic(&asleep, 3);
        if at == 7 {
            let moment = Moment { now: rig.now, random: &mut rig.random, bounds: &rig.bounds, image: &rig.image };
            rig.groups.hear_all(&moment);
        }
    }
    assert!(rig.has(&late) && rig.has(&asleep), "their 60 s began anew after 56");
    rig.wait_ms(7_000);
    assert!(!rig.has(&late) && !rig.has(&asleep));
}

#[test]
fn who_changes_its_protocol_while_it_gives_up_is_timed_as_its_kind_is() {
    let mut rig = Rig::new();
    let mut first = rig.join(&joining("one", &["orders"]));
    let mut second = rig.join(&joining("two", &["orders"]));
    rig.beat(&mut first);
    rig.wait_ms(30_000);
    rig.beat(&mut second);
    assert_eq!(generation(rig.join_classic(&classic("one", &partitions("orders", 0..6)))), 1);
    assert_eq!(rig.standing(&first), Standing::Unrevoked);
    rig.sync("one", 1, Vec::new()).unwrap();
    for _ in 0..5 {
        rig.wait_ms(7_000);
        rig.beat_classic("one", 1);
        rig.beat(&mut second);
    }
    assert!(rig.has("one"), "it has 60 s to join anew since it was told to");
}

#[test]
fn an_empty_group_is_of_whichever_protocol_comes() {
    let mut rig = Rig::new();
    rig.join(&joining("new", &["orders"]));
    rig.ask(&bare("new", -1)).unwrap();
    let old = rig.settle_classic();
    assert!(rig.groups.consumer("readers").is_none());
    assert_eq!(rig.leave_classic(&old), None);
    assert_eq!(rig.classic_state(), "Empty");
    rig.join(&joining("new", &["orders"]));
    assert_eq!(rig.group().epoch, GroupEpoch(1));
    let next = rig.successor(true);
    assert_eq!((next.group().members.len(), next.classic_state()), (1, "Empty"));
}

#[test]
fn a_static_member_may_change_its_protocol() {
    let mut rig = Rig::new();
    let named = |id| ConsumerGroupHeartbeatRequest { instance_id: Some("a".to_owned()), ..joining(id, &["orders"]) };
    rig.join(&named("new"));
    let old = rig.join_classic(&classic("", &Partitions::new())).unwrap().member_id;
    rig.sync(&old, 2, Vec::new()).unwrap();
    let back = JoinGroupRequest { instance_id: Some("a".to_owned()), ..classic("", &Partitions::new()) };
    let told = rig.join_classic(&back).unwrap();
    assert_eq!(told.result, Err(ErrorCode::RebalanceInProgress), "nobody of the new protocol is left");
    assert_eq!(rig.classic_state(), "PreparingRebalance");
    assert_eq!(rig.groups.get("readers").unwrap().classic().members.len(), 2);
}
