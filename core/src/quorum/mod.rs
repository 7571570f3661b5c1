//! The metadata quorum: who may append to the metadata log.
//!
//! | from | on | to |
//! | --- | --- | --- |
//! | unattached, follower | its deadline, and it is a voter | prospective: asks whether it would be elected (KIP-996) |
//! | unattached, follower | it is the only voter, at its start | candidate |
//! | follower | the connection to the leader is lost, or the leader says that it ends | follower whose deadline is near |
//! | prospective | a majority would vote for it | candidate: epoch + 1, a vote for itself |
//! | prospective | no majority would, or its deadline | follower of the leader that it knew, otherwise unattached |
//! | candidate | the votes are a majority | leader |
//! | candidate | no majority votes for it, or its deadline | prospective, after a while; soon, if only members are left to vote that are not heard |
//! | leader | no majority has fetched for 1.5 times the fetch timeout (check-quorum) | resigned |
//! | leader | it is asked to stop, or is no voter any more and that is committed (KIP-853) | resigned: names its successors |
//! | resigned | its deadline | prospective |
//! | any | a later epoch | follower of its leader, or unattached while that is not known |
//! | any but leader and resigned | the leader of its own epoch | follower |
//! | any | its disk fails | failed, for the rest of this run |
//!
//! A vote counts, even a node's own, and an answer leaves only once the epoch and the vote that it speaks of are on disk (Raft §5.2, KIP-595):
//! messages wait in here for that. A voter is a node with its data folder: one that was formatted anew is an observer until it is added
//! again, for it may have voted and can't know (KIP-853). Observers never ask for votes, and what they say in a ballot does not count. They
//! do vote when they are asked by who knows their folder for a voter's: they have been added, and have not read it yet.
//!
//! Who votes the metadata log says, from where it is appended on, committed or not: [`set_voters`](Quorum::set_voters). Two sets of which one
//! follows the other differ by one voter, so that any majorities of both have a member in common.

mod ballot;
mod message;
mod outcome;
mod role;
mod voters;
mod voting;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::ballot::Ballot;
use self::ballot::Count;
pub use self::message::{Known, LogEnd, QuorumMessage, Vote, VoteRequest};
pub use self::outcome::{Moment, Outcome, QuorumTimeouts};
pub use self::role::{Candidate, Follower, Leader, Prospective, Resigned, Role, Unattached};
pub use self::voters::Voters;
use crate::boundary::ElectionState;
use crate::epoch::QuorumEpoch;
use crate::ids::NodeId;
use crate::offset::Offset;
use crate::record::Voter;
use crate::time::Monotonic;

/// A member of the metadata quorum: a voter, or an observer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    me: Voter,
    voters: Voters,
    timeouts: QuorumTimeouts,
    quorum_epoch: QuorumEpoch,
    voted_for: Option<Voter>,
    role: Role,
    /// What was last asked to be kept, while it is not.
    unkept: Option<ElectionState>,
    /// Messages that speak of it.
    held: Vec<(NodeId, QuorumMessage)>,
    /// Members whose connections were lost and that have said nothing since.
    unheard: BTreeSet<NodeId>,
    /// Who votes as far as that is known to be committed.
    settled: Voters,
    /// Others that may know who leads.
    acquaintances: BTreeSet<NodeId>,
}

impl Quorum {
    /// A member that has not started.
    #[must_use]
    pub fn new(me: Voter, voters: Voters, timeouts: QuorumTimeouts) -> Self {
        let role = Role::Unattached(Unattached { deadline: Monotonic(u64::MAX) });
        let settled = voters.clone();
        Self {
            me,
            voters,
            timeouts,
            quorum_epoch: QuorumEpoch::ZERO,
            voted_for: None,
            role,
            unkept: None,
            held: Vec::new(),
            unheard: BTreeSet::new(),
            settled,
            acquaintances: BTreeSet::new(),
        }
    }

    /// Whether it leads, or hears who does.
    #[must_use]
    pub fn hears_leader(&self) -> bool {
        match &self.role {
            Role::Leader(_) => true,
            Role::Follower(follower) => follower.is_leader_heard,
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Resigned(_) | Role::Failed => false,
        }
    }

    /// Takes in whom an observer may ask for the leader, beside the voters that it knows: it may know none, or none that are left.
    pub fn ask_also(&mut self, acquaintances: impl IntoIterator<Item = NodeId>) {
        self.acquaintances = acquaintances.into_iter().filter(|node| *node != self.me.node).collect();
    }

