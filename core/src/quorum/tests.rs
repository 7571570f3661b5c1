//! Members driven one event at a time, without a log or a network.

use super::*;
use crate::epoch::LeaderEpoch;
use crate::ids::{DirectoryId, Uuid};
use crate::rng::Random;
use crate::time::Wait;

struct Member {
    quorum: Quorum,
    random: Random,
    now: Monotonic,
    log_end: LogEnd,
}

impl Member {
    /// Node 1 of so many voters, started.
    fn of(voters: i32) -> Self {
        let mut member = Self {
            quorum: Quorum::new(voter(1), (1..=voters).map(voter).collect(), QuorumTimeouts::default()),
            random: Random::new([1; 32]),
            now: Monotonic(0),
            log_end: log_end(1, 10),
        };
        let outcome = member.take(|quorum, _, moment| quorum.start(None, Some(QuorumEpoch(1)), moment));
        assert!(outcome.messages.is_empty());
        member
    }

    fn take(&mut self, event: impl FnOnce(&mut Quorum, LogEnd, &mut Moment<'_>) -> Outcome) -> Outcome {
        event(&mut self.quorum, self.log_end, &mut Moment { now: self.now, random: &mut self.random })
    }

    fn receive(&mut self, from: i32, message: QuorumMessage) -> Outcome {
        self.take(|quorum, log_end, moment| quorum.receive(NodeId(from), message, log_end, moment))
    }

    /// Lets the time of its deadline come.
    fn time_out(&mut self) -> Outcome {
        self.now = self.quorum.deadline();
        self.take(|quorum, log_end, moment| quorum.timed_out(log_end, moment))
    }

    fn kept(&mut self, election: Option<ElectionState>) -> Outcome {
        let election = election.expect("there is something to keep");
        self.take(|quorum, log_end, moment| quorum.kept(&election, log_end, moment))
    }

    fn vote(&mut self, from: i32, is_granted: bool, is_pre_vote: bool) -> Outcome {
        let quorum_epoch = self.quorum.quorum_epoch();
        let known = Known { quorum_epoch, leader: None };
        let vote = Vote { known, asked_epoch: quorum_epoch, is_granted, is_pre_vote, directory: voter(from).directory };
        self.receive(from, QuorumMessage::Voted(vote))
    }

    /// Elected by itself and node 2.
    fn leading(voters: i32) -> Self {
        let mut member = Self::of(voters);
        let _ = member.time_out();
        let outcome = member.vote(2, true, true);
        let _ = member.kept(outcome.keep);
        let _ = member.vote(2, true, false);
        assert!(member.quorum.is_leader());
        member
    }

    /// Following node 2 in epoch 2, which it has heard.
    fn following() -> Self {
        let mut member = Self::of(3);
        let outcome = member.receive(2, QuorumMessage::Begin { quorum_epoch: QuorumEpoch(2) });
        let _ = member.kept(outcome.keep);
        member.quorum.heard_from_leader(NodeId(2), QuorumEpoch(2), member.now);
        member
    }

    fn asked(&mut self, from: i32, quorum_epoch: i32, end: LogEnd, is_pre_vote: bool) -> (Option<ElectionState>, Option<Vote>) {
        let request =
            VoteRequest { quorum_epoch: QuorumEpoch(quorum_epoch), candidate: voter(from), voter: voter(1), log_end: end, is_pre_vote };
        let outcome = self.receive(from, QuorumMessage::Vote(request));
        let mut voted = votes(&outcome);
        let keep = outcome.keep.clone();
        if let Some(keep) = outcome.keep {
            voted.extend(votes(&self.kept(Some(keep))));
        }
        (keep, voted.pop())
    }
}

fn votes(outcome: &Outcome) -> Vec<Vote> {
    let votes = outcome.messages.iter().filter_map(|(_, message)| if let QuorumMessage::Voted(vote) = message { Some(*vote) } else { None });
    votes.collect()
}

fn voter(node: i32) -> Voter {
    Voter { node: NodeId(node), directory: DirectoryId(Uuid([u8::try_from(node).unwrap(); 16])) }
}

fn log_end(leader_epoch: i32, end_offset: i64) -> LogEnd {
    LogEnd { leader_epoch: LeaderEpoch(leader_epoch), end_offset: Offset(end_offset) }
}

#[test]
fn a_voter_that_is_alone_leads_once_its_vote_is_on_disk() {
    let mut random = Random::new([1; 32]);
    let mut quorum = Quorum::new(voter(1), [voter(1)].into_iter().collect(), QuorumTimeouts::default());
    let mut moment = Moment { now: Monotonic(0), random: &mut random };
    let outcome = quorum.start(None, None, &mut moment);
    let keep = outcome.keep.unwrap();
    assert_eq!(keep, ElectionState { quorum_epoch: QuorumEpoch(1), voted_for: Some(voter(1)) });
    assert!(!quorum.is_leader());
    let _ = quorum.kept(&keep, log_end(-1, 0), &mut moment);
    assert!(quorum.is_leader());
}

#[test]
fn a_member_asks_before_it_stands() {
    let mut member = Member::of(3);
    let outcome = member.time_out();
    assert_eq!(outcome.keep, None, "asking changes nothing");
    assert_eq!(outcome.messages.len(), 2);
    assert!(matches!(member.quorum.role(), Role::Prospective(_)));

    let outcome = member.vote(2, true, true);
    assert!(outcome.messages.is_empty(), "it asks for nothing before its own vote is on disk");
    let outcome = member.kept(outcome.keep);
    assert_eq!(outcome.messages.len(), 2);
    let outcome = member.vote(3, true, false);
    assert!(member.quorum.is_leader());
    assert_eq!(member.quorum.granting_voters(), [voter(1), voter(3)]);
    assert!(outcome.messages.iter().all(|(_, message)| matches!(message, QuorumMessage::Begin { .. })));
}

#[test]
fn votes_that_were_asked_beforehand_elect_nobody() {
    let mut member = Member::of(5);
    let _ = member.time_out();
    let _ = member.vote(2, true, true);
    let outcome = member.vote(3, true, true);
    let _ = member.kept(outcome.keep);
    let _ = member.vote(4, true, true);
    let _ = member.vote(5, true, true);
    assert!(matches!(member.quorum.role(), Role::Candidate(_)));
}

#[test]
fn an_answer_leaves_once_the_vote_is_on_disk() {
    let mut member = Member::of(3);
    let request =
        VoteRequest { quorum_epoch: QuorumEpoch(2), candidate: voter(2), voter: voter(1), log_end: log_end(1, 10), is_pre_vote: false };
    let outcome = member.receive(2, QuorumMessage::Vote(request));
    assert!(outcome.messages.is_empty());
    assert_eq!(outcome.keep.as_ref().unwrap().voted_for, Some(voter(2)));
    assert!(votes(&member.kept(outcome.keep))[0].is_granted);
}

#[test]
fn there_is_one_vote_an_epoch() {
    let mut member = Member::of(3);
    assert!(member.asked(2, 2, log_end(1, 10), false).1.unwrap().is_granted);
    assert!(!member.asked(3, 2, log_end(1, 10), false).1.unwrap().is_granted);
    assert!(member.asked(2, 2, log_end(1, 10), false).1.unwrap().is_granted, "to the same one as often as it asks");
    assert!(member.asked(3, 3, log_end(1, 10), false).1.unwrap().is_granted, "and another in the next");
}

#[test]
fn a_vote_that_was_given_is_remembered_after_a_restart() {
    let mut member = Member::of(3);
    let (kept, _) = member.asked(2, 2, log_end(1, 10), false);
    let mut again = Member::of(3);
    let _ = again.take(|quorum, _, moment| quorum.start(kept.as_ref(), Some(QuorumEpoch(1)), moment));
    assert!(!again.asked(3, 2, log_end(1, 10), false).1.unwrap().is_granted);
}

#[test]
fn nobody_votes_for_a_log_that_misses_something() {
    let mut member = Member::of(3);
    assert!(!member.asked(2, 2, log_end(1, 9), false).1.unwrap().is_granted);
    assert!(!member.asked(2, 3, log_end(0, 99), false).1.unwrap().is_granted);
    assert!(member.asked(2, 4, log_end(2, 5), false).1.unwrap().is_granted, "a later epoch counts before a longer log");
}

#[test]
fn a_voter_that_was_formatted_anew_gives_no_vote() {
    let mut member = Member::of(3);
    let other_folder = Voter { directory: DirectoryId(Uuid([99; 16])), ..voter(1) };
    let request =
        VoteRequest { quorum_epoch: QuorumEpoch(7), candidate: voter(2), voter: other_folder, log_end: log_end(1, 10), is_pre_vote: false };
    let outcome = member.receive(2, QuorumMessage::Vote(request));
    assert_eq!((outcome.keep.is_none(), votes(&outcome)[0].is_granted), (true, false));
}

#[test]
fn who_hears_its_leader_would_vote_for_nobody_else() {
    let mut member = Member::following();
    assert!(!member.asked(3, 2, log_end(1, 10), true).1.unwrap().is_granted);
    let mut moment = Moment { now: member.now, random: &mut member.random };
    member.quorum.connection_lost(NodeId(2), &mut moment);
    assert!(member.asked(3, 2, log_end(1, 10), true).1.unwrap().is_granted);
}

#[test]
fn whoever_would_not_be_elected_follows_its_leader_again() {
    let mut member = Member::following();
    let _ = member.time_out();
    assert!(matches!(member.quorum.role(), Role::Prospective(_)));
    let _ = member.vote(2, false, true);
    let _ = member.vote(3, false, true);
    assert_eq!(member.quorum.leader(), Some(NodeId(2)));
    assert_eq!(member.quorum.quorum_epoch(), QuorumEpoch(2), "nothing is disturbed");
}

#[test]
fn a_hint_that_the_leader_is_gone_is_acted_on_soon() {
    let mut member = Member::following();
    let patient = member.quorum.deadline();
    let mut moment = Moment { now: member.now, random: &mut member.random };
    member.quorum.connection_lost(NodeId(3), &mut moment);
    assert_eq!(member.quorum.deadline(), patient, "another's connection says nothing");
    member.quorum.connection_lost(NodeId(2), &mut moment);
    assert!(member.quorum.deadline() <= member.now.after(Wait::from_ms(100)));
}

#[test]
fn a_leader_that_says_that_it_leads_no_longer_is_followed_by_its_first_successor() {
    let mut member = Member::following();
    let end = QuorumMessage::End { quorum_epoch: QuorumEpoch(2), successors: vec![NodeId(1), NodeId(3)] };
    let _ = member.receive(2, end);
    assert_eq!(member.quorum.deadline(), member.now);
}

#[test]
fn a_leader_that_no_majority_hears_resigns() {
    let mut member = Member::leading(3);
    let began = member.now;
    let outcome = loop {
        let outcome = member.time_out();
        if !member.quorum.is_leader() {
            break outcome;
        }
    };
    assert_eq!(member.now, began.after(Wait::from_ms(3_000)));
    assert!(outcome.messages.iter().all(|(_, message)| matches!(message, QuorumMessage::End { .. })));
}

#[test]
fn a_leader_that_a_majority_fetches_from_stays() {
    let mut member = Member::leading(3);
    let began = member.now;
    while member.now < began.after(Wait::from_ms(60_000)) {
        let now = member.now;
        member.quorum.member_fetched(voter(3), Offset(10), Offset(10), Offset(10), now);
        let _ = member.time_out();
        assert!(member.quorum.is_leader());
    }
}

#[test]
fn a_majority_of_disks_commits() {
    let mut member = Member::leading(3);
    assert_eq!(member.quorum.held_by_majority(Offset(20)), Some(Offset(0)));
    member.quorum.member_fetched(voter(2), Offset(15), Offset(12), Offset(20), member.now);
    assert_eq!(member.quorum.held_by_majority(Offset(20)), Some(Offset(12)));
    member.quorum.member_fetched(voter(9), Offset(20), Offset(20), Offset(20), member.now);
    assert_eq!(member.quorum.held_by_majority(Offset(20)), Some(Offset(12)), "an observer does not count");
}

#[test]
fn a_leader_of_an_older_epoch_is_told_so() {
    let mut member = Member::following();
    let outcome = member.receive(3, QuorumMessage::Begin { quorum_epoch: QuorumEpoch(1) });
    let known = Known { quorum_epoch: QuorumEpoch(2), leader: Some(NodeId(2)) };
    assert_eq!(outcome.messages, [(NodeId(3), QuorumMessage::Known(known))]);
}

#[test]
fn a_leader_that_hears_of_a_later_epoch_leads_no_longer() {
    let mut member = Member::leading(3);
    let quorum_epoch = member.quorum.quorum_epoch().next();
    let _ = member.receive(3, QuorumMessage::Known(Known { quorum_epoch, leader: Some(NodeId(3)) }));
    assert_eq!(member.quorum.known(), Known { quorum_epoch, leader: Some(NodeId(3)) });
}

#[test]
fn an_observer_asks_who_leads_and_never_for_votes() {
    let mut random = Random::new([1; 32]);
    let mut quorum = Quorum::new(voter(9), (1..=3).map(voter).collect(), QuorumTimeouts::default());
    let _ = quorum.start(None, None, &mut Moment { now: Monotonic(0), random: &mut random });
    let now = quorum.deadline();
    let outcome = quorum.timed_out(log_end(-1, 0), &mut Moment { now, random: &mut random });
    assert!(matches!(outcome.messages[..], [(_, QuorumMessage::Known(Known { leader: None, .. }))]));
}

#[test]
fn a_voter_that_only_its_own_log_has_removed_stands_for_election() {
    let mut member = Member::of(3);
    member.quorum.set_voters([voter(2), voter(3)].into_iter().collect());
    let outcome = member.time_out();
    assert_eq!(outcome.messages.len(), 2, "it asks the others, and does not count itself");
    assert!(!member.quorum.is_voter());
    let _ = member.vote(2, true, true);
    assert!(matches!(member.quorum.role(), Role::Prospective(_)), "one of two is no majority");
    let outcome = member.vote(3, true, true);
    let _ = member.kept(outcome.keep);
    let _ = member.vote(2, true, false);
    let _ = member.vote(3, true, false);
    assert!(member.quorum.is_leader());
}

#[test]
fn one_that_is_removed_for_good_does_not() {
    let mut member = Member::of(3);
    member.quorum.set_voters([voter(2), voter(3)].into_iter().collect());
    member.quorum.settle_voters([voter(2), voter(3)].into_iter().collect());
    let _ = member.time_out();
    assert!(matches!(member.quorum.role(), Role::Unattached(_)));
}

#[test]
fn a_vote_that_only_a_lost_member_could_decide_is_tried_again_soon() {
    let mut member = Member::of(3);
    let _ = member.time_out();
    let outcome = member.vote(2, true, true);
    let _ = member.kept(outcome.keep);
    let _ = member.take(|quorum, _, moment| {
        quorum.connection_lost(NodeId(3), moment);
        Outcome::default()
    });
    let _ = member.vote(2, false, false);
    let wait = member.quorum.deadline().since(member.now);
    assert!(wait <= QuorumTimeouts::default().hint_wait_max(), "{wait:?}");
}
