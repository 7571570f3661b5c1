//! Votes as they come in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Voters;
use crate::ids::NodeId;
use crate::record::Voter;

/// The votes of one election, or of one asking beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    granted: BTreeSet<NodeId>,
    refused: BTreeSet<NodeId>,
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
    pub(super) fn take(&mut self, from: NodeId, is_granted: bool) {
        if is_granted {
            self.refused.remove(&from);
            self.granted.insert(from);
        } else if !self.granted.contains(&from) {
            self.refused.insert(from);
        }
    }

    /// Counts the votes of those who may vote.
    pub(super) fn count(&self, voters: &Voters) -> Count {
        let count = |side: &BTreeSet<NodeId>| voters.iter().filter(|voter| side.contains(&voter.node)).count();
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
        let is_awaited = |node: NodeId| !self.granted.contains(&node) && !self.refused.contains(&node) && !unheard.contains(&node);
        !self.refused.is_empty() && !voters.iter().any(|voter| is_awaited(voter.node))
    }

    /// Those who granted their vote.
    pub(super) fn granting(&self, voters: &Voters) -> Vec<Voter> {
        voters.iter().filter(|voter| self.granted.contains(&voter.node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DirectoryId;

    fn voters(count: i32) -> Voters {
        (1..=count).map(|node| Voter { node: NodeId(node), directory: DirectoryId::default() }).collect()
    }

    fn count(ballot: &[(i32, bool)], voters_count: i32) -> Count {
        let mut votes = Ballot::default();
        ballot.iter().for_each(|&(from, is_granted)| votes.take(NodeId(from), is_granted));
        votes.count(&voters(voters_count))
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
    fn a_granted_vote_stays() {
        assert_eq!(count(&[(1, true), (2, true), (2, false)], 3), Count::Won);
    }
}
