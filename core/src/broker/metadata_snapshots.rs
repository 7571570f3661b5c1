//! Snapshots of the cluster's metadata (KIP-630): every node makes them of what it has applied, and a member that the leader's log can't help
//! takes the leader's.
//!
//! | a member that catches up | goes on when | to |
//! | --- | --- | --- |
//! | fetches the log | the leader says that a snapshot has what it lacks | fetches that snapshot |
//! | fetches a snapshot | all pieces are there, and sound | keeps it |
//! | fetches a snapshot | the leader has another by now, or is another; or what came is not sound | begins anew |
//! | keeps a snapshot | it is on disk | leaps: log and image are the snapshot's, and it fetches the log behind it |
//!
//! What the node holds counts for nothing more until it has leapt. From the moment that the snapshot is on disk a start leaps too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::timers::Timer;
use crate::boundary::{
    Effects, FetchMetadataSnapshot, FetchedMetadataSnapshot, Mark, MetadataInSnapshot, PeerMessage, StorageError, StorageOp,
};
use crate::ids::NodeId;
use crate::limits::{METADATA_REFETCH_MS, METADATA_SNAPSHOT_BYTES_MAX, METADATA_SNAPSHOT_PIECE_BYTES};
use crate::metadata::{FoundSnapshots, MetadataLog, MetadataSnapshot, SnapshotId};
use crate::quorum::Role;
use crate::record::Voter;
use crate::time::Wait;

/// Snapshots on their way, on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotSync {
    /// What there was when the node started.
    pub(super) found: FoundSnapshots,
    /// At the leader: pieces that the store reads, and for whom.
    reading: BTreeMap<NodeId, FetchMetadataSnapshot>,
    /// At a follower: the snapshot that it takes.
    taken: Option<Taken>,
}

/// A snapshot that is taken from the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Taken {
    /// Its pieces come in.
    Fetching {
        id: SnapshotId,
        /// Those that are there.
        content: Vec<u8>,
        /// The one that was asked for begins there.
        asked: Option<u64>,
    },
    /// It is whole, and on its way to the disk.
    Keeping(Box<MetadataSnapshot>),
}

impl SnapshotSync {
    /// Whether this node takes a snapshot in place of records.
    pub(super) fn is_taking(&self) -> bool {
        self.taken.is_some()
    }

    /// The leader that was asked is none, or another.
    pub(super) fn leader_changed(&mut self) {
        self.taken.take_if(|taken| matches!(taken, Taken::Fetching { .. }));
    }

    /// What was asked for may be lost.
    pub(super) fn lost(&mut self) {
        if let Some(Taken::Fetching { asked, .. }) = &mut self.taken {
            *asked = None;
        }
    }

    /// This node leads no longer.
    pub(super) fn step_down(&mut self) {
        self.reading.clear();
    }
}

impl Broker {
    /// Makes a snapshot if enough was committed since the last.
    pub(super) fn snapshot_if_due(&mut self, effects: &mut Effects) {
        if self.metadata.as_ref().is_some_and(|metadata| metadata.unsnapped_bytes() >= self.bounds.metadata_snapshot_bytes) {
            self.snapshot(effects);
        }
    }

    /// Makes a snapshot of whatever was committed since the last, which is long ago.
    pub(super) fn snapshot_overdue(&mut self, effects: &mut Effects) {
        self.snapshot(effects);
        self.schedule_snapshot();
    }

    pub(super) fn schedule_snapshot(&mut self) {
        let interval_ms = self.configs.whole("metadata.log.max.snapshot.interval.ms");
        if interval_ms > 0 {
            self.timers.set(Timer::MetadataSnapshot, self.now.monotonic.after(Wait::from_ms(interval_ms)));
        }
    }

    fn snapshot(&mut self, effects: &mut Effects) {
        let is_taking = self.snapshot_sync.is_taking();
        let Some(metadata) = self.metadata.as_mut().filter(|metadata| !is_taking && !metadata.snapshots().is_busy()) else { return };
        if let Some(id) = metadata.begin_snapshot() {
            effects.storage.push(StorageOp::KeepMetadataSnapshot { id, content: MetadataSnapshot::encode(id, &self.image) });
            self.schedule_snapshot();
        }
    }

