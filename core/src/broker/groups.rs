//! The coordinators of groups on this node: one for each partition of `__consumer_offsets` that it leads.
//!
//! A coordinator loads: it replays its log to where that ended when it began to lead, and answers COORDINATOR_LOAD_IN_PROGRESS meanwhile. From
//! then on it decides. What it decides is appended at once, and every answer, of a read too, is held until its log is committed to where it
//! ended then. Who still waits when leadership ends is told NOT_COORDINATOR, and asks its successor.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Broker;
use super::calls::Purpose;
use super::group_answers::{refusal_of, refused, refused_each};
use super::timers::Timer;
use crate::boundary::{
    Acks, Batch, BrokerEndpoint, ControllerCommand, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    Effects, GroupRequest, GroupResponse, ListGroupsRequest, ListGroupsResponse, Mark, NewTopic, OffsetFetchRequest, OffsetFetchResponse,
    Payload, Reply, RequestContext, Response, StorageOp,
};
use crate::coordinator::Uncommitted;
use crate::epoch::LeaderEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::group::{Client, CorruptRecord, Decided, GroupRecord, GroupTally, Groups, Moment, OFFSETS_TOPIC};
use crate::ids::{ConnectionId, LogId, PartitionIndex, RequestId, TopicId, TopicName, TopicPartition};
use crate::limits::{COORDINATOR_RETRY_MS, FREE_BYTES_RESERVE, GROUP_BATCH_BYTES, GROUPS_READ_BYTES, METADATA_REQUEST_MS_MAX};
use crate::offset::Offset;
use crate::partition::Leader;
use crate::record::{BatchBuilder, BatchHeader, Codec, HEADER_BYTES, Records};
use crate::time::Wait;

/// What coordinators decide by, out of a broker of which they borrow nothing else.
macro_rules! moment {
    ($broker:expr) => {
        Moment { now: $broker.now, random: &mut $broker.random, bounds: &$broker.bounds.groups, image: &$broker.image }
    };
}

/// The coordinators on this node, and what they owe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Coordinators {
    coordinators: BTreeMap<TopicPartition, Coordinator>,
    /// Answers that several coordinators have a part in, with how many have not let them go.
    shared: BTreeMap<RequestId, (usize, GroupResponse)>,
    /// Reads of logs that the store has not answered.
    reads: BTreeMap<TopicPartition, u32>,
    /// Whether the operator has been told that there is no topic to keep groups in.
    is_lack_told: bool,
    tally: GroupTally,
}

/// The coordinator of the groups of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Coordinator {
    groups: Groups,
    /// Where its log is to be read next, and up to where; none once it is loaded.
    loading: Option<Loading>,
    uncommitted: Uncommitted<Held>,
    /// Whether nothing could be appended when something was due.
    was_unable: bool,
}

/// How far a log has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Loading {
    next: Offset,
    upto: Offset,
    /// Answers of the store that belong to an earlier leadership: the log may have been cut since.
    stale_reads: u32,
}

/// An answer that waits for a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Held {
    Whole(RequestId, Box<GroupResponse>),
    /// One that others have a part in.
    Part(RequestId),
}

impl Coordinators {
    /// Drops what a client waits for that is gone.
    pub(super) fn abandon(&mut self, connection: ConnectionId) {
        self.shared.retain(|id, _| id.connection != connection);
    }

    /// A log is out of service: what was asked of it is not answered.
    pub(super) fn reads_lost(&mut self, id: TopicPartition) {
        self.reads.remove(&id);
    }

    /// Topics are new, gone or have more partitions. A coordinator that loads finds that out by itself.
    pub(super) fn topics_changed(&mut self, topics: &BTreeSet<TopicName>) {
        self.coordinators.values_mut().for_each(|coordinator| coordinator.groups.topics_changed(topics));
    }

    /// What was done since the node started.
    pub(super) fn tally(&self) -> GroupTally {
        self.tally
    }

    /// The groups that a partition's coordinator has, once it is loaded.
    pub(super) fn groups(&self) -> impl Iterator<Item = (TopicPartition, &Groups)> {
        self.coordinators.iter().filter(|(_, held)| held.loading.is_none()).map(|(id, held)| (*id, &held.groups))
    }
}

