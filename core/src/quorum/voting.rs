//! Elections: who asks, who grants, and what everyone learns from it.

use std::collections::BTreeSet;

use super::voters::is_same;
use super::{
    Ballot, Candidate, Count, Follower, Known, Leader, LogEnd, Moment, Outcome, Prospective, Quorum, QuorumMessage, Resigned, Role, Unattached,
    Vote, VoteRequest,
};
use crate::boundary::ElectionState;
use crate::epoch::QuorumEpoch;
use crate::ids::NodeId;
use crate::record::Voter;
use crate::time::{Monotonic, Wait};

impl Quorum {
    pub(super) fn take_vote_request(
        &mut self,
        from: NodeId,
        request: VoteRequest,
        log_end: LogEnd,
        moment: &mut Moment<'_>,
        outcome: &mut Outcome,
    ) {
        let is_for_me = self.is_asked(request.voter);
        if is_for_me && request.quorum_epoch > self.quorum_epoch {
            self.enter_epoch(request.quorum_epoch, moment, outcome);
        }
        let is_granted = is_for_me && request.quorum_epoch == self.quorum_epoch && self.would_grant(&request, log_end);
        if is_granted && !request.is_pre_vote && self.voted_for != Some(request.candidate) {
            self.voted_for = Some(request.candidate);
            let deadline = self.election_deadline(moment);
            self.role = Role::Unattached(Unattached { deadline });
            self.keep_election(outcome);
        }
        let vote = Vote {
            known: self.vouched(),
            asked_epoch: request.quorum_epoch,
            is_granted,
            is_pre_vote: request.is_pre_vote,
            directory: self.me.directory,
        };
        outcome.messages.push((from, QuorumMessage::Voted(vote)));
    }

    /// Whether it is this node with its folder that a vote is asked of. A candidate that does not know the folder may have missed that another
    /// one of this node votes.
    fn is_asked(&self, asked: Voter) -> bool {
        asked == self.me || (asked.node == self.me.node && is_same(asked.directory, self.me.directory) && self.is_voter())
    }

    /// What it knows and stands for: who asks for votes has reason to doubt a leader that this one does not hear either.
    fn vouched(&self) -> Known {
        let known = self.known();
        match &self.role {
            Role::Follower(follower) if !follower.is_leader_heard => Known { leader: None, ..known },
            Role::Unattached(_)
            | Role::Prospective(_)
            | Role::Candidate(_)
            | Role::Leader(_)
            | Role::Follower(_)
            | Role::Resigned(_)
            | Role::Failed => known,
        }
    }

    /// Whether a vote is given in this epoch: one vote an epoch, to a log that misses nothing of this one (Raft §5.4.1). Beforehand it would
    /// be given only by a member that does not hear the leader (KIP-996).
    fn would_grant(&self, request: &VoteRequest, log_end: LogEnd) -> bool {
        let is_up_to_date = request.log_end >= log_end;
        let is_free = match &self.role {
            Role::Unattached(_) | Role::Prospective(_) => {
                request.is_pre_vote || self.voted_for.is_none_or(|voted_for| voted_for == request.candidate)
            }
            Role::Candidate(_) | Role::Resigned(_) => request.is_pre_vote,
            Role::Follower(follower) => {
                let has_lost_leader = !follower.is_leader_heard || follower.leader == request.candidate.node;
                request.is_pre_vote && has_lost_leader
            }
            Role::Leader(_) | Role::Failed => false,
        };
        is_up_to_date && is_free
    }

    pub(super) fn take_vote(&mut self, from: NodeId, vote: Vote, log_end: LogEnd, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        self.learn(from, vote.known, moment, outcome);
        if vote.asked_epoch != self.quorum_epoch {
            return;
        }
        let voter = Voter { node: from, directory: vote.directory };
        match &mut self.role {
            Role::Prospective(prospective) if vote.is_pre_vote => prospective.ballot.take(voter, vote.is_granted),
            Role::Candidate(candidate) if !vote.is_pre_vote => candidate.ballot.take(voter, vote.is_granted),
            Role::Unattached(_)
            | Role::Prospective(_)
            | Role::Candidate(_)
            | Role::Leader(_)
            | Role::Follower(_)
            | Role::Resigned(_)
            | Role::Failed => return,
        }
        self.count_votes(log_end, moment, outcome);
    }

