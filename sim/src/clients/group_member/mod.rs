//! A member of a group: it joins, and commits how far it would have come in what it was assigned. Now and then it leaves, forgets who it was, or
//! is silent for longer than its session.
//!
//! It reads no records: what it commits only ever grows, so that an offset that goes back is seen. What it has it gives up when it says so, and
//! the checkers are told before.

mod classic;
mod consumer;
mod embedded;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gracchus_core::ids::{NodeId, TopicPartition};
use gracchus_net::client::WireError;
use kafka_wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_wire::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_wire::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};
use kafka_wire_core::StrBytes;
use madsim::time::sleep;

use self::classic::uuid;
use super::leaders::Left;
use super::{Client, Lost, Outcome, Wire};
use crate::checkers::{GroupAsked, GroupHeard};
use crate::plan::GroupProtocol;

const REBALANCE_MS: u64 = 3_000;

/// Chances in a million at each turn: that it leaves, that it forgets who it was, that it is silent, that it commits without a heartbeat before.
const LEAVES_PER_MILLION: u32 = 15_000;
const FORGETS_PER_MILLION: u32 = 15_000;
const SILENT_PER_MILLION: u32 = 15_000;
const COMMITS_UNHEARD_PER_MILLION: u32 = 200_000;

/// Commits that show that groups are served again.
const COMMITS_PROBED: u32 = 3;

const COORDINATOR_ERRORS: [WireError; 3] = [WireError(14), WireError(15), WireError(16)];
const ILLEGAL_GENERATION: WireError = WireError(22);
const UNKNOWN_MEMBER_ID: WireError = WireError(25);
const REBALANCE_IN_PROGRESS: WireError = WireError(27);
const MEMBER_ID_REQUIRED: WireError = WireError(79);
const GROUP_ID_NOT_FOUND: WireError = WireError(69);
const FENCED_INSTANCE_ID: WireError = WireError(82);
const FENCED_MEMBER_EPOCH: WireError = WireError(110);
const UNRELEASED_INSTANCE_ID: WireError = WireError(111);
const STALE_MEMBER_EPOCH: WireError = WireError(113);

/// What a member of a group is, and may be for as long as nobody says otherwise.
#[derive(Debug)]
pub(super) struct GroupMember {
    client: Client,
    group: String,
    instance: Option<String>,
    protocol: GroupProtocol,
    /// Whether it speaks the consumer protocol, as the one that it is.
    is_consumer: bool,
    member_id: String,
    /// Its generation or member epoch, once it has been told what it gets.
    epoch: Option<i32>,
    /// How far it has come in each partition that it has.
    positions: BTreeMap<TopicPartition, i64>,
    /// What it has and was told to give up, and how long at least it may take to.
    revoked: BTreeSet<TopicPartition>,
    revokes_until: Option<Duration>,
    /// What it has said to have, as far as it was answered.
    stated: BTreeSet<TopicPartition>,
    /// Whether its next heartbeat says all that there is to say.
    says_all: bool,
    /// Whether it may have sent a heartbeat under its id that has yet to arrive.
    is_doubted: bool,
    /// Whether something is under way that it could not go on after, if that arrived later.
    is_undecided: bool,
    /// Commits that it was told to be kept.
    commits: u32,
}

/// What an answer means for who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// All is well.
    Fine,
    /// It has to join again.
    JoinAgain,
    /// It is in another epoch than it thinks, and its next heartbeat tells which.
    Behind,
    /// Another node coordinates the group, or none does for now.
    LookAgain,
}

