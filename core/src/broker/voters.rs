//! Who votes in the metadata quorum, and how that changes while it runs (KIP-853).
//!
//! The voters are those of the last record that says so in this node's log, committed or not; before there is one, those of its settings. A
//! leader appends the next change only when the former one is committed and an entry of its own epoch is: then any two sets that can count
//! votes at the same time have a voter in common in all their majorities. It
//!
//! - *pins* the folder of each voter that the settings name without one, as soon as it hears from it: after that another folder of the same
//!   node does not vote, so that a node that has lost its disk can come back without harm;
//! - *adds* a node once that has caught up, so that nothing waits for one that has not;
//! - *removes* one, itself too: then it leads on until the removal is committed, does not count itself, and resigns.
//!
//! What no pin can help: voters that have lost their folders and voters that have never read a pin do not know of each other that they are
//! not new, if they together are a majority of those in the settings. Whoever formats a voter anew is safe where the settings of that node do
//! not name it: then it does not vote before it is added.
//!
//! One change waits at a time; whoever asks for another meanwhile is told REQUEST_TIMED_OUT, as by Kafka.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::Caller;
use super::deciding::Decision;
use super::timers::Timer;
use super::{Broker, Endpoint};
use crate::boundary::{
    AddRaftVoterRequest, ControllerAnswer, ControllerDecision, Effects, Mark, RaftVoterResponse, RemoveRaftVoterRequest, Response,
};
use crate::error::{ApiError, ErrorCode};
use crate::ids::{DirectoryId, NodeId};
use crate::limits::{ADD_VOTER_MS_MAX, REMOVE_VOTER_MS_MAX};
use crate::metadata::{MetadataRecord, VoterRegistration};
use crate::quorum::Voters;
use crate::record::Voter;
use crate::time::{Monotonic, Wait};

/// A change of the voters that its caller waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingVoters {
    caller: Caller,
    change: VoterChange,
    /// Whether the caller is told once it is committed, and not already when it is appended (KIP-1186).
    waits_for_commit: bool,
    deadline: Monotonic,
}

/// One voter more or less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum VoterChange {
    Add(VoterRegistration),
    Remove(Voter),
}

impl Broker {
    /// The voters by this node's log, up to its end.
    pub(super) fn registered_voters(&self) -> Vec<VoterRegistration> {
        let in_log = self.metadata.as_ref().and_then(|metadata| metadata.unapplied_voters()).unwrap_or(&self.image.voters);
        if in_log.is_empty() { self.settings.voters.iter().map(VoterRegistration::of).collect() } else { in_log.to_vec() }
    }

    /// The voters as far as the log is known to be committed.
    fn committed_voters(&self) -> Voters {
        let committed = &self.image.voters;
        if committed.is_empty() { self.settings.voters.clone() } else { committed.iter().map(VoterRegistration::voter).collect() }
    }

    /// Where the voters serve as controllers, as far as the log or the settings say.
    pub(super) fn controller_endpoints(&self) -> BTreeMap<NodeId, Endpoint> {
        let endpoint_of = |voter: &VoterRegistration| voter.endpoints.first().or_else(|| self.settings.controllers.get(&voter.node)).cloned();
        self.registered_voters().iter().filter_map(|voter| Some((voter.node, endpoint_of(voter)?))).collect()
    }

    /// The log's end is another: the voters that it names are in force from here on, also where they are not committed.
    pub(super) fn follow_voters(&mut self, effects: &mut Effects) {
        self.quorum.settle_voters(self.committed_voters());
        let voters: Voters = self.registered_voters().iter().map(VoterRegistration::voter).collect();
        if voters != *self.quorum.voters() {
            self.quorum.set_voters(voters);
            self.timers.set(Timer::Quorum, self.quorum.deadline());
            effects.metadata_changed = true;
        }
    }

    /// AddRaftVoter, at the controller: the answer, if it is known already.
    pub(super) fn add_voter(&mut self, caller: Caller, request: AddRaftVoterRequest) -> Option<Decision> {
        let AddRaftVoterRequest { cluster_id, timeout_ms, voter, endpoints, ack_when_committed } = request;
        if voter.directory == DirectoryId::default() || voter.node.0 < 0 {
            return refused(ErrorCode::InvalidRequest, "A voter is named by its node and the directory id of its folder");
        }
        if endpoints.is_empty() {
            return refused(ErrorCode::InvalidRequest, "A voter needs a listener");
        }
        let change = VoterChange::Add(VoterRegistration { node: voter.node, directory: voter.directory, endpoints });
        let patience_ms = timeout_ms.clamp(1, ADD_VOTER_MS_MAX);
        self.change_voters(caller, cluster_id.as_deref(), change, ack_when_committed, patience_ms)
    }

