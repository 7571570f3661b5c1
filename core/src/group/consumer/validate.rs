//! What makes no sense in a heartbeat, in Kafka's words.

use std::collections::BTreeSet;

use super::record::KeptSubscriber;
use super::{Assigned, Assignor, ConsumerBounds, ConsumerGroup, ConsumerMember, Partitions, Standing};
use crate::boundary::ConsumerGroupHeartbeatRequest;
use crate::epoch::GroupEpoch;
use crate::error::{ApiError, ErrorCode};
use crate::limits::{MEMBER_NAME_BYTES_MAX, OWNED_PARTITIONS_MAX, SUBSCRIBED_TOPICS_MAX};

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

impl ConsumerGroupHeartbeatRequest {
    /// # Errors
    /// INVALID_REQUEST or UNSUPPORTED_ASSIGNOR.
    pub(super) fn check(&self, bounds: &ConsumerBounds) -> Result<(), ApiError> {
        let is_blank = |text: &str| text.trim().is_empty();
        if is_blank(&self.group) {
            return Err(invalid("GroupId can't be empty."));
        }
        if self.instance_id.as_deref().is_some_and(is_blank) {
            return Err(invalid("InstanceId can't be empty."));
        }
        if self.rack_id.as_deref().is_some_and(is_blank) {
            return Err(invalid("RackId can't be empty."));
        }
        let epoch = GroupEpoch(self.member_epoch);
        if is_blank(&self.member_id) && (epoch != GroupEpoch::NONE || self.has_own_id) {
            return Err(invalid("MemberId can't be empty."));
        }
        if epoch < GroupEpoch::AWAY {
            return Err(invalid("MemberEpoch is invalid."));
        }
        if self.rebalance_timeout_ms.is_some_and(|ms| ms <= 0) {
            return Err(invalid("RebalanceTimeoutMs must be positive."));
        }
        if epoch == GroupEpoch::NONE {
            self.check_join()?;
        }
        if epoch == GroupEpoch::AWAY && self.instance_id.is_none() {
            return Err(invalid("InstanceId can't be null."));
        }
        self.check_sizes()?;
        let Some(wanted) = &self.assignor else { return Ok(()) };
        if bounds.assignors().any(|offered| offered.name() == wanted) {
            return Ok(());
        }
        let offered: Vec<_> = bounds.assignors().map(Assignor::name).collect();
        let message = format!("ServerAssignor {wanted} is not supported. Supported assignors: {}.", offered.join(", "));
        Err(ApiError::new(ErrorCode::UnsupportedAssignor, message))
    }

    fn check_join(&self) -> Result<(), ApiError> {
        if self.rebalance_timeout_ms.is_none() {
            return Err(invalid("RebalanceTimeoutMs must be provided in first request."));
        }
        if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(invalid("TopicPartitions must be empty when (re-)joining."));
        }
        // Who subscribes to nothing says that.
        if self.topics.is_none() && self.pattern.is_none() {
            return Err(invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."));
        }
        Ok(())
    }

    /// What Kafka bounds only by the size of a request.
    fn check_sizes(&self) -> Result<(), ApiError> {
        let names = [Some(&self.group), Some(&self.member_id), self.instance_id.as_ref(), self.rack_id.as_ref()];
        if names.into_iter().flatten().any(|name| name.len() > MEMBER_NAME_BYTES_MAX) {
            return Err(invalid("A name is too long."));
        }
        if self.topics.as_ref().is_some_and(|topics| topics.len() > SUBSCRIBED_TOPICS_MAX) {
            return Err(invalid("SubscribedTopicNames has too many topics."));
        }
        let owned = self.owned.iter().flatten();
        if owned.map(|(_, partitions)| partitions.len()).sum::<usize>() > OWNED_PARTITIONS_MAX {
            return Err(invalid("TopicPartitions has too many partitions."));
        }
        Ok(())
    }

    /// What the member becomes by this.
    pub(super) fn said(&self, former: &KeptSubscriber, client_id: &str, client_host: &str) -> KeptSubscriber {
        KeptSubscriber {
            instance_id: self.instance_id.clone().or_else(|| former.instance_id.clone()),
            rack_id: self.rack_id.clone().or_else(|| former.rack_id.clone()),
            client_id: client_id.to_owned(),
            client_host: client_host.to_owned(),
            topics: self.topics.as_ref().map_or_else(|| former.topics.clone(), |topics| topics.iter().cloned().collect()),
            pattern: match &self.pattern {
                Some(pattern) => Some(pattern.clone()).filter(|pattern| !pattern.is_empty()),
                None => former.pattern.clone(),
            },
            rebalance_timeout_ms: self.rebalance_timeout_ms.unwrap_or(former.rebalance_timeout_ms),
            assignor: self.assignor.clone().or_else(|| former.assignor.clone()),
            classic: None,
        }
    }

