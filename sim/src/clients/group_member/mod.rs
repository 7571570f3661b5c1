//! A member of a group of the classic protocol: it joins, assigns where it leads, and commits how far it would have come in what it was
//! assigned. Now and then it leaves, forgets who it was, or is silent for longer than its session.
//!
//! It reads no records: what it commits only ever grows, so that an offset that goes back is seen.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_net::client::WireError;
use kafka_wire::join_group_request::JoinGroupRequestProtocol;
use kafka_wire::leave_group_request::MemberIdentity;
use kafka_wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_wire::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_wire::sync_group_request::SyncGroupRequestAssignment;
use kafka_wire::{
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest,
};
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

use super::leaders::Left;
use super::{Client, Lost, Outcome, Topic, Wire};
use crate::checkers::GroupAsked;

const SESSION_MS: i32 = 2_000;
const REBALANCE_MS: i32 = 3_000;
const PROTOCOL: &str = "simulated";

/// Chances in a million at each turn: that it leaves, that it forgets who it was, that it is silent.
const LEAVES_PER_MILLION: u32 = 15_000;
const FORGETS_PER_MILLION: u32 = 15_000;
const SILENT_PER_MILLION: u32 = 15_000;

/// Commits that show that groups are served again.
const COMMITS_PROBED: u32 = 3;

const COORDINATOR_ERRORS: [WireError; 3] = [WireError(14), WireError(15), WireError(16)];
const ILLEGAL_GENERATION: WireError = WireError(22);
const UNKNOWN_MEMBER_ID: WireError = WireError(25);
const REBALANCE_IN_PROGRESS: WireError = WireError(27);
const MEMBER_ID_REQUIRED: WireError = WireError(79);
const GROUP_ID_NOT_FOUND: WireError = WireError(69);
const FENCED_INSTANCE_ID: WireError = WireError(82);

/// What a member of a group is, and may be for as long as nobody says otherwise.
#[derive(Debug)]
pub(super) struct GroupMember {
    client: Client,
    group: String,
    instance: Option<String>,
    member_id: String,
    /// Its generation, once it has been told what it gets.
    generation: Option<i32>,
    assigned: Vec<TopicPartition>,
    /// How far it has come in each of those.
    positions: Vec<i64>,
    /// Commits that it was told to be kept, and whether one is under way.
    commits: u32,
    is_committing: bool,
}

/// What an answer means for who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// All is well.
    Fine,
    /// It has to join again.
    JoinAgain,
    /// Another node coordinates the group, or none does for now.
    LookAgain,
}

impl GroupMember {
    pub(super) fn new(client: Client, group: String, is_static: bool) -> Self {
        let instance = is_static.then(|| client.name.clone());
        Self {
            client,
            group,
            instance,
            member_id: String::new(),
            generation: None,
            assigned: Vec::new(),
            positions: Vec::new(),
            commits: 0,
            is_committing: false,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            let worked = self.work(&mut wire).await;
            match self.client.leave(worked).await {
                Left::ForGood => return,
                Left::ForAnother => {}
                Left::Lost => {
                    self.client.surroundings.count("group", Outcome::Unknown);
                    if std::mem::take(&mut self.is_committing) {
                        // It may arrive yet. Somebody else has to be fenced from it, and so has this one's next.
                        (self.member_id, self.generation) = (String::new(), None);
                    }
                }
            }
        }
    }

    async fn work(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        if !self.is_coordinated_here(wire).await? {
            return Ok(());
        }
        while !self.client.surroundings.is_stopping() && !self.client.is_moving() {
            if !self.client.rest().await {
                return Ok(());
            }
            self.misbehave(wire).await?;
            self.take_turn(wire).await?;
        }
        Ok(())
    }

    /// Joins, or goes on where it has.
    async fn take_turn(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let told = match self.generation {
            Some(generation) => self.go_on(wire, generation).await?,
            None => self.join(wire).await?,
        };
        match told {
            Told::Fine => {}
            Told::JoinAgain => self.generation = None,
            Told::LookAgain => self.client.moving = Some(None),
        }
        Ok(())
    }

