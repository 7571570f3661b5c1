//! The followers on this node: what they fetch, by the node that leads.
//!
//! All partitions that follow one node share one exchange with it. A message names what is new since the one before; the leader keeps the rest,
//! so that what is idle costs nothing. An exchange whose messages may be lost begins anew and names everything. Behind every answer that used
//! a want up there is a next one, at the latest once what came is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Broker;
use super::leading::throttled_bytes;
use super::timers::Timer;
use crate::boundary::{
    Batch, Durability, Effects, FetchPartitions, FetchedPartitions, FetchedReplica, Mark, Payload, PeerMessage, Records, StorageOp, Unfetched,
    WantedPartition,
};
use crate::error::ErrorCode;
use crate::ids::{LogId, NodeId, TopicPartition};
use crate::limits::{REPLICA_ANSWER_BYTES, REPLICA_ANSWERS_AHEAD, REPLICA_WANTS_MAX, REPLICATION_TICK_MS, WANTED_AHEAD_BYTES};
use crate::metadata::{Image, PartitionRegistration};
use crate::offset::Offset;
use crate::partition::{Partition, PartitionRole, log_settings};
use crate::producer::ProducerStates;
use crate::record::empty_batch;
use crate::replica::{EpochEnd, truncation};
use crate::time::{Monotonic, Wait};

/// The exchanges of this node, by leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Following {
    exchanges: BTreeMap<NodeId, Exchange>,
    leaders: BTreeMap<TopicPartition, NodeId>,
    last_session: u64,
    /// When throttled copies may fetch again (KIP-73): the time passes that the bytes which were asked for may take.
    throttled_until: Option<Monotonic>,
}

/// An exchange with one leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Exchange {
    session: u64,
    /// Whether the leader has to be told that the session begins.
    begins: bool,
    taken: u64,
    /// What the leader was last told of that.
    told_taken: u64,
    partitions: BTreeSet<TopicPartition>,
    /// What the leader does not know yet.
    unsaid: BTreeSet<TopicPartition>,
    /// Partitions whose last answer held nothing new: a log that was trimmed or removed meanwhile has nothing to send, once.
    empty: BTreeSet<TopicPartition>,
    /// What the leader could not read: it is asked again at the next tick.
    unread: BTreeSet<TopicPartition>,
    /// What waits for its rate to be asked for.
    throttled: BTreeSet<TopicPartition>,
    dropped: BTreeSet<TopicPartition>,
    /// Whether the leader waits to hear what was taken, or that this node lives.
    owes: bool,
    /// Whether the connection was lost: nothing is said before the next tick.
    rests: bool,
}

/// When a follower says what it wants behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextWant {
    Now,
    /// With how far it is written, which is soon: one message does for both.
    OnceWritten,
    AtTick,
}

impl Exchange {
    fn begin(&mut self, session: u64) {
        self.session = session;
        self.begins = true;
        self.taken = 0;
        self.told_taken = 0;
        self.unsaid = self.partitions.clone();
        self.unread.clear();
        self.empty.clear();
        self.throttled.clear();
        self.dropped.clear();
    }
}

impl Following {
    fn exchange(&mut self, leader: NodeId) -> &mut Exchange {
        let last_session = &mut self.last_session;
        self.exchanges.entry(leader).or_insert_with(|| {
            *last_session += 1;
            Exchange { session: *last_session, begins: true, ..Exchange::default() }
        })
    }

    fn set_leader(&mut self, id: TopicPartition, leader: Option<NodeId>) {
        let former = match leader {
            Some(leader) => self.leaders.insert(id, leader),
            None => self.leaders.remove(&id),
        };
        if let Some(former) = former.filter(|former| Some(*former) != leader) {
            let exchange = self.exchange(former);
            exchange.partitions.remove(&id);
            exchange.unsaid.remove(&id);
            exchange.unread.remove(&id);
            exchange.empty.remove(&id);
            exchange.throttled.remove(&id);
            exchange.dropped.insert(id);
        }
        if let Some(leader) = leader {
            let exchange = self.exchange(leader);
            exchange.partitions.insert(id);
            exchange.dropped.remove(&id);
            exchange.unsaid.insert(id);
        }
    }

    /// What a follower holds has changed: its leader is to know.
    pub(super) fn changed(&mut self, id: TopicPartition) {
        if let Some(leader) = self.leaders.get(&id)
            && let Some(exchange) = self.exchanges.get_mut(leader)
        {
            exchange.unsaid.insert(id);
        }
    }

