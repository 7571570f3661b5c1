//! What must always be true, one file a property. They are told what clients did and see every step of a node; the first objection ends
//! the run.
//!
//! A checker knows what the fault model allows: a power loss may take what was never synced, so what was acknowledged in a `replicated` topic is
//! kept only as far as the disk has it.

mod acked_is_durable;
mod acknowledged_is_kept;
mod altered_durability;
mod asked;
mod cluster;
mod compaction;
mod consistent_read;
mod deleted_in_sync;
mod durable_log;
mod error_codes;
mod excused;
mod fails_for_a_reason;
mod group_claims;
mod group_told;
mod groups;
mod idempotent_order;
mod log_starts;
mod looks;
mod nothing_unwritten;
mod producer_ids;
pub mod properties;
mod time_lookups;
mod topic_book;
mod watermarks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gracchus_core::boundary::{Durability, Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::ids::{NodeId, TopicName, TopicPartition};
use gracchus_core::offset::Offset;
use gracchus_core::record::Voter;
use gracchus_core::time::{Now, Timestamp};
use gracchus_net::client::{Acks, WireError};
use serde::{Deserialize, Serialize};

use self::acked_is_durable::AckedIsDurable;
use self::acknowledged_is_kept::AcknowledgedIsKept;
use self::altered_durability::AlteredDurability;
pub use self::asked::{Asked, Connected, Subject};
pub(crate) use self::cluster::VoterChange;
use self::cluster::{Cluster, Stepped};
use self::compaction::CompactionKeepsLatest;
use self::consistent_read::ConsistentRead;
use self::durable_log::DurableLogs;
pub use self::error_codes::Question;
use self::error_codes::{ErrorCodes, Known};
use self::excused::Excused;
pub use self::group_claims::GroupHeard;
pub use self::groups::GroupAsked;
use self::groups::GroupHistories;
use self::idempotent_order::IdempotentOrder;
use self::log_starts::LogStarts;
use self::looks::Looks;
use self::nothing_unwritten::NothingUnwritten;
pub use self::nothing_unwritten::SessionKind;
use self::producer_ids::ProducerIds;
use self::time_lookups::Searched;
pub use self::time_lookups::TimeTarget;
use self::topic_book::TopicBook;
use self::watermarks::Watermarks;
use crate::history::{Batch, RecordId, Session};
use crate::platform::clock::simulated_time;
use crate::platform::disk::{DiskFaultCounts, SimDisk};

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Its name.
    pub property: String,
    /// Whether nothing bad may happen, or something good must.
    pub kind: ViolationKind,
    /// What was seen.
    pub what: String,
}

/// Of what kind a property is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ViolationKind {
    /// Something bad happened.
    Safety,
    /// Something good did not happen in time.
    Liveness,
}

impl Violation {
    /// Something bad happened.
    #[must_use]
    pub fn safety(property: &str, what: impl Into<String>) -> Self {
        Self { property: property.to_owned(), kind: ViolationKind::Safety, what: what.into() }
    }

    /// Something good did not happen in time.
    #[must_use]
    pub fn liveness(property: &str, what: impl Into<String>) -> Self {
        Self { property: property.to_owned(), kind: ViolationKind::Liveness, what: what.into() }
    }
}

/// All checkers.
#[derive(Debug, Default)]
pub struct Checkers {
    topics: TopicBook,
    durable_logs: DurableLogs,
    consistent_read: ConsistentRead,
    acknowledged_is_kept: AcknowledgedIsKept,
    acked_is_durable: AckedIsDurable,
    altered_durability: AlteredDurability,
    compaction: CompactionKeepsLatest,
    error_codes: ErrorCodes,
    groups: GroupHistories,
    log_starts: LogStarts,
    nothing_unwritten: NothingUnwritten,
    producer_ids: ProducerIds,
    watermarks: Watermarks,
    excused: Excused,
    /// What nodes hold and claim together, where there are several.
    cluster: Cluster,
    looks: Looks,
    disks: BTreeMap<NodeId, SimDisk>,
    /// Whether the only node was given an empty disk: it knows no topic of before.
    is_disk_replaced: bool,
    /// Counts power losses: what a client was told before one may say nothing of a `replicated` topic after it.
    power_losses: u32,
    /// The last power loss that may have taken what was promised of a partition.
    taken_by: BTreeMap<TopicPartition, u32>,
}