    /// Takes part from here on, given its last vote and the epoch of its log's last entry: a vote that was lost must not let an older epoch
    /// begin. A voter that is alone stands for election at once.
    pub fn start(&mut self, last: Option<&ElectionState>, in_log: Option<QuorumEpoch>, moment: &mut Moment<'_>) -> Outcome {
        let voted_in = last.map(|last| last.quorum_epoch);
        self.quorum_epoch = voted_in.max(in_log).unwrap_or(QuorumEpoch::ZERO);
        self.voted_for = last.filter(|last| last.quorum_epoch == self.quorum_epoch).and_then(|last| last.voted_for);
        let mut outcome = Outcome::default();
        if self.is_voter() && self.voters.len() == 1 {
            self.become_candidate(moment, &mut outcome);
        } else {
            // A short wait: who asks too early is told of the leader, and nobody votes.
            let deadline = moment.after_up_to(self.timeouts.backoff_max);
            self.role = Role::Unattached(Unattached { deadline });
        }
        self.finish(outcome)
    }

    /// The vote is on disk.
    pub fn kept(&mut self, kept: &ElectionState, log_end: LogEnd, moment: &mut Moment<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if self.unkept.as_ref() != Some(kept) {
            return outcome;
        }
        self.unkept = None;
        outcome.messages.append(&mut self.held);
        if let Role::Candidate(candidate) = &mut self.role {
            candidate.ballot.take(self.me, true);
            self.count_votes(log_end, moment, &mut outcome);
        }
        self.finish(outcome)
    }

    /// Takes a message from another member.
    pub fn receive(&mut self, from: NodeId, message: QuorumMessage, log_end: LogEnd, moment: &mut Moment<'_>) -> Outcome {
        self.unheard.remove(&from);
        let mut outcome = Outcome::default();
        if self.role == Role::Failed {
            return outcome;
        }
        match message {
            QuorumMessage::Vote(request) => self.take_vote_request(from, request, log_end, moment, &mut outcome),
            QuorumMessage::Voted(vote) => self.take_vote(from, vote, log_end, moment, &mut outcome),
            QuorumMessage::Begin { quorum_epoch } => {
                let known = Known { quorum_epoch, leader: Some(from) };
                self.learn(from, known, moment, &mut outcome);
            }
            QuorumMessage::Known(known) => self.learn(from, known, moment, &mut outcome),
            QuorumMessage::End { quorum_epoch, successors } => self.leader_ended(from, quorum_epoch, &successors, moment),
        }
        self.finish(outcome)
    }

    /// What follows from the time.
    pub fn timed_out(&mut self, log_end: LogEnd, moment: &mut Moment<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if self.deadline() > moment.now {
            return outcome;
        }
        match &self.role {
            Role::Unattached(_) | Role::Follower(_) | Role::Candidate(_) | Role::Resigned(_) if self.may_stand() => {
                self.become_prospective(log_end, moment, &mut outcome);
            }
            Role::Unattached(_) | Role::Follower(_) | Role::Candidate(_) | Role::Resigned(_) => self.ask_around(moment, &mut outcome),
            Role::Prospective(prospective) => {
                let last_leader = prospective.last_leader;
                self.give_up_asking(last_leader, moment);
            }
            Role::Leader(leader) => {
                let patience = self.timeouts.check_quorum();
                if leader.heard_until(self.me, &self.voters, patience).is_some_and(|until| until <= moment.now) {
                    self.resign(moment, &mut outcome);
                } else {
                    self.announce(moment, &mut outcome);
                }
            }
            Role::Failed => {}
        }
        self.finish(outcome)
    }

    /// The connection to a member is lost: a hint, which others may not share.
    pub fn connection_lost(&mut self, to: NodeId, moment: &mut Moment<'_>) {
        self.unheard.insert(to);
        if let Role::Follower(follower) = &mut self.role
            && follower.leader == to
        {
            follower.is_leader_heard = false;
            follower.deadline = follower.deadline.min(moment.after_up_to(self.timeouts.hint_wait_max()));
        }
    }

    /// A fetch was answered by the leader.
    pub fn heard_from_leader(&mut self, from: NodeId, quorum_epoch: QuorumEpoch, now: Monotonic) {
        if let Role::Follower(follower) = &mut self.role
            && follower.leader == from
            && self.quorum_epoch == quorum_epoch
        {
            follower.is_leader_heard = true;
            follower.deadline = now.after(self.timeouts.fetch);
        }
    }

    /// A member fetches from this leader; whether what it holds continues the leader's log.
    pub fn member_fetched(&mut self, from: Voter, fetch_offset: Offset, durable_offset: Offset, log_end: Offset, now: Monotonic) {
        if let Role::Leader(leader) = &mut self.role {
            leader.fetched(from, fetch_offset, durable_offset, log_end, now);
        }
    }

