//! Replication of the metadata log: followers fetch, the leader answers at once or parks a fetch until there is more to tell.
//!
//! A follower has one fetch under way. When its disk has caught up it sends another in its place, so that the leader learns at once what is
//! durable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Effects, FetchMetadata, FetchedMetadata, LogSlice, Mark, PeerMessage, Records};
use crate::epoch::QuorumEpoch;
use crate::ids::{LogId, NodeId};
use crate::limits::{METADATA_READ_BYTES, METADATA_REFETCH_MS};
use crate::quorum::{QuorumMessage, Role};
use crate::record::Voter;
use crate::replica::{EpochEnd, truncation};
use crate::time::{Monotonic, Wait};

/// Fetches of the metadata log, on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MetadataSync {
    /// At the leader: fetches that wait for news.
    parked: BTreeMap<NodeId, FetchMetadata>,
    /// At a follower: the fetch that is not answered.
    asked: Option<FetchMetadata>,
    /// When it was asked.
    asked_at: Option<Monotonic>,
}

impl MetadataSync {
    /// Forgets what was asked of a leader that is none.
    pub(super) fn forget(&mut self) {
        self.asked = None;
    }
}

impl Broker {
    /// There is a leader to follow.
    pub(super) fn follow_leader(&mut self, effects: &mut Effects) {
        self.metadata_sync.forget();
        self.snapshot_sync.leader_changed();
        self.fetch_metadata(effects);
        self.resend_calls(effects);
    }

    /// Asks the leader for what follows this node's log, unless the same was asked already.
    pub(super) fn fetch_metadata(&mut self, effects: &mut Effects) {
        let Role::Follower(_) = self.quorum.role() else { return };
        if self.snapshot_sync.is_taking() {
            return self.fetch_snapshot(effects);
        }
        let (Some(leader), Some(metadata)) = (self.quorum.leader(), &self.metadata) else { return };
        let log = metadata.log();
        let fetch = FetchMetadata {
            quorum_epoch: self.quorum.quorum_epoch(),
            directory: self.settings.directory,
            fetch_offset: log.end(),
            last_fetched_epoch: metadata.last_epoch(),
            durable_offset: log.synced(),
            high_watermark: metadata.high_watermark(),
        };
        if self.metadata_sync.asked == Some(fetch) {
            return;
        }
        self.metadata_sync.asked = Some(fetch);
        self.metadata_sync.asked_at = Some(self.now.monotonic);
        self.fetch_metadata_in(self.metadata_fetch_wait_ms(3));
        effects.tell(leader, PeerMessage::FetchMetadata(fetch));
    }

    /// Asks again in a while, if nothing comes of it before.
    pub(super) fn fetch_metadata_in(&mut self, wait: Wait) {
        self.timers.set(Timer::FetchMetadata, self.now.monotonic.after(wait));
    }

    /// A fetch has not been answered for long: it may be lost.
    pub(super) fn metadata_fetch_lost(&mut self, effects: &mut Effects) {
        self.metadata_sync.forget();
        self.snapshot_sync.lost();
        self.fetch_metadata(effects);
    }

    /// Whether the leader of this node's epoch has said something: then it lives.
    pub(super) fn hears_leader(&mut self, from: NodeId, quorum_epoch: QuorumEpoch) -> bool {
        let is_leader = self.quorum.leader() == Some(from) && quorum_epoch == self.quorum.quorum_epoch();
        if is_leader {
            self.quorum.heard_from_leader(from, quorum_epoch, self.now.monotonic);
            self.timers.set(Timer::Quorum, self.quorum.deadline());
        }
        is_leader
    }

    /// Whether this node leads the epoch that a member asks about. One of the two learns something if not.
    pub(super) fn is_asked_as_leader(&mut self, from: NodeId, quorum_epoch: QuorumEpoch, effects: &mut Effects) -> bool {
        if self.quorum.is_leader() && quorum_epoch == self.quorum.quorum_epoch() {
            return true;
        }
        let known = QuorumMessage::Known(self.quorum.known());
        if quorum_epoch > self.quorum.quorum_epoch() {
            let theirs = crate::quorum::Known { quorum_epoch, leader: None };
            self.quorum_said(from, QuorumMessage::Known(theirs), effects);
        }
        effects.tell(from, PeerMessage::Quorum(known));
        false
    }

    /// A member asks this node for metadata.
    pub(super) fn metadata_wanted(&mut self, from: NodeId, fetch: FetchMetadata, effects: &mut Effects) {
        if !self.is_asked_as_leader(from, fetch.quorum_epoch, effects) {
            return;
        }
        let Some(metadata) = &self.metadata else { return };
        let log = metadata.log();
        let (log_end, now) = (log.end(), self.now.monotonic);
        let member = Voter { node: from, directory: fetch.directory };
        if let Some(id) = metadata.snapshot_for(fetch.fetch_offset, fetch.last_fetched_epoch) {
            self.quorum.member_diverged(member, now);
            self.forget_parked_metadata(from);
            return self.point_to_snapshot(from, id, effects);
        }
        if let Some(parting) = crate::replica::divergence(log, fetch.last_fetched_epoch, fetch.fetch_offset) {
            self.quorum.member_diverged(member, now);
            return self.answer_metadata(from, &fetch, Err(parting), effects);
        }
        self.quorum.member_fetched(member, fetch.fetch_offset, fetch.durable_offset, log_end, now);
        self.timers.set(Timer::Quorum, self.quorum.deadline());
        self.metadata_sync.parked.insert(from, fetch);
        self.timers.set(Timer::ParkedMetadata(from), now.after(self.metadata_fetch_wait_ms(1)));
        self.commit_metadata(effects);
        self.advance_voters(effects);
        self.serve_metadata(from, effects);
    }