impl Checkers {
    /// There is a node, and this is its disk.
    pub fn add_node(&mut self, node: NodeId, disk: SimDisk) {
        self.disks.insert(node, disk);
    }

    fn is_cluster(&self) -> bool {
        self.disks.len() > 1
    }

    /// A node has taken a step.
    ///
    /// # Errors
    /// The property that it broke.
    pub fn step(&mut self, node: NodeId, _now: Now, input: &Input, effects: &Effects, broker: &Broker) -> Result<(), Violation> {
        self.topics.learn(effects, broker);
        self.compaction.step(effects, &self.topics);
        self.durable_logs.follow(node, input, effects);
        let changed = self.looks.changed(node, broker);
        if self.disks.len() > 1 {
            let gone = self.cluster.step(Stepped { node, input, effects, broker, changed: &changed }, &self.topics, &self.excused)?;
            self.power_losses += u32::from(!gone.is_empty());
            for (partition, kept) in gone {
                self.taken(partition, kept)?;
            }
        }
        self.watermarks.step(node, effects, &changed, &self.excused)?;
        fails_for_a_reason::step(effects, self.disks.get(&node).expect("a node is added before it steps"))?;
        self.error_codes.step(input);
        self.producer_ids.step(effects)?;
        self.log_starts.step(node, input, effects, broker, &self.topics, &self.excused)?;
        let mut acked = Acked {
            node,
            topics: &self.topics,
            excused: &self.excused,
            cluster: &self.cluster,
            durable_logs: &mut self.durable_logs,
            disks: &self.disks,
        };
        deleted_in_sync::step(effects, &acked)?;
        self.altered_durability.step(input, effects, &mut acked)?;
        self.acked_is_durable.step(input, effects, &mut acked)
    }

    /// What the controller has decided since this was asked last, in words, for who reads the events.
    pub fn take_remarks(&mut self) -> Vec<String> {
        self.cluster.take_remarks()
    }

    /// The node has ended by itself, or with an error.
    ///
    /// # Errors
    /// When the disk gave it no reason to.
    pub fn node_failed(&self, error: &str, node: NodeId) -> Result<(), Violation> {
        let disk = self.disks.get(&node).expect("the node was added");
        fails_for_a_reason::check(&format!("the node ended: {error}"), disk)
    }

    /// The node's process has ended, for whatever reason.
    pub fn node_ended(&mut self, node: NodeId) {
        self.acked_is_durable.forget_requests(node);
        self.altered_durability.forget_requests(node);
        self.error_codes.process_ended(node, self.disk_faults());
        self.durable_logs.rescan(node);
        self.cluster.node_ended(node);
        self.looks.forget();
    }

    /// The node's disk has lost what was not on it.
    ///
    /// # Errors
    /// When something went that had been promised.
    pub fn power_lost(&mut self, node: NodeId) -> Result<(), Violation> {
        self.power_losses += 1;
        self.node_ended(node);
        let disk = self.disks.get(&node).expect("the node was added").clone();
        let is_here = |partition| !self.is_cluster() || self.cluster.has_copy(node, partition);
        let concerned = self.topics.all().filter(|(partition, _)| !self.excused.has(*partition) && is_here(*partition));
        let concerned: Vec<_> = concerned.map(|(partition, topic)| (partition, topic.name.clone(), topic.durability)).collect();
        for (partition, name, durability) in concerned {
            let kept = self.durable_logs.end(node, partition, &name, &disk);
            if durability == Durability::Replicated {
                let left = if self.is_cluster() { self.cluster.replica_lost(node, partition, kept) } else { Some(kept) };
                if let Some(kept) = left {
                    self.taken(partition, kept)?;
                }
            } else {
                self.cluster.replica_kept(node, partition, kept);
            }
        }
        Ok(())
    }

    /// What lies from `kept` on may be gone, and is not owed any more.
    fn taken(&mut self, partition: TopicPartition, kept: Offset) -> Result<(), Violation> {
        if !self.is_cluster() {
            self.altered_durability.power_lost(partition, kept)?;
        }
        self.consistent_read.forget_from(partition, kept);
        self.acknowledged_is_kept.forget_from(partition, kept);
        self.watermarks.lower_to(partition, kept);
        self.looks.forget();
        self.taken_by.insert(partition, self.power_losses);
        Ok(())
    }

    /// What had gone wrong before the process started that a client reaches at this moment.
    #[must_use]
    pub fn connected(&self, node: NodeId) -> Connected {
        self.error_codes.connected(node)
    }

