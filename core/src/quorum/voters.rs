//! Who votes (KIP-853): nodes, each with the id of the data folder that its vote is kept in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{DirectoryId, NodeId};
use crate::record::Voter;

/// The voters of the metadata quorum. A voter whose folder is not known yet has the zero id, which stands for any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voters(BTreeMap<NodeId, DirectoryId>);

impl Voters {
    /// Whether `node` with its folder is one of them. A node that was formatted anew is not: it may have voted before, and does not know.
    #[must_use]
    pub fn contain(&self, node: Voter) -> bool {
        self.0.get(&node.node).is_some_and(|&directory| is_same(directory, node.directory))
    }

    /// All of them, by node.
    pub fn iter(&self) -> impl Iterator<Item = Voter> + '_ {
        self.0.iter().map(|(&node, &directory)| Voter { node, directory })
    }

    /// The folder that a node votes with, zero while that is not known; none if the node is no voter.
    #[must_use]
    pub fn directory_of(&self, node: NodeId) -> Option<DirectoryId> {
        self.0.get(&node).copied()
    }

    /// All but one.
    pub fn others(&self, than: NodeId) -> impl Iterator<Item = Voter> + '_ {
        self.iter().filter(move |voter| voter.node != than)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none: a node that has not learned who votes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of them decide.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }
}

impl FromIterator<Voter> for Voters {
    fn from_iter<I: IntoIterator<Item = Voter>>(voters: I) -> Self {
        Self(voters.into_iter().map(|voter| (voter.node, voter.directory)).collect())
    }
}

/// Whether two folders can be the same: one that is not known is any.
pub(super) fn is_same(left: DirectoryId, right: DirectoryId) -> bool {
    left == right || left == DirectoryId::default() || right == DirectoryId::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Uuid;

    fn voter(node: i32, directory: u8) -> Voter {
        Voter { node: NodeId(node), directory: DirectoryId(Uuid([directory; 16])) }
    }

    #[test]
    fn a_voter_that_was_formatted_anew_is_none() {
        let voters: Voters = [voter(1, 1), voter(2, 0)].into_iter().collect();
        assert!(voters.contain(voter(1, 1)));
        assert!(!voters.contain(voter(1, 9)));
        assert!(voters.contain(voter(2, 9)), "its folder is not known yet");
        assert!(!voters.contain(voter(3, 3)));
    }

    #[test]
    fn a_majority_is_more_than_half() {
        let majority = |count: i32| (1..=count).map(|node| voter(node, 0)).collect::<Voters>().majority();
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
    }
}
