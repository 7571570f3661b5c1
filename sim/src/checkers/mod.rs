//! What must always be true, one file a property. They are told what clients did and see every step of a node; the first objection ends
//! the run.
//!
//! A checker knows what the fault model allows: a power loss may take what was never synced, so what was acknowledged in a `replicated` topic is
//! kept only as far as the disk has it.

mod acked_is_durable;
mod acknowledged_is_kept;
mod altered_durability;
mod asked;
mod consistent_read;
mod durable_log;
mod error_codes;
mod excused;
mod fails_for_a_reason;
mod idempotent_order;
mod log_starts;
mod nothing_unwritten;
mod producer_ids;
mod time_lookups;
mod topic_book;
mod watermarks;

use std::path::Path;

use gracchus_core::boundary::{Durability, Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;
use gracchus_core::time::{Now, Timestamp};
use gracchus_net::client::WireError;
use serde::{Deserialize, Serialize};

use self::acked_is_durable::AckedIsDurable;
use self::acknowledged_is_kept::AcknowledgedIsKept;
use self::altered_durability::AlteredDurability;
pub use self::asked::{Asked, Connected, Subject};
use self::consistent_read::ConsistentRead;
use self::durable_log::DurableLogs;
pub use self::error_codes::Question;
use self::error_codes::{ErrorCodes, Known};
use self::excused::Excused;
use self::idempotent_order::IdempotentOrder;
use self::log_starts::LogStarts;
use self::nothing_unwritten::NothingUnwritten;
pub use self::nothing_unwritten::SessionKind;
use self::producer_ids::ProducerIds;
use self::time_lookups::Searched;
pub use self::time_lookups::TimeTarget;
use self::topic_book::TopicBook;
use self::watermarks::Watermarks;
use crate::history::{Batch, RecordId, Session};
use crate::platform::clock::simulated_time;
use crate::platform::disk::SimDisk;

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
    error_codes: ErrorCodes,
    log_starts: LogStarts,
    nothing_unwritten: NothingUnwritten,
    producer_ids: ProducerIds,
    watermarks: Watermarks,
    excused: Excused,
    /// Whether the node was given an empty disk: it knows no topic of before.
    is_disk_replaced: bool,
    /// Counts power losses: what a client was told before one says nothing of a `replicated` topic after it.
    power_losses: u32,
}

impl Checkers {
    /// A node has taken a step.
    ///
    /// # Errors
    /// The property that it broke.
    pub fn step(&mut self, _now: Now, input: &Input, effects: &Effects, broker: &Broker, disk: &SimDisk) -> Result<(), Violation> {
        self.topics.learn(effects);
        self.watermarks.step(broker, &self.excused)?;
        fails_for_a_reason::step(effects, disk)?;
        self.error_codes.step(input);
        self.producer_ids.step(effects)?;
        self.log_starts.step(input, effects, broker, &self.topics, &self.excused)?;
        self.altered_durability.step(input, effects, &self.topics, &self.excused, &mut self.durable_logs, disk)?;
        self.acked_is_durable.step(input, effects, &self.topics, &self.excused, &mut self.durable_logs, disk)
    }

    /// The node has ended by itself, or with an error.
    ///
    /// # Errors
    /// When the disk gave it no reason to.
    pub fn node_failed(&self, error: &str, disk: &SimDisk) -> Result<(), Violation> {
        fails_for_a_reason::check(&format!("the node ended: {error}"), disk)
    }

    /// The node's process has ended, for whatever reason.
    pub fn node_ended(&mut self, disk: &SimDisk) {
        self.acked_is_durable.forget_requests();
        self.altered_durability.forget_requests();
        self.error_codes.process_ended(disk_faults(disk));
        self.durable_logs.rescan();
    }

