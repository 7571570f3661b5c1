//! ListOffsets, OffsetForLeaderEpoch and DeleteRecords: where logs start and end, and where they are to start.

use std::collections::BTreeSet;

use super::join::Join;
use super::timers::Timer;
use super::{Broker, Search, upkeep};
use crate::boundary::{
    DeleteRecordsRequest, DeleteRecordsResponse, Effects, EpochEnd, EpochQuestion, FoundRecord, ListOffsetsPartition, ListOffsetsRequest,
    ListOffsetsResponse, ListedOffset, Mark, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetFound, OffsetSpec, Reply,
    Response, SearchId, StorageOp, TimeTarget,
};
use crate::epoch::LeaderEpoch;
use crate::error::ErrorCode;
use crate::ids::{LogId, PartitionIndex, RequestId, TopicName, TopicPartition};
use crate::limits::REPLICATION_TICK_MS;
use crate::offset::Offset;
use crate::partition::Leader;
use crate::time::{Timestamp, Wait};

pub(super) type ListOffsetsJoin = Join<TopicName, ListedOffset>;
pub(super) type DeleteRecordsJoin = Join<TopicName, (PartitionIndex, Result<Offset, ErrorCode>)>;

/// Offset, timestamp and epoch of "no such record".
const NOTHING: OffsetFound = OffsetFound { offset: Offset(-1), timestamp: Timestamp::NONE, leader_epoch: LeaderEpoch::NONE };

impl Broker {
    pub(super) fn list_offsets(&mut self, id: RequestId, request: ListOffsetsRequest, effects: &mut Effects) {
        let mut join = ListOffsetsJoin::new(request.topics.len());
        let asked = request.topics.iter().flat_map(|(topic, questions)| questions.iter().map(move |question| (topic, question.partition)));
        let duplicates: BTreeSet<_> = duplicated(asked).into_iter().map(|(topic, partition)| (topic.clone(), partition)).collect();
        for (topic, questions) in request.topics {
            join.begin_topic(topic.clone(), questions.len());
            for question in questions {
                if duplicates.contains(&(topic.clone(), question.partition)) {
                    join.push(ListedOffset { partition: question.partition, result: Err(ErrorCode::InvalidRequest) });
                    continue;
                }
                self.list_offset(id, &topic, &question, request.read_committed, &mut join, effects);
            }
        }
        if join.is_complete() {
            reply_offsets(id, join, effects);
        } else {
            self.offset_lists.insert(id, join);
        }
    }

    fn list_offset(
        &mut self,
        request: RequestId,
        topic: &TopicName,
        question: &ListOffsetsPartition,
        read_committed: bool,
        join: &mut ListOffsetsJoin,
        effects: &mut Effects,
    ) {
        let partition = question.partition;
        let found = self.leader_for_offsets(topic, partition, question.current_leader_epoch);
        let target = match question.spec {
            OffsetSpec::Timestamp(timestamp) => Some(TimeTarget::AtLeast(timestamp)),
            OffsetSpec::MaxTimestamp => Some(TimeTarget::Max),
            OffsetSpec::Latest | OffsetSpec::Earliest | OffsetSpec::EarliestLocal | OffsetSpec::LatestTiered => None,
            OffsetSpec::EarliestPendingUpload | OffsetSpec::Unknown(_) => None,
        };
        let (id, leader) = match found {
            Ok(found) => found,
            Err(code) => return join.push(ListedOffset { partition, result: Err(code) }),
        };
        let looks_for_end = target.is_some() || question.spec == OffsetSpec::Latest;
        if looks_for_end && !leader.knows_what_is_committed() {
            return join.push(ListedOffset { partition, result: Err(ErrorCode::OffsetNotAvailable) });
        }
        if let Some((offset, leader_epoch)) = leader.offset_at(question.spec, read_committed) {
            let leader_epoch = leader_epoch.unwrap_or(LeaderEpoch::NONE);
            return join.push(ListedOffset { partition, result: Ok(OffsetFound { offset, timestamp: Timestamp::NONE, leader_epoch }) });
        }
        let Some(target) = target else {
            return join.push(ListedOffset { partition, result: Err(ErrorCode::UnsupportedVersion) });
        };
        join.push(ListedOffset { partition, result: Ok(NOTHING) });
        let upto = if read_committed { leader.last_stable_offset() } else { leader.high_watermark() };
        if leader.log().start() < upto {
            let slot = join.wait(id, upto);
            let search = self.next_search();
            self.searches.insert(search, Search { request, slot, id });
            effects.storage.push(StorageOp::Find { log: LogId::Partition(id), search, target, upto });
        }
    }