    /// Takes note of whether an answer held anything new. When two in a row do not, the leader can't read what it has to tell: then it says
    /// so, and the partition waits for the next tick.
    fn answered(&mut self, id: TopicPartition, is_news: bool) -> bool {
        let Some(exchange) = self.leaders.get(&id).and_then(|leader| self.exchanges.get_mut(leader)) else { return false };
        if is_news {
            exchange.empty.remove(&id);
            return false;
        }
        let is_unread = !exchange.empty.insert(id);
        if is_unread {
            exchange.empty.remove(&id);
            exchange.unsaid.remove(&id);
            exchange.unread.insert(id);
        }
        is_unread
    }

    /// Throttled copies may fetch at once.
    pub(super) fn unthrottle(&mut self) {
        self.throttled_until = None;
        for exchange in self.exchanges.values_mut() {
            exchange.unsaid.append(&mut exchange.throttled);
        }
    }

    /// Messages to or from a leader may be lost.
    pub(super) fn lost(&mut self, leader: NodeId) {
        self.last_session += 1;
        let session = self.last_session;
        if let Some(exchange) = self.exchanges.get_mut(&leader) {
            exchange.begin(session);
            exchange.rests = true;
        }
    }
}

impl Broker {
    /// Follows whom a partition's copy is to fetch from.
    pub(super) fn follow_replicas(&mut self, id: TopicPartition, registered: &PartitionRegistration) {
        let is_follower = matches!(self.partitions.get(&id).map(|partition| &partition.role), Some(PartitionRole::Follower(_)));
        let leader = registered.leader.filter(|leader| is_follower && *leader != self.settings.node);
        self.following.set_leader(id, leader);
    }

    /// A partition's copy fetches no longer.
    pub(super) fn unfollow(&mut self, id: TopicPartition) {
        self.following.set_leader(id, None);
    }

    /// Says what is new to every leader.
    pub(super) fn flush_following(&mut self, effects: &mut Effects) {
        let me = self.image.brokers.get(&self.settings.node).filter(|broker| broker.incarnation == self.settings.incarnation);
        let Some(broker_epoch) = me.map(|broker| broker.broker_epoch) else { return };
        let (partitions, incarnation, image, me) = (&self.partitions, self.settings.incarnation, &self.image, self.settings.node);
        let (rate, fetch_bytes, now) = (self.bounds.follower_throttled_rate, self.bounds.replica_fetch_bytes, self.now.monotonic);
        let throttled_until = &mut self.following.throttled_until;
        for (leader, exchange) in &mut self.following.exchanges {
            let has_news = exchange.owes || !exchange.unsaid.is_empty() || !exchange.dropped.is_empty();
            if exchange.rests || !has_news {
                continue;
            }
            let mut wanted: Vec<WantedPartition> = Vec::new();
            while wanted.len() < REPLICA_WANTS_MAX
                && let Some(id) = exchange.unsaid.pop_first()
            {
                let mut bytes_max = fetch_bytes;
                if rate < u64::MAX && is_throttled(id, partitions, image, me) {
                    if throttled_until.is_some() {
                        exchange.throttled.insert(id);
                        continue;
                    }
                    bytes_max = throttled_bytes(rate);
                    let until = now.after(Wait(u64::from(bytes_max).saturating_mul(1_000_000_000) / rate));
                    *throttled_until = Some(until);
                    self.timers.set(Timer::ThrottledCopies, until);
                    effects.mark(Mark::ReplicaThrottled);
                }
                wanted.extend(partitions.get(&id).and_then(|partition| wish(id, partition, bytes_max)));
            }
            if wanted.is_empty() && exchange.dropped.is_empty() && !exchange.owes && !exchange.begins {
                continue;
            }
            let message = FetchPartitions {
                incarnation,
                broker_epoch,
                session: exchange.session,
                begins: std::mem::take(&mut exchange.begins),
                taken: exchange.taken,
                wanted,
                dropped: std::mem::take(&mut exchange.dropped).into_iter().collect(),
            };
            exchange.owes = false;
            exchange.told_taken = exchange.taken;
            effects.tell(*leader, PeerMessage::FetchPartitions(message));
        }
        self.following.exchanges.retain(|_, exchange| !exchange.partitions.is_empty());
    }

