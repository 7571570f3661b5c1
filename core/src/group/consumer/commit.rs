//! Which members of a group of the consumer protocol may commit and fetch offsets.

use super::{ConsumerGroup, ConsumerMember};
use crate::boundary::{OffsetCommitRequest, OffsetsWanted, TopicRef};
use crate::epoch::GroupEpoch;
use crate::error::ErrorCode;
use crate::ids::TopicPartition;
use crate::metadata::Image;

impl ConsumerGroup {
    /// In its epoch a member commits what nobody else has, in an earlier one what it has had since.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID; STALE_MEMBER_EPOCH, of a member of the classic protocol ILLEGAL_GENERATION; or UNSUPPORTED_VERSION.
    pub(in crate::group) fn may_commit(&self, asked: &OffsetCommitRequest, image: &Image) -> Result<(), ErrorCode> {
        let said = GroupEpoch(asked.member.generation);
        if said < GroupEpoch::NONE && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(&asked.member.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if !member.is_classic() && !asked.knows_member_epochs {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let id_of = |topic: &TopicRef| match topic {
            TopicRef::Id(id) => Some(*id),
            TopicRef::Name(name) => image.topic_ids.get(name).copied(),
        };
        let is_others = |id: &TopicPartition| self.owners.get(id).is_some_and(|owner| *owner != asked.member.member_id);
        let is_up_to_date = said == member.current.epoch;
        let may = |id: Option<TopicPartition>| match id {
            Some(id) if is_up_to_date => !is_others(&id),
            Some(id) => member.had(id, said),
            None => is_up_to_date,
        };
        let mut committed = asked.topics.iter().flat_map(|(topic, partitions)| {
            let topic = id_of(topic);
            partitions.iter().map(move |part| topic.map(|topic| TopicPartition { topic, partition: part.partition }))
        });
        if (is_up_to_date || !member.is_classic()) && committed.all(may) { Ok(()) } else { Err(member.left_behind()) }
    }

    /// # Errors
    /// As [`may_commit`](Self::may_commit). Who is no member may ask.
    pub(in crate::group) fn may_fetch(&self, asked: &OffsetsWanted) -> Result<(), ErrorCode> {
        let said = GroupEpoch(asked.member_epoch);
        let Some(id) = asked.member_id.as_ref().filter(|id| said >= GroupEpoch::NONE || !id.is_empty()) else { return Ok(()) };
        let member = self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        if said == member.current.epoch { Ok(()) } else { Err(member.left_behind()) }
    }
}

impl ConsumerMember {
    /// Whether it has had a partition since an epoch or before: what it committed in that epoch nobody else has gone beyond (KIP-1251).
    fn had(&self, id: TopicPartition, said: GroupEpoch) -> bool {
        let current = &self.current;
        let since = current.assigned.get(&id).or_else(|| current.revoking.get(&id));
        (GroupEpoch::NONE..current.epoch).contains(&said) && since.is_some_and(|since| *since <= said)
    }

    fn left_behind(&self) -> ErrorCode {
        if self.is_classic() { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch }
    }
}
