//! The classic protocol: a member joins, is told what it gets by the one that leads, or by the coordinator where others are of the consumer
//! protocol, and says that it lives.
//!
//! One of the eager kind gives up all it has before it joins. One of the cooperative kind (KIP-429) says what it has, goes on using that, gives up
//! what it does not get again, and joins once more.

use std::collections::{BTreeMap, BTreeSet};

use gracchus_core::ids::TopicPartition;
use gracchus_net::client::WireError;
use kafka_wire::join_group_request::JoinGroupRequestProtocol;
use kafka_wire::leave_group_request::MemberIdentity;
use kafka_wire::sync_group_request::SyncGroupRequestAssignment;
use kafka_wire::{HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest};
use kafka_wire_core::StrBytes;

use super::embedded::{assignment, read_assignment, read_owned, subscription};
use super::{
    FENCED_INSTANCE_ID, GroupMember, ILLEGAL_GENERATION, MEMBER_ID_REQUIRED, REBALANCE_IN_PROGRESS, REBALANCE_MS, Told, UNKNOWN_MEMBER_ID,
};
use crate::clients::{Lost, Topic, Wire};
use crate::platform::clock::simulated_time;

const SESSION_MS: u64 = 2_000;
const PROTOCOL: &str = "simulated";

const EXPECTED: [WireError; 4] = [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID];

impl GroupMember {
    /// Joins, and learns what it gets and how far others have come in that.
    pub(super) async fn join_classic(&mut self, wire: &mut Wire) -> Result<Told, Lost> {
        let topics = self.client.surroundings.topics();
        let mut protocol = JoinGroupRequestProtocol::default();
        let owned: BTreeSet<TopicPartition> = self.positions.keys().copied().collect();
        protocol.name = StrBytes::from(PROTOCOL);
        protocol.metadata = subscription(&topics, self.is_cooperative().then_some(&owned));
        self.tell_owned(&owned);
        let mut request = JoinGroupRequest::default();
        request.group_id = self.group_name();
        request.session_timeout_ms = i32::try_from(SESSION_MS).expect("it is short");
        request.rebalance_timeout_ms = i32::try_from(REBALANCE_MS).expect("it is short");
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.protocol_type = StrBytes::from("consumer");
        request.protocols = vec![protocol];
        // What arrives late would have it give up what it has by then.
        self.is_undecided = true;
        let response = wire.ask(wire.version::<JoinGroupRequest>()?, &request).await?;
        self.is_undecided = false;
        let error = WireError(response.error_code);
        if error == MEMBER_ID_REQUIRED {
            self.member_id = response.member_id.as_str().to_owned();
            self.done("join group");
            return Ok(Told::JoinAgain);
        }
        let told = self.outcome("join group", error, &[UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID]);
        if told != Told::Fine {
            return Ok(told);
        }
        self.member_id = response.member_id.as_str().to_owned();
        self.sync(wire, &response, &topics).await
    }

    async fn sync(&mut self, wire: &mut Wire, joined: &JoinGroupResponse, topics: &[Topic]) -> Result<Told, Lost> {
        let mut request = SyncGroupRequest::default();
        request.group_id = self.group_name();
        request.generation_id = joined.generation_id;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.protocol_type = Some(StrBytes::from("consumer"));
        request.protocol_name = Some(StrBytes::from(PROTOCOL));
        if joined.leader.as_str() == self.member_id && !joined.skip_assignment {
            request.assignments = assign(joined, topics);
        }
        let heard = self.ask_heard(wire, simulated_time(), SESSION_MS);
        let response = wire.ask(wire.version::<SyncGroupRequest>()?, &request).await?;
        let told = self.outcome("sync group", WireError(response.error_code), &EXPECTED);
        if told != Told::Fine {
            return Ok(told);
        }
        let assigned = read_assignment(response.assignment, topics);
        let generation = joined.generation_id;
        let had = self.positions.len();
        self.positions.retain(|partition, _| assigned.contains(partition));
        let gives_some_up = self.positions.len() < had;
        let gained: Vec<_> = assigned.iter().filter(|partition| !self.positions.contains_key(partition)).copied().collect();
        // A static member that comes back under another id is the same one.
        let owner = self.instance.as_ref().unwrap_or(&self.member_id);
        self.client.surroundings.recorder.tell(|checkers| checkers.group_synced(&self.group, generation, owner, &assigned));
        self.tell_assigned(&heard, Some(&assigned.iter().copied().collect()));
        let told = self.fetch(wire, &gained, None).await?;
        // Another waits for what it has given up.
        self.epoch = (told == Told::Fine && !gives_some_up).then_some(generation);
        Ok(told)
    }

    /// Says that it lives.
    pub(super) async fn heartbeat_classic(&mut self, wire: &mut Wire, generation: i32) -> Result<Told, Lost> {
        let mut request = HeartbeatRequest::default();
        request.group_id = self.group_name();
        request.generation_id = generation;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        let heard = self.ask_heard(wire, simulated_time(), SESSION_MS);
        let response = wire.ask(wire.version::<HeartbeatRequest>()?, &request).await?;
        let told = self.outcome("group heartbeat", WireError(response.error_code), &EXPECTED);
        if told == Told::Fine {
            self.tell_assigned(&heard, None);
        }
        Ok(told)
    }

    pub(super) async fn leave_classic(&mut self, wire: &mut Wire, member_id: StrBytes) -> Result<(), Lost> {
        let mut identity = MemberIdentity::default();
        identity.member_id = member_id;
        identity.group_instance_id = self.own_name();
        let mut request = LeaveGroupRequest::default();
        request.group_id = self.group_name();
        request.members = vec![identity];
        let response = wire.ask(wire.version::<LeaveGroupRequest>()?, &request).await?;
        let error = response.members.first().map_or(response.error_code, |left| left.error_code);
        self.outcome("leave group", WireError(error), &[UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]);
        Ok(())
    }
}

/// Partitions in turns, to whoever is there; but to nobody for now what another has.
fn assign(joined: &JoinGroupResponse, topics: &[Topic]) -> Vec<SyncGroupRequestAssignment> {
    let partitions = topics.iter().flat_map(|topic| (0..topic.partitions).map(move |index| (topic, index)));
    let partitions: Vec<(&Topic, i32)> = partitions.collect();
    let count = joined.members.len();
    let owned = joined.members.iter().enumerate().flat_map(|(place, member)| {
        let owned = read_owned(member.metadata.clone(), topics);
        owned.into_iter().map(move |partition| (partition, place))
    });
    let owners: BTreeMap<TopicPartition, usize> = owned.collect();
    let given = joined.members.iter().enumerate().map(|(place, member)| {
        let turns = partitions.iter().skip(place).step_by(count).copied();
        let is_free = |(topic, index): &(&Topic, i32)| owners.get(&topic.partition(*index)).is_none_or(|owner| *owner == place);
        let own: Vec<(&Topic, i32)> = turns.filter(is_free).collect();
        let mut given = SyncGroupRequestAssignment::default();
        (given.member_id, given.assignment) = (member.member_id.clone(), assignment(&own));
        given
    });
    given.collect()
}

/// A partition as a request names it.
pub(super) fn uuid(partition: TopicPartition) -> kafka_wire_core::Uuid {
    kafka_wire_core::Uuid::from_bytes(partition.topic.0.0)
}