    /// Tells every leader that this node lives.
    pub(super) fn replication_tick(&mut self, effects: &mut Effects) {
        for exchange in self.following.exchanges.values_mut() {
            exchange.owes = true;
            exchange.rests = false;
            let unread = std::mem::take(&mut exchange.unread);
            exchange.unsaid.extend(unread);
        }
        self.check_all_isrs(effects);
        self.timers.set(Timer::Replication, self.now.monotonic.after(Wait::from_ms(REPLICATION_TICK_MS)));
    }

    /// A leader has answered.
    pub(super) fn partitions_came(&mut self, from: NodeId, fetched: FetchedPartitions, effects: &mut Effects) {
        let Some(exchange) = self.following.exchanges.get_mut(&from) else { return };
        if fetched.incarnation != self.settings.incarnation || fetched.session != exchange.session {
            return;
        }
        if fetched.sequence == 0 {
            // The leader does not know the session: it has started anew.
            return self.following.lost(from);
        }
        exchange.taken = fetched.sequence;
        // The leader sends no more than a few answers ahead of what it hears is taken.
        let mut owes = fetched.sequence.saturating_sub(exchange.told_taken.max(1)) >= REPLICA_ANSWERS_AHEAD / 2;
        let data = fetched.partitions.iter().filter_map(|replica| replica.result.as_ref().ok());
        let is_full = data.map(records_bytes).sum::<u64>() >= REPLICA_ANSWER_BYTES.into();
        for replica in fetched.partitions {
            let (id, keeps_want) = (replica.id, replica.keeps_want);
            // The leader waits for a want that knows of this answer, whatever becomes of it, but where the one before still waits.
            let next_want = self.replica_came(from, replica, is_full, effects);
            if !keeps_want && next_want == NextWant::Now {
                self.following.changed(id);
                owes = true;
            }
        }
        if let Some(exchange) = self.following.exchanges.get_mut(&from) {
            exchange.owes |= owes;
        }
    }

    fn replica_came(&mut self, from: NodeId, fetched: FetchedReplica, is_full: bool, effects: &mut Effects) -> NextWant {
        let id = fetched.id;
        let (log, now) = (LogId::Partition(id), self.now.wall);
        let snapshot_bytes = self.bounds.snapshot_interval_bytes;
        let Some(follower) = self.partitions.get_mut(&id).and_then(Partition::follower_mut) else { return NextWant::Now };
        if follower.leader() != Some(from) || follower.leader_epoch() != fetched.leader_epoch {
            return NextWant::Now;
        }
        let replica = &mut follower.replica;
        if replica.log().end() != fetched.fetch_offset {
            return NextWant::Now;
        }
        let before = (replica.log().end(), replica.high_watermark());
        let (mut bytes, mut broken) = (0_u32, None);
        match fetched.result {
            Ok(Records::Data(batches)) => {
                for batch in batches {
                    let batch = match rest_of_filler(&batch, replica.log().end()) {
                        Some(rest) => {
                            effects.mark(Mark::FollowerInsideFiller);
                            rest
                        }
                        None => batch,
                    };
                    let begins_inside = batch.header.base_offset < replica.log().end();
                    match replica.append_fetched(&batch, fetched.leader_epoch, now) {
                        Ok(header) => {
                            if begins_inside {
                                effects.mark(Mark::LogBegunInsideBatch);
                            }
                            bytes = bytes.saturating_add(header.batch_bytes);
                            effects.storage.push(StorageOp::Append { log, header, payload: batch.payload, has_followers: false });
                        }
                        Err(discontinuous) => {
                            broken = Some(discontinuous);
                            break;
                        }
                    }
                }
            }
            Ok(Records::Slice(_) | Records::Metadata(_)) => {}
            Err(Unfetched::Diverging(parting)) => {
                self.truncate_replica(id, parting, effects);
                return NextWant::Now;
            }
            Err(Unfetched::OutOfRange) => {
                // What lies between is gone everywhere; or the leader has less than this copy begins with, and the controller has named it.
                effects.mark(Mark::FollowerBeganAnew);
                let (end, log_start) = (replica.log().end(), fetched.log_start);
                // Who wrote what is skipped the leader tells: a retry of that is none of a producer that nobody knows.
                let producers = fetched.producers.unwrap_or_else(|| ProducerStates::new(log_start).to_snapshot());
                let keep = StorageOp::KeepSnapshot { log, upto: log_start, producers };
                // One that is in sync, and ends where the leader's log begins, holds all that is committed at every moment: its records until
                // its start has moved behind them, and who wrote them before that.
                let is_skipping = log_start >= end;
                effects.storage.extend(if is_skipping {
                    [keep, StorageOp::Trim { log, log_start }]
                } else {
                    [StorageOp::Truncate { log, to: log_start }, keep]
                });
                self.open_anew(id, effects);
                return NextWant::Now;
            }
        }
        replica.follow_high_watermark(fetched.high_watermark);
        let is_to_start_later = follower.hear_start(fetched.log_start);
        if is_to_start_later {
            super::upkeep::trim(id, &mut follower.replica, fetched.log_start, effects);
        }
        let replica = &mut follower.replica;
        if replica.log().unkept_bytes() >= snapshot_bytes
            && let Some((upto, producers)) = replica.keep_producers()
        {
            effects.storage.push(StorageOp::KeepSnapshot { log, upto, producers });
        }
        let is_news = is_to_start_later || before != (replica.log().end(), replica.high_watermark());
        let is_soon_written = (1..WANTED_AHEAD_BYTES).contains(&bytes) && replica.settings().durability == Durability::Replicated;
        // Of an answer that is full nothing may have been left for it.
        let is_unread = !fetched.keeps_want && self.following.answered(id, is_news || is_full);
        self.serve_waiting(id, effects);
        if let Some(broken) = broken {
            effects.error(format!("{id}: the leader sent records from {} where {} was due", broken.base_offset, broken.log_end));
        }
        match (is_unread, is_soon_written) {
            (true, _) => NextWant::AtTick,
            (false, true) => NextWant::OnceWritten,
            (false, false) => NextWant::Now,
        }
    }