impl GroupMember {
    pub(super) fn new(client: Client, group: String, is_static: bool, protocol: GroupProtocol) -> Self {
        let instance = is_static.then(|| client.name.clone());
        Self {
            client,
            group,
            instance,
            protocol,
            is_consumer: protocol == GroupProtocol::Consumer,
            member_id: String::new(),
            epoch: None,
            positions: BTreeMap::new(),
            revoked: BTreeSet::new(),
            revokes_until: None,
            stated: BTreeSet::new(),
            says_all: true,
            is_doubted: false,
            is_undecided: false,
            commits: 0,
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
                    self.begin_anew_if_undecided();
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
        let epoch = self.epoch;
        if let Some(joined) = epoch.filter(|_| self.client.draw.chance(COMMITS_UNHEARD_PER_MILLION)) {
            let told = self.commit_some(wire, joined).await?;
            self.heed(told);
            return Ok(());
        }
        let told = match (self.is_consumer, epoch) {
            (true, _) => self.heartbeat_consumer(wire).await?,
            (false, Some(generation)) => self.heartbeat_classic(wire, generation).await?,
            (false, None) => self.join_classic(wire).await?,
        };
        let told = match (told, self.epoch) {
            (Told::Fine, Some(joined)) if epoch.is_some() => self.commit_some(wire, joined).await?,
            (told, _) => told,
        };
        self.heed(told);
        Ok(())
    }

    fn heed(&mut self, told: Told) {
        match told {
            Told::Fine | Told::JoinAgain => {}
            Told::Behind => self.says_all = true,
            Told::LookAgain => self.client.moving = Some(None),
        }
    }

    /// Has nothing any more, and is in no generation or epoch.
    fn give_up(&mut self) {
        self.tell_owned(&BTreeSet::new());
        (self.epoch, self.revokes_until) = (None, None);
        self.positions.clear();
        self.revoked.clear();
    }

    /// Forgets who it was. It may be of another protocol from here on.
    fn begin_anew(&mut self) {
        self.give_up();
        self.member_id.clear();
        self.is_doubted = false;
        if self.protocol == GroupProtocol::Either {
            self.is_consumer = self.client.draw.chance(500_000);
        }
    }

    /// What is lost may arrive yet. Somebody else has to be fenced from it, and so has this one's next.
    fn begin_anew_if_undecided(&mut self) {
        if std::mem::take(&mut self.is_undecided) {
            self.begin_anew();
        }
    }

    /// Works until a few commits of its own are told to it: for a run that is healed.
    pub(super) async fn probe(mut self) {
        while let Some(mut wire) = self.client.connect().await {
            match self.probe_here(&mut wire).await {
                Ok(()) if self.commits >= COMMITS_PROBED => return,
                Ok(()) => {}
                Err(Lost) => self.begin_anew_if_undecided(),
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
        request.coordinator_keys = vec![self.group_name()];
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
            self.begin_anew();
        }
        if self.client.draw.chance(SILENT_PER_MILLION) {
            sleep(Duration::from_millis(self.client.draw.below(4_000))).await;
        }
        if self.client.draw.chance(LEAVES_PER_MILLION) && !self.member_id.is_empty() {
            let (is_consumer, member_id) = (self.is_consumer, self.own_id());
            self.begin_anew();
            return if is_consumer { self.leave_consumer(wire, member_id).await } else { self.leave_classic(wire, member_id).await };
        }
        Ok(())
    }

    /// Goes on in these from where others have come to. A member of the consumer protocol says in which epoch.
    async fn fetch(&mut self, wire: &mut Wire, partitions: &[TopicPartition], epoch: Option<i32>) -> Result<Told, Lost> {
        let asked: Vec<_> = partitions.iter().map(|partition| self.ask(*partition)).collect();
        let mut group = OffsetFetchRequestGroup::default();
        group.group_id = self.group_name();
        if let Some(epoch) = epoch {
            (group.member_id, group.member_epoch) = (Some(self.own_id()), epoch);
        }
        let topics = partitions.iter().map(|partition| {
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
        let told = self.outcome("fetch offsets", WireError(group.error_code), &[UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH]);
        if told != Told::Fine {
            return Ok(told);
        }
        for ((partition, asked), topic) in partitions.iter().zip(asked).zip(&group.topics) {
            let found = topic.partitions.first().expect("one was asked for");
            self.expect("fetch offsets", WireError(found.error_code), &[WireError::NONE]);
            let offset = found.committed_offset;
            self.client.surroundings.recorder.tell(|checkers| checkers.group_fetched(&self.group, *partition, offset, &asked));
            self.positions.insert(*partition, offset.max(0));
        }
        Ok(Told::Fine)
    }

    /// Commits something in what it has.
    async fn commit_some(&mut self, wire: &mut Wire, epoch: i32) -> Result<Told, Lost> {
        if self.positions.is_empty() {
            return Ok(Told::Fine);
        }
        let place = self.client.draw.index(self.positions.len());
        let (partition, position) = self.positions.iter_mut().nth(place).expect("it is one of them");
        *position += 1 + i64::try_from(self.client.draw.below(20)).expect("it is small");
        let (partition, offset) = (*partition, *position);
        self.commit(wire, epoch, partition, offset).await
    }

    async fn commit(&mut self, wire: &mut Wire, epoch: i32, partition: TopicPartition, offset: i64) -> Result<Told, Lost> {
        let asked = self.ask(partition);
        let mut part = OffsetCommitRequestPartition::default();
        (part.partition_index, part.committed_offset) = (partition.partition.0, offset);
        let mut topic = OffsetCommitRequestTopic::default();
        topic.topic_id = uuid(partition);
        topic.partitions = vec![part];
        let mut request = OffsetCommitRequest::default();
        request.group_id = self.group_name();
        request.generation_id_or_member_epoch = epoch;
        request.member_id = self.own_id();
        request.group_instance_id = self.own_name();
        request.topics = vec![topic];
        self.is_undecided = true;
        let response = wire.ask(wire.version::<OffsetCommitRequest>()?, &request).await?;
        self.is_undecided = false;
        let committed = response.topics.first().and_then(|topic| topic.partitions.first()).expect("one was asked for");
        let expected =
            [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH];
        let told = self.outcome("commit offsets", WireError(committed.error_code), &expected);
        if told == Told::Fine {
            self.commits += 1;
            let (group, member_id) = (&self.group, &self.member_id);
            let committed = (epoch, partition, offset);
            self.client.surroundings.recorder.tell(|checkers| checkers.group_committed(group, member_id, committed, &asked));
        }
        Ok(told)
    }

    /// It is about to be heard of: the coordinator waits for it for a session from then on.
    fn ask_heard(&self, wire: &Wire, sent_at: Duration, session_ms: u64) -> GroupHeard {
        let until = self.waited_for_until(sent_at, session_ms);
        let heard = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.group_ask_heard(&self.group, wire.node(), until)));
        heard.unwrap_or_else(|| GroupHeard::of_nobody(wire.node()))
    }

    /// It has no more than these, and is about to say so, if to anybody.
    fn tell_owned(&self, owned: &BTreeSet<TopicPartition>) {
        self.client.surroundings.recorder.tell(|checkers| {
            checkers.group_owns(&self.group, &self.member_id, owned);
            Ok(())
        });
    }

    /// It has been heard of, and perhaps told what it gets.
    fn tell_assigned(&self, heard: &GroupHeard, assigned: Option<&BTreeSet<TopicPartition>>) {
        let (group, member_id) = (&self.group, &self.member_id);
        self.client.surroundings.recorder.tell(|checkers| checkers.group_heard(group, member_id, heard, assigned));
    }

    fn ask(&self, partition: TopicPartition) -> GroupAsked {
        let asked = self.client.surroundings.recorder.tell(|checkers| Ok(checkers.group_ask(&self.group, partition)));
        asked.unwrap_or_default()
    }

    /// Whether it keeps what it has when it joins anew.
    fn is_cooperative(&self) -> bool {
        self.protocol == GroupProtocol::Cooperative
    }

    fn group_name(&self) -> StrBytes {
        StrBytes::from(self.group.as_str())
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
        if error == STALE_MEMBER_EPOCH {
            return Told::Behind;
        }
        if error == REBALANCE_IN_PROGRESS && self.is_cooperative() {
            self.epoch = None;
            return Told::JoinAgain;
        }
        self.give_up();
        if ![REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, FENCED_MEMBER_EPOCH].contains(&error) {
            self.member_id.clear();
            self.is_doubted = false;
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

/// What passes at least, in simulated time, while a node's clock shows so many milliseconds.
fn at_least(ms: u64) -> Duration {
    Duration::from_millis(ms * 98 / 100)
}