impl Broker {
    /// The node that coordinates a group. The topic that groups are kept in is created when it is first asked for.
    pub(super) fn find_group_coordinator(
        &mut self,
        context: &RequestContext,
        group: &str,
        effects: &mut Effects,
    ) -> Result<BrokerEndpoint, ApiError> {
        let Some(id) = self.partition_of_group(group) else {
            self.create_offsets_topic(effects);
            return Err(ErrorCode::CoordinatorNotAvailable.into());
        };
        let leader = self.image.partition(id).and_then(|registered| registered.leader);
        leader.and_then(|leader| self.endpoint_of(context, leader)).ok_or_else(|| ErrorCode::CoordinatorNotAvailable.into())
    }

    fn offsets_topic(&self) -> Option<TopicId> {
        self.image.topic_ids.get(OFFSETS_TOPIC).copied()
    }

    fn partition_of_group(&self, group: &str) -> Option<TopicPartition> {
        let topic = self.offsets_topic()?;
        let partitions = i32::try_from(self.image.topics.get(&topic)?.partitions.len()).ok().filter(|count| *count > 0)?;
        Some(TopicPartition { topic, partition: PartitionIndex(place_of(group, partitions)) })
    }

    fn create_offsets_topic(&mut self, effects: &mut Effects) {
        if self.calls.are_for(&Purpose::OffsetsTopic) {
            return;
        }
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", self.configs.whole("offsets.topic.segment.bytes").to_string()),
        ];
        let topic = NewTopic {
            name: TopicName::from(OFFSETS_TOPIC),
            partition_count: i32::try_from(self.configs.whole("offsets.topic.num.partitions")).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(self.configs.whole("offsets.topic.replication.factor")).unwrap_or(i16::MAX),
            assignments: Vec::new(),
            configs: configs.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect(),
        };
        self.call(Purpose::OffsetsTopic, ControllerCommand::AutoCreateTopics(vec![topic]), Some(METADATA_REQUEST_MS_MAX), effects);
    }

    /// The controller has made the topic, or has not. An operator is told once.
    pub(super) fn offsets_topic_decided(&mut self, effects: &mut Effects) {
        if self.offsets_topic().is_some() || std::mem::replace(&mut self.coordinators.is_lack_told, true) {
            return;
        }
        let replicas = self.configs.whole("offsets.topic.replication.factor");
        let brokers = self.image.brokers.values().filter(|broker| !broker.is_fenced).count();
        effects.error(format!(
            "{OFFSETS_TOPIC} could not be created, and no group is served: it is to have {replicas} replicas \
             (offsets.topic.replication.factor), and {brokers} brokers are up"
        ));
    }

    /// Whether this node leads a partition that keeps groups may have changed: a coordinator begins to load, or ends.
    pub(super) fn coordinate(&mut self, id: TopicPartition, effects: &mut Effects) {
        if self.offsets_topic() != Some(id.topic) && !self.coordinators.coordinators.contains_key(&id) {
            return;
        }
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else {
            self.coordinators.coordinators.remove(&id);
            self.timers.cancel(&Timer::Groups(id));
            return;
        };
        if self.coordinators.coordinators.contains_key(&id) || self.is_stopping() {
            return;
        }
        let stale_reads = self.coordinators.reads.get(&id).copied().unwrap_or_default();
        let loading = Loading { next: leader.log().start(), upto: leader.log().end(), stale_reads };
        let coordinator =
            Coordinator { groups: Groups::default(), loading: Some(loading), uncommitted: Uncommitted::default(), was_unable: false };
        self.coordinators.coordinators.insert(id, coordinator);
        self.load_groups(id, effects);
    }

    /// Reads on, or begins to serve.
    fn load_groups(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) else { return };
        let Some(Loading { next, upto, .. }) = coordinator.loading else { return };
        if next < upto {
            effects.storage.push(StorageOp::Read { log: LogId::Partition(id), from: next, upto, bytes_max: GROUPS_READ_BYTES });
            *self.coordinators.reads.entry(id).or_default() += 1;
            return;
        }
        coordinator.loading = None;
        coordinator.groups.loaded(&moment!(self));
        if upto > Offset::ZERO {
            effects.mark(Mark::GroupsLoaded);
        }
        self.watch_groups(id);
    }

    /// Records of a log that a coordinator reads.
    pub(super) fn groups_read(&mut self, id: TopicPartition, from: Offset, batches: &[Bytes], effects: &mut Effects) {
        if let Some(reads) = self.coordinators.reads.get_mut(&id) {
            *reads -= 1;
            if *reads == 0 {
                self.coordinators.reads.remove(&id);
            }
        }
        let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) else { return };
        let Some(loading) = &mut coordinator.loading else { return };
        if loading.stale_reads > 0 {
            loading.stale_reads -= 1;
            return;
        }
        assert_eq!(from, loading.next, "a log is read in order");
        let (next, passed_over) = replay(batches, loading.next, &mut coordinator.groups);
        loading.next = next;
        for what in passed_over {
            // Somebody else has written it: the log is as sound as before.
            effects.error(format!("{OFFSETS_TOPIC}-{}: {what}: passed over", id.partition));
        }
        self.load_groups(id, effects);
    }

    /// A request about one group, which may change it.
    pub(super) fn group_request(&mut self, id: RequestId, context: &RequestContext, request: &GroupRequest, effects: &mut Effects) {
        if matches!(request, GroupRequest::ConsumerGroupHeartbeat(_)) && !self.has_consumer_groups() {
            return reply(id, refusal_of(request, ErrorCode::UnsupportedVersion), effects);
        }
        let place = match request {
            // It decides nothing that would have to be kept.
            GroupRequest::Heartbeat(_) => self.coordinator_of(request.group()).map(|(place, _)| place),
            GroupRequest::JoinGroup(_)
            | GroupRequest::SyncGroup(_)
            | GroupRequest::LeaveGroup(_)
            | GroupRequest::ConsumerGroupHeartbeat(_)
            | GroupRequest::OffsetCommit(_)
            | GroupRequest::OffsetDelete(_) => self.deciding(request.group()),
        };
        let place = match place {
            Ok(place) => place,
            Err(code) => return reply(id, refusal_of(request, code), effects),
        };
        let mut moment = moment!(self);
        let groups = &mut self.coordinators.coordinators.get_mut(&place).expect("it has just been found").groups;
        let client = || Client { id: context.client_id.as_deref().unwrap_or_default().to_owned(), host: format!("/{}", context.host) };
        let decided = match request {
            GroupRequest::JoinGroup(asked) => groups.join(id, asked, &client(), &mut moment),
            GroupRequest::ConsumerGroupHeartbeat(asked) => groups.consumer_heartbeat(id, asked, &client(), &mut moment),
            GroupRequest::SyncGroup(asked) => groups.sync(id, asked, &moment),
            GroupRequest::Heartbeat(asked) => groups.heartbeat(id, asked, &moment),
            GroupRequest::LeaveGroup(asked) => groups.leave(id, asked, &moment),
            GroupRequest::OffsetCommit(asked) => groups.commit(id, asked, &self.image, &moment),
            GroupRequest::OffsetDelete(asked) => groups.delete_offsets(id, asked, &self.image),
        };
        self.conclude_groups(place, decided, effects);
    }

    pub(super) fn describe_groups(&mut self, id: RequestId, request: DescribeGroupsRequest, effects: &mut Effects) {
        let mut asked = BTreeSet::new();
        let groups = request.groups.into_iter().map(|group| {
            let described = self.coordinator_of(&group).map_err(ApiError::from).and_then(|(place, groups)| {
                asked.insert(place);
                groups.describe(&group)
            });
            (group, described)
        });
        let response = DescribeGroupsResponse { groups: groups.collect() };
        self.hold_shared(id, GroupResponse::DescribeGroups(response), asked, effects);
    }

    pub(super) fn fetch_offsets(&mut self, id: RequestId, request: &OffsetFetchRequest, effects: &mut Effects) {
        let mut asked = BTreeSet::new();
        let groups = request.groups.iter().map(|wanted| {
            let fetched = self.coordinator_of(&wanted.group).and_then(|(place, groups)| {
                asked.insert(place);
                groups.fetch(wanted, request.by_id, &self.image)
            });
            let fetched = match fetched {
                Err(code) if request.tells_each => Ok(refused_each(wanted, code)),
                told => told,
            };
            (wanted.group.clone(), fetched)
        });
        let response = GroupResponse::OffsetFetch(OffsetFetchResponse { groups: groups.collect(), tells_each: request.tells_each });
        self.hold_shared(id, response, asked, effects);
    }

    pub(super) fn list_groups(&mut self, id: RequestId, request: &ListGroupsRequest, effects: &mut Effects) {
        let is_loading = self.coordinators.coordinators.values().any(|coordinator| coordinator.loading.is_some());
        let has_followers = |place| self.partitions.get(&place).and_then(|held| held.leader().ok()).is_some_and(Leader::has_followers);
        // What a leader that is cut off knows another may know better.
        let here: Vec<_> = self.coordinators.groups().filter(|(place, _)| !(self.is_cut_off && has_followers(*place))).collect();
        let asked: BTreeSet<_> = here.iter().map(|(place, _)| *place).collect();
        let groups = here.into_iter().flat_map(|(_, groups)| groups.list(request)).collect();
        let response = ListGroupsResponse { error: is_loading.then_some(ErrorCode::CoordinatorLoadInProgress), groups };
        self.hold_shared(id, GroupResponse::ListGroups(response), asked, effects);
    }

    pub(super) fn delete_groups(&mut self, id: RequestId, request: DeleteGroupsRequest, effects: &mut Effects) {
        let mut asked = BTreeSet::new();
        let mut groups = Vec::new();
        for name in request.groups {
            let deleted = self.deciding(&name).and_then(|place| {
                asked.insert(place);
                let mut decided = Decided::default();
                let coordinator = self.coordinators.coordinators.get_mut(&place).ok_or(ErrorCode::NotCoordinator)?;
                let deleted = coordinator.groups.delete(&name, &mut decided);
                self.conclude_groups(place, decided, effects);
                deleted
            });
            groups.push((name, deleted.err()));
        }
        self.hold_shared(id, GroupResponse::DeleteGroups(DeleteGroupsResponse { groups }), asked, effects);
    }

    /// The coordinator of a group, if it is here and has loaded.
    pub(super) fn coordinator_of(&self, group: &str) -> Result<(TopicPartition, &Groups), ErrorCode> {
        let place = self.partition_of_group(group).ok_or(ErrorCode::NotCoordinator)?;
        let coordinator = self.coordinators.coordinators.get(&place).ok_or(ErrorCode::NotCoordinator)?;
        let leader = self.partitions.get(&place).and_then(|partition| partition.leader().ok()).ok_or(ErrorCode::NotCoordinator)?;
        if self.is_cut_off && leader.has_followers() {
            return Err(ErrorCode::NotCoordinator);
        }
        if coordinator.loading.is_some() { Err(ErrorCode::CoordinatorLoadInProgress) } else { Ok((place, &coordinator.groups)) }
    }

    /// The same, if what it decides can be appended.
    fn deciding(&self, group: &str) -> Result<TopicPartition, ErrorCode> {
        let (place, _) = self.coordinator_of(group)?;
        if self.may_append_groups(place) { Ok(place) } else { Err(ErrorCode::CoordinatorNotAvailable) }
    }

    fn may_append_groups(&self, id: TopicPartition) -> bool {
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else { return false };
        let is_cut_off = self.is_cut_off && leader.has_followers();
        !is_cut_off && leader.has_enough_replicas() && self.free_bytes.is_none_or(|free| free >= FREE_BYTES_RESERVE)
    }

    /// Appends what was decided, and holds the answers until that is committed.
    fn conclude_groups(&mut self, id: TopicPartition, decided: Decided, effects: &mut Effects) {
        decided.marks.iter().for_each(|mark| effects.mark(*mark));
        self.coordinators.tally += decided.tally;
        self.append_group_records(id, &decided.records, effects);
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else { return };
        let log_end = leader.log().end();
        if let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) {
            for (request, response) in decided.answers {
                coordinator.uncommitted.hold(log_end, Held::Whole(request, Box::new(response)));
            }
        }
        self.watch_groups(id);
        self.serve_groups(id, effects);
    }

    fn append_group_records(&mut self, id: TopicPartition, records: &[GroupRecord], effects: &mut Effects) {
        let mut batch = BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE);
        for record in records {
            let (key, value) = record.encode();
            if batch.record_count() > 0 && batch.batch_bytes() + key.len() + value.as_ref().map_or(0, Vec::len) > GROUP_BATCH_BYTES {
                let full = std::mem::replace(&mut batch, BatchBuilder::new(Offset::ZERO, LeaderEpoch::NONE));
                self.append_group_batch(id, full.build(), effects);
            }
            batch.append(self.now.wall, Some(&key), value.as_deref(), &[]);
        }
        if batch.record_count() > 0 {
            self.append_group_batch(id, batch.build(), effects);
        }
    }

    fn append_group_batch(&mut self, id: TopicPartition, bytes: Bytes, effects: &mut Effects) {
        let header = BatchHeader::parse(&bytes).expect("a batch that was just built is sound");
        let batch = Batch { header, payload: Payload::new(bytes) };
        let appended = self.append_batch(id, &batch, Acks::All, effects);
        assert!(appended.is_ok(), "a coordinator decides only what can be appended: {appended:?}");
    }

    /// Holds an answer until each of these coordinators has committed what it saw.
    pub(super) fn hold_shared(&mut self, id: RequestId, response: GroupResponse, places: BTreeSet<TopicPartition>, effects: &mut Effects) {
        let mut count = 0;
        for place in &places {
            let log_end = self.partitions.get(place).and_then(|partition| partition.leader().ok()).map(|leader| leader.log().end());
            if let (Some(log_end), Some(coordinator)) = (log_end, self.coordinators.coordinators.get_mut(place)) {
                coordinator.uncommitted.hold(log_end, Held::Part(id));
                count += 1;
            }
        }
        if count == 0 {
            return reply(id, response, effects);
        }
        self.coordinators.shared.insert(id, (count, response));
        for place in places {
            self.serve_groups(place, effects);
        }
    }

    /// Lets answers leave that are committed.
    pub(super) fn serve_groups(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) else { return };
        let Some(Ok(leader)) = self.partitions.get(&id).map(|partition| partition.leader()) else { return };
        let committed = leader.committed_as_promised();
        while let Some(held) = coordinator.uncommitted.pop_committed(committed) {
            match held {
                Held::Whole(id, response) => reply(id, *response, effects),
                Held::Part(id) => match self.coordinators.shared.remove(&id) {
                    Some((1, response)) => reply(id, response, effects),
                    Some((count, response)) => {
                        self.coordinators.shared.insert(id, (count - 1, response));
                    }
                    None => {}
                },
            }
        }
    }

    /// Leadership ends, or may have: whoever waits is told to look for another coordinator. One that leads all the same loads anew.
    pub(super) fn release_groups(&mut self, id: TopicPartition, effects: &mut Effects) {
        let Some(mut coordinator) = self.coordinators.coordinators.remove(&id) else { return };
        self.timers.cancel(&Timer::Groups(id));
        let waiting = coordinator.groups.abandon(ErrorCode::NotCoordinator);
        waiting.answers.into_iter().for_each(|(id, response)| reply(id, response, effects));
        let held: Vec<Held> = coordinator.uncommitted.abandon().collect();
        if !held.is_empty() {
            effects.mark(Mark::CoordinatorDeposed);
        }
        for held in held {
            match held {
                Held::Whole(id, response) => reply(id, refused(*response, ErrorCode::NotCoordinator), effects),
                Held::Part(id) => {
                    if let Some((_, response)) = self.coordinators.shared.remove(&id) {
                        reply(id, refused(response, ErrorCode::NotCoordinator), effects);
                    }
                }
            }
        }
    }

    /// The node stops: all its coordinators end.
    pub(super) fn end_coordinators(&mut self, effects: &mut Effects) {
        let places: Vec<TopicPartition> = self.coordinators.coordinators.keys().copied().collect();
        for id in places {
            self.release_groups(id, effects);
        }
    }

    /// Something of a coordinator is due by itself.
    pub(super) fn groups_due(&mut self, id: TopicPartition, effects: &mut Effects) {
        if !self.may_append_groups(id) {
            // What it would decide can't be kept.
            if let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) {
                coordinator.was_unable = true;
            }
            return self.timers.set(Timer::Groups(id), self.now.monotonic.after(Wait::from_ms(COORDINATOR_RETRY_MS)));
        }
        if let Some(coordinator) = self.coordinators.coordinators.get_mut(&id)
            && std::mem::take(&mut coordinator.was_unable)
        {
            coordinator.groups.hear_all(&moment!(self));
        }
        while let Some(coordinator) = self.coordinators.coordinators.get_mut(&id).filter(|coordinator| coordinator.loading.is_none()) {
            let moment = moment!(self);
            let Some(decided) = coordinator.groups.fire(&moment) else { break };
            self.conclude_groups(id, decided, effects);
        }
        self.watch_groups(id);
    }

    fn watch_groups(&mut self, id: TopicPartition) {
        match self.coordinators.coordinators.get(&id).and_then(|coordinator| coordinator.groups.next_deadline()) {
            Some(at) => self.timers.set(Timer::Groups(id), at),
            None => self.timers.cancel(&Timer::Groups(id)),
        }
    }

    /// A topic is gone: its offsets go with it.
    pub(super) fn forget_offsets(&mut self, topic: &TopicName, effects: &mut Effects) {
        let places: Vec<TopicPartition> = self.coordinators.groups().map(|(place, _)| place).collect();
        for id in places {
            if !self.may_append_groups(id) {
                continue;
            }
            let Some(coordinator) = self.coordinators.coordinators.get_mut(&id) else { continue };
            let decided = coordinator.groups.topics_deleted(std::slice::from_ref(topic));
            if !decided.records.is_empty() {
                self.conclude_groups(id, decided, effects);
            }
        }
    }
}