    /// The logs part: what the leader does not have goes.
    fn truncate_replica(&mut self, id: TopicPartition, parting: EpochEnd, effects: &mut Effects) {
        let Some(follower) = self.partitions.get_mut(&id).and_then(Partition::follower_mut) else { return };
        let log = follower.replica.log();
        let to = truncation(log, parting);
        effects.mark(Mark::FollowerTruncated);
        effects.storage.push(StorageOp::Truncate { log: LogId::Partition(id), to });
        self.open_anew(id, effects);
    }

    /// Opens a log again that the store is about to shorten: what it says of producers and of itself is read anew.
    fn open_anew(&mut self, id: TopicPartition, effects: &mut Effects) {
        self.unfollow(id);
        let Some(settings) = self.topics.get(id.topic).map(|settings| log_settings(settings)) else { return };
        let stranded = self.strand(id);
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let high_watermark = partition.replica().map(|replica| replica.high_watermark()).unwrap_or_default();
        partition.role = PartitionRole::Opening { high_watermark };
        effects.storage.push(StorageOp::Open { log: LogId::Partition(id), topic: partition.topic.clone(), settings });
        self.release(stranded, ErrorCode::NotLeaderOrFollower, effects);
    }
}

/// What is left for a log that ends at `end` of a batch that stands for records which its leader has compacted away, if it ends inside of it.
fn rest_of_filler(batch: &Batch, end: Offset) -> Option<Batch> {
    let header = batch.header;
    if !header.is_filler() || header.base_offset >= end || header.next_offset() <= end {
        return None;
    }
    let (header, bytes) = empty_batch(end, header.next_offset(), header.leader_epoch);
    Some(Batch { header, payload: Payload::new(bytes) })
}

/// Bytes of an answer's batches.
fn records_bytes(records: &Records) -> u64 {
    match records {
        Records::Data(batches) => batches.iter().map(|batch| u64::from(batch.header.batch_bytes)).sum(),
        Records::Slice(_) | Records::Metadata(_) => 0,
    }
}

/// Whether what this node's copy fetches is throttled.
fn is_throttled(id: TopicPartition, partitions: &BTreeMap<TopicPartition, Partition>, image: &Image, me: NodeId) -> bool {
    let is_named = partitions.get(&id).and_then(Partition::replica);
    let is_named = is_named.is_some_and(|replica| replica.settings().throttled_followers.has(id.partition, me));
    is_named && image.partition(id).is_some_and(|registered| !registered.isr.contains(&me))
}

/// What a partition's copy wants next, if it follows.
fn wish(id: TopicPartition, partition: &Partition, bytes_max: u32) -> Option<WantedPartition> {
    match &partition.role {
        PartitionRole::Follower(follower) => Some(follower.wanted(id, bytes_max)),
        PartitionRole::Opening { .. } | PartitionRole::Leader(_) | PartitionRole::Offline(_) => None,
    }
}
