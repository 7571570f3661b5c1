//! Groups of the classic protocol, driven by what their members send.

use bytes::Bytes;

use super::*;
use crate::boundary::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, Joined, LeaveGroupRequest, Leaver, Membership, OffsetCommitRequest, OffsetsWanted,
    PartitionCommit, SyncGroupRequest, TopicRef,
};
use crate::config::BrokerConfigs;
use crate::ids::ConnectionId;
use crate::metadata::Image;
use crate::offset::Offset;
use crate::time::Timestamp;

const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 60_000;

/// A coordinator, its clock and what it has kept.
struct Rig {
    groups: Groups,
    random: Random,
    bounds: GroupBounds,
    image: Image,
    now: Now,
    requests: u64,
    kept: Vec<GroupRecord>,
    tally: GroupTally,
    answers: BTreeMap<RequestId, GroupResponse>,
}

impl Rig {
    fn new() -> Self {
        Self {
            groups: Groups::default(),
            random: Random::new([3; 32]),
            bounds: GroupBounds::of(&BrokerConfigs::default()),
            image: image(),
            now: Now::default(),
            requests: 0,
            kept: Vec::new(),
            tally: GroupTally::default(),
            answers: BTreeMap::new(),
        }
    }

    fn decide(&mut self, decide: impl FnOnce(&mut Groups, RequestId, &mut Moment<'_>) -> Decided) -> RequestId {
        self.requests += 1;
        let id = RequestId { connection: ConnectionId(1), sequence: self.requests };
        let mut moment = Moment { now: self.now, random: &mut self.random, bounds: &self.bounds, image: &self.image };
        let decided = decide(&mut self.groups, id, &mut moment);
        self.take(decided);
        id
    }

    fn take(&mut self, decided: Decided) {
        self.kept.extend(decided.records);
        self.tally += decided.tally;
        for (id, answer) in decided.answers {
            assert!(self.answers.insert(id, answer).is_none(), "each is answered once");
        }
    }

    /// Lets time pass.
    fn wait_ms(&mut self, ms: i64) {
        let until = self.now.monotonic.after(Wait::from_ms(ms));
        while let Some(at) = self.groups.next_deadline().filter(|at| *at <= until) {
            self.set_clock(at.max(self.now.monotonic));
            let moment = Moment { now: self.now, random: &mut self.random, bounds: &self.bounds, image: &self.image };
            let decided = self.groups.fire(&moment).expect("it is due");
            self.take(decided);
        }
        self.set_clock(until);
    }

    fn set_clock(&mut self, at: Monotonic) {
        self.now = Now { monotonic: at, wall: Timestamp(Wait(at.0).as_ms()) };
    }

    fn join_as(&mut self, asked: JoinGroupRequest) -> RequestId {
        let client = Client { id: "client".to_owned(), host: "/127.0.0.1".to_owned() };
        self.decide(|groups, id, moment| groups.join(id, &asked, &client, moment))
    }

    fn join(&mut self, member_id: &str) -> RequestId {
        self.join_as(asked(member_id))
    }

    fn joined(&self, id: RequestId) -> (String, Joined) {
        let GroupResponse::JoinGroup(JoinGroupResponse { result: Ok(joined), member_id }) = &self.answers[&id] else {
            panic!("another answer")
        };
        (member_id.clone(), joined.clone())
    }

    fn refusal(&self, id: RequestId) -> ErrorCode {
        let refused = match &self.answers[&id] {
            GroupResponse::JoinGroup(answer) => answer.result.as_ref().err().copied(),
            GroupResponse::SyncGroup(answer) => answer.result.as_ref().err().copied(),
            GroupResponse::Heartbeat(_)
            | GroupResponse::ConsumerGroupHeartbeat(_)
            | GroupResponse::ConsumerGroupDescribe(_)
            | GroupResponse::LeaveGroup(_)
            | GroupResponse::OffsetCommit(_)
            | GroupResponse::OffsetDelete(_)
            | GroupResponse::OffsetFetch(_)
            | GroupResponse::ListGroups(_)
            | GroupResponse::DescribeGroups(_)
            | GroupResponse::DeleteGroups(_) => None,
        };
        refused.expect("it was refused")
    }

    fn sync(&mut self, member_id: &str, generation: i32, assignments: &[(&str, &'static str)]) -> RequestId {
        let assignments = assignments.iter().map(|(id, assignment)| ((*id).to_owned(), Bytes::from_static(assignment.as_bytes())));
        let asked = SyncGroupRequest {
            member: member(member_id, generation),
            protocol_type: Some("consumer".to_owned()),
            protocol: Some("range".to_owned()),
            assignments: assignments.collect(),
        };
        self.decide(|groups, id, moment| groups.sync(id, &asked, moment))
    }

    fn assignment(&self, id: RequestId) -> Bytes {
        let GroupResponse::SyncGroup(answer) = &self.answers[&id] else { panic!("another answer") };
        answer.result.as_ref().unwrap().assignment.clone()
    }

    fn heartbeat(&mut self, member_id: &str, generation: i32) -> Option<ErrorCode> {
        let asked = HeartbeatRequest { member: member(member_id, generation) };
        let id = self.decide(|groups, id, moment| groups.heartbeat(id, &asked, moment));
        let GroupResponse::Heartbeat(answer) = &self.answers[&id] else { panic!("another answer") };
        answer.error
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> Option<ErrorCode> {
        let leaver = Leaver { member_id: member_id.to_owned(), instance_id: instance_id.map(str::to_owned) };
        let asked = LeaveGroupRequest { group: "readers".to_owned(), members: vec![leaver] };
        let id = self.decide(|groups, id, moment| groups.leave(id, &asked, moment));
        let GroupResponse::LeaveGroup(answer) = &self.answers[&id] else { panic!("another answer") };
        answer.result.as_ref().unwrap()[0].1
    }

    fn commit(&mut self, member: Membership, offset: i64) -> Option<ErrorCode> {
        let part = PartitionCommit { partition: PartitionIndex(0), offset: Offset(offset), leader_epoch: None, metadata: "here".to_owned() };
        let asked = OffsetCommitRequest { member, knows_member_epochs: true, retention_ms: None, topics: vec![(topic(), vec![part])] };
        let id = self.decide(|groups, id, moment| groups.commit(id, &asked, &image(), moment));
        let GroupResponse::OffsetCommit(answer) = &self.answers[&id] else { panic!("another answer") };
        answer.topics[0].1[0].1
    }

    fn committed(&self) -> Option<i64> {
        let topics = Some(vec![(topic(), vec![PartitionIndex(0)])]);
        let wanted = OffsetsWanted { group: "readers".to_owned(), topics, member_id: None, member_epoch: -1 };
        let fetched = self.groups.fetch(&wanted, false, &image()).unwrap();
        fetched[0].1[0].result.as_ref().unwrap().as_ref().map(|(offset, ..)| offset.0)
    }

    /// A stable group of one, whose id is returned.
    fn settle_one(&mut self) -> String {
        let join = self.join("");
        self.wait_ms(3_000);
        let (id, joined) = self.joined(join);
        self.sync(&id, joined.generation, &[(&id, "all")]);
        id
    }

    /// A coordinator that has read what this one kept.
    fn successor(&self) -> Self {
        let mut next = Self { now: self.now, ..Self::new() };
        for record in &self.kept {
            let (key, value) = record.encode();
            next.groups.replay(GroupRecord::decode(&key, value.as_deref()).unwrap().unwrap());
        }
        next.kept.clone_from(&self.kept);
        let moment = Moment { now: next.now, random: &mut next.random, bounds: &next.bounds, image: &next.image };
        next.groups.loaded(&moment);
        next
    }
}

fn topic() -> TopicRef {
    TopicRef::Name(TopicName::from("orders"))
}

fn image() -> Image {
    let mut image = Image::default();
    image.topic_ids.insert(TopicName::from("orders"), crate::ids::TopicId::default());
    image
}

fn member(member_id: &str, generation: i32) -> Membership {
    Membership { group: "readers".to_owned(), generation, member_id: member_id.to_owned(), instance_id: None }
}

fn asked(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group: "readers".to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: member_id.to_owned(),
        instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"\0\x03\0\0\0\x01\0\x06orders"))],
        needs_member_id: false,
        may_skip_assignment: true,
    }
}

