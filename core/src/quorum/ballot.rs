//! Votes as they come in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Voters;
use super::voters::is_same;
use crate::ids::NodeId;
use crate::record::Voter;

/// The votes of one election, or of one asking beforehand, each by the node with the folder that keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    granted: BTreeSet<Voter>,
    refused: BTreeSet<Voter>,
}

/// How an election stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A majority is for it.
    Won,
    /// So many are against it that no majority can be for it.
    Lost,
    /// Neither.
    Open,
}

impl Ballot {
    /// Takes a vote. Who has granted its own does not take it back.
    pub(super) fn take(&mut self, from: Voter, is_granted: bool) {
        if is_granted {
            self.refused.remove(&from);
            self.granted.insert(from);
        } else if !self.granted.contains(&from) {
            self.refused.insert(from);
        }
    }

    /// Counts the votes of those who may vote: of a node that was formatted anew none, for it may have voted before (KIP-853).
    pub(super) fn count(&self, voters: &Voters) -> Count {
        let count = |side: &BTreeSet<Voter>| voters.iter().filter(|voter| find(side, *voter).is_some()).count();
        if count(&self.granted) >= voters.majority() {
            Count::Won
        } else if count(&self.refused) > voters.len() - voters.majority() {
            Count::Lost
        } else {
            Count::Open
        }
    }

    /// Whether somebody has refused, and nobody else is left to decide it: the others are `unheard`.
    pub(super) fn is_split(&self, voters: &Voters, unheard: &BTreeSet<NodeId>) -> bool {
        let has_voted = |voter: Voter| find(&self.granted, voter).is_some() || find(&self.refused, voter).is_some();
        let is_awaited = |voter: Voter| !has_voted(voter) && !unheard.contains(&voter.node);
        !self.refused.is_empty() && !voters.iter().any(is_awaited)
    }

    /// Those who granted their vote, with their folders.
    pub(super) fn granting(&self, voters: &Voters) -> Vec<Voter> {
        voters.iter().filter_map(|voter| find(&self.granted, voter)).collect()
    }
}

fn find(side: &BTreeSet<Voter>, voter: Voter) -> Option<Voter> {
    side.iter().copied().find(|from| from.node == voter.node && is_same(from.directory, voter.directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DirectoryId, Uuid};

    fn voters(count: i32) -> Voters {
        (1..=count).map(|node| Voter { node: NodeId(node), directory: DirectoryId::default() }).collect()
    }

    fn count(ballot: &[(i32, bool)], voters_count: i32) -> Count {
        let mut votes = Ballot::default();
        ballot.iter().for_each(|&(from, is_granted)| votes.take(voter(from, 1), is_granted));
        votes.count(&voters(voters_count))
    }

    fn voter(node: i32, directory: u8) -> Voter {
        Voter { node: NodeId(node), directory: DirectoryId(Uuid([directory; 16])) }
    }

    #[test]
    fn a_majority_wins() {
        assert_eq!(count(&[(1, true)], 1), Count::Won);
        assert_eq!(count(&[(1, true)], 3), Count::Open);
        assert_eq!(count(&[(1, true), (2, true)], 3), Count::Won);
        assert_eq!(count(&[(1, true), (2, true)], 4), Count::Open);
    }

    #[test]
    fn an_election_is_lost_once_no_majority_is_left() {
        assert_eq!(count(&[(1, true), (2, false)], 3), Count::Open);
        assert_eq!(count(&[(1, true), (2, false), (3, false)], 3), Count::Lost);
        assert_eq!(count(&[(1, true), (2, false), (3, false)], 4), Count::Lost);
    }

    #[test]
    fn votes_of_others_do_not_count() {
        assert_eq!(count(&[(1, true), (7, true), (8, true)], 3), Count::Open);
    }

    #[test]
    fn a_vote_from_another_folder_does_not_count() {
        let pinned: Voters = (1..=3).map(|node| voter(node, 1)).collect();
        let mut votes = Ballot::default();
        votes.take(voter(1, 1), true);
        votes.take(voter(2, 9), true);
        assert_eq!(votes.count(&pinned), Count::Open);
        votes.take(voter(2, 1), true);
        assert_eq!(votes.count(&pinned), Count::Won);
        assert_eq!(votes.granting(&pinned), [voter(1, 1), voter(2, 1)]);
    }

    #[test]
    fn a_node_whose_folder_is_not_known_votes_once() {
        let mut votes = Ballot::default();
        votes.take(voter(2, 8), true);
        votes.take(voter(2, 9), true);
        assert_eq!(votes.count(&voters(3)), Count::Open);
    }

    #[test]
    fn a_granted_vote_stays() {
        assert_eq!(count(&[(1, true), (2, true), (2, false)], 3), Count::Won);
    }
}
