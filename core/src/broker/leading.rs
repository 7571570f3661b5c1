//! The leaders on this node and those who follow them: wants wait here until there is news.
//!
//! A follower is sent a few answers ahead of what it has taken, so that records are on their way while it writes those before, and its memory
//! is bounded. A want is used up by records, or by why there are none; other news leaves it where it waits. Who is behind is paced
//! (`pacing.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Broker;
use super::calls::Purpose;
use super::pacing::{ClientWrites, Pacing};
use super::timers::Timer;
use crate::boundary::{
    AlterPartitions, ControllerAnswer, ControllerCommand, Effects, FetchPartitions, FetchedPartitions, FetchedReplica, Mark, PeerMessage,
    Records, Unfetched, WantedPartition,
};
use crate::epoch::{BrokerEpoch, PartitionEpoch};
use crate::ids::{IncarnationId, LogId, NodeId, TopicPartition};
use crate::limits::{REPLICA_ANSWER_BYTES, REPLICA_ANSWERS_AHEAD, REPLICA_FETCH_BYTES, REPLICATION_TICK_MS, THROTTLED_FETCH_BYTES_MIN};
use crate::time::{Monotonic, Wait};

/// Those who follow leaders on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leading {
    sessions: BTreeMap<NodeId, Session>,
    /// Partitions whose ISR may have to change.
    unsettled: BTreeSet<TopicPartition>,
    /// When the next throttled replica is served (KIP-73): the time is let pass that its bytes may take, and then they are sent.
    throttled_until: Option<Monotonic>,
    /// What clients write here, whom those who are behind are paced for.
    clients: ClientWrites,
}

/// A node that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    incarnation: IncarnationId,
    broker_epoch: BrokerEpoch,
    session: u64,
    sent: u64,
    taken: u64,
    /// When all that it wants was last taken for a sign of life.
    heard: Monotonic,
    wanted: BTreeMap<TopicPartition, WantedPartition>,
    /// Wants that there is news for.
    ready: BTreeSet<TopicPartition>,
    /// Whose turn it was last.
    served: Option<TopicPartition>,
    /// The numbers of the last answers about partitions, as long as those are not known to be taken. What is wanted of one meanwhile was said
    /// before the answer came.
    under_way: BTreeMap<TopicPartition, u64>,
    pacing: Pacing,
}

impl Session {
    /// The next want that there is news for, in turns: one that has much to fetch is not before all others again and again.
    fn next_ready(&mut self) -> Option<TopicPartition> {
        let behind_last = self.served.and_then(|last| self.ready.range((Bound::Excluded(last), Bound::Unbounded)).next());
        let next = *behind_last.or_else(|| self.ready.first())?;
        self.ready.remove(&next);
        self.served = Some(next);
        Some(next)
    }
}

impl Leading {
    /// A client's batch was appended.
    pub(super) fn client_wrote(&mut self, bytes: u32, now: Monotonic) {
        self.clients.add(bytes, now);
    }

    /// Throttled replicas may be sent more at once: their rate is another.
    pub(super) fn unthrottle(&mut self) {
        self.throttled_until = None;
    }

    /// Messages from or to a follower may be lost.
    pub(super) fn lost(&mut self, follower: NodeId) {
        self.sessions.remove(&follower);
    }
}

impl Broker {
    /// A follower says what it wants.
    pub(super) fn partitions_wanted(&mut self, from: NodeId, fetch: FetchPartitions, effects: &mut Effects) {
        let FetchPartitions { incarnation, broker_epoch, session, begins, taken, wanted, dropped } = fetch;
        let known = self.leading.sessions.get(&from).is_some_and(|held| held.incarnation == incarnation && held.session == session);
        if begins {
            let fresh = Session {
                incarnation,
                broker_epoch,
                session,
                // No answer has the number of one to an unknown session.
                sent: 1,
                taken: 1,
                heard: self.now.monotonic,
                wanted: BTreeMap::new(),
                ready: BTreeSet::new(),
                served: None,
                under_way: BTreeMap::new(),
                pacing: Pacing::default(),
            };
            self.leading.sessions.insert(from, fresh);
        } else if !known {
            let unknown = FetchedPartitions { incarnation, session, sequence: 0, partitions: Vec::new() };
            return effects.tell(from, PeerMessage::Partitions(unknown));
        }
        let Some(held) = self.leading.sessions.get_mut(&from) else { return };
        held.taken = held.taken.max(taken.min(held.sent));
        held.broker_epoch = broker_epoch;
        for id in dropped {
            held.wanted.remove(&id);
            held.ready.remove(&id);
            held.under_way.remove(&id);
            held.pacing.dropped(id);
        }
        for want in wanted {
            self.take_want(from, broker_epoch, want, effects);
        }
        self.heard_from_follower(from);
    }