    /// Answers a parked fetch if there is news for it.
    fn serve_metadata(&mut self, to: NodeId, effects: &mut Effects) {
        let (Some(fetch), Some(metadata)) = (self.metadata_sync.parked.get(&to).copied(), &self.metadata) else { return };
        let (from, upto) = (fetch.fetch_offset, metadata.log().written());
        if from < upto || fetch.high_watermark < metadata.high_watermark().min(fetch.fetch_offset) {
            let slice = LogSlice { log: LogId::Metadata, generation: metadata.log().generation(), from, upto, bytes_max: METADATA_READ_BYTES };
            self.answer_metadata(to, &fetch, Ok((from < upto).then_some(slice)), effects);
        }
    }

    /// Answers every parked fetch that there is news for.
    pub(super) fn serve_all_metadata(&mut self, effects: &mut Effects) {
        let parked: Vec<NodeId> = self.metadata_sync.parked.keys().copied().collect();
        parked.into_iter().for_each(|node| self.serve_metadata(node, effects));
    }

    /// A parked fetch has waited long enough: its node is to hear that the leader lives.
    pub(super) fn parked_metadata_timed_out(&mut self, to: NodeId, effects: &mut Effects) {
        if let Some(fetch) = self.metadata_sync.parked.get(&to).copied() {
            self.answer_metadata(to, &fetch, Ok(None), effects);
        }
    }

    /// Tells everyone who waits that this node leads no longer.
    pub(super) fn release_metadata_fetches(&mut self, effects: &mut Effects) {
        let known = self.quorum.known();
        for node in std::mem::take(&mut self.metadata_sync.parked).into_keys() {
            self.timers.cancel(&Timer::ParkedMetadata(node));
            effects.tell(node, PeerMessage::Quorum(QuorumMessage::Known(known)));
        }
    }

    fn answer_metadata(&mut self, to: NodeId, fetch: &FetchMetadata, result: Result<Option<LogSlice>, EpochEnd>, effects: &mut Effects) {
        self.forget_parked_metadata(to);
        let Some(metadata) = &self.metadata else { return };
        let answer = FetchedMetadata {
            quorum_epoch: self.quorum.quorum_epoch(),
            fetch_offset: fetch.fetch_offset,
            high_watermark: metadata.high_watermark(),
            result: result.map(Records::Slice),
        };
        effects.tell(to, PeerMessage::Metadata(answer));
    }

    fn forget_parked_metadata(&mut self, node: NodeId) {
        self.metadata_sync.parked.remove(&node);
        self.timers.cancel(&Timer::ParkedMetadata(node));
    }

    /// The leader has answered a fetch.
    pub(super) fn metadata_came(&mut self, from: NodeId, fetched: FetchedMetadata, effects: &mut Effects) {
        let is_leader = self.hears_leader(from, fetched.quorum_epoch);
        let Some(metadata) = self.metadata.as_mut().filter(|_| is_leader) else { return };
        if fetched.fetch_offset != metadata.log().end() || self.snapshot_sync.is_taking() {
            // The answer to a fetch that another has followed.
            return;
        }
        let before = (metadata.log().end(), metadata.high_watermark());
        match fetched.result {
            Ok(Records::Metadata(batches)) => {
                let (appends, refused) = metadata.append_fetched(&batches, self.quorum.quorum_epoch(), self.now.wall);
                effects.storage.extend(appends);
                if let Some(error) = refused {
                    effects.error(format!("the leader's metadata can't be used: {error}"));
                }
                metadata.follow_high_watermark(fetched.high_watermark);
            }
            Ok(Records::Slice(_) | Records::Data(_)) => {}
            Err(parting) => {
                let to = truncation(metadata.log(), parting).max(metadata.log().start());
                effects.mark(Mark::MetadataTruncated);
                // The logs may part still: nothing of this one is known to be committed.
                effects.storage.extend(metadata.truncate_to(to));
            }
        }
        let has_news = before != (metadata.log().end(), metadata.high_watermark());
        self.follow_voters(effects);
        let waited = self.metadata_sync.asked_at.map(|asked| self.now.monotonic.since(asked)).unwrap_or_default();
        self.metadata_sync.forget();
        if has_news || waited >= Wait::from_ms(METADATA_REFETCH_MS) {
            self.fetch_metadata(effects);
        } else {
            // The leader could not read what it has, or it can't be used: to ask at once would go on for ever.
            self.fetch_metadata_in(Wait::from_ms(METADATA_REFETCH_MS));
        }
        self.apply_committed(effects);
    }

    /// Moves the high watermark to where a majority has it on disk, if this node leads.
    pub(super) fn commit_metadata(&mut self, effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return };
        let Some(held) = self.quorum.held_by_majority(metadata.log().synced()) else { return };
        if metadata.commit_to(held) {
            self.apply_committed(effects);
            self.finish_committed(effects);
            self.serve_all_metadata(effects);
            self.follow_removal(effects);
            self.advance_voters(effects);
        }
    }

    /// How long the leader keeps a fetch without news, so many times over.
    pub(super) fn metadata_fetch_wait_ms(&self, times: i64) -> Wait {
        Wait::from_ms(self.configs.whole("controller.quorum.fetch.timeout.ms") / 4 * times)
    }
}
