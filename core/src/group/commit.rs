//! OffsetCommit, OffsetFetch and OffsetDelete: how far groups have come.

use super::classic::{ClassicGroup, Phase};
use super::record::{CommittedOffset, GroupRecord};
use super::tally::count;
use super::{Decided, Group, Groups, Moment};
use crate::boundary::{
    ByTopic, FetchedOffset, GroupResponse, Membership, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetsWanted, PartitionCommit, TopicRef,
};
use crate::error::ErrorCode;
use crate::ids::{PartitionIndex, RequestId, TopicName};
use crate::metadata::Image;
use crate::time::Timestamp;

impl Groups {
    /// Keeps how far a group has come.
    pub fn commit(&mut self, id: RequestId, asked: &OffsetCommitRequest, image: &Image, moment: &Moment<'_>) -> Decided {
        let mut decided = Decided::default();
        let refusal = self.try_commit(asked, image, moment).err();
        let expires_at = asked.retention_ms.map(|ms| Timestamp(moment.now.wall.0.saturating_add(ms)));
        let topics = asked.topics.iter().map(|(topic, partitions)| {
            let named = refusal.map_or_else(|| named(topic, image), Err);
            let commit = |part: &PartitionCommit| {
                let kept = match &named {
                    Err(error) => Err(*error),
                    Ok(_) if part.metadata.encode_utf16().count() > moment.bounds.metadata_bytes_max => Err(ErrorCode::OffsetMetadataTooLarge),
                    Ok(name) => Ok(GroupRecord::Offset {
                        group: asked.member.group.clone(),
                        topic: name.clone(),
                        partition: part.partition,
                        committed: Some(CommittedOffset {
                            offset: part.offset,
                            leader_epoch: part.leader_epoch,
                            metadata: part.metadata.clone(),
                            committed_at: moment.now.wall,
                            expires_at,
                            topic_id: None,
                        }),
                    }),
                };
                (part.partition, kept.map(|record| self.keep(record, &mut decided)).err())
            };
            (topic.clone(), partitions.iter().map(commit).collect())
        });
        let answer = OffsetCommitResponse { topics: topics.collect() };
        decided.tally.offset_commits = count(decided.records.len());
        decided.answers.push((id, GroupResponse::OffsetCommit(answer)));
        decided
    }

    fn try_commit(&mut self, asked: &OffsetCommitRequest, image: &Image, moment: &Moment<'_>) -> Result<(), ErrorCode> {
        let member = &asked.member;
        match self.groups.get(&member.group) {
            None if member.generation < 0 => return Ok(()),
            None => return Err(ErrorCode::GroupIdNotFound),
            // Only its heartbeats say that such a member lives.
            Some(Group { consumer: Some(group), .. }) => return group.may_commit(asked, image),
            Some(group) => may_commit(&group.classic, member)?,
        }
        self.heard(&member.group, &member.member_id, moment);
        Ok(())
    }

    /// How far a group has come, of the partitions that are asked for or of all, whose topics are told by their ids if that is wanted.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH or ILLEGAL_GENERATION: who asks does not know where the group is.
    pub fn fetch(&self, asked: &OffsetsWanted, by_id: bool, image: &Image) -> Result<ByTopic<FetchedOffset>, ErrorCode> {
        let group = self.groups.get(&asked.group);
        if let Some(consumer) = group.and_then(|group| group.consumer.as_ref()) {
            consumer.may_fetch(asked)?;
        }
        let found = |name: &TopicName, partition| group.and_then(|group| group.offsets.get(name)?.get(&partition));
        let topics = match &asked.topics {
            Some(topics) => topics.iter().map(|(topic, partitions)| {
                let named = named(topic, image).or_else(|error| match topic {
                    // What is not there any more has no offset either.
                    TopicRef::Name(name) => Ok(name.clone()),
                    TopicRef::Id(_) => Err(error),
                });
                let fetch = |partition: &PartitionIndex| FetchedOffset {
                    partition: *partition,
                    result: named.as_ref().map(|name| found(name, *partition).map(told)).map_err(|error| *error),
                };
                (topic.clone(), partitions.iter().map(fetch).collect())
            }),
            None => return Ok(group.map(|group| all(group, by_id, image)).unwrap_or_default()),
        };
        Ok(topics.collect())
    }

