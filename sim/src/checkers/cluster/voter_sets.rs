//! Who votes at which place of the metadata log, as the log's own records say, and what may befall the voters.
//!
//! Nothing here is taken from what a node says of its voters. A record is known by its offset and epoch, of which there is one in all logs
//! (LogMatching); whether it is in a node's log the log's epochs say.
//!
//! VoterChanges: in a leader's log one change of the voters at most is not committed (KIP-853).

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::boundary::{Effects, StorageOp};
use gracchus_core::broker::{Broker, View};
use gracchus_core::epoch::LeaderEpoch;
use gracchus_core::ids::{DirectoryId, LogId, NodeId};
use gracchus_core::log::Log;
use gracchus_core::metadata::{MetadataRecord, decode};
use gracchus_core::offset::Offset;
use gracchus_core::quorum::Role;
use gracchus_core::record::{HEADER_BYTES, Records, Voter};

use crate::checkers::Violation;

/// A change of the voters that an operator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoterChange {
    /// A node with its folder is to vote.
    Add(Voter),
    /// A voter is to be none.
    Remove(Voter),
}

impl VoterChange {
    /// What undoes it.
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Add(voter) => Self::Remove(voter),
            Self::Remove(voter) => Self::Add(voter),
        }
    }
}

/// How much likelier an operator is to take away a voter whose folder is gone, and to add a node, than to take away one that is well.
const GONE_WEIGHT: usize = 4;
const ADD_WEIGHT: usize = 2;
/// So many voters an operator leaves.
const VOTERS_MIN: usize = 2;

#[derive(Debug, Default)]
pub(super) struct VoterSets {
    /// The voters before the log names any, each with its first folder: until that is written down no disk is taken from it.
    initial: Vec<Voter>,
    /// Those that may ever vote.
    controllers: BTreeSet<NodeId>,
    /// Whether the settings name only the nodes, so that a node that has lost its folder does not know by itself that it is no voter.
    are_folders_unnamed: bool,
    records: BTreeMap<(Offset, LeaderEpoch), Vec<Voter>>,
    /// Those of them that are committed: a log that begins behind one by a snapshot has it too.
    settled: BTreeSet<(Offset, LeaderEpoch)>,
    /// The furthest that any node knew to be committed, and who votes there.
    committed: Offset,
    committed_voters: Vec<Voter>,
    /// The folder that each node has, unless it is new and nobody has seen it.
    folders: BTreeMap<NodeId, DirectoryId>,
    /// Where each node's log ended after its last step.
    ends: BTreeMap<NodeId, Offset>,
    /// Nodes that have on disk that all folders are written down, and know it to be committed.
    aware: BTreeSet<NodeId>,
}

impl VoterSets {
    pub(super) fn start(&mut self, initial: Vec<Voter>, controllers: BTreeSet<NodeId>, are_folders_unnamed: bool) {
        self.controllers = controllers;
        self.committed_voters.clone_from(&initial);
        self.initial = initial;
        self.are_folders_unnamed = are_folders_unnamed;
    }

    /// Takes the records that a node appends, before anybody asks who votes.
    pub(super) fn learn(&mut self, effects: &Effects) {
        for op in &effects.storage {
            let StorageOp::Append { log: LogId::Metadata, header, payload, .. } = op else { continue };
            if header.is_control {
                continue;
            }
            let section = payload.bytes().get(HEADER_BYTES..).unwrap_or_default();
            for record in Records::new(section) {
                let record = record.expect("what a node appends is sound");
                let offset = header.base_offset.plus(i64::from(record.offset_delta));
                if let Ok(MetadataRecord::Voters { voters }) = decode(record.value.unwrap_or_default()) {
                    let known = |voter: Voter| if voter.directory == DirectoryId::default() { self.first_folder(voter) } else { voter };
                    let voters = voters.iter().map(|voter| known(voter.voter())).collect();
                    self.records.insert((offset, header.leader_epoch), voters);
                }
            }
        }
    }

    /// A voter whose folder is not written down has the one that it was made with.
    fn first_folder(&self, voter: Voter) -> Voter {
        self.initial.iter().copied().find(|initial| initial.node == voter.node).unwrap_or(voter)
    }

    /// The voters by a node's log up to where it ended before this step.
    pub(super) fn before(&self, node: NodeId, view: &View<'_>) -> &[Voter] {
        let Some(log) = view.metadata_log() else { return &self.initial };
        self.at(log, self.ends.get(&node).copied().unwrap_or_else(|| log.end()))
    }

    fn at(&self, log: &Log, upto: Offset) -> &[Voter] {
        self.at_record(log, upto).map_or(&self.initial, |(_, voters)| voters)
    }