fn static_asked(instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { instance_id: Some(instance.to_owned()), ..asked("") }
}

#[test]
fn a_group_is_stable_once_its_leader_has_assigned() {
    let mut rig = Rig::new();
    let joins = [rig.join(""), rig.join("")];
    assert!(rig.answers.is_empty(), "a new group gathers");
    rig.wait_ms(6_000);
    let [(first, one), (second, two)] = joins.map(|id| rig.joined(id));
    assert_eq!((one.generation, two.generation), (1, 1));
    assert_eq!((&one.leader, &two.leader), (&first, &first));
    assert_eq!((one.members.len(), two.members.len()), (2, 0), "the leader alone is told who there is");
    let follower = rig.sync(&second, 1, &[]);
    assert!(!rig.answers.contains_key(&follower), "it waits for the leader");
    let leader = rig.sync(&first, 1, &[(&first, "a"), (&second, "b")]);
    assert_eq!((rig.assignment(leader), rig.assignment(follower)), (Bytes::from("a"), Bytes::from("b")));
    assert_eq!(rig.kept.len(), 1, "a generation is kept once, with all that was assigned");
    assert_eq!(rig.heartbeat(&first, 1), None);
    assert_eq!(rig.heartbeat(&first, 0), Some(ErrorCode::IllegalGeneration));
    assert_eq!(rig.heartbeat("somebody", 1), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn a_new_group_waits_the_longer_the_more_come() {
    let mut rig = Rig::new();
    let first = rig.join("");
    rig.wait_ms(2_000);
    rig.join("");
    rig.wait_ms(2_000);
    assert!(rig.answers.is_empty(), "one came in the first three seconds: it waits three more");
    rig.wait_ms(2_000);
    assert_eq!(rig.joined(first).1.members.len(), 2);
}

#[test]
fn members_join_anew_when_one_more_comes() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    let second = rig.join("");
    assert_eq!(rig.heartbeat(&first, 1), Some(ErrorCode::RebalanceInProgress));
    let again = rig.join(&first);
    let ((_, one), (second, two)) = (rig.joined(again), rig.joined(second));
    assert_eq!((one.generation, two.generation, one.members.len()), (2, 2, 2));
    assert_eq!(rig.commit(member(&first, 2), 1), Some(ErrorCode::RebalanceInProgress), "nobody knows yet who reads what");
    rig.sync(&first, 2, &[(&first, "a"), (&second, "b")]);
    assert_eq!(rig.commit(member(&first, 2), 1), None);
    assert_eq!(rig.commit(member(&first, 1), 2), Some(ErrorCode::IllegalGeneration));
}

#[test]
fn who_does_not_come_again_in_time_is_out() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    let second = rig.join("");
    for _ in 0..11 {
        rig.wait_ms(5_000);
        assert_eq!(rig.heartbeat(&first, 1), Some(ErrorCode::RebalanceInProgress), "it lives, and does not join");
    }
    rig.wait_ms(5_000);
    let (second, joined) = rig.joined(second);
    assert_eq!((joined.leader, joined.members.len()), (second, 1));
    assert_eq!(rig.heartbeat(&first, 2), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn who_is_silent_for_a_session_is_out() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    rig.wait_ms(9_999);
    assert_eq!(rig.heartbeat(&first, 1), None);
    rig.wait_ms(10_000);
    assert_eq!(rig.heartbeat(&first, 1), Some(ErrorCode::UnknownMemberId));
    assert_eq!(rig.groups.describe("readers").unwrap().state, "Empty");
    let last = rig.kept.last().unwrap();
    assert!(matches!(last, GroupRecord::Classic { kept: Some(kept), .. } if kept.members.is_empty() && kept.generation == 2));
}

#[test]
fn a_leader_that_does_not_assign_is_out() {
    let mut rig = Rig::new();
    let joins = [rig.join(""), rig.join("")];
    rig.wait_ms(6_000);
    let [(first, _), (second, _)] = joins.map(|id| rig.joined(id));
    let waiting = rig.sync(&second, 1, &[]);
    for _ in 0..12 {
        rig.wait_ms(5_000);
        rig.heartbeat(&first, 1);
    }
    assert_eq!(rig.refusal(waiting), ErrorCode::RebalanceInProgress);
    let again = rig.join(&second);
    assert_eq!(rig.joined(again).1.leader, second);
}

/// KIP-394.
#[test]
fn an_id_is_given_out_before_anyone_joins() {
    let mut rig = Rig::new();
    let invited = rig.join_as(JoinGroupRequest { needs_member_id: true, ..asked("") });
    assert_eq!(rig.refusal(invited), ErrorCode::MemberIdRequired);
    let GroupResponse::JoinGroup(JoinGroupResponse { member_id, .. }) = rig.answers[&invited].clone() else { panic!() };
    assert!(member_id.starts_with("client-"));
    assert_eq!(rig.groups.describe("readers").unwrap().members.len(), 0);
    let join = rig.join_as(JoinGroupRequest { needs_member_id: true, ..asked(&member_id) });
    rig.wait_ms(3_000);
    assert_eq!(rig.joined(join).0, member_id);
}

#[test]
fn an_id_that_nobody_joins_with_is_forgotten() {
    let mut rig = Rig::new();
    rig.join_as(JoinGroupRequest { needs_member_id: true, ..asked("") });
    rig.wait_ms(i64::from(SESSION_MS));
    assert!(rig.groups.get("readers").is_none());
}

#[test]
fn who_can_do_nothing_that_all_can_is_refused() {
    let mut rig = Rig::new();
    rig.settle_one();
    let other = rig.join_as(JoinGroupRequest { protocols: vec![("sticky".to_owned(), Bytes::new())], ..asked("") });
    assert_eq!(rig.refusal(other), ErrorCode::InconsistentGroupProtocol);
    let other = rig.join_as(JoinGroupRequest { protocol_type: "connect".to_owned(), ..asked("") });
    assert_eq!(rig.refusal(other), ErrorCode::InconsistentGroupProtocol);
    let hasty = rig.join_as(JoinGroupRequest { session_timeout_ms: 5_999, ..asked("") });
    assert_eq!(rig.refusal(hasty), ErrorCode::InvalidSessionTimeout);
}

#[test]
fn most_members_say_what_all_do() {
    let protocols = |names: [&str; 2]| names.map(|name| (name.to_owned(), Bytes::new())).to_vec();
    let mut rig = Rig::new();
    let joins = [["a", "b"], ["b", "a"], ["b", "c"]].map(|names| rig.join_as(JoinGroupRequest { protocols: protocols(names), ..asked("") }));
    rig.wait_ms(9_000);
    assert_eq!(rig.joined(joins[0]).1.protocol, "b");
}

/// KIP-345.
#[test]
fn a_static_member_that_comes_back_disturbs_nobody() {
    let mut rig = Rig::new();
    let joins = [rig.join_as(static_asked("one")), rig.join_as(static_asked("two"))];
    rig.wait_ms(6_000);
    let [(first, joined), (second, _)] = joins.map(|id| rig.joined(id));
    assert_eq!(joined.leader, first);
    rig.sync(&first, 1, &[(&first, "a"), (&second, "b")]);
    rig.sync(&second, 1, &[]);
    let back = rig.join_as(static_asked("two"));
    let (renewed, joined) = rig.joined(back);
    assert_eq!(joined.generation, 1);
    assert_ne!(renewed, second);
    let got = rig.sync(&renewed, 1, &[]);
    assert_eq!(rig.assignment(got), Bytes::from("b"));
    let zombie = Membership { instance_id: Some("two".to_owned()), ..member(&second, 1) };
    assert_eq!(rig.commit(zombie, 7), Some(ErrorCode::FencedInstanceId));
    // The leader too, and it need not assign anew (KIP-814).
    let back = rig.join_as(static_asked("one"));
    let (renewed, joined) = rig.joined(back);
    assert!(joined.skip_assignment && joined.leader == renewed && joined.generation == 1);
    let mut next = rig.successor();
    assert_eq!(next.heartbeat(&renewed, 1), None, "its new id was kept");
}

#[test]
fn a_static_member_stays_while_it_is_away_for_less_than_its_session() {
    let mut rig = Rig::new();
    let joins = [rig.join_as(static_asked("one")), rig.join_as(static_asked("two"))];
    rig.wait_ms(6_000);
    let [(first, _), (second, _)] = joins.map(|id| rig.joined(id));
    rig.sync(&first, 1, &[]);
    rig.sync(&second, 1, &[]);
    assert_eq!(rig.leave("", Some("two")), None, "an operator removes it by its name");
    assert_eq!(rig.heartbeat(&first, 1), Some(ErrorCode::RebalanceInProgress));
    assert_eq!(rig.leave("", Some("two")), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn who_leaves_is_out_at_once() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    assert_eq!(rig.leave(&first, None), None);
    assert_eq!(rig.leave(&first, None), Some(ErrorCode::UnknownMemberId));
    assert_eq!(rig.groups.describe("readers").unwrap().state, "Empty");
}

#[test]
fn a_successor_knows_members_and_offsets() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    assert_eq!(rig.commit(member(&first, 1), 42), None);
    rig.join("");
    let mut next = rig.successor();
    assert_eq!(next.committed(), Some(42));
    assert_eq!(next.heartbeat(&first, 1), None, "the rebalance is forgotten, and begins anew when the other asks again");
    next.wait_ms(i64::from(SESSION_MS));
    assert_eq!(next.groups.describe("readers").unwrap().state, "Empty");
}

#[test]
fn without_members_anybody_commits() {
    let mut rig = Rig::new();
    assert_eq!(rig.commit(member("", -1), 5), None);
    assert_eq!(rig.committed(), Some(5));
    let first = rig.settle_one();
    assert_eq!(rig.commit(member("", -1), 6), Some(ErrorCode::UnknownMemberId), "its members may be at work on what it would set back");
    assert_eq!(rig.commit(member(&first, 1), 7), None);
    assert_eq!(rig.committed(), Some(7));
}

#[test]
fn offsets_of_a_group_without_members_expire() {
    let week_ms = 7 * 24 * 3_600_000;
    let mut rig = Rig::new();
    rig.wait_ms(1_000);
    let first = rig.settle_one();
    let moment = Moment { now: rig.now, random: &mut rig.random, bounds: &rig.bounds, image: &rig.image };
    rig.groups.loaded(&moment);
    rig.commit(member(&first, 1), 5);
    rig.wait_ms(week_ms);
    assert_eq!(rig.committed(), Some(5), "it is kept from when the last member was gone");
    rig.wait_ms(600_000);
    assert_eq!(rig.committed(), None);
    assert!(rig.groups.get("readers").is_none());
    assert!(rig.successor().groups.get("readers").is_none(), "that it is gone is kept");
    let tally = GroupTally { classic_rebalances: 1, consumer_rebalances: 0, offset_commits: 1, expired_offsets: 1 };
    assert_eq!(rig.tally, tally);
}

#[test]
fn a_group_with_members_is_not_deleted() {
    let mut rig = Rig::new();
    let first = rig.settle_one();
    rig.commit(member(&first, 1), 5);
    let mut decided = Decided::default();
    assert_eq!(rig.groups.delete("readers", &mut decided), Err(ErrorCode::NonEmptyGroup));
    rig.leave(&first, None);
    assert_eq!(rig.groups.delete("readers", &mut decided), Ok(()));
    assert_eq!(decided.records.len(), 2);
    assert_eq!(rig.groups.delete("readers", &mut decided), Err(ErrorCode::GroupIdNotFound));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut rig = Rig::new();
    rig.bounds.members_max = 1;
    rig.settle_one();
    let other = rig.join("");
    assert_eq!(rig.refusal(other), ErrorCode::GroupMaxSizeReached);
}

#[test]
fn a_name_of_any_length_fits_into_what_is_kept() {
    let mut rig = Rig::new();
    let client = Client { id: "é".repeat(16_000), host: "/127.0.0.1".to_owned() };
    let join = rig.decide(|groups, id, moment| groups.join(id, &asked(""), &client, moment));
    rig.wait_ms(3_000);
    let (id, _) = rig.joined(join);
    rig.sync(&id, 1, &[(&id, "all")]);
    let mut next = rig.successor();
    assert_eq!(next.heartbeat(&id, 1), None);
}

#[test]
fn a_group_of_static_members_that_are_away_is_looked_at_now_and_then() {
    let mut rig = Rig::new();
    let joins = [rig.join_as(JoinGroupRequest { rebalance_timeout_ms: 0, ..static_asked("one") }), rig.join("")];
    rig.wait_ms(6_000);
    let [(first, joined), (second, _)] = joins.map(|id| rig.joined(id));
    rig.sync(&joined.leader, 1, &[]);
    rig.sync(if joined.leader == first { &second } else { &first }, 1, &[]);
    rig.leave(&second, None);
    let due = rig.groups.next_deadline().unwrap();
    rig.set_clock(due);
    let moment = Moment { now: rig.now, random: &mut rig.random, bounds: &rig.bounds, image: &rig.image };
    let mut times = 0;
    while rig.groups.fire(&moment).is_some() {
        times += 1;
        assert!(times < 10, "nothing is due again at once");
    }
}

#[test]
fn a_member_that_says_too_much_is_refused() {
    let mut rig = Rig::new();
    let much = rig.join_as(JoinGroupRequest { protocols: vec![("range".to_owned(), Bytes::from(vec![0; 2 << 20]))], ..asked("") });
    assert_eq!(rig.refusal(much), ErrorCode::InconsistentGroupProtocol);
    let many = rig.join_as(JoinGroupRequest { protocols: vec![("range".to_owned(), Bytes::new()); 101], ..asked("") });
    assert_eq!(rig.refusal(many), ErrorCode::InconsistentGroupProtocol);
}

#[test]
fn a_leader_that_assigns_too_much_is_told_so() {
    let mut rig = Rig::new();
    let join = rig.join("");
    rig.wait_ms(3_000);
    let (id, _) = rig.joined(join);
    let asked = SyncGroupRequest {
        member: member(&id, 1),
        protocol_type: None,
        protocol: None,
        assignments: vec![(id.clone(), Bytes::from(vec![0; 17 << 20]))],
    };
    let refused = rig.decide(|groups, request, moment| groups.sync(request, &asked, moment));
    assert_eq!(rig.refusal(refused), ErrorCode::UnknownServerError);
    assert!(rig.kept.is_empty());
    rig.sync(&id, 1, &[(&id, "less")]);
    assert_eq!(rig.kept.len(), 1);
}