    /// RemoveRaftVoter, at the controller: the answer, if it is known already.
    pub(super) fn remove_voter(&mut self, caller: Caller, request: &RemoveRaftVoterRequest) -> Option<Decision> {
        let Voter { node, directory } = request.voter;
        let voters = self.registered_voters();
        let registered = voters.iter().find(|voter| voter.node == node);
        // Who is not told of folders means the voter that the node is.
        let is_untold = directory == DirectoryId::default() && !self.tells_folders();
        let directory = registered.filter(|_| is_untold).map_or(directory, |voter| voter.directory);
        let change = VoterChange::Remove(Voter { node, directory });
        self.change_voters(caller, request.cluster_id.as_deref(), change, true, REMOVE_VOTER_MS_MAX)
    }

    fn change_voters(
        &mut self,
        caller: Caller,
        cluster_id: Option<&str>,
        change: VoterChange,
        waits_for_commit: bool,
        patience_ms: i32,
    ) -> Option<Decision> {
        if cluster_id.is_some_and(|id| id != self.settings.cluster_id) {
            return refused(ErrorCode::InconsistentClusterId, "This is another cluster");
        }
        if self.pending_voters.as_ref().is_some_and(|pending| pending.caller != caller) {
            return refused(
                ErrorCode::RequestTimedOut,
                "Request timed out waiting for the leader to handle a change of the voters that came before",
            );
        }
        if let Err(error) = changed(self.registered_voters(), &change) {
            return Some((Vec::new(), answer(Err(error))));
        }
        let deadline = self.now.monotonic.after(Wait::from_ms(i64::from(patience_ms)));
        self.timers.set(Timer::Voters, deadline);
        self.pending_voters = Some(PendingVoters { caller, change, waits_for_commit, deadline });
        None
    }

    /// Appends the change of the voters whose time has come, if this node leads.
    pub(super) fn advance_voters(&mut self, effects: &mut Effects) {
        let has_unknown = self.quorum.voters().iter().any(|voter| voter.directory == DirectoryId::default());
        if (self.pending_voters.is_none() && !has_unknown) || self.controller.is_none() || !self.may_change_voters() {
            return;
        }
        let voters = self.registered_voters();
        if let Some(pinned) = self.pinned(&voters) {
            return self.append_voters(pinned, effects);
        }
        let Some(PendingVoters { caller, change, waits_for_commit, .. }) =
            self.pending_voters.take_if(|pending| is_caught_up(&self.quorum, &pending.change, self.now.monotonic))
        else {
            return;
        };
        self.timers.cancel(&Timer::Voters);
        match changed(voters, &change) {
            Ok(voters) if waits_for_commit => {
                self.conclude(caller, (vec![MetadataRecord::Voters { voters }], answer(Ok(()))), effects);
            }
            Ok(voters) => {
                self.append_voters(voters, effects);
                let decision = ControllerDecision { answer: Some(answer(Ok(()))), ..caller.undecided() };
                self.deliver(caller, decision, effects);
            }
            Err(error) => self.conclude(caller, (Vec::new(), answer(Err(error))), effects),
        }
    }