    /// A client is about to ask: what is known at this moment.
    #[must_use]
    pub fn ask(&self, node: NodeId, connected: Connected, subject: Subject) -> Asked {
        let partition = subject.partition();
        Asked {
            subject,
            node,
            at: simulated_time(),
            power_losses: self.power_losses,
            connected,
            log_start_told: partition.map_or(Offset::ZERO, |partition| self.log_starts.told(partition)),
            log_start: partition.and_then(|partition| self.watermarks.log_start(partition)),
            high_watermark: partition.and_then(|partition| match self.cluster.was_replicated(partition) {
                true => self.watermarks.known_to(node, partition),
                false => self.watermarks.high_watermark(partition),
            }),
        }
    }

    /// A client is told an error.
    ///
    /// # Errors
    /// When nothing explains it.
    pub fn refused(&self, asked: &Asked, question: Question, error: WireError) -> Result<(), Violation> {
        let partition = asked.subject.partition();
        if partition.map_or(self.is_disk_replaced, |partition| self.excused.has(partition)) {
            return Ok(());
        }
        let known = Known {
            log_start: partition.and_then(|partition| self.watermarks.log_start(partition)),
            trimmed: partition.map_or(Offset::ZERO, |partition| self.log_starts.trimmed(partition)),
            is_removed: partition.and_then(|partition| self.topics.get(partition)).is_some_and(|topic| topic.is_removed),
            is_compacted: partition.and_then(|partition| self.topics.get(partition)).is_some_and(|topic| topic.is_compacted),
            is_outdated: partition.is_some_and(|partition| self.is_outdated(partition, asked.power_losses)),
            segment_bytes_max: partition.and_then(|partition| self.topics.get(partition)).map(|topic| topic.segment_bytes_max),
            disk_faults: self.disk_faults(),
            is_cluster: self.is_cluster(),
            now: simulated_time(),
        };
        self.error_codes.check(asked, question, error, &known)
    }

    /// A client is told where a log starts, and perhaps its high watermark.
    ///
    /// # Errors
    /// When that can't be.
    pub fn saw_log_start(&mut self, asked: &Asked, log_start: Offset, high_watermark: Option<Offset>) -> Result<(), Violation> {
        let Some(partition) = asked.subject.partition().filter(|partition| !self.excused.has(*partition)) else { return Ok(()) };
        let most = high_watermark.or_else(|| self.watermarks.high_watermark(partition));
        // A replica that leads from here on may have kept more than the one before it.
        let told = if self.cluster.was_replicated(partition) { Offset::ZERO } else { asked.log_start_told };
        self.log_starts.saw(partition, log_start, told, most)
    }

    /// A client is told that all below `before` is deleted, and where the log starts.
    ///
    /// # Errors
    /// When that can't be.
    pub fn deleted(&mut self, asked: &Asked, before: Offset, log_start: Offset) -> Result<(), Violation> {
        let Some(partition) = asked.subject.partition().filter(|partition| !self.excused.has(*partition)) else { return Ok(()) };
        LogStarts::check_deleted(partition, before, log_start)?;
        self.saw_log_start(asked, log_start, None)
    }

    /// A client is told which record it is that it looked for by time.
    ///
    /// # Errors
    /// When it is another.
    pub fn found_by_time(&self, asked: &Asked, target: TimeTarget, found: Option<(Offset, Timestamp)>) -> Result<(), Violation> {
        let Some(partition) = asked.subject.partition().filter(|partition| !self.excused.has(*partition)) else { return Ok(()) };
        let (Some(log_start), Some(upto)) = (self.watermarks.log_start(partition), asked.high_watermark) else { return Ok(()) };
        if self.is_outdated(partition, asked.power_losses) {
            return Ok(());
        }
        // What is known may have been compacted away: then only what was found can be judged.
        let is_compacted = self.compaction.is_compacted(partition);
        let may_be_gone = |offset: Offset| is_compacted && found.is_none_or(|(found, _)| found != offset);
        let seen = self.consistent_read.seen(partition).filter(|(offset, _)| !may_be_gone(*offset));
        let known = seen.filter_map(|(offset, id)| Some((offset, self.nothing_unwritten.timestamp(id)?)));
        // The store may have moved the start already, and the node not know yet.
        let log_start = log_start.max(self.log_starts.trimmed(partition));
        let checked = time_lookups::check(target, Searched { log_start, upto }, known, found);
        checked.map_err(|violation| Violation { what: format!("{partition}: {}", violation.what), ..violation })
    }