    fn leader_for_offsets(
        &self,
        topic: &TopicName,
        partition: PartitionIndex,
        known: Option<LeaderEpoch>,
    ) -> Result<(TopicPartition, &Leader), ErrorCode> {
        let topic = *self.image.topic_ids.get(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let id = TopicPartition { topic, partition };
        let leader = self.partitions.get(&id).ok_or_else(|| self.absence(id))?.leader()?;
        leader.reading().check_epoch(known)?;
        Ok((id, leader))
    }

    fn next_search(&mut self) -> SearchId {
        let SearchId(last) = self.last_search;
        self.last_search = SearchId(last + 1);
        self.last_search
    }

    /// The store has looked.
    pub(super) fn search_done(&mut self, search: SearchId, found: Result<Option<FoundRecord>, ErrorCode>, effects: &mut Effects) {
        let Some(Search { request, slot, .. }) = self.searches.remove(&search) else { return };
        let result = match found {
            Ok(Some(record)) => Ok(OffsetFound { offset: record.offset, timestamp: record.timestamp, leader_epoch: record.leader_epoch }),
            Ok(None) => Ok(NOTHING),
            Err(code) => Err(code),
        };
        let Some(join) = self.offset_lists.get_mut(&request) else { return };
        if let Some(part) = join.done(slot) {
            part.result = result;
        }
        if join.is_complete()
            && let Some(join) = self.offset_lists.remove(&request)
        {
            reply_offsets(request, join, effects);
        }
    }

    pub(super) fn offset_for_leader_epoch(&self, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
        let answer = |topic: &TopicName, question: &EpochQuestion| {
            let end = self
                .leader_for_offsets(topic, question.partition, question.current_leader_epoch)
                .map(|(_, leader)| leader.reading().end_of_epoch(question.leader_epoch).unwrap_or((LeaderEpoch::NONE, Offset(-1))));
            EpochEnd { partition: question.partition, result: end }
        };
        let topics = request.topics.into_iter().map(|(topic, questions)| {
            let ends = questions.iter().map(|question| answer(&topic, question)).collect();
            (topic, ends)
        });
        OffsetForLeaderEpochResponse { topics: topics.collect() }
    }

    pub(super) fn delete_records(&mut self, id: RequestId, request: DeleteRecordsRequest, effects: &mut Effects) {
        let mut join = DeleteRecordsJoin::new(request.topics.len());
        for (topic, partitions) in request.topics {
            join.begin_topic(topic.clone(), partitions.len());
            for (partition, before) in partitions {
                match self.new_log_start(&topic, partition, before) {
                    Ok((trimmed, wanted)) => self.trim_for(id, trimmed, wanted, &mut join, effects),
                    Err(code) => join.push((partition, Err(code))),
                }
            }
        }
        if join.is_complete() {
            reply_deleted(id, join, effects);
        } else {
            self.timers.set(Timer::Deletion(id), self.now.monotonic.after(Wait::from_ms(request.timeout_ms.into())));
            self.deletions.insert(id, join);
        }
    }

    /// Where a log is to start at least, if its records below `before` go.
    fn new_log_start(&self, topic: &TopicName, partition: PartitionIndex, before: Offset) -> Result<(TopicPartition, Offset), ErrorCode> {
        if topic.is_internal() {
            return Err(ErrorCode::InvalidTopicException);
        }
        let (id, leader) = self.leader_for_offsets(topic, partition, None)?;
        let is_cut_off = self.is_cut_off && leader.isr().replicas().len() > 1;
        if self.is_stopping() || is_cut_off {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if !leader.settings().cleanup_delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let wanted = if before == Offset(-1) { leader.high_watermark() } else { before };
        if wanted < Offset::ZERO || wanted > leader.high_watermark() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        Ok((id, wanted))
    }

    /// Moves a log's start, and lets a DeleteRecords wait until no replica that lives or is in sync has what is to go.
    fn trim_for(&mut self, request: RequestId, id: TopicPartition, wanted: Offset, join: &mut DeleteRecordsJoin, effects: &mut Effects) {
        let Some(Ok(leader)) = self.partitions.get_mut(&id).map(|partition| partition.leader_mut()) else { return };
        let low_watermark = leader.low_watermark(&self.image.brokers);
        join.push((id.partition, Ok(low_watermark)));
        if wanted > low_watermark {
            leader.waiting_for_trim.add(wanted, (request, join.wait(id, wanted)));
        }
        if wanted > leader.log().start() {
            effects.mark(Mark::RecordsDeleted);
            if wanted == leader.log().end() {
                effects.mark(Mark::LogEmptied);
            }
            upkeep::trim(id, leader, wanted, effects);
        }
    }

    /// The time of a DeleteRecords is up: what it wanted to go may go later, or be there again under the next leader.
    pub(super) fn deletion_timed_out(&mut self, request: RequestId, effects: &mut Effects) {
        let Some(join) = self.deletions.get(&request) else { return };
        let leader = |id| self.partitions.get(&id).and_then(|partition| partition.leader().ok());
        if join.waiting().any(|(_, place)| leader(place.id).is_some_and(|leader| leader.log().start() < place.upto)) {
            // Its own disk is waited for: where Kafka looks at the time it has moved its own start.
            return self.timers.set(Timer::Deletion(request), self.now.monotonic.after(Wait::from_ms(REPLICATION_TICK_MS)));
        }
        for slot in self.forget_deletion_waits(request) {
            self.deletion_done((request, slot), Err(ErrorCode::RequestTimedOut), effects);
        }
    }

    /// Drops a DeleteRecords whose client is gone. What it began goes on.
    pub(super) fn abandon_deletion(&mut self, request: RequestId) {
        self.forget_deletion_waits(request);
        self.timers.cancel(&Timer::Deletion(request));
        self.deletions.remove(&request);
    }

    fn forget_deletion_waits(&mut self, request: RequestId) -> Vec<u32> {
        let waits: Vec<_> = self.deletions.get(&request).map(|join| join.waiting().collect()).unwrap_or_default();
        self.forget_waits(request, waits)
    }

    /// What a DeleteRecords wanted to go is gone, or its partition has failed.
    pub(super) fn deletion_done(&mut self, (request, slot): (RequestId, u32), outcome: Result<Offset, ErrorCode>, effects: &mut Effects) {
        let Some(join) = self.deletions.get_mut(&request) else { return };
        if let Some((_, result)) = join.done(slot) {
            *result = outcome;
        }
        if join.is_complete()
            && let Some(join) = self.deletions.remove(&request)
        {
            self.timers.cancel(&Timer::Deletion(request));
            reply_deleted(request, join, effects);
        }
    }
}

/// What is named more than once.
fn duplicated<T: Ord + Copy>(named: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    named.filter(|named| !seen.insert(*named)).collect()
}

fn reply_offsets(id: RequestId, join: ListOffsetsJoin, effects: &mut Effects) {
    effects.replies.push(Reply { id, response: Response::ListOffsets(ListOffsetsResponse { topics: join.topics }) });
}

fn reply_deleted(id: RequestId, join: DeleteRecordsJoin, effects: &mut Effects) {
    effects.replies.push(Reply { id, response: Response::DeleteRecords(DeleteRecordsResponse { topics: join.topics }) });
}