pub(super) fn reply(id: RequestId, response: GroupResponse, effects: &mut Effects) {
    effects.replies.push(Reply { id, response: Response::Group(response) });
}

/// Replays batches that follow each other from `next` on, and says where they end, and what in them makes no sense.
fn replay(batches: &[Bytes], next: Offset, groups: &mut Groups) -> (Offset, Vec<String>) {
    let (mut next, mut passed_over) = (next, Vec::new());
    for batch in batches {
        let header = BatchHeader::parse(batch).expect("the store has checked what it reads");
        let from = std::mem::replace(&mut next, header.next_offset());
        if header.codec != Codec::None {
            passed_over.push(format!("the batch at {} is compressed", header.base_offset));
            continue;
        }
        let section = batch.get(HEADER_BYTES..).unwrap_or_default();
        for record in Records::new(section).filter(|_| !header.is_control) {
            let Ok(record) = record else {
                passed_over.push(format!("a record in the batch at {} is cut short", header.base_offset));
                break;
            };
            let offset = header.base_offset.plus(record.offset_delta.into());
            let Some(key) = record.key.filter(|_| offset >= from) else { continue };
            match GroupRecord::decode(key, record.value) {
                Ok(decoded) => decoded.into_iter().for_each(|record| groups.replay(record)),
                Err(CorruptRecord) => passed_over.push(format!("the record at {offset} says what can't be")),
            }
        }
    }
    (next, passed_over)
}

/// Where Kafka keeps a group: its name's hash, as Java has it, over so many partitions.
fn place_of(group: &str, partitions: i32) -> i32 {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // Kafka's `Utils.abs`: the least integer has no positive, and counts as zero.
    hash.checked_abs().unwrap_or(0) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_where_kafka_keeps_them() {
        // `Math.abs("...".hashCode()) % 50` in Java.
        assert_eq!(place_of("", 50), 0);
        assert_eq!(place_of("a", 50), 97 % 50);
        assert_eq!(place_of("readers", 50), 1_080_410_128 % 50);
        // The hash of this one is the least integer.
        assert_eq!(place_of("polygenelubricants", 50), 0);
    }
}