    fn at_record(&self, log: &Log, upto: Offset) -> Option<(Offset, &[Voter])> {
        let is_in = |offset: Offset, leader_epoch| {
            if offset < log.start() {
                self.settled.contains(&(offset, leader_epoch))
            } else {
                log.epochs().epoch_of(offset) == Some(leader_epoch)
            }
        };
        let earlier = self.records.range(..(upto, LeaderEpoch::NONE)).rev();
        let mut found = earlier.filter(|((offset, leader_epoch), _)| *offset < log.end() && is_in(*offset, *leader_epoch));
        found.next().map(|((offset, _), voters)| (*offset, voters.as_slice()))
    }

    /// Takes what a node holds, when everybody has asked.
    pub(super) fn stepped(&mut self, node: NodeId, broker: &Broker) -> Result<(), Violation> {
        let view = broker.view();
        self.folders.insert(node, broker.settings().directory);
        let (Some(log), Some(high_watermark)) = (view.metadata_log(), view.metadata_high_watermark()) else { return Ok(()) };
        if let (Role::Leader(_), _) = view.quorum() {
            // Who has just been elected may not know how far others had committed.
            let committed = high_watermark.max(self.committed);
            let later = self.records.range((committed, LeaderEpoch::NONE)..).map(|(at, _)| *at);
            let is_in = |offset: Offset, leader_epoch| offset < log.end() && log.epochs().epoch_of(offset) == Some(leader_epoch);
            let waiting = later.filter(|(offset, leader_epoch)| is_in(*offset, *leader_epoch)).count();
            if waiting > 1 {
                let what = format!("node {node} has {waiting} changes of the voters behind {committed}, up to which all is committed");
                return Err(Violation::safety("VoterChanges", what));
            }
        }
        self.ends.insert(node, log.end());
        if high_watermark > self.committed {
            let news = self.records.range((self.committed, LeaderEpoch::NONE)..(high_watermark, LeaderEpoch::NONE)).map(|(at, _)| *at);
            let is_here = |(offset, leader_epoch): &(Offset, LeaderEpoch)| log.epochs().epoch_of(*offset) == Some(*leader_epoch);
            self.settled.extend(news.filter(is_here));
            self.committed = high_watermark;
            self.committed_voters = self.at(log, high_watermark).to_vec();
        }
        let named = high_watermark.min(log.synced());
        if self.are_folders_unnamed && !self.aware.contains(&node) && self.at_record(log, named).is_some() {
            let unnamed =
                |voters: &[gracchus_core::metadata::VoterRegistration]| voters.iter().any(|voter| voter.directory == DirectoryId::default());
            let image = &view.image().voters;
            if !image.is_empty() && !unnamed(image) {
                self.aware.insert(node);
            }
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, node: NodeId) {
        self.ends.remove(&node);
    }

    pub(super) fn disk_replaced(&mut self, node: NodeId) {
        self.ends.remove(&node);
        self.folders.remove(&node);
        self.aware.remove(&node);
    }

    /// The voters that may count votes: those that are committed, and any that a later record may put in their place.
    fn possible(&self) -> impl Iterator<Item = &[Voter]> {
        let later = self.records.range((self.committed, LeaderEpoch::NONE)..).map(|(_, voters)| voters.as_slice());
        std::iter::once(self.committed_voters.as_slice()).chain(later)
    }

    fn is_well(&self, voter: Voter) -> bool {
        self.folders.get(&voter.node) == Some(&voter.directory)
    }

    /// Whether a node's folder may go: a majority of the voters is left, and nodes that do not know that they have lost their folders are none.
    pub(super) fn may_lose(&self, node: NodeId) -> bool {
        let keeps_majority = |voters: &[Voter]| {
            let left = voters.iter().filter(|voter| voter.node != node && self.is_well(**voter)).count();
            left > voters.len() / 2
        };
        let unaware = self.initial.iter().filter(|voter| voter.node == node || !self.aware.contains(&voter.node)).count();
        let are_known = !self.are_folders_unnamed || unaware <= (self.initial.len() - 1) / 2;
        are_known && self.possible().all(keeps_majority)
    }

    /// What an operator might ask for who takes care that a majority of the voters is left. The likelier, the more often it is there.
    pub(super) fn changes(&self) -> Vec<VoterChange> {
        let voters = &self.committed_voters;
        let well = |voters: &[Voter]| voters.iter().filter(|voter| self.is_well(**voter)).count();
        let mut changes = Vec::new();
        if self.records.range((self.committed, LeaderEpoch::NONE)..).next().is_some() {
            // What comes of the one before is not known yet.
            return changes;
        }
        for voter in voters {
            let left: Vec<Voter> = voters.iter().copied().filter(|left| left != voter).collect();
            if left.len() >= VOTERS_MIN && well(&left) > left.len() / 2 {
                let weight = if self.is_well(*voter) { 1 } else { GONE_WEIGHT };
                changes.extend(std::iter::repeat_n(VoterChange::Remove(*voter), weight));
            }
        }
        for (&node, &directory) in &self.folders {
            if self.controllers.contains(&node) && voters.iter().all(|voter| voter.node != node) {
                changes.extend(std::iter::repeat_n(VoterChange::Add(Voter { node, directory }), ADD_WEIGHT));
            }
        }
        changes
    }
}