    pub(super) fn snapshot_kept(&mut self, id: SnapshotId, effects: &mut Effects) {
        let taken = self.snapshot_sync.taken.take_if(|taken| is_keeping(taken, id));
        if let Some(Taken::Keeping(snapshot)) = taken {
            return self.leap(*snapshot, effects);
        }
        effects.mark(Mark::MetadataSnapshotTaken);
        effects.storage.extend(self.metadata.as_mut().map(|metadata| metadata.snapshot_kept(id)).unwrap_or_default());
    }

    pub(super) fn snapshot_not_kept(&mut self, id: SnapshotId, error: &StorageError, effects: &mut Effects) {
        effects.error(format!("snapshot {id} of the cluster's metadata could not be kept: {error}"));
        if self.snapshot_sync.taken.take_if(|taken| is_keeping(taken, id)).is_some() {
            // Room may be made meanwhile.
            self.fetch_metadata_in(self.metadata_fetch_wait_ms(1));
        } else if let Some(metadata) = &mut self.metadata {
            metadata.snapshot_not_kept(id);
        }
    }

    /// Starts from the latest sound snapshot.
    pub(super) fn snapshots_found(&mut self, found: FoundSnapshots, latest: Option<&[u8]>, effects: &mut Effects) {
        for damaged in &found.damaged {
            effects.mark(Mark::MetadataSnapshotRefused);
            effects.error(format!("snapshot {damaged} of the cluster's metadata is damaged and not used"));
        }
        if let (Some(content), Some(id)) = (latest, found.sound.last()) {
            match MetadataSnapshot::decode(content) {
                Ok(snapshot) if snapshot.id == *id => self.leap_to(snapshot.image, effects),
                Ok(other) => {
                    effects.error(format!("snapshot {id} of the cluster's metadata is {}: the node stops", other.id));
                    return self.metadata_failed(effects);
                }
                Err(unsound) => {
                    effects.error(format!("snapshot {id} of the cluster's metadata can't be read ({unsound}): the node stops"));
                    return self.metadata_failed(effects);
                }
            }
            effects.mark(Mark::MetadataSnapshotLoaded);
        }
        self.snapshot_sync.found = found;
        self.open_metadata(effects);
    }

    /// A member asks this node for a piece of a snapshot.
    pub(super) fn snapshot_wanted(&mut self, from: NodeId, fetch: FetchMetadataSnapshot, effects: &mut Effects) {
        if !self.is_asked_as_leader(from, fetch.quorum_epoch, effects) {
            return;
        }
        self.quorum.member_diverged(Voter { node: from, directory: fetch.directory }, self.now.monotonic);
        self.timers.set(Timer::Quorum, self.quorum.deadline());
        let Some(snapshots) = self.metadata.as_ref().map(|metadata| metadata.snapshots()) else { return };
        if snapshots.has(fetch.id) {
            let FetchMetadataSnapshot { id, position, bytes_max, .. } = fetch;
            self.snapshot_sync.reading.insert(from, fetch);
            let bytes_max = bytes_max.clamp(1, METADATA_SNAPSHOT_PIECE_BYTES);
            effects.storage.push(StorageOp::ReadMetadataSnapshot { id, position, bytes_max });
        } else if let Some(id) = snapshots.latest() {
            self.point_to_snapshot(from, id, effects);
        }
    }

    /// Tells a member which snapshot has what this log can't give it.
    pub(super) fn point_to_snapshot(&self, to: NodeId, id: SnapshotId, effects: &mut Effects) {
        effects.tell(to, PeerMessage::MetadataInSnapshot(MetadataInSnapshot { quorum_epoch: self.quorum.quorum_epoch(), id }));
    }

    /// The store has read a piece, or could not: then whoever asked asks again in a while.
    pub(super) fn snapshot_read(&mut self, id: SnapshotId, position: u64, piece: Option<(bytes::Bytes, u64)>, effects: &mut Effects) {
        let is_for = |fetch: &FetchMetadataSnapshot| fetch.id == id && fetch.position == position;
        let asked: Vec<NodeId> = self.snapshot_sync.reading.iter().filter(|(_, fetch)| is_for(fetch)).map(|(node, _)| *node).collect();
        for node in asked {
            self.snapshot_sync.reading.remove(&node);
            if let Some((piece, snapshot_bytes)) = piece.clone() {
                let quorum_epoch = self.quorum.quorum_epoch();
                let answer = FetchedMetadataSnapshot { quorum_epoch, id, position, snapshot_bytes, piece };
                effects.tell(node, PeerMessage::MetadataSnapshot(answer));
            }
        }
    }

