//! What a member of the quorum is in its epoch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::voters::is_same;
use super::{Ballot, Voters};
use crate::boundary::Durability;
use crate::ids::{DirectoryId, NodeId};
use crate::offset::Offset;
use crate::record::Voter;
use crate::replica::{Positions, Progress, majority};
use crate::time::{Monotonic, Wait};

/// A member's role. Each but the last waits for its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Knows no leader.
    Unattached(Unattached),
    /// Asks whether it would be elected.
    Prospective(Prospective),
    /// Stands for election.
    Candidate(Candidate),
    /// Appends.
    Leader(Leader),
    /// Fetches from the leader.
    Follower(Follower),
    /// Led this epoch and gave it up.
    Resigned(Resigned),
    /// Its disk is lost to it, and with that its vote: it takes no part any more.
    Failed,
}

/// A member that knows no leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unattached {
    /// When a voter asks whether it would be elected, and when an observer asks around for the leader.
    pub(super) deadline: Monotonic,
}

/// A voter that asks whether it would be elected (KIP-996).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prospective {
    pub(super) ballot: Ballot,
    /// Who led when it began to ask: if the others still hear that one, it follows it again.
    pub(super) last_leader: Option<NodeId>,
    /// When it gives up.
    pub(super) deadline: Monotonic,
}

/// A voter that stands for election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub(super) ballot: Ballot,
    /// When it gives up, or asks again having lost.
    pub(super) deadline: Monotonic,
}

/// A member that has given its leadership up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resigned {
    /// When it takes part in elections again.
    pub(super) deadline: Monotonic,
}

/// A member that follows the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    pub(super) leader: NodeId,
    /// Whether it has heard from the leader, and has no hint that the leader is gone.
    pub(super) is_leader_heard: bool,
    /// When it takes the leader for dead.
    pub(super) deadline: Monotonic,
}

/// The leader of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Members that fetch, a node with its folder each: what another folder held says nothing of this one.
    followers: BTreeMap<Voter, Progress>,
    /// The folder by which each node was first heard of: it is the one that a voter votes with whose folder is not known (KIP-853).
    heard: BTreeMap<NodeId, DirectoryId>,
    /// Those who voted for it.
    pub(super) granting: Vec<Voter>,
    began: Monotonic,
    /// When it tells the voters again that it leads that have not fetched since.
    pub(super) announce_at: Monotonic,
}

impl Leader {
    pub(super) fn new(granting: Vec<Voter>, now: Monotonic) -> Self {
        let heard = granting.iter().map(|voter| (voter.node, voter.directory)).collect();
        Self { followers: BTreeMap::new(), heard, granting, began: now, announce_at: now }
    }

    /// Takes that a member fetches.
    pub(super) fn fetched(&mut self, from: Voter, fetch_offset: Offset, durable_offset: Offset, log_end: Offset, now: Monotonic) {
        self.heard.entry(from.node).or_insert(from.directory);
        let progress = self.followers.entry(from).or_insert_with(|| Progress::unheard(now));
        // What is only written does not count in this log.
        let at = Positions { fetch_offset, written_offset: fetch_offset, durable_offset };
        progress.fetched(at, Durability::Flushed, log_end, now);
    }

    /// A member's log does not continue this one: of what it holds nothing counts until it has cut it.
    pub(super) fn diverged(&mut self, from: Voter, now: Monotonic) {
        self.heard.entry(from.node).or_insert(from.directory);
        let progress = self.followers.entry(from).or_insert_with(|| Progress::unheard(now));
        progress.heard = now;
    }

    /// What a member holds, as far as is known. Of a voter whose folder is not known, what the folder holds that was first heard of.
    #[must_use]
    pub fn progress(&self, member: Voter) -> Option<&Progress> {
        let is_known = member.directory != DirectoryId::default();
        let directory = if is_known { member.directory } else { *self.heard.get(&member.node)? };
        self.followers.get(&Voter { node: member.node, directory })
    }

    /// The members that fetch or have fetched, voters or not, with what each holds.
    pub fn followers(&self) -> impl Iterator<Item = (Voter, &Progress)> {
        self.followers.iter().map(|(member, progress)| (*member, progress))
    }

    /// The folder by which a node was first heard of in this epoch.
    #[must_use]
    pub fn heard(&self, node: NodeId) -> Option<DirectoryId> {
        self.heard.get(&node).copied()
    }

    /// What a majority of the voters has on disk, given what this one has.
    pub(super) fn held_by_majority(&self, me: Voter, own_durable: Offset, voters: &Voters) -> Option<Offset> {
        let held = |voter: Voter| {
            if voter.node == me.node && is_same(voter.directory, me.directory) {
                return own_durable;
            }
            self.progress(voter).map_or(Offset::ZERO, |progress| progress.at.durable_offset)
        };
        majority(&voters.iter().map(held).collect::<Vec<_>>())
    }

    /// Until when it may take itself for the leader without hearing more: a majority has asked within `patience`. None when it is a majority
    /// by itself.
    pub(super) fn heard_until(&self, me: Voter, voters: &Voters, patience: Wait) -> Option<Monotonic> {
        let is_voter = voters.contain(me);
        let needed = voters.majority() - usize::from(is_voter);
        let heard = |voter: Voter| self.progress(voter).map_or(self.began, |progress| progress.heard);
        let mut latest: Vec<Monotonic> = voters.others(me.node).map(heard).collect();
        latest.sort_unstable_by(|left, right| right.cmp(left));
        latest.get(needed.checked_sub(1)?).map(|heard| heard.after(patience))
    }

    /// Voters that have not asked for so long.
    pub(super) fn silent<'a>(&'a self, me: Voter, voters: &'a Voters, now: Monotonic, for_wait: Wait) -> impl Iterator<Item = Voter> + 'a {
        voters.others(me.node).filter(move |voter| {
            let heard = self.progress(*voter).map(|progress| progress.heard);
            heard.is_none_or(|heard| now.since(heard) >= for_wait)
        })
    }

    /// The other voters, the one that holds most first.
    pub(super) fn successors(&self, me: Voter, voters: &Voters) -> Vec<NodeId> {
        let mut others: Vec<Voter> = voters.others(me.node).collect();
        others.sort_by_key(|voter| std::cmp::Reverse(self.progress(*voter).map(|progress| progress.at.fetch_offset)));
        others.into_iter().map(|voter| voter.node).collect()
    }
}