    pub(super) fn count_votes(&mut self, log_end: LogEnd, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        match &mut self.role {
            Role::Prospective(prospective) => match prospective.ballot.count(&self.voters) {
                Count::Won => self.become_candidate_asking(log_end, moment, outcome),
                Count::Lost => {
                    let last_leader = prospective.last_leader;
                    self.give_up_asking(last_leader, moment);
                }
                Count::Open => {}
            },
            Role::Candidate(candidate) => match candidate.ballot.count(&self.voters) {
                Count::Won => self.become_leader(moment, outcome),
                Count::Lost => candidate.deadline = candidate.deadline.min(moment.after_up_to(self.timeouts.backoff_max)),
                Count::Open if candidate.ballot.is_split(&self.voters, &self.unheard) => {
                    // Who is left has voted for another, itself most likely, and whoever is quicker the next time wins.
                    candidate.deadline = candidate.deadline.min(moment.after_up_to(self.timeouts.hint_wait_max()));
                }
                Count::Open => {}
            },
            Role::Unattached(_) | Role::Leader(_) | Role::Follower(_) | Role::Resigned(_) | Role::Failed => {}
        }
    }

    /// Takes what another knows; tells it if this one knows better.
    pub(super) fn learn(&mut self, from: NodeId, known: Known, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        if known.quorum_epoch > self.quorum_epoch {
            self.enter_epoch(known.quorum_epoch, moment, outcome);
        }
        if known == (Known { quorum_epoch: self.quorum_epoch, leader: None }) && self.leader() == Some(from) {
            // Whom it follows does not lead: it has started anew.
            return self.connection_lost(from, moment);
        }
        let is_better = self.quorum_epoch > known.quorum_epoch || (known.leader.is_none() && self.leader().is_some());
        if is_better {
            return outcome.messages.push((from, QuorumMessage::Known(self.known())));
        }
        // A node that led before it started anew is the last to lead that epoch.
        let Some(leader) = known.leader.filter(|leader| *leader != self.me.node) else { return };
        match &self.role {
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) => self.become_follower(leader, moment),
            Role::Follower(follower) => assert_eq!(follower.leader, leader, "an epoch has one leader"),
            Role::Leader(_) => panic!("epoch {} has two leaders, {} and {leader}", self.quorum_epoch, self.me.node),
            Role::Resigned(_) | Role::Failed => {}
        }
    }

    /// The leader says that it leads no longer: its successors stand for election in their order.
    pub(super) fn leader_ended(&mut self, from: NodeId, quorum_epoch: QuorumEpoch, successors: &[NodeId], moment: &mut Moment<'_>) {
        let place = successors.iter().position(|node| *node == self.me.node).unwrap_or(successors.len());
        if let Role::Follower(follower) = &mut self.role
            && follower.leader == from
            && self.quorum_epoch == quorum_epoch
        {
            let wait = Wait(self.timeouts.hint_wait_max().0.saturating_mul(u64::try_from(place).unwrap_or(u64::MAX)));
            follower.is_leader_heard = false;
            follower.deadline = follower.deadline.min(moment.now.after(wait));
        }
    }

    pub(super) fn become_prospective(&mut self, log_end: LogEnd, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        let mut ballot = Ballot::default();
        ballot.take(self.me, true);
        let last_leader = match &self.role {
            Role::Follower(follower) => Some(follower.leader),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Leader(_) | Role::Resigned(_) | Role::Failed => None,
        };
        let deadline = self.election_deadline(moment);
        self.role = Role::Prospective(Prospective { ballot, last_leader, deadline });
        self.ask_for_votes(true, log_end, outcome);
        self.count_votes(log_end, moment, outcome);
    }

    /// Nobody would vote for it: the leader that it knew may be well, and otherwise another's turn comes.
    pub(super) fn give_up_asking(&mut self, last_leader: Option<NodeId>, moment: &mut Moment<'_>) {
        let deadline = moment.after_up_to(self.timeouts.backoff_max);
        self.role = match last_leader {
            Some(leader) => Role::Follower(Follower { leader, is_leader_heard: false, deadline }),
            None => Role::Unattached(Unattached { deadline }),
        };
    }

    fn become_candidate_asking(&mut self, log_end: LogEnd, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        self.become_candidate(moment, outcome);
        self.ask_for_votes(false, log_end, outcome);
    }

    /// Its own vote is counted once it is on disk.
    pub(super) fn become_candidate(&mut self, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        self.quorum_epoch = self.quorum_epoch.next();
        self.voted_for = Some(self.me);
        let deadline = self.election_deadline(moment);
        self.role = Role::Candidate(Candidate { ballot: Ballot::default(), deadline });
        self.keep_election(outcome);
    }

    fn become_leader(&mut self, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        let Role::Candidate(candidate) = &self.role else { unreachable!("only a candidate is elected") };
        self.role = Role::Leader(Leader::new(candidate.ballot.granting(&self.voters), moment.now));
        self.announce(moment, outcome);
    }

    fn become_follower(&mut self, leader: NodeId, moment: &Moment<'_>) {
        assert_ne!(leader, self.me.node, "a node that leads knows that by itself");
        self.role = Role::Follower(Follower { leader, is_leader_heard: false, deadline: self.timeouts.fetch_deadline(moment.now) });
    }

    fn enter_epoch(&mut self, quorum_epoch: QuorumEpoch, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        assert!(quorum_epoch > self.quorum_epoch, "epochs only grow");
        self.quorum_epoch = quorum_epoch;
        self.voted_for = None;
        let deadline = self.election_deadline(moment);
        self.role = Role::Unattached(Unattached { deadline });
        self.keep_election(outcome);
    }

    /// A leader gives up, and names who is to follow it.
    pub(super) fn resign(&mut self, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        let Role::Leader(leader) = &self.role else { return };
        let successors = leader.successors(self.me, &self.voters);
        for voter in self.voters.others(self.me.node) {
            let end = QuorumMessage::End { quorum_epoch: self.quorum_epoch, successors: successors.clone() };
            outcome.messages.push((voter.node, end));
        }
        // One that votes no more has nothing to wait for but to hear who leads, which nobody tells it by themselves.
        let is_voter = self.is_voter();
        let deadline = if is_voter { self.election_deadline(moment) } else { moment.now.after(self.timeouts.announcement()) };
        self.role = Role::Resigned(Resigned { deadline });
    }

    /// Tells voters that it leads which have not asked for anything lately.
    pub(super) fn announce(&mut self, moment: &Moment<'_>, outcome: &mut Outcome) {
        let (me, quorum_epoch, wait) = (self.me, self.quorum_epoch, self.timeouts.announcement());
        let Role::Leader(leader) = &mut self.role else { return };
        for voter in leader.silent(me, &self.voters, moment.now, wait) {
            outcome.messages.push((voter.node, QuorumMessage::Begin { quorum_epoch }));
        }
        leader.announce_at = moment.now.after(wait);
    }

    /// An observer that hears no leader asks one of the voters who leads, or whom it was told of.
    pub(super) fn ask_around(&mut self, moment: &mut Moment<'_>, outcome: &mut Outcome) {
        let deadline = moment.now.after(self.timeouts.announcement());
        self.role = Role::Unattached(Unattached { deadline });
        let voters = self.voters.others(self.me.node).map(|voter| voter.node);
        let others: Vec<NodeId> = voters.chain(self.acquaintances.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
        let Some(count) = u32::try_from(others.len()).ok().filter(|count| *count > 0) else { return };
        let chosen = usize::try_from(moment.random.below(count)).unwrap_or(0);
        if let Some(&voter) = others.get(chosen) {
            outcome.messages.push((voter, QuorumMessage::Known(self.known())));
        }
    }

    fn ask_for_votes(&self, is_pre_vote: bool, log_end: LogEnd, outcome: &mut Outcome) {
        let (quorum_epoch, candidate) = (self.quorum_epoch, self.me);
        for voter in self.voters.others(self.me.node) {
            let request = VoteRequest { quorum_epoch, candidate, voter, log_end, is_pre_vote };
            outcome.messages.push((voter.node, QuorumMessage::Vote(request)));
        }
    }

    fn keep_election(&mut self, outcome: &mut Outcome) {
        let election = ElectionState { quorum_epoch: self.quorum_epoch, voted_for: self.voted_for };
        self.unkept = Some(election.clone());
        outcome.keep = Some(election);
    }

    /// Holds messages back while what they speak of is not on disk.
    pub(super) fn finish(&mut self, mut outcome: Outcome) -> Outcome {
        if self.unkept.is_some() {
            self.held.append(&mut outcome.messages);
        }
        outcome
    }

    fn election_deadline(&self, moment: &mut Moment<'_>) -> Monotonic {
        moment.after_up_to(self.timeouts.election).after(self.timeouts.election)
    }
}