    /// A member fetches whose log does not continue this leader's.
    pub fn member_diverged(&mut self, from: Voter, now: Monotonic) {
        if let Role::Leader(leader) = &mut self.role {
            leader.diverged(from, now);
        }
    }

    /// The node is about to stop: a leader names its successors, so that they need not wait for a timeout.
    pub fn stop(&mut self, moment: &mut Moment<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if matches!(self.role, Role::Leader(_)) && self.voters.len() > 1 {
            self.resign(moment, &mut outcome);
        }
        self.finish(outcome)
    }

    /// Its removal from the voters is committed: it has led on until here, and leaves the rest to others (KIP-853).
    pub fn removal_committed(&mut self, moment: &mut Moment<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if !self.is_voter() {
            self.resign(moment, &mut outcome);
        }
        self.finish(outcome)
    }

    /// Gives up: its disk has failed.
    pub fn fail(&mut self) {
        self.role = Role::Failed;
        self.held.clear();
        self.unkept = None;
    }

    /// The voters are others from here on.
    pub fn set_voters(&mut self, voters: Voters) {
        self.voters = voters;
    }

    /// When [`timed_out`](Self::timed_out) is wanted.
    #[must_use]
    pub fn deadline(&self) -> Monotonic {
        match &self.role {
            Role::Unattached(unattached) => unattached.deadline,
            Role::Prospective(prospective) => prospective.deadline,
            Role::Candidate(candidate) => candidate.deadline,
            Role::Follower(follower) => follower.deadline,
            Role::Resigned(resigned) => resigned.deadline,
            Role::Leader(_) if self.voters.others(self.me.node).next().is_none() => Monotonic(u64::MAX),
            Role::Leader(leader) => {
                let until = leader.heard_until(self.me, &self.voters, self.timeouts.check_quorum());
                until.map_or(leader.announce_at, |until| until.min(leader.announce_at))
            }
            Role::Failed => Monotonic(u64::MAX),
        }
    }

    /// How far the metadata log is on the disks of a majority, given this leader's own disk. None unless it leads.
    #[must_use]
    pub fn held_by_majority(&self, own_durable: Offset) -> Option<Offset> {
        match &self.role {
            Role::Leader(leader) => leader.held_by_majority(self.me, own_durable, &self.voters),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Follower(_) | Role::Resigned(_) | Role::Failed => None,
        }
    }

    /// Whether a member holds, or lately held, all that this leader has on its disk.
    #[must_use]
    pub fn is_caught_up(&self, member: Voter, now: Monotonic) -> bool {
        let progress = self.leading().and_then(|leader| leader.progress(member));
        progress.and_then(|progress| progress.caught_up).is_some_and(|at| now.since(at) <= self.timeouts.fetch)
    }

    /// What it knows of the members, if it leads.
    #[must_use]
    pub fn leading(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Follower(_) | Role::Resigned(_) | Role::Failed => None,
        }
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its epoch.
    #[must_use]
    pub fn quorum_epoch(&self) -> QuorumEpoch {
        self.quorum_epoch
    }

    /// The leader of its epoch, if it knows: itself, or the one that it follows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leader(_) => Some(self.me.node),
            Role::Follower(follower) => Some(follower.leader),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Resigned(_) | Role::Failed => None,
        }
    }

    /// Whether it leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Who votes.
    #[must_use]
    pub fn voters(&self) -> &Voters {
        &self.voters
    }

    /// Takes who votes as far as that is committed.
    pub fn settle_voters(&mut self, voters: Voters) {
        self.settled = voters;
    }

    /// Whether this node may stand for election: also one that its own log has removed, while that is not committed. It may be the only one whose
    /// log is long enough to be elected (Raft dissertation §4.2.2).
    fn may_stand(&self) -> bool {
        self.is_voter() || self.settled.contain(self.me)
    }

    /// Whether this node, with its folder, votes.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.voters.contain(self.me)
    }

    /// Those who voted for this leader.
    #[must_use]
    pub fn granting_voters(&self) -> Vec<Voter> {
        match &self.role {
            Role::Leader(leader) => leader.granting.clone(),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Follower(_) | Role::Resigned(_) | Role::Failed => {
                Vec::new()
            }
        }
    }

    /// What it knows.
    #[must_use]
    pub fn known(&self) -> Known {
        Known { quorum_epoch: self.quorum_epoch, leader: self.leader() }
    }
}
