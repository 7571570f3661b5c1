//! What the store says, and what follows from it.

use super::Broker;
use super::join::Place;
use crate::boundary::{Effects, Mark, ReadFailure, Recovered, SearchId, StorageDone, StorageError};
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::{LogId, RequestId, TopicPartition};
use crate::log::{Log, StaleCompletion};
use crate::offset::Offset;
use crate::partition::{Around, Leader, PartitionRole, Replica, Slot};

/// A copy whose log has grown.
enum Grown<'a> {
    Leader(&'a mut Leader),
    Follower(&'a mut Replica),
}

/// Parts of requests that waited on a partition that can't go on.
#[derive(Default)]
pub(super) struct Stranded {
    produces: Vec<Slot>,
    fetches: Vec<Slot>,
    deletions: Vec<Slot>,
    searches: Vec<SearchId>,
    /// Whose groups wait too, if there are any.
    groups_of: Option<TopicPartition>,
}

impl Stranded {
    /// Whether nobody waited.
    pub(super) fn is_empty(&self) -> bool {
        self.produces.is_empty() && self.fetches.is_empty() && self.deletions.is_empty() && self.searches.is_empty()
    }
}

impl Broker {
    pub(super) fn storage_done(&mut self, done: StorageDone, effects: &mut Effects) {
        match done {
            StorageDone::Opened { log: LogId::Metadata, recovered } => self.metadata_opened(&recovered, effects),
            StorageDone::Opened { log: LogId::Partition(id), recovered } => self.partition_opened(id, &recovered, effects),
            StorageDone::Written { log: LogId::Metadata, leader_epoch, end_offset } => self.metadata_written(leader_epoch, end_offset, effects),
            StorageDone::Synced { log: LogId::Metadata, leader_epoch, end_offset } => self.metadata_synced(leader_epoch, end_offset, effects),
            StorageDone::Written { log: LogId::Partition(id), leader_epoch, end_offset } => {
                self.log_grew(id, effects, |role, around| match role {
                    Grown::Leader(leader) => leader.written_to(leader_epoch, end_offset, around),
                    Grown::Follower(replica) => replica.written_to(leader_epoch, end_offset),
                });
            }
            StorageDone::Synced { log: LogId::Partition(id), leader_epoch, end_offset } => {
                self.log_grew(id, effects, |role, around| match role {
                    Grown::Leader(leader) => leader.synced_to(leader_epoch, end_offset, around),
                    Grown::Follower(replica) => replica.synced_to(leader_epoch, end_offset),
                });
            }
            StorageDone::Rolled { log, sealed } => {
                let now = self.now.wall;
                if let Some(log) = self.log_mut(log) {
                    log.rolled(sealed, now);
                }
                if let LogId::Partition(id) = log {
                    self.compactions.note(id);
                }
            }
            StorageDone::SegmentsCompacted { log, sealed } => self.segments_compacted(log, &sealed, effects),
            StorageDone::Compacted { log, generation, clean_upto } => self.compacted(log, generation, clean_upto, effects),
            StorageDone::Removed { log: LogId::Partition(id) } => self.log_removed(id, effects),
            StorageDone::Trimmed { log, log_start } => self.log_trimmed(log, log_start, effects),
            StorageDone::SnapshotKept { log, upto } => {
                if let Some(log) = self.log_mut(log) {
                    log.snapshot_kept(upto);
                }
                self.log_at_rest(log, upto);
            }
            StorageDone::OthersRemoved => self.others_removed(effects),
            StorageDone::Read { log: LogId::Metadata, batches, .. } => self.metadata_read(&batches, effects),
            StorageDone::Found { search, found, .. } => self.search_done(search, found.map_err(|failure| unfound(&failure)), effects),
            StorageDone::ElectionKept(kept) => self.vote_kept(&kept, effects),
            StorageDone::Election(last) => self.election_loaded(last),
            StorageDone::Failed { log, error } => self.log_failed(log, &error, effects),
            StorageDone::Space { free_bytes, total_bytes } => {
                self.free_bytes = Some(free_bytes);
                self.total_bytes = Some(total_bytes);
            }
            StorageDone::Truncated { log, generation, .. } => {
                if let Some(log) = self.log_mut(log) {
                    log.truncated(generation);
                }
            }
            StorageDone::MetadataSnapshotKept { id } => self.snapshot_kept(id, effects),
            StorageDone::MetadataSnapshotNotKept { id, error } => self.snapshot_not_kept(id, &error, effects),
            StorageDone::MetadataSnapshots { found, latest } => self.snapshots_found(found, latest.as_deref(), effects),
            StorageDone::MetadataSnapshotRead { id, position, piece } => self.snapshot_read(id, position, piece, effects),
            StorageDone::Read { log: LogId::Partition(id), from, batches } => self.groups_read(id, from, &batches, effects),
            // Nothing is asked for that this would answer.
            StorageDone::Removed { log: LogId::Metadata } => {}
        }
    }

    pub(super) fn log_mut(&mut self, log: LogId) -> Option<&mut Log> {
        match log {
            LogId::Metadata => self.metadata.as_mut().map(|metadata| metadata.log_mut()),
            LogId::Partition(id) => self.partitions.get_mut(&id)?.replica_mut().map(|replica| replica.log_mut()),
        }
    }

    fn partition_opened(&mut self, id: TopicPartition, recovered: &Recovered, effects: &mut Effects) {
        self.note_recovery(LogId::Partition(id), recovered, effects);
        let Some(settings) = self.topics.get(id.topic).cloned() else { return };
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(registered) = self.image.partition(id) else { return };
        if let Err(unsound) = partition.opened(recovered, registered, settings, self.now.wall) {
            let error = StorageError::Corrupt(unsound.to_string().into());
            return self.log_failed(LogId::Partition(id), &error, effects);
        }
        if recovered.damaged {
            self.report_failed(id, true, effects);
        }
        self.compactions.opened(id);
        self.settle_partition(id, effects);
        self.no_longer_opening(id, effects);
    }

    /// Tells the operator what a crash or a bad disk has left.
    pub(super) fn note_recovery(&mut self, log: LogId, recovered: &Recovered, effects: &mut Effects) {
        if recovered.torn_bytes > 0 {
            effects.mark(Mark::TornTailCut);
            let name = self.log_name(log);
            effects.info(format!("{name}: cut {} bytes behind offset {} that were no whole batch", recovered.torn_bytes, recovered.log_end));
        }
        if recovered.damaged {
            effects.mark(Mark::DamageFound);
            let name = self.log_name(log);
            effects.error(format!("{name}: the disk has lost records: what was kept ends at offset {}", recovered.log_end));
        }
        if recovered.tail.iter().any(|header| header.producer.is_some()) {
            effects.mark(Mark::ProducersRebuilt);
        }
    }

    /// A log is written or synced further: whoever waited for that goes on.
    fn log_grew(
        &mut self,
        id: TopicPartition,
        effects: &mut Effects,
        grow: impl FnOnce(Grown<'_>, &Around<'_>) -> Result<bool, StaleCompletion>,
    ) {
        let around = around!(self);
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let grown = match &mut partition.role {
            PartitionRole::Leader(leader) => grow(Grown::Leader(leader), &around),
            PartitionRole::Follower(follower) => {
                self.following.changed(id);
                grow(Grown::Follower(&mut follower.replica), &around)
            }
            PartitionRole::Opening { .. } | PartitionRole::Offline(_) => return,
        };
        match grown {
            Ok(_) => {}
            Err(StaleCompletion) => return effects.mark(Mark::StaleCompletionIgnored),
        }
        self.serve_waiting(id, effects);
        self.replicate_news(id);
    }

    /// Answers what waited on a partition and need not any longer.
    pub(super) fn serve_waiting(&mut self, id: TopicPartition, effects: &mut Effects) {
        let mut answered = 0;
        while let Some(slot) = self.leader_at(id).and_then(|leader| leader.waiting_for_leader.pop_reached(leader.kept())) {
            self.produce_part_done(slot, None, effects);
        }
        while let Some(slot) = self.leader_at(id).and_then(|leader| leader.waiting_for_commit.pop_reached(leader.committed_as_promised())) {
            let is_short = self.leader_at(id).is_some_and(|leader| !leader.has_enough_replicas());
            self.produce_part_done(slot, is_short.then_some(ErrorCode::NotEnoughReplicasAfterAppend), effects);
            answered += 1;
        }
        if answered > 1 {
            effects.mark(Mark::GroupCommit);
        }
        while let Some(slot) = self.replica_at(id).and_then(|replica| replica.waiting_for_data.pop_reached(replica.readable_end(false))) {
            self.fetch_part_grew(slot, effects);
        }
        self.serve_deletions(id, effects);
        self.serve_groups(id, effects);
    }

    fn replica_at(&mut self, id: TopicPartition) -> Option<&mut Replica> {
        self.partitions.get_mut(&id)?.replica_mut()
    }

    fn leader_at(&mut self, id: TopicPartition) -> Option<&mut Leader> {
        self.partitions.get_mut(&id)?.leader_mut().ok()
    }

    fn log_trimmed(&mut self, log: LogId, log_start: Offset, effects: &mut Effects) {
        let LogId::Partition(id) = log else { return self.metadata_trimmed(log_start, effects) };
        if let Some(replica) = self.partitions.get_mut(&id).and_then(|partition| partition.replica_mut()) {
            replica.trim_to(log_start);
            // Its leader is to know what it can't serve.
            self.following.changed(id);
        }
        self.replicate_news(id);
        self.serve_deletions(id, effects);
        if self.leader_at(id).is_some_and(|leader| leader.waiting_for_trim.has_reached(leader.log().start())) {
            effects.mark(Mark::DeletionAwaitedReplicas);
        }
    }

    /// The low watermark may have risen: DeleteRecords that waited for that are done.
    pub(super) fn serve_deletions(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else { return };
        if leader.waiting_for_trim.is_empty() {
            return;
        }
        let low_watermark = leader.low_watermark(&self.image.brokers);
        while let Some(slot) = self.leader_at(id).and_then(|leader| leader.waiting_for_trim.pop_reached(low_watermark)) {
            self.deletion_done(slot, Ok(low_watermark), effects);
        }
    }

    fn log_failed(&mut self, log: LogId, error: &StorageError, effects: &mut Effects) {
        effects.mark(Mark::ReplicaFailed);
        let name = self.log_name(log);
        effects.error(format!("{name}: out of service until the next start: {error}"));
        match log {
            LogId::Metadata => {
                effects.error("nothing can be decided without the metadata log: the node stops".to_owned());
                self.metadata_failed(effects);
            }
            LogId::Partition(id) => {
                let stranded = self.strand(id);
                if let Some(partition) = self.partitions.get_mut(&id) {
                    partition.role = PartitionRole::Offline(error.clone());
                }
                self.unfollow(id);
                self.coordinators.reads_lost(id);
                self.release(stranded, ErrorCode::KafkaStorageError, effects);
                self.report_failed(id, matches!(error, StorageError::Corrupt(_)), effects);
                self.no_longer_opening(id, effects);
            }
        }
        self.log_at_rest(log, Offset(i64::MAX));
    }

    /// Takes all that waits on a partition that can't go on.
    pub(super) fn strand(&mut self, id: TopicPartition) -> Stranded {
        let searches = self.searches.iter().filter(|(_, search)| search.id == id).map(|(search, _)| *search).collect();
        let fetches = self.replica_at(id).map(|replica| replica.waiting_for_data.drain().collect()).unwrap_or_default();
        let groups_of = Some(id);
        let Some(leader) = self.leader_at(id) else { return Stranded { searches, fetches, groups_of, ..Stranded::default() } };
        Stranded {
            groups_of,
            produces: leader.waiting_for_leader.drain().chain(leader.waiting_for_commit.drain()).collect(),
            fetches,
            deletions: leader.waiting_for_trim.drain().collect(),
            searches,
        }
    }

    /// Lets parts of a request wait no longer, and says which they are.
    pub(super) fn forget_waits(&mut self, request: RequestId, waits: Vec<(u32, Place)>) -> Vec<u32> {
        for (slot, place) in &waits {
            if let Some(leader) = self.leader_at(place.id) {
                leader.forget_wait(place.upto, (request, *slot));
            }
        }
        waits.into_iter().map(|(slot, _)| slot).collect()
    }

    /// Answers what waited on a partition that can't go on; it shows by now what has become of it.
    pub(super) fn release(&mut self, stranded: Stranded, code: ErrorCode, effects: &mut Effects) {
        for slot in stranded.produces {
            self.produce_part_done(slot, Some(code), effects);
        }
        for (request, _) in stranded.fetches {
            self.fetch_part_failed(request, effects);
        }
        for slot in stranded.deletions {
            self.deletion_done(slot, Err(code), effects);
        }
        for search in stranded.searches {
            self.search_done(search, Err(code), effects);
        }
        if let Some(id) = stranded.groups_of {
            self.release_groups(id, effects);
            self.coordinate(id, effects);
        }
    }

    fn metadata_synced(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset, effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return };
        if metadata.synced_to(leader_epoch, end_offset).is_err() {
            return effects.mark(Mark::StaleCompletionIgnored);
        }
        effects.storage.extend(metadata.keep_now_and_then());
        self.commit_metadata(effects);
        // It is written too, which is not told of what was copied.
        self.serve_all_metadata(effects);
        // The leader is to learn what is on this disk.
        self.fetch_metadata(effects);
    }

    fn metadata_trimmed(&mut self, log_start: Offset, effects: &mut Effects) {
        if let Some(metadata) = &mut self.metadata {
            metadata.trimmed_to(log_start);
            effects.mark(Mark::MetadataTrimmed);
        }
    }

    fn metadata_written(&mut self, leader_epoch: LeaderEpoch, end_offset: Offset, effects: &mut Effects) {
        let Some(metadata) = &mut self.metadata else { return };
        match metadata.written_to(leader_epoch, end_offset) {
            Ok(_) => self.serve_all_metadata(effects),
            Err(StaleCompletion) => effects.mark(Mark::StaleCompletionIgnored),
        }
    }

    pub(super) fn log_name(&self, log: LogId) -> String {
        match log {
            LogId::Metadata => log.to_string(),
            LogId::Partition(id) => match self.image.topics.get(&id.topic) {
                Some(topic) => format!("{}-{}", topic.name, id.partition),
                None => id.to_string(),
            },
        }
    }
}

/// What whoever asked for a record is told when the store has not looked.
fn unfound(failure: &ReadFailure) -> ErrorCode {
    match failure {
        // Clients ask again upon it, and get what is true then.
        ReadFailure::Void(_) => ErrorCode::NotLeaderOrFollower,
        ReadFailure::Storage(_) => ErrorCode::KafkaStorageError,
    }
}