    /// Takes back how far a group has come.
    pub fn delete_offsets(&mut self, id: RequestId, asked: &OffsetDeleteRequest, image: &Image) -> Decided {
        let mut decided = Decided::default();
        let result = self.deletable(&asked.group).map(|subscribed| {
            let topics = asked.topics.iter().map(|(topic, partitions)| {
                let named = named(topic, image);
                let delete = |partition: &PartitionIndex| {
                    let deletable = match &named {
                        Ok(name) if subscribed.contains(name) => Err(ErrorCode::GroupSubscribedToTopic),
                        Ok(name) => Ok(name.clone()),
                        Err(error) => Err(*error),
                    };
                    if let Ok(name) = &deletable {
                        self.take_back(asked.group.clone(), name.clone(), *partition, &mut decided);
                    }
                    (*partition, deletable.err())
                };
                (topic.clone(), partitions.iter().map(delete).collect())
            });
            topics.collect()
        });
        decided.answers.push((id, GroupResponse::OffsetDelete(OffsetDeleteResponse { result })));
        decided
    }

    /// The topics that a group's members read, whose offsets are not to go.
    fn deletable(&self, name: &str) -> Result<Vec<TopicName>, ErrorCode> {
        let group = self.groups.get(name).ok_or(ErrorCode::GroupIdNotFound)?;
        if let Some(consumer) = &group.consumer {
            return Ok(consumer.subscribed().into_iter().cloned().collect());
        }
        let group = &group.classic;
        match group.phase {
            Phase::Empty => Ok(Vec::new()),
            Phase::PreparingRebalance { .. } | Phase::CompletingRebalance | Phase::Stable => group.subscribed().ok_or(ErrorCode::NonEmptyGroup),
        }
    }

    /// Takes back what was committed of a partition, if anything was.
    pub(super) fn take_back(&mut self, group: String, topic: TopicName, partition: PartitionIndex, decided: &mut Decided) {
        let held = self.groups.get(&group).and_then(|group| group.offsets.get(&topic));
        if held.is_some_and(|partitions| partitions.contains_key(&partition)) {
            self.keep(GroupRecord::Offset { group, topic, partition, committed: None }, decided);
        }
    }

    pub(super) fn keep(&mut self, record: GroupRecord, decided: &mut Decided) {
        self.replay(record.clone());
        decided.records.push(record);
    }
}

fn may_commit(group: &ClassicGroup, member: &Membership) -> Result<(), ErrorCode> {
    let Membership { generation, member_id, instance_id, .. } = member;
    if *generation < 0 && group.is_empty() {
        return Ok(());
    }
    if *generation < 0 && member_id.is_empty() && instance_id.is_none() {
        // Members may be at work on what they would be set back to.
        return Err(ErrorCode::UnknownMemberId);
    }
    group.check_generation(member_id, instance_id.as_ref(), *generation)?;
    match group.phase {
        Phase::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
        Phase::Empty | Phase::PreparingRebalance { .. } | Phase::Stable => Ok(()),
    }
}

fn named(topic: &TopicRef, image: &Image) -> Result<TopicName, ErrorCode> {
    match topic {
        TopicRef::Name(name) if image.topic_ids.contains_key(name) => Ok(name.clone()),
        TopicRef::Name(_) => Err(ErrorCode::UnknownTopicOrPartition),
        TopicRef::Id(id) => image.topics.get(id).map(|topic| topic.name.clone()).ok_or(ErrorCode::UnknownTopicId),
    }
}

fn told(committed: &CommittedOffset) -> (crate::offset::Offset, Option<crate::epoch::LeaderEpoch>, String) {
    (committed.offset, committed.leader_epoch, committed.metadata.clone())
}

fn all(group: &Group, by_id: bool, image: &Image) -> ByTopic<FetchedOffset> {
    let fetched = |(partition, committed): (&PartitionIndex, &CommittedOffset)| FetchedOffset {
        partition: *partition,
        result: Ok(Some(told(committed))),
    };
    let topics = group.offsets.iter().filter_map(|(name, partitions)| {
        let topic = if by_id { TopicRef::Id(*image.topic_ids.get(name)?) } else { TopicRef::Name(name.clone()) };
        Some((topic, partitions.iter().map(fetched).collect()))
    });
    topics.collect()
}