    /// How often the power was lost so far.
    #[must_use]
    pub fn power_losses(&self) -> u32 {
        self.power_losses
    }

    /// Whether a power loss since there were `power_losses` may have taken records of a partition that clients were told of.
    #[must_use]
    pub fn is_outdated(&self, partition: TopicPartition, power_losses: u32) -> bool {
        self.taken_by.get(&partition).is_some_and(|taken_by| *taken_by > power_losses)
    }

    /// Whether a node may serve what is gone from everyone who leads or may lead: more was lost of the partition than is promised, and this is
    /// none of those in sync. It may have led before, and not know that it is deposed.
    #[must_use]
    pub fn may_serve_what_is_gone(&self, partition: TopicPartition, node: NodeId) -> bool {
        self.is_cluster() && self.cluster.is_gone(partition) && !self.cluster.in_sync(partition).any(|member| member == node)
    }

    /// A session begins.
    pub fn open_session(&mut self, kind: SessionKind) -> Session {
        self.nothing_unwritten.open_session(kind)
    }

    /// A client is about to send a batch for the first time, made at `made`: its records get their ids.
    pub fn write(&mut self, session: Session, partition: TopicPartition, count: u32, made: Timestamp) -> RecordId {
        self.nothing_unwritten.write(session, partition, count, made)
    }

    /// A batch was acknowledged, to a client that had sent it when there had been `power_losses`. Of several replicas only one is known to
    /// have it, unless the client asked for all.
    ///
    /// # Errors
    /// When another record is known to stand there.
    pub fn acked(
        &mut self,
        partition: TopicPartition,
        batch: &Batch,
        base_offset: Offset,
        power_losses: u32,
        acks: Acks,
    ) -> Result<(), Violation> {
        let is_promised = acks == Acks::All || !self.cluster.was_replicated(partition);
        if !is_promised || self.excused.has(partition) || self.is_outdated(partition, power_losses) {
            return Ok(());
        }
        for (offset, id) in (base_offset.0..).map(Offset).zip(batch.ids()) {
            self.consistent_read.saw(partition, offset, id)?;
        }
        self.acknowledged_is_kept.acked(partition, base_offset, batch.count);
        Ok(())
    }

    /// A client read records, in the order given, having asked when there had been `power_losses`.
    ///
    /// # Errors
    /// When something else was read there before, or nobody wrote it there.
    pub fn read(&mut self, partition: TopicPartition, records: &[(Offset, RecordId)], power_losses: u32) -> Result<(), Violation> {
        if self.excused.has(partition) {
            return Ok(());
        }
        for &(offset, id) in records {
            self.nothing_unwritten.check(partition, offset, id)?;
            if !self.is_outdated(partition, power_losses) {
                self.consistent_read.saw(partition, offset, id)?;
            }
        }
        Ok(())
    }

    /// Records were read where [what is gone](Self::may_serve_what_is_gone) may be served: they were written once, at least.
    ///
    /// # Errors
    /// When something was never written.
    pub fn read_what_may_be_gone(&mut self, partition: TopicPartition, records: &[(Offset, RecordId)]) -> Result<(), Violation> {
        for &(offset, id) in records.iter().filter(|_| !self.excused.has(partition)) {
            self.nothing_unwritten.check(partition, offset, id)?;
        }
        Ok(())
    }

    /// A partition was read from its start to its end, when all was well again.
    ///
    /// # Errors
    /// When something is missing, twice there or out of order.
    pub fn read_whole(
        &mut self,
        partition: TopicPartition,
        log_start: Offset,
        records: &[(Offset, RecordId)],
        log_end: Offset,
    ) -> Result<(), Violation> {
        if self.compaction.is_compacted(partition) {
            self.acknowledged_is_kept.check_end(partition, log_end)?;
            // What came behind may be among what is gone, where more was lost than is promised.
            if !self.cluster.is_gone(partition) {
                self.compaction.check(partition, (log_start, log_end), records, self.consistent_read.seen(partition))?;
            }
        } else {
            self.acknowledged_is_kept.check(partition, log_start, records, log_end)?;
        }
        let seen = self.consistent_read.seen(partition);
        IdempotentOrder::check(partition, seen, &self.nothing_unwritten)
    }