    /// Works until a few commits of its own are told to it: for a run that is healed.
    pub(super) async fn probe(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            if self.probe_here(&mut wire).await.is_ok() && self.commits >= COMMITS_PROBED {
                return;
            }
            // Who has just been asked may know more in a moment.
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn probe_here(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        if !self.is_coordinated_here(wire).await? {
            return Ok(());
        }
        while self.commits < COMMITS_PROBED && !self.client.is_moving() {
            sleep(Duration::from_millis(50)).await;
            self.take_turn(wire).await?;
        }
        Ok(())
    }

    /// Looks for the coordinator, and turns to it if that is another node.
    async fn is_coordinated_here(&mut self, wire: &mut Wire) -> Result<bool, Lost> {
        let mut request = FindCoordinatorRequest::default();
        request.coordinator_keys = vec![StrBytes::from(self.group.as_str())];
        let response = wire.ask(wire.version::<FindCoordinatorRequest>()?, &request).await?;
        let found = response.coordinators.first().expect("one was asked for");
        let error = WireError(found.error_code);
        if error == WireError::NONE {
            self.done("find coordinator");
            let node = NodeId(found.node_id);
            if node != wire.node() {
                self.client.moving = Some(Some(node));
            }
            return Ok(node == wire.node());
        }
        self.expect("find coordinator", error, &COORDINATOR_ERRORS);
        sleep(Duration::from_millis(50)).await;
        self.client.moving = Some(None);
        Ok(false)
    }

    async fn misbehave(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        if self.client.draw.chance(FORGETS_PER_MILLION) {
            (self.member_id, self.generation) = (String::new(), None);
        }
        if self.client.draw.chance(SILENT_PER_MILLION) {
            sleep(Duration::from_millis(self.client.draw.below(4_000))).await;
        }
        if self.client.draw.chance(LEAVES_PER_MILLION) && !self.member_id.is_empty() {
            let mut identity = MemberIdentity::default();
            identity.member_id = self.own_id();
            identity.group_instance_id = self.own_name();
            let mut request = LeaveGroupRequest::default();
            request.group_id = StrBytes::from(self.group.as_str());
            request.members = vec![identity];
            let response = wire.ask(wire.version::<LeaveGroupRequest>()?, &request).await?;
            let error = response.members.first().map_or(response.error_code, |left| left.error_code);
            self.outcome("leave group", WireError(error), &[UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]);
            (self.member_id, self.generation) = (String::new(), None);
        }
        Ok(())
    }

    /// Joins, and learns what it gets and how far others have come in that.
    async fn join(&mut self, wire: &mut Wire) -> Result<Told, Lost> {
        let mut protocol = JoinGroupRequestProtocol::default();
        protocol.name = StrBytes::from(PROTOCOL);
        let mut request = JoinGroupRequest::default();
        request.group_id = StrBytes::from(self.group.as_str());
        request.session_timeout_ms = SESSION_MS;
        request.rebalance_timeout_ms = REBALANCE_MS;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.protocol_type = StrBytes::from("consumer");
        request.protocols = vec![protocol];
        let response = wire.ask(wire.version::<JoinGroupRequest>()?, &request).await?;
        let error = WireError(response.error_code);
        if error == MEMBER_ID_REQUIRED {
            self.member_id = response.member_id.as_str().to_owned();
            self.done("join group");
            return Ok(Told::JoinAgain);
        }
        let told = self.outcome("join group", error, &[UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]);
        if told != Told::Fine {
            return Ok(told);
        }
        self.member_id = response.member_id.as_str().to_owned();
        self.sync(wire, &response).await
    }

    async fn sync(&mut self, wire: &mut Wire, joined: &JoinGroupResponse) -> Result<Told, Lost> {
        let mut request = SyncGroupRequest::default();
        request.group_id = StrBytes::from(self.group.as_str());
        request.generation_id = joined.generation_id;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.protocol_type = Some(StrBytes::from("consumer"));
        request.protocol_name = Some(StrBytes::from(PROTOCOL));
        if joined.leader.as_str() == self.member_id && !joined.skip_assignment {
            request.assignments = self.assign(joined);
        }
        let response = wire.ask(wire.version::<SyncGroupRequest>()?, &request).await?;
        let expected = [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID];
        let told = self.outcome("sync group", WireError(response.error_code), &expected);
        if told != Told::Fine {
            return Ok(told);
        }
        let topics = self.client.surroundings.topics();
        let assigned = read_assignment(response.assignment, &topics);
        let generation = joined.generation_id;
        // A static member that comes back under another id is the same one.
        let owner = self.instance.as_ref().unwrap_or(&self.member_id);
        self.client.surroundings.recorder.tell(|checkers| checkers.group_synced(&self.group, generation, owner, &assigned));
        self.assigned = assigned;
        self.positions.clear();
        let told = self.fetch(wire).await?;
        self.generation = (told == Told::Fine).then_some(generation);
        Ok(told)
    }

    /// Partitions in turns, to whoever is there.
    fn assign(&self, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let mut assignments: Vec<_> = joined.members.iter().map(|member| (member.member_id.clone(), BytesMut::new())).collect();
        let topics = self.client.surroundings.topics();
        let partitions = (0_u32..).zip(&topics).flat_map(|(number, topic)| (0..topic.partitions).map(move |index| (number, index)));
        for ((number, index), turn) in partitions.zip(0..) {
            let place = turn % assignments.len();
            let (_, bytes) = assignments.get_mut(place).expect("it is one of them");
            bytes.put_u32(number);
            bytes.put_i32(index);
        }
        let given = |(member_id, bytes): (StrBytes, BytesMut)| {
            let mut given = SyncGroupRequestAssignment::default();
            (given.member_id, given.assignment) = (member_id, bytes.freeze());
            given
        };
        assignments.into_iter().map(given).collect()
    }

    /// Goes on from where others have come to.
    async fn fetch(&mut self, wire: &mut Wire) -> Result<Told, Lost> {
        let asked: Vec<_> = self.assigned.iter().map(|partition| self.ask(*partition)).collect();
        let mut group = OffsetFetchRequestGroup::default();
        group.group_id = StrBytes::from(self.group.as_str());
        let topics = self.assigned.iter().map(|partition| {
            let mut topic = OffsetFetchRequestTopics::default();
            topic.topic_id = uuid(*partition);
            topic.partition_indexes = vec![partition.partition.0];
            topic
        });
        group.topics = Some(topics.collect());
        let mut request = OffsetFetchRequest::default();
        request.groups = vec![group];
        let response = wire.ask(wire.version::<OffsetFetchRequest>()?, &request).await?;
        let group = response.groups.first().expect("one was asked for");
        let told = self.outcome("fetch offsets", WireError(group.error_code), &[]);
        if told != Told::Fine {
            return Ok(told);
        }
        self.positions.clear();
        for ((partition, asked), topic) in self.assigned.iter().zip(asked).zip(&group.topics) {
            let found = topic.partitions.first().expect("one was asked for");
            self.expect("fetch offsets", WireError(found.error_code), &[WireError::NONE]);
            let offset = found.committed_offset;
            self.client.surroundings.recorder.tell(|checkers| checkers.group_fetched(&self.group, *partition, offset, asked));
            self.positions.push(offset.max(0));
        }
        Ok(Told::Fine)
    }

    /// Says that it lives, and commits something.
    async fn go_on(&mut self, wire: &mut Wire, generation: i32) -> Result<Told, Lost> {
        let mut request = HeartbeatRequest::default();
        request.group_id = StrBytes::from(self.group.as_str());
        request.generation_id = generation;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        let response = wire.ask(wire.version::<HeartbeatRequest>()?, &request).await?;
        let expected = [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID];
        let told = self.outcome("group heartbeat", WireError(response.error_code), &expected);
        if told != Told::Fine || self.positions.is_empty() {
            return Ok(told);
        }
        let place = self.client.draw.index(self.positions.len());
        let (partition, position) = self.assigned.get(place).zip(self.positions.get_mut(place)).expect("it is one of them");
        *position += 1 + i64::try_from(self.client.draw.below(20)).expect("it is small");
        let (partition, offset) = (*partition, *position);
        self.commit(wire, generation, partition, offset).await
    }

    async fn commit(&mut self, wire: &mut Wire, generation: i32, partition: TopicPartition, offset: i64) -> Result<Told, Lost> {
        let asked = self.ask(partition);
        let mut part = OffsetCommitRequestPartition::default();
        (part.partition_index, part.committed_offset) = (partition.partition.0, offset);
        let mut topic = OffsetCommitRequestTopic::default();
        topic.topic_id = uuid(partition);
        topic.partitions = vec![part];
        let mut request = OffsetCommitRequest::default();
        request.group_id = StrBytes::from(self.group.as_str());
        request.generation_id_or_member_epoch = generation;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.topics = vec![topic];
        self.is_committing = true;
        let response = wire.ask(wire.version::<OffsetCommitRequest>()?, &request).await?;
        self.is_committing = false;
        let committed = response.topics.first().and_then(|topic| topic.partitions.first()).expect("one was asked for");
        let expected = [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND];
        let told = self.outcome("commit offsets", WireError(committed.error_code), &expected);
        if told == Told::Fine {
            self.commits += 1;
            self.client.surroundings.recorder.tell(|checkers| checkers.group_committed(&self.group, generation, partition, offset, asked));
        }
        Ok(told)
    }

    fn ask(&self, partition: TopicPartition) -> GroupAsked {
        let asked = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.group_ask(&self.group, partition)));
        asked.unwrap_or_default()
    }

    fn own_id(&self) -> StrBytes {
        StrBytes::from(self.member_id.as_str())
    }

    fn own_name(&self) -> Option<StrBytes> {
        self.instance.as_deref().map(StrBytes::from)
    }

    fn done(&self, operation: &'static str) {
        self.client.surroundings.count(operation, Outcome::Done);
    }

    /// What an error means. One that is neither about coordinators nor `expected` is a violation.
    fn outcome(&mut self, operation: &'static str, error: WireError, expected: &[WireError]) -> Told {
        if error == WireError::NONE {
            self.done(operation);
            return Told::Fine;
        }
        self.client.surroundings.count(operation, Outcome::Refused);
        if COORDINATOR_ERRORS.contains(&error) {
            return Told::LookAgain;
        }
        self.expect(operation, error, expected);
        if error != REBALANCE_IN_PROGRESS && error != ILLEGAL_GENERATION {
            self.member_id.clear();
        }
        Told::JoinAgain
    }

    fn expect(&self, operation: &'static str, error: WireError, expected: &[WireError]) {
        if !expected.contains(&error) {
            let what = format!("{operation}: {} of group {} is told {error}", self.client.name, self.group);
            self.client.surroundings.recorder.tell(|checkers| checkers.group_refused(what));
        }
    }
}

fn read_assignment(mut bytes: Bytes, topics: &[Topic]) -> Vec<TopicPartition> {
    let mut assigned = Vec::new();
    while bytes.remaining() >= 8 {
        let (number, index) = (bytes.get_u32(), bytes.get_i32());
        let topic = usize::try_from(number).ok().and_then(|number| topics.get(number));
        assigned.extend(topic.map(|topic| topic.partition(index)));
    }
    assigned
}

fn uuid(partition: TopicPartition) -> kafka_wire_core::Uuid {
    kafka_wire_core::Uuid::from_bytes(partition.topic.0.0)
}