    /// Whether no majority of older voters can decide anything that this leader does not know (the flaw of Raft's single-server changes, in
    /// the thesis' erratum): an entry of its epoch is committed, and so is every change of the voters.
    fn may_change_voters(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.has_committed_own() && metadata.unapplied_voters().is_none())
    }

    /// The voters with the folders that this leader has heard of, if there are any that they lack.
    fn pinned(&self, voters: &[VoterRegistration]) -> Option<Vec<VoterRegistration>> {
        let leader = self.quorum.leading()?;
        let (me, own) = (self.settings.node, self.settings.directory);
        let pinned: Vec<VoterRegistration> = voters
            .iter()
            .map(|voter| {
                let heard = if voter.node == me { Some(own) } else { leader.heard(voter.node) };
                let is_known = voter.directory != DirectoryId::default();
                let directory = heard.filter(|_| !is_known).unwrap_or(voter.directory);
                VoterRegistration { directory, ..voter.clone() }
            })
            .collect();
        (pinned != voters).then_some(pinned)
    }

    fn append_voters(&mut self, voters: Vec<VoterRegistration>, effects: &mut Effects) {
        self.decide_alone(&[MetadataRecord::Voters { voters }], effects);
    }

    /// What is committed says who votes: a leader that does not leads no longer.
    pub(super) fn follow_removal(&mut self, effects: &mut Effects) {
        let is_committed = self.metadata.as_ref().is_some_and(|metadata| metadata.unapplied_voters().is_none());
        if is_committed && self.quorum.is_leader() && !self.quorum.is_voter() {
            effects.info("this node has been removed from the voters, and leads no longer".to_owned());
            self.leave_voters(effects);
        }
    }

    /// Nobody knows whether the change comes to anything that a caller waits for: this node leads no longer.
    pub(super) fn abandon_voters(&mut self, effects: &mut Effects) {
        self.timers.cancel(&Timer::Voters);
        if let Some(pending) = self.pending_voters.take() {
            self.deliver(pending.caller, pending.caller.undecided(), effects);
        }
    }

    /// The caller has waited long enough.
    pub(super) fn voters_timed_out(&mut self, effects: &mut Effects) {
        let Some(pending) = self.pending_voters.take() else { return };
        let why = match pending.change {
            VoterChange::Add(_) => "Request timed out waiting for the new voter to catch up, or for a change that came before",
            VoterChange::Remove(_) => "Request timed out waiting for a change of the voters that came before",
        };
        self.conclude(pending.caller, (Vec::new(), answer(Err(ApiError::new(ErrorCode::RequestTimedOut, why)))), effects);
    }

    /// Notes what a change of the voters is that this leader has committed.
    pub(super) fn mark_voters(&self, record: &MetadataRecord, effects: &mut Effects) {
        let MetadataRecord::Voters { voters } = record else { return };
        if !self.quorum.is_leader() {
            return;
        }
        let before = self.committed_voters();
        for voter in voters {
            match before.directory_of(voter.node) {
                None => effects.mark(Mark::VoterAdded),
                Some(directory) if directory != voter.directory => effects.mark(Mark::VoterPinned),
                Some(_) => {}
            }
        }
        if before.iter().any(|voter| voters.iter().all(|kept| kept.node != voter.node)) {
            effects.mark(Mark::VoterRemoved);
        }
    }
}

/// The voters after a change.
fn changed(mut voters: Vec<VoterRegistration>, change: &VoterChange) -> Result<Vec<VoterRegistration>, ApiError> {
    match change {
        VoterChange::Add(added) => {
            if voters.iter().any(|voter| voter.node == added.node) {
                let words = format!("The voter id {} is already part of the set of voters", added.node);
                return Err(ApiError::new(ErrorCode::DuplicateVoter, words));
            }
            voters.push(added.clone());
            voters.sort_by_key(|voter| voter.node);
        }
        VoterChange::Remove(removed) => {
            let Some(at) = voters.iter().position(|voter| voter.voter() == *removed) else {
                let words = format!("Cannot remove voter {} with directory {}: it is none", removed.node, removed.directory);
                return Err(ApiError::new(ErrorCode::VoterNotFound, words));
            };
            if voters.len() == 1 {
                return Err(ApiError::new(ErrorCode::InvalidRequest, "Cannot remove the last voter"));
            }
            voters.remove(at);
        }
    }
    Ok(voters)
}

/// Whether nothing would have to wait for a node to catch up that is added.
fn is_caught_up(quorum: &crate::quorum::Quorum, change: &VoterChange, now: Monotonic) -> bool {
    match change {
        VoterChange::Add(added) => quorum.is_caught_up(added.voter(), now),
        VoterChange::Remove(_) => true,
    }
}

fn refused(code: ErrorCode, words: &str) -> Option<Decision> {
    Some((Vec::new(), answer(Err(ApiError::new(code, words)))))
}

fn answer(result: Result<(), ApiError>) -> ControllerAnswer {
    ControllerAnswer::Response(Box::new(Response::RaftVoter(RaftVoterResponse { result })))
}
