//! The consumer protocol (KIP-848): a member sends heartbeats alone, and is told in them what it may use.
//!
//! What it is told to give up it goes on using until it says in a heartbeat that it has done so, now and then for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use gracchus_core::ids::{PartitionIndex, TopicId, TopicPartition, Uuid};
use gracchus_net::client::WireError;
use kafka_wire::{ConsumerGroupHeartbeatRequest, consumer_group_heartbeat_request, consumer_group_heartbeat_response};
use kafka_wire_core::StrBytes;

use super::classic::uuid;
use super::{
    FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, GroupMember, REBALANCE_MS, Told, UNKNOWN_MEMBER_ID, UNRELEASED_INSTANCE_ID,
    at_least,
};
use crate::clients::{Lost, Wire};
use crate::platform::clock::simulated_time;

const JOINING: i32 = 0;
const LEAVING: i32 = -1;
/// Of a static member that means to come back.
const AWAY: i32 = -2;
/// Of a member that says only what has changed.
const AS_BEFORE: i32 = -1;
/// The version whose members are given their ids (KIP-1082).
const GIVES_IDS: i16 = 0;

/// Chances in a million: at each turn that it keeps what it was told to give up, as it joins that it is given its id, and as it leaves and is
/// static that it means to come back.
const KEEPS_PER_MILLION: u32 = 300_000;
const IS_GIVEN_ID_PER_MILLION: u32 = 300_000;
const IS_AWAY_PER_MILLION: u32 = 500_000;

impl GroupMember {
    /// Joins, or says that it lives and what it has, and does as it is told.
    pub(super) async fn heartbeat_consumer(&mut self, wire: &mut Wire) -> Result<Told, Lost> {
        let mut version = wire.version::<ConsumerGroupHeartbeatRequest>()?;
        if self.epoch.is_none() {
            self.give_up();
            if self.member_id.is_empty() {
                if self.client.draw.chance(IS_GIVEN_ID_PER_MILLION) {
                    version = GIVES_IDS;
                } else {
                    self.member_id = format!("{}-{:016x}", self.client.name, self.client.draw.bits());
                }
            }
        } else if !self.client.draw.chance(KEEPS_PER_MILLION) {
            for partition in std::mem::take(&mut self.revoked) {
                self.positions.remove(&partition);
            }
        }
        let owned: BTreeSet<TopicPartition> = self.positions.keys().copied().collect();
        let request = self.heartbeat(&owned);
        let (sent_at, was_doubted) = (simulated_time(), self.is_doubted);
        let session_ms = self.client.surroundings.consumer_session_ms;
        let heard = self.ask_heard(wire, sent_at, session_ms);
        self.client.surroundings.recorder.tell(|checkers| {
            checkers.group_has_consumers(&self.group);
            Ok(())
        });
        self.tell_owned(&owned);
        (self.is_undecided, self.is_doubted, self.says_all) = (self.epoch.is_none(), true, true);
        let response = wire.ask(version, &request).await?;
        (self.is_undecided, self.is_doubted) = (false, was_doubted);
        let expected = [UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND];
        let told = self.outcome("consumer group heartbeat", WireError(response.error_code), &expected);
        if told != Told::Fine {
            return Ok(told);
        }
        self.says_all = false;
        if let Some(id) = response.member_id {
            self.member_id = id.as_str().to_owned();
        }
        self.epoch = Some(response.member_epoch);
        self.stated.clone_from(&owned);
        let assigned = response.assignment.map(|assignment| partitions(&assignment));
        let gained: Vec<_> = assigned.iter().flatten().filter(|partition| !owned.contains(partition)).copied().collect();
        if self.is_doubted && !gained.is_empty() {
            // A heartbeat that was lost may arrive yet, and say that it does not have these.
            self.begin_anew();
            return Ok(Told::JoinAgain);
        }
        if let Some(assigned) = &assigned {
            self.revoked = owned.difference(assigned).copied().collect();
        }
        if self.revoked.is_empty() {
            self.revokes_until = None;
        } else {
            self.revokes_until.get_or_insert(sent_at + at_least(REBALANCE_MS));
        }
        self.tell_assigned(&heard, assigned.as_ref());
        if gained.is_empty() {
            return Ok(Told::Fine);
        }
        let told = self.fetch(wire, &gained, Some(response.member_epoch)).await?;
        // What it has not fetched it does not use, and is to be told again.
        self.says_all = told != Told::Fine;
        Ok(told)
    }

    /// All that it has to say, or what has changed of that.
    fn heartbeat(&self, owned: &BTreeSet<TopicPartition>) -> ConsumerGroupHeartbeatRequest {
        let says_all = self.says_all || self.epoch.is_none();
        let mut request = ConsumerGroupHeartbeatRequest::default();
        request.group_id = self.group_name();
        request.member_id = self.own_id();
        request.member_epoch = self.epoch.unwrap_or(JOINING);
        request.instance_id = self.own_name();
        request.rebalance_timeout_ms = if says_all { i32::try_from(REBALANCE_MS).expect("it is short") } else { AS_BEFORE };
        request.subscribed_topic_names = says_all.then(|| {
            let topics = self.client.surroundings.topics();
            topics.into_iter().map(|topic| topic.key.name).collect()
        });
        request.topic_partitions = (says_all || *owned != self.stated).then(|| {
            let owned = owned.iter().map(|partition| {
                let mut topic = consumer_group_heartbeat_request::TopicPartitions::default();
                (topic.topic_id, topic.partitions) = (uuid(*partition), vec![partition.partition.0]);
                topic
            });
            owned.collect()
        });
        request
    }

    /// Leaves, for good or, a static member, for a while.
    pub(super) async fn leave_consumer(&mut self, wire: &mut Wire, member_id: StrBytes) -> Result<(), Lost> {
        let is_away = self.instance.is_some() && self.client.draw.chance(IS_AWAY_PER_MILLION);
        let mut request = ConsumerGroupHeartbeatRequest::default();
        request.group_id = self.group_name();
        request.member_id = member_id;
        request.member_epoch = if is_away { AWAY } else { LEAVING };
        request.instance_id = self.own_name();
        request.rebalance_timeout_ms = AS_BEFORE;
        let response = wire.ask(wire.version::<ConsumerGroupHeartbeatRequest>()?, &request).await?;
        let expected = [UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND];
        self.outcome("leave consumer group", WireError(response.error_code), &expected);
        Ok(())
    }

    /// The latest that the coordinator may wait for it, which was heard of at `sent_at` at the earliest.
    pub(super) fn waited_for_until(&self, sent_at: Duration, session_ms: u64) -> Duration {
        let until = sent_at + at_least(session_ms);
        self.revokes_until.map_or(until, |revokes_until| until.min(revokes_until))
    }
}

fn partitions(assignment: &consumer_group_heartbeat_response::Assignment) -> BTreeSet<TopicPartition> {
    let of_topic = |topic: &consumer_group_heartbeat_response::TopicPartitions| {
        let id = TopicId(Uuid(topic.topic_id.to_bytes()));
        let partitions = topic.partitions.clone().into_iter();
        partitions.map(move |index| TopicPartition { topic: id, partition: PartitionIndex(index) })
    };
    assignment.topic_partitions.iter().flat_map(of_topic).collect()
}