    /// A follower that waits at the end of a log is in sync as long as it is heard.
    fn heard_from_follower(&mut self, from: NodeId) {
        let around = around!(self);
        let Some(session) = self.leading.sessions.get_mut(&from) else { return };
        // Now and then is enough: a follower says so at every tick, and a busy one much more often.
        if around.now.since(session.heard) < Wait::from_ms(REPLICATION_TICK_MS / 2) {
            return;
        }
        session.heard = around.now;
        for id in session.wanted.keys() {
            if let Some(Ok(leader)) = self.partitions.get_mut(id).map(|partition| partition.leader_mut()) {
                leader.replica_heard(from, &around);
            }
        }
    }

    fn take_want(&mut self, from: NodeId, broker_epoch: BrokerEpoch, want: WantedPartition, effects: &mut Effects) {
        let Some(session) = self.leading.sessions.get_mut(&from) else { return };
        session.ready.remove(&want.id);
        session.pacing.leave(want.id);
        let has_crossed = session.under_way.get(&want.id).is_some_and(|sequence| *sequence > session.taken);
        if has_crossed {
            // It is told again once the answer is taken. Until then it says how far the follower is, and would be sent the same again.
            effects.mark(Mark::WantCrossedAnswer);
        } else {
            session.under_way.remove(&want.id);
            session.wanted.entry(want.id).and_modify(|waiting| *waiting = want.knowing(waiting)).or_insert(want);
        }
        let around = around!(self);
        let Some(Ok(leader)) = self.partitions.get_mut(&want.id).map(|partition| partition.leader_mut()) else { return };
        // KIP-320: one that knows an older epoch is not of this leader; one that knows a later one waits until this node knows it too.
        if leader.leader_epoch() != want.leader_epoch {
            return;
        }
        session.pacing.heard(&want, leader.settings().durability, has_crossed);
        let before = leader.high_watermark();
        let held = leader.replica_fetched(from, broker_epoch, &want, &around);
        let is_member = leader.isr().committed().contains(&from);
        let has_committed = leader.high_watermark() > before;
        if held.is_ok() && !is_member {
            self.leading.unsettled.insert(want.id);
        }
        if has_committed {
            effects.mark(Mark::CommittedByFollower);
            self.serve_waiting(want.id, effects);
        } else {
            self.serve_deletions(want.id, effects);
        }
        self.replicate_news(want.id);
    }

    /// A partition has grown, has committed more, starts later or is led anew: who waits for that has news.
    pub(super) fn replicate_news(&mut self, id: TopicPartition) {
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else { return };
        for session in self.leading.sessions.values_mut() {
            if let Some(want) = session.wanted.get(&id)
                && want.leader_epoch == leader.leader_epoch()
                && leader.has_news(want)
            {
                session.ready.insert(id);
            }
        }
    }

    /// A partition is led in another epoch: what is wanted of it is taken as if it had just come.
    pub(super) fn retake_wants(&mut self, id: TopicPartition, effects: &mut Effects) {
        let wants = self.leading.sessions.iter().filter_map(|(node, session)| Some((*node, session.broker_epoch, *session.wanted.get(&id)?)));
        for (node, broker_epoch, want) in wants.collect::<Vec<_>>() {
            self.take_want(node, broker_epoch, want, effects);
        }
    }