    /// The node's disk has lost what was not on it.
    ///
    /// # Errors
    /// When something went that had been promised.
    pub fn power_lost(&mut self, disk: &SimDisk) -> Result<(), Violation> {
        self.power_losses += 1;
        self.node_ended(disk);
        for (partition, topic) in self.topics.all().filter(|(partition, _)| !self.excused.has(*partition)) {
            if topic.durability == Durability::Replicated {
                let kept = self.durable_logs.end(partition, &topic.name, disk);
                self.altered_durability.power_lost(partition, kept)?;
                self.consistent_read.forget_from(partition, kept);
                self.acknowledged_is_kept.forget_from(partition, kept);
                self.watermarks.lower_to(partition, kept);
            }
        }
        Ok(())
    }

    /// What had gone wrong before the process started that a client reaches at this moment.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.error_codes.connected()
    }

    /// A client is about to ask: what is known at this moment.
    #[must_use]
    pub fn ask(&self, connected: Connected, subject: Subject) -> Asked {
        let partition = subject.partition();
        Asked {
            subject,
            at: simulated_time(),
            power_losses: self.power_losses,
            connected,
            log_start_told: partition.map_or(Offset::ZERO, |partition| self.log_starts.told(partition)),
            log_start: partition.and_then(|partition| self.watermarks.log_start(partition)),
            high_watermark: partition.and_then(|partition| self.watermarks.high_watermark(partition)),
        }
    }

    /// A client is told an error.
    ///
    /// # Errors
    /// When nothing explains it.
    pub fn refused(&self, asked: &Asked, question: Question, error: WireError, disk: &SimDisk) -> Result<(), Violation> {
        let partition = asked.subject.partition();
        if partition.map_or(self.is_disk_replaced, |partition| self.excused.has(partition)) {
            return Ok(());
        }
        let known = Known {
            log_start: partition.and_then(|partition| self.watermarks.log_start(partition)),
            trimmed: partition.map_or(Offset::ZERO, |partition| self.log_starts.trimmed(partition)),
            is_removed: partition.and_then(|partition| self.topics.get(partition)).is_some_and(|topic| topic.is_removed),
            is_outdated: partition.is_some_and(|partition| self.is_outdated(partition, asked.power_losses)),
            segment_bytes_max: partition.and_then(|partition| self.topics.get(partition)).map(|topic| topic.segment_bytes_max),
            disk_faults: disk_faults(disk),
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
        self.log_starts.saw(partition, log_start, asked.log_start_told, most)
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
        let seen = self.consistent_read.seen(partition);
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
        power_losses != self.power_losses && self.topics.durability(partition) != Some(Durability::Flushed)
    }

    /// A session begins.
    pub fn open_session(&mut self, kind: SessionKind) -> Session {
        self.nothing_unwritten.open_session(kind)
    }

    /// A client is about to send a batch for the first time, made at `made`: its records get their ids.
    pub fn write(&mut self, session: Session, partition: TopicPartition, count: u32, made: Timestamp) -> RecordId {
        self.nothing_unwritten.write(session, partition, count, made)
    }

    /// A batch was acknowledged, to a client that had sent it when there had been `power_losses`.
    ///
    /// # Errors
    /// When another record is known to stand there.
    pub fn acked(&mut self, partition: TopicPartition, batch: &Batch, base_offset: Offset, power_losses: u32) -> Result<(), Violation> {
        if self.excused.has(partition) || self.is_outdated(partition, power_losses) {
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
        self.acknowledged_is_kept.check(partition, log_start, records, log_end)?;
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

    /// The disk is an empty one: what was promised of any partition is not owed any more.
    pub fn disk_replaced(&mut self) {
        self.is_disk_replaced = true;
        self.producer_ids.forget();
        self.altered_durability.forget();
        for (partition, _) in self.topics.all() {
            self.excused.add(partition);
        }
    }

    /// Whether nothing is owed of a partition any more.
    #[must_use]
    pub fn is_excused(&self, partition: TopicPartition) -> bool {
        self.excused.has(partition)
    }
}

/// How often a disk has misbehaved so far.
fn disk_faults(disk: &SimDisk) -> u64 {
    let counts = disk.fault_counts();
    counts.errors() + counts.short_space_told
}