    /// A file of a log has rotted: what was promised of that partition is not owed any more.
    pub fn log_rotted(&mut self, file: &Path) {
        let folder = file.parent().and_then(Path::to_str);
        if let Some(partition) = folder.and_then(|folder| self.topics.of_folder(folder)) {
            self.excused.add(partition);
        }
    }

    /// A node's disk is an empty one: what was promised of any partition that is nowhere else is not owed any more.
    pub fn disk_replaced(&mut self, node: NodeId) {
        if self.is_cluster() {
            self.power_losses += 1;
            let partitions: Vec<TopicPartition> = self.topics.all().map(|(partition, _)| partition).collect();
            for partition in partitions {
                if self.cluster.is_only_on(partition, node) {
                    self.excused.add(partition);
                } else if let Some(kept) = self.cluster.replica_lost(node, partition, Offset::ZERO) {
                    self.taken(partition, kept).expect("what an empty disk had is not owed");
                }
            }
            self.cluster.disk_replaced(node);
            return;
        }
        self.is_disk_replaced = true;
        self.producer_ids.forget();
        self.altered_durability.forget();
        for (partition, _) in self.topics.all() {
            self.excused.add(partition);
        }
    }

    /// Whether a node's disk may go with all that is on it, and everything that was promised of what has several replicas is kept all the
    /// same.
    #[must_use]
    pub fn may_lose_disk(&self, node: NodeId) -> bool {
        self.cluster.may_lose_disk(node)
    }

    /// The metadata quorum begins with these voters, of the nodes that may ever vote; `are_folders_unnamed` says that the settings name only
    /// the nodes.
    pub(crate) fn start_quorum(&mut self, voters: Vec<Voter>, controllers: BTreeSet<NodeId>, are_folders_unnamed: bool) {
        self.cluster.start_quorum(voters, controllers, are_folders_unnamed);
    }

    /// What an operator might ask for who takes care that a majority of the voters is left.
    #[must_use]
    pub(crate) fn voter_changes(&self) -> Vec<VoterChange> {
        self.cluster.voter_changes()
    }

    /// How often a partition lost more than was promised to be kept, where there are several nodes.
    #[must_use]
    pub fn beyond_budget(&self) -> usize {
        self.cluster.losses()
    }

    /// How often the quorum has had another leader than its first, and partitions another epoch than theirs, where there are several nodes.
    #[must_use]
    pub fn elections(&self) -> (usize, usize) {
        self.cluster.elections()
    }

    /// What keeps a cluster from being whole: each partition led, every replica in sync, and none behind.
    #[must_use]
    pub fn what_is_not_whole(&self) -> Option<String> {
        self.cluster.what_is_not_whole()
    }

    /// Whether nothing is owed of a partition any more.
    #[must_use]
    pub fn is_excused(&self, partition: TopicPartition) -> bool {
        self.excused.has(partition)
    }

    /// Whether nobody can be asked to serve a partition again: see [`is_excused`](Self::is_excused), or only a person could say who leads it.
    #[must_use]
    pub fn need_not_serve(&self, partition: TopicPartition) -> bool {
        self.excused.has(partition) || self.cluster.is_given_up(partition)
    }

    /// How often disks have misbehaved so far.
    fn disk_faults(&self) -> u64 {
        let counts = DiskFaultCounts::sum(self.disks.values().map(SimDisk::fault_counts));
        counts.errors() + counts.short_space_told
    }
}

/// What an acknowledgement is held against.
struct Acked<'a> {
    /// Who acknowledges.
    node: NodeId,
    topics: &'a TopicBook,
    excused: &'a Excused,
    cluster: &'a Cluster,
    durable_logs: &'a mut DurableLogs,
    disks: &'a BTreeMap<NodeId, SimDisk>,
}

impl Acked<'_> {
    /// How far a partition is on the disks of all that have to have it, those in sync or the leader alone: the node that is least far.
    fn durable_end(&mut self, partition: TopicPartition, topic: &TopicName, needs_all: bool) -> (Offset, NodeId) {
        let others = self.cluster.in_sync(partition).filter(|member| needs_all && *member != self.node);
        let members: Vec<NodeId> = std::iter::once(self.node).chain(others).collect();
        let end = |member: NodeId| {
            let disk = self.disks.get(&member).expect("the node was added");
            (self.durable_logs.end(member, partition, topic, disk), member)
        };
        members.into_iter().map(end).min().expect("the leader is one of them")
    }
}