    /// The partitions that it says it has.
    pub(super) fn owned_partitions(&self) -> Option<Partitions> {
        use crate::ids::TopicPartition;
        let owned = self.owned.as_ref()?.iter();
        let of_topic = |(topic, partitions): &(_, Vec<_>)| {
            let topic = *topic;
            partitions.clone().into_iter().map(move |partition| TopicPartition { topic, partition })
        };
        Some(owned.flat_map(of_topic).collect::<BTreeSet<_>>())
    }

    /// Whether it says all that there is to say: it may not know what it was last told.
    pub(super) fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.pattern.is_some();
        self.member_epoch == GroupEpoch::NONE.0 || (self.rebalance_timeout_ms.is_some() && subscribes && self.owned.is_some())
    }
}

impl ConsumerGroup {
    /// Who a heartbeat is of, and whom it takes the place of, if it does.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, FENCED_INSTANCE_ID or UNRELEASED_INSTANCE_ID.
    pub(super) fn check_member(&self, asked: &ConsumerGroupHeartbeatRequest, owned: Option<&Partitions>) -> Result<Option<String>, ApiError> {
        let id = &asked.member_id;
        let joins = asked.member_epoch == GroupEpoch::NONE.0;
        let Some(instance) = &asked.instance_id else {
            return match self.members.get(id) {
                Some(member) => member.check_epoch(GroupEpoch(asked.member_epoch), owned).map(|()| None),
                None if joins => Ok(None),
                None => Err(self.unknown(&asked.group, id)),
            };
        };
        let Some((held, member)) = self.bearer(instance) else {
            return if joins { Ok(None) } else { Err(unknown_instance(instance)) };
        };
        if held == id && !member.is_away() {
            return member.check_epoch(GroupEpoch(asked.member_epoch), owned).map(|()| None);
        }
        if !joins {
            return Err(match held == id {
                // It has said that it would come back as a new one.
                true => fenced(GroupEpoch(asked.member_epoch), member.current.epoch),
                false => fenced_instance(id, instance, held),
            });
        }
        if !member.is_classic() && !member.is_away() {
            let message = format!(
                "Static member {id} with instance id {instance} cannot join the group because the instance id is owned by {held} member."
            );
            return Err(ApiError::new(ErrorCode::UnreleasedInstanceId, message));
        }
        Ok(Some(held.clone()))
    }

    pub(super) fn unknown(&self, group: &str, id: &str) -> ApiError {
        ApiError::new(ErrorCode::UnknownMemberId, format!("Member {id} is not a member of group {group}."))
    }
}

impl ConsumerMember {
    /// One that joins anew has given up all it had; one that says its former epoch may not have been told of this one.
    fn check_epoch(&self, said: GroupEpoch, owned: Option<&Partitions>) -> Result<(), ApiError> {
        let current = &self.current;
        if current.standing == Standing::Unknown && owned.is_none_or(|owned| !owned.is_empty()) {
            let message = "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
            return Err(ApiError::new(ErrorCode::FencedMemberEpoch, message));
        }
        let has_missed_one = said == current.previous_epoch && owned.is_some_and(|owned| is_within(owned, &current.assigned));
        if said == current.epoch || said == GroupEpoch::NONE || (said < current.epoch && has_missed_one) {
            return Ok(());
        }
        Err(fenced(said, current.epoch))
    }
}

fn is_within(owned: &Partitions, assigned: &Assigned) -> bool {
    owned.iter().all(|id| assigned.contains_key(id))
}

fn fenced(said: GroupEpoch, held: GroupEpoch) -> ApiError {
    let how = if said > held { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {how} member epoch ({said}) than the one known by the group coordinator ({held}). \
         The member must abandon all its partitions and rejoin."
    );
    ApiError::new(ErrorCode::FencedMemberEpoch, message)
}

pub(super) fn fenced_instance(id: &str, instance: &str, held: &str) -> ApiError {
    let message = format!("Static member {id} with instance id {instance} was fenced by member {held}.");
    ApiError::new(ErrorCode::FencedInstanceId, message)
}

pub(super) fn unknown_instance(instance: &str) -> ApiError {
    ApiError::new(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown."))
}