    /// Sends to every follower what there is for it, as far ahead as it may be.
    pub(super) fn flush_leading(&mut self, effects: &mut Effects) {
        self.propose_isrs(effects);
        let around = around!(self);
        let (partitions, me, now, rate) = (&self.partitions, self.settings.node, self.now.monotonic, self.bounds.leader_throttled_rate);
        let (throttled_until, clients) = (&mut self.leading.throttled_until, &self.leading.clients);
        let (mut are_held_back, mut resumes) = (false, None::<Monotonic>);
        for (follower, session) in &mut self.leading.sessions {
            let mut held_back = Vec::new();
            session.ready.append(&mut session.pacing.turn(clients, now));
            while !session.ready.is_empty() && session.sent - session.taken < REPLICA_ANSWERS_AHEAD {
                let mut answers = Vec::new();
                let mut bytes_left = REPLICA_ANSWER_BYTES;
                while bytes_left > 0
                    && let Some(id) = session.next_ready()
                {
                    let Some(Ok(leader)) = partitions.get(&id).map(|partition| partition.leader()) else { continue };
                    let Some(mut want) = session.wanted.remove(&id) else { continue };
                    if want.leader_epoch != leader.leader_epoch() {
                        session.wanted.insert(id, want);
                        continue;
                    }
                    let is_behind = want.at.fetch_offset < leader.log().written() && !leader.isr().committed().contains(follower);
                    let is_throttled = is_behind && leader.throttles(id.partition, me);
                    if is_throttled {
                        let bytes =
                            leader.log().bytes_between(want.at.fetch_offset, leader.log().written()).min(throttled_max(rate, &want).into());
                        let until = throttled_until.get_or_insert(now.after(Wait(bytes.saturating_mul(1_000_000_000) / rate)));
                        if *until > now {
                            held_back.push(want);
                            continue;
                        }
                        *throttled_until = None;
                    }
                    let bytes_max = if is_throttled { throttled_max(rate, &want) } else { REPLICA_FETCH_BYTES.min(want.bytes_max) };
                    let result = leader.replicate(LogId::Partition(id), &want, bytes_max);
                    // Who is waited for is not kept waiting for others' sake.
                    let is_paced = is_behind && !is_throttled && leader.has_enough_replicas() && !leader.waits_for(*follower, &around);
                    if let Ok(Some(slice)) = &result {
                        if is_paced && !session.pacing.has_room(clients, now) {
                            session.pacing.wait(id);
                            session.wanted.insert(id, want);
                            continue;
                        }
                        let bytes = leader.log().bytes_between(slice.from, slice.upto).min(slice.bytes_max.into());
                        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                        bytes_left = bytes_left.saturating_sub(bytes);
                        if is_paced {
                            session.pacing.sent(id, slice.from, bytes, clients, now);
                        }
                    }
                    let log_start = leader.log().start();
                    let begins_anew = matches!(result, Err(Unfetched::OutOfRange));
                    let producers = begins_anew.then(|| leader.producers().below(log_start).to_snapshot());
                    let snapshot_bytes = producers.as_ref().map_or(0, Bytes::len);
                    bytes_left = bytes_left.saturating_sub(u32::try_from(snapshot_bytes).unwrap_or(u32::MAX));
                    let keeps_want = matches!(result, Ok(None));
                    if keeps_want {
                        want.tell(leader.high_watermark(), log_start);
                        session.wanted.insert(id, want);
                    } else {
                        session.under_way.insert(id, session.sent + 1);
                    }
                    answers.push(FetchedReplica {
                        id,
                        leader_epoch: leader.leader_epoch(),
                        fetch_offset: want.at.fetch_offset,
                        high_watermark: leader.high_watermark(),
                        log_start,
                        result: result.map(Records::Slice),
                        keeps_want,
                        producers,
                    });
                }
                if answers.is_empty() {
                    break;
                }
                session.sent += u64::from(answers.iter().any(|answer| !answer.keeps_want));
                let fetched = FetchedPartitions {
                    incarnation: session.incarnation,
                    session: session.session,
                    sequence: session.sent,
                    partitions: answers,
                };
                effects.tell(*follower, PeerMessage::Partitions(fetched));
            }
            are_held_back |= !held_back.is_empty();
            resumes = resumes.into_iter().chain(session.pacing.resumes()).min();
            for want in held_back {
                session.ready.insert(want.id);
                session.wanted.insert(want.id, want);
            }
        }
        if let Some(until) = self.leading.throttled_until.filter(|_| are_held_back) {
            effects.mark(Mark::ReplicaThrottled);
            self.timers.set(Timer::ThrottledFollowers, until);
        }
        if let Some(until) = resumes {
            effects.mark(Mark::CatchUpPaced);
            self.timers.set(Timer::CatchingUp, until);
        }
    }

