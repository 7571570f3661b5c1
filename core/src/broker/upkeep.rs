//! What is done by the clock.

use super::Broker;
use super::timers::Timer;
use crate::boundary::{Effects, Mark, StorageOp};
use crate::ids::{LogId, TopicPartition};
use crate::offset::Offset;
use crate::partition::Replica;
use crate::time::Wait;

impl Broker {
    /// Fires every timer that is due.
    pub(super) fn fire_timers(&mut self, effects: &mut Effects) {
        while let Some(timer) = self.timers.pop_due(self.now.monotonic) {
            match timer {
                Timer::Produce(request) => self.produce_timed_out(request, effects),
                Timer::Fetch(request) => self.fetch_timed_out(request, effects),
                Timer::Deletion(request) => self.deletion_timed_out(request, effects),
                Timer::Quorum => self.quorum_timed_out(effects),
                Timer::FetchMetadata => self.metadata_fetch_lost(effects),
                Timer::ParkedMetadata(node) => self.parked_metadata_timed_out(node, effects),
                Timer::Call(id) => self.call_timed_out(id, effects),
                Timer::Calls => self.retry_calls(effects),
                Timer::Metadata(request) => self.doubtful_metadata_timed_out(request, effects),
                Timer::Heartbeat => self.heartbeat(effects),
                Timer::Replication => self.replication_tick(effects),
                Timer::CutOff => self.cut_off(effects),
                Timer::HandOver => self.handed_over(effects),
                Timer::Sessions => self.fence_silent(effects),
                Timer::Balance => self.rebalance(effects),
                // Every step ends with a look at what there is to send.
                Timer::ThrottledFollowers | Timer::CatchingUp => {}
                Timer::ThrottledCopies => self.following.unthrottle(),
                Timer::Retention => self.retain(effects),
                Timer::Compaction => self.compact_by_the_clock(effects),
                Timer::ProducerExpiry => self.expire_producers(),
                Timer::Groups(id) => self.groups_due(id, effects),
                Timer::Voters => self.voters_timed_out(effects),
                Timer::MetadataSnapshot => self.snapshot_overdue(effects),
            }
        }
    }

    /// Moves the start of every log to where its age and size allow.
    fn retain(&mut self, effects: &mut Effects) {
        for (id, partition) in &mut self.partitions {
            let Some(replica) = partition.replica_mut() else { continue };
            if let Some(log_start) = replica.retained_from(self.now) {
                effects.mark(Mark::RetentionAdvanced);
                trim(*id, replica, log_start, effects);
            }
        }
        let interval = Wait::from_ms(self.configs.whole("log.retention.check.interval.ms"));
        self.timers.set(Timer::Retention, self.now.monotonic.after(interval));
    }

    fn expire_producers(&mut self) {
        let age_max_ms = self.configs.whole("producer.id.expiration.ms");
        for partition in self.partitions.values_mut() {
            if let Some(replica) = partition.replica_mut() {
                replica.expire_producers(self.now.wall, age_max_ms);
            }
        }
        let interval = Wait::from_ms(self.configs.whole("producer.id.expiration.check.interval.ms"));
        self.timers.set(Timer::ProducerExpiry, self.now.monotonic.after(interval));
    }
}

/// Moves a log's start. The producers' state is kept first: recovery would not find it in batches that are gone, and take their retries for
/// something new.
pub(super) fn trim(id: TopicPartition, replica: &mut Replica, log_start: Offset, effects: &mut Effects) {
    let log = LogId::Partition(id);
    if let Some((upto, producers)) = replica.keep_producers() {
        effects.storage.push(StorageOp::KeepSnapshot { log, upto, producers });
    }
    replica.log_mut().trimming_to(log_start);
    effects.storage.push(StorageOp::Trim { log, log_start });
}
