//! Groups of the consumer protocol, driven by what their members send.

mod migration;
mod offsets;
mod own_settings;
mod reconciling;
mod refusals;
mod static_members;
mod takeover;
mod topics;

use super::*;
use crate::boundary::*;
use crate::error::{ApiError, ErrorCode};
use crate::group::{Client, Decided, GroupBounds, GroupTally, Moment};
use crate::ids::{ConnectionId, PartitionIndex, RequestId, TopicId, Uuid};
use crate::metadata::{Image, PartitionRegistration, Topic};
use crate::rng::Random;
use crate::time::{Now, Timestamp};

const HEARTBEAT_MS: i32 = 5_000;
const REBALANCE_MS: i32 = 60_000;

/// A coordinator, its clock, the topics that there are and what it has kept.
struct Rig {
    groups: Groups,
    random: Random,
    bounds: GroupBounds,
    image: Image,
    now: Now,
    kept: Vec<GroupRecord>,
    tally: GroupTally,
    answers: Vec<(RequestId, GroupResponse)>,
}

/// A member as a client: what it knows and has.
#[derive(Clone)]
struct Client848 {
    id: String,
    epoch: i32,
    owned: Partitions,
    asked: ConsumerGroupHeartbeatRequest,
}

fn topic_id(name: &str) -> TopicId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    TopicId(Uuid(bytes))
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition { topic: topic_id(topic), partition: PartitionIndex(index) }
}

fn partitions(topic: &str, indexes: impl IntoIterator<Item = i32>) -> Partitions {
    indexes.into_iter().map(|index| partition(topic, index)).collect()
}

/// A heartbeat with nothing new.
fn bare(id: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group: "readers".to_owned(),
        member_id: id.to_owned(),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: None,
        topics: None,
        pattern: None,
        assignor: None,
        owned: None,
        has_own_id: true,
    }
}

fn joining(id: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: Some(REBALANCE_MS),
        topics: Some(topics.iter().map(|name| TopicName::from(*name)).collect()),
        owned: Some(Vec::new()),
        ..bare(id, 0)
    }
}

fn owned(partitions: &Partitions) -> Vec<(TopicId, Vec<PartitionIndex>)> {
    partitions.iter().map(|id| (id.topic, vec![id.partition])).collect()
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self {
            groups: Groups::default(),
            random: Random::new([3; 32]),
            bounds: GroupBounds::of(&BrokerConfigs::default()),
            image: Image::default(),
            now: Now::default(),
            kept: Vec::new(),
            tally: GroupTally::default(),
            answers: Vec::new(),
        };
        // Everyone who comes or goes is assigned for, unless a test is about that.
        rig.bounds.consumer.assignment.usual = 0;
        rig.create("orders", 6);
        rig
    }

    fn create(&mut self, name: &str, count: i32) {
        let partitions = (0..count).map(|index| (PartitionIndex(index), PartitionRegistration::created(Vec::new(), Vec::new())));
        let topic = Topic { name: TopicName::from(name), partitions: partitions.collect(), was_replicated: false };
        self.image.topics.insert(topic_id(name), topic);
        self.image.topic_ids.insert(TopicName::from(name), topic_id(name));
        self.groups.topics_changed(&[TopicName::from(name)].into());
    }

    fn delete(&mut self, name: &str) {
        self.image.topics.remove(&topic_id(name));
        self.image.topic_ids.remove(&TopicName::from(name));
        self.groups.topics_changed(&[TopicName::from(name)].into());
    }

    fn take(&mut self, decided: Decided) {
        self.kept.extend(decided.records);
        self.tally += decided.tally;
        self.answers.extend(decided.answers);
    }

    fn ask(&mut self, asked: &ConsumerGroupHeartbeatRequest) -> Result<Heard, ApiError> {
        let id = RequestId { connection: ConnectionId(1), sequence: 1 };
        let client = Client { id: "client".to_owned(), host: "/127.0.0.1".to_owned() };
        let mut moment = Moment { now: self.now, random: &mut self.random, bounds: &self.bounds, image: &self.image };
        let mut decided = self.groups.consumer_heartbeat(id, asked, &client, &mut moment);
        let (_, answer) = decided.answers.pop().expect("a heartbeat is answered at once");
        self.take(decided);
        let GroupResponse::ConsumerGroupHeartbeat(answer) = answer else { panic!("another answer") };
        answer.result
    }

    fn refusal(&mut self, asked: &ConsumerGroupHeartbeatRequest) -> ErrorCode {
        self.ask(asked).expect_err("it is refused").code
    }

    /// Somebody joins, and has what it is given.
    fn join(&mut self, asked: &ConsumerGroupHeartbeatRequest) -> Client848 {
        let heard = self.ask(asked).expect("it joins");
        Client848 {
            id: heard.member_id,
            epoch: heard.member_epoch,
            owned: heard.assignment.expect("who joins is told what it has"),
            asked: bare("", 0),
        }
    }

    /// A heartbeat of a client that does as it is told and says at once that it has.
    fn beat(&mut self, client: &mut Client848) -> Heard {
        let asked = ConsumerGroupHeartbeatRequest {
            owned: Some(owned(&client.owned)),
            instance_id: client.asked.instance_id.clone(),
            ..bare(&client.id, client.epoch)
        };
        let heard = self.ask(&asked).expect("it is a member");
        client.epoch = heard.member_epoch;
        if let Some(assignment) = &heard.assignment {
            client.owned.clone_from(assignment);
        }
        heard
    }

    /// All beat until nothing changes.
    fn settle(&mut self, clients: &mut [&mut Client848]) {
        for _ in 0..20 {
            for client in clients.iter_mut() {
                self.beat(client);
            }
            if self.group().state_name() == "Stable" {
                return;
            }
        }
        panic!("it does not settle: {:?}", self.group());
    }

    fn group(&self) -> &ConsumerGroup {
        self.groups.consumer("readers").expect("there is a group")
    }

    fn standing(&self, client: &Client848) -> Standing {
        self.group().members[&client.id].current.standing
    }

    fn has(&self, id: &str) -> bool {
        self.group().members.contains_key(id)
    }

    /// Lets time pass.
    fn wait_ms(&mut self, ms: i64) {
        let until = self.now.monotonic.after(Wait::from_ms(ms));
        while let Some(at) = self.groups.next_deadline().filter(|at| *at <= until) {
            self.set_clock(at.max(self.now.monotonic));
            let moment = Moment { now: self.now, random: &mut self.random, bounds: &self.bounds, image: &self.image };
            let decided = self.groups.fire(&moment).expect("it is due");
            self.take(decided);
        }
        self.set_clock(until);
    }

    fn set_clock(&mut self, at: Monotonic) {
        self.now = Now { monotonic: at, wall: Timestamp(Wait(at.0).as_ms()) };
    }

    /// A coordinator that has read what this one kept, with only the last record of each key if the log was compacted.
    fn successor(&self, is_compacted: bool) -> Self {
        let mut next = Self { now: self.now, image: self.image.clone(), ..Self::new() };
        next.groups = Groups::default();
        let encoded: Vec<_> = self.kept.iter().map(GroupRecord::encode).collect();
        for (at, (key, value)) in encoded.iter().enumerate() {
            let is_last = encoded.iter().rposition(|(other, _)| other == key) == Some(at);
            if !is_compacted || is_last {
                next.groups.replay(GroupRecord::decode(key, value.as_deref()).unwrap().unwrap());
            }
        }
        next.kept.clone_from(&self.kept);
        let moment = Moment { now: next.now, random: &mut next.random, bounds: &next.bounds, image: &next.image };
        next.groups.loaded(&moment);
        next
    }
}