    /// The leader's log does not have what this node lacks.
    pub(super) fn metadata_in_snapshot(&mut self, from: NodeId, told: MetadataInSnapshot, effects: &mut Effects) {
        let Some(high_watermark) = self.metadata.as_ref().map(|metadata| metadata.high_watermark()) else { return };
        if !self.hears_leader(from, told.quorum_epoch) || told.id.end_offset <= high_watermark {
            return;
        }
        match &self.snapshot_sync.taken {
            Some(Taken::Fetching { id, .. }) if *id == told.id => {}
            Some(Taken::Keeping(_)) => {}
            Some(Taken::Fetching { .. }) | None => {
                self.snapshot_sync.taken = Some(Taken::Fetching { id: told.id, content: Vec::new(), asked: None });
                self.metadata_sync.forget();
                self.fetch_snapshot(effects);
            }
        }
    }

    /// Asks the leader for the next piece, unless it was asked for already.
    pub(super) fn fetch_snapshot(&mut self, effects: &mut Effects) {
        let (Role::Follower(_), Some(leader)) = (self.quorum.role(), self.quorum.leader()) else { return };
        let Some(Taken::Fetching { id, content, asked }) = &mut self.snapshot_sync.taken else { return };
        let position = u64::try_from(content.len()).expect("a length fits into 64 bits");
        if asked.replace(position) == Some(position) {
            return;
        }
        let bytes_max = u32::try_from(self.configs.whole("controller.quorum.fetch.snapshot.max.bytes")).unwrap_or(u32::MAX);
        let (quorum_epoch, directory) = (self.quorum.quorum_epoch(), self.settings.directory);
        let fetch = FetchMetadataSnapshot { quorum_epoch, directory, id: *id, position, bytes_max };
        effects.tell(leader, PeerMessage::FetchMetadataSnapshot(fetch));
        self.fetch_metadata_in(self.metadata_fetch_wait_ms(3));
    }

    /// A piece has come.
    pub(super) fn snapshot_came(&mut self, from: NodeId, came: FetchedMetadataSnapshot, effects: &mut Effects) {
        if !self.hears_leader(from, came.quorum_epoch) {
            return;
        }
        let Some(Taken::Fetching { id, content, .. }) = &mut self.snapshot_sync.taken else { return };
        let held = u64::try_from(content.len()).expect("a length fits into 64 bits");
        // A piece that is asked for twice may come twice.
        if came.id != *id || came.position != held || came.piece.is_empty() {
            return;
        }
        content.extend_from_slice(&came.piece);
        let held = u64::try_from(content.len()).expect("a length fits into 64 bits");
        if held < came.snapshot_bytes && came.snapshot_bytes <= METADATA_SNAPSHOT_BYTES_MAX {
            return self.fetch_snapshot(effects);
        }
        let (id, content) = (*id, std::mem::take(content));
        match MetadataSnapshot::decode(&content) {
            Ok(snapshot) if snapshot.id == id => {
                self.snapshot_sync.taken = Some(Taken::Keeping(Box::new(snapshot)));
                effects.storage.push(StorageOp::KeepMetadataSnapshot { id, content: content.into() });
            }
            Ok(_) | Err(_) => {
                effects.error(format!("snapshot {id} of the cluster's metadata came damaged from node {from}, and is fetched again"));
                self.snapshot_sync.taken = None;
                self.fetch_metadata_in(Wait::from_ms(METADATA_REFETCH_MS));
            }
        }
    }

    /// Goes on from a snapshot that is on disk, whatever the log held.
    fn leap(&mut self, snapshot: MetadataSnapshot, effects: &mut Effects) {
        let MetadataSnapshot { id, image } = snapshot;
        // Nothing overtakes it, unless a majority has lost its disks.
        let is_overtaken = |metadata: &MetadataLog| id.end_offset <= metadata.high_watermark() || self.quorum.is_leader();
        let Some(metadata) = self.metadata.as_mut().filter(|metadata| !is_overtaken(metadata)) else { return };
        effects.storage.extend(metadata.begin_at(id));
        effects.mark(Mark::CaughtUpFromSnapshot);
        effects.info(format!("the metadata log begins anew at offset {}, from a snapshot of the leader's", id.end_offset));
        self.leap_to(image, effects);
        self.follow_voters(effects);
        self.finish_calls(effects);
        self.metadata_sync.forget();
        self.fetch_metadata(effects);
    }
}

fn is_keeping(taken: &Taken, id: SnapshotId) -> bool {
    matches!(taken, Taken::Keeping(snapshot) if snapshot.id == id)
}
