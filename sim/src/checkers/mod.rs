//! What must always be true, one file a property. They are told what clients did and see every step of a node; the first objection ends
//! the run.
//!
//! A checker knows what the fault model allows: a power loss may take what was never synced, so what was acknowledged in a `replicated` topic is
//! kept only as far as the disk has it.

mod acked_is_durable;
mod acknowledged_is_kept;
mod consistent_read;
mod durable_log;
mod excused;
mod fails_for_a_reason;
mod idempotent_order;
mod nothing_unwritten;
mod topic_book;
mod watermarks;

use std::path::Path;

use gracchus_core::boundary::{Durability, Effects, Input};
use gracchus_core::broker::Broker;
use gracchus_core::ids::TopicPartition;
use gracchus_core::offset::Offset;
use gracchus_core::time::Now;
use serde::{Deserialize, Serialize};

use self::acked_is_durable::AckedIsDurable;
use self::acknowledged_is_kept::AcknowledgedIsKept;
use self::consistent_read::ConsistentRead;
use self::durable_log::DurableLogs;
use self::excused::Excused;
use self::idempotent_order::IdempotentOrder;
use self::nothing_unwritten::NothingUnwritten;
pub use self::nothing_unwritten::SessionKind;
use self::topic_book::TopicBook;
use self::watermarks::Watermarks;
use crate::history::{Batch, RecordId, Session};
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
    nothing_unwritten: NothingUnwritten,
    watermarks: Watermarks,
    excused: Excused,
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
    pub fn node_ended(&mut self) {
        self.acked_is_durable.forget_requests();
        self.durable_logs.rescan();
    }

    /// The node's disk has lost what was not on it.
    ///
    /// # Errors
    /// When something went that had been promised.
    pub fn power_lost(&mut self, disk: &SimDisk) -> Result<(), Violation> {
        self.power_losses += 1;
        self.node_ended();
        for (partition, topic) in self.topics.all() {
            if topic.durability == Durability::Replicated {
                let kept = self.durable_logs.end(partition, &topic.name, disk);
                self.consistent_read.forget_from(partition, kept);
                self.acknowledged_is_kept.forget_from(partition, kept);
                self.watermarks.lower_to(partition, kept);
            }
        }
        Ok(())
    }

    /// How often the power was lost so far.
    #[must_use]
    pub fn power_losses(&self) -> u32 {
        self.power_losses
    }

    /// A session begins.
    pub fn open_session(&mut self, kind: SessionKind) -> Session {
        self.nothing_unwritten.open_session(kind)
    }

    /// A client is about to send a batch for the first time: its records get their ids.
    pub fn write(&mut self, session: Session, partition: TopicPartition, count: u32) -> RecordId {
        self.nothing_unwritten.write(session, partition, count)
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
        for (partition, _) in self.topics.all() {
            self.excused.add(partition);
        }
    }

    /// Whether nothing is owed of a partition any more.
    #[must_use]
    pub fn is_excused(&self, partition: TopicPartition) -> bool {
        self.excused.has(partition)
    }

    fn is_outdated(&self, partition: TopicPartition, power_losses: u32) -> bool {
        power_losses != self.power_losses && self.topics.durability(partition) != Some(Durability::Flushed)
    }
}