    /// Looks at every ISR: who lags too long leaves.
    pub(super) fn check_all_isrs(&mut self, effects: &mut Effects) {
        let led = self.partitions.iter().filter(|(_, partition)| partition.leader().is_ok_and(|leader| leader.isr().replicas().len() > 1));
        let led: Vec<TopicPartition> = led.map(|(id, _)| *id).collect();
        for id in &led {
            self.advance(*id, effects);
        }
        self.leading.unsettled.extend(led);
    }

    /// Looks anew at how far a partition is committed, and deleted: who was waited for may be gone.
    fn advance(&mut self, id: TopicPartition, effects: &mut Effects) {
        let around = around!(self);
        let Some(Ok(leader)) = self.partitions.get_mut(&id).map(|partition| partition.leader_mut()) else { return };
        let before = leader.high_watermark();
        leader.advance_high_watermark(&around);
        if leader.high_watermark() > before {
            self.serve_waiting(id, effects);
            self.replicate_news(id);
        } else {
            self.serve_deletions(id, effects);
        }
    }

    fn propose_isrs(&mut self, effects: &mut Effects) {
        if self.leading.unsettled.is_empty() {
            return;
        }
        let me = self.image.brokers.get(&self.settings.node).filter(|broker| broker.incarnation == self.settings.incarnation);
        let Some(broker_epoch) = me.map(|broker| broker.broker_epoch) else { return };
        let around = around!(self);
        let mut partitions = Vec::new();
        for id in std::mem::take(&mut self.leading.unsettled) {
            let Some(Ok(leader)) = self.partitions.get_mut(&id).map(|partition| partition.leader_mut()) else { continue };
            if let Some(proposal) = leader.propose_isr(&around) {
                let is_smaller = proposal.members.len() < leader.isr().committed().len();
                effects.mark(if is_smaller { Mark::IsrShrunk } else { Mark::IsrExpanded });
                partitions.push((id, leader.leader_epoch(), proposal));
            }
        }
        for (id, ..) in &partitions {
            // Who joins is kept waiting no longer: commits wait for it.
            self.replicate_news(*id);
        }
        if !partitions.is_empty() {
            let altered = AlterPartitions { broker_epoch, partitions };
            self.call(Purpose::AlterPartitions, ControllerCommand::AlterPartitions(altered), None, effects);
        }
    }

    pub(super) fn isrs_answered(&mut self, answer: &ControllerAnswer, effects: &mut Effects) {
        let ControllerAnswer::RefusedIsrs(refused) = answer else {
            return effects.error(format!("the controller answered {answer:?} to a change of an ISR"));
        };
        for &(id, partition_epoch) in refused {
            self.isr_refused(id, partition_epoch);
            self.advance(id, effects);
        }
    }

    fn isr_refused(&mut self, id: TopicPartition, partition_epoch: PartitionEpoch) {
        if let Some(Ok(leader)) = self.partitions.get_mut(&id).map(|partition| partition.leader_mut()) {
            leader.isr_refused(partition_epoch);
        }
    }

    /// How often followers and leaders look after each other.
    pub(super) fn start_replication(&mut self) {
        self.timers.set(Timer::Replication, self.now.monotonic.after(Wait::from_ms(REPLICATION_TICK_MS)));
    }
}

/// What a throttled replica is sent of what it wants, and waits for.
fn throttled_max(rate: u64, want: &WantedPartition) -> u32 {
    throttled_bytes(rate).min(want.bytes_max.max(THROTTLED_FETCH_BYTES_MIN))
}

/// What a throttled replica is sent at once: no more than a second's worth, but for what a batch may well have.
pub(super) fn throttled_bytes(rate: u64) -> u32 {
    u32::try_from(rate).unwrap_or(u32::MAX).clamp(THROTTLED_FETCH_BYTES_MIN, REPLICA_FETCH_BYTES)
}
