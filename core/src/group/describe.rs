//! What there is to say of groups, and how one is deleted.

use bytes::Bytes;

use super::classic::{ClassicGroup, Member, Phase};
use super::consumer::ConsumerGroup;
use super::embedded::Subscription;
use super::record::GroupRecord;
use super::{Decided, Group, Groups};
use crate::boundary::{DescribedGroup, DescribedMember, ListGroupsRequest, ListedGroup};
use crate::error::{ApiError, ErrorCode};
use crate::ids::TopicName;

/// Kafka's name for groups of the classic protocol.
const CLASSIC: &str = "classic";
/// What consumers call their protocol, and Kafka the groups of the protocol that is theirs alone.
const CONSUMER: &str = "consumer";

impl Groups {
    /// The groups that are asked for.
    pub fn list(&self, asked: &ListGroupsRequest) -> impl Iterator<Item = ListedGroup> {
        let is_wanted = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(is));
        let listed = self.groups.iter().map(|(name, group)| ListedGroup {
            group: name.clone(),
            protocol_type: match group.consumer {
                Some(_) => CONSUMER.to_owned(),
                None => group.classic.protocol_type.clone().unwrap_or_default(),
            },
            state: group.state_name().to_owned(),
            kind: group.kind().to_owned(),
        });
        listed.filter(move |listed| is_wanted(&asked.states, &listed.state) && is_wanted(&asked.types, &listed.kind))
    }

    /// A group of the classic protocol in full.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND.
    pub fn describe(&self, name: &str) -> Result<DescribedGroup, ApiError> {
        let found = self.groups.get(name).filter(|group| group.consumer.is_none());
        let group = &found.ok_or_else(|| self.is_no("classic", name))?.classic;
        let is_settled = group.phase == Phase::Stable;
        let describe = |(member_id, member): (&String, &Member)| DescribedMember {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscription: if is_settled { member.subscription(group.protocol.as_deref()) } else { Bytes::new() },
            assignment: if is_settled { member.assignment.clone() } else { Bytes::new() },
        };
        Ok(DescribedGroup {
            state: group.state_name().to_owned(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol: group.protocol.clone().filter(|_| is_settled).unwrap_or_default(),
            members: group.members.iter().map(describe).collect(),
        })
    }

    /// Deletes a group without members, and all that it has committed.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND or NON_EMPTY_GROUP.
    pub fn delete(&mut self, name: &str, decided: &mut Decided) -> Result<(), ErrorCode> {
        let group = self.groups.get(name).ok_or(ErrorCode::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        self.drop_group(name.to_owned(), decided);
        Ok(())
    }

    /// Takes back all that a group is.
    pub(super) fn drop_group(&mut self, name: String, decided: &mut Decided) {
        self.drop_consumer(&name, decided);
        let Some(group) = self.groups.remove(&name) else { return };
        for (topic, partitions) in group.offsets {
            for partition in partitions.into_keys() {
                decided.records.push(GroupRecord::Offset { group: name.clone(), topic: topic.clone(), partition, committed: None });
            }
        }
        if group.classic.protocol_type.is_some() {
            decided.records.push(GroupRecord::Classic { group: name, kept: None });
        }
    }
}

impl Group {
    /// Kafka's name for the protocol that its members speak.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.consumer.is_some() { CONSUMER } else { CLASSIC }
    }

    /// Kafka's name for what it is doing.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        self.consumer.as_ref().map_or_else(|| self.classic.state_name(), ConsumerGroup::state_name)
    }
}

impl ClassicGroup {
    /// The topics that its members read; none if they are no consumers, or nobody can tell.
    pub(super) fn subscribed(&self) -> Option<Vec<TopicName>> {
        let protocol = self.protocol.as_deref().filter(|_| self.protocol_type.as_deref() == Some(CONSUMER))?;
        let mut topics = Vec::new();
        for member in self.members.values() {
            topics.extend(Subscription::parse(&member.subscription(Some(protocol))).ok()?.topics);
        }
        Some(topics)
    }
}
