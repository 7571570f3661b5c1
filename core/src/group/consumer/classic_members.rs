//! Members of the classic protocol in a group of the other: they join, sync and send heartbeats as ever, and are taken on with each join.
//!
//! Such a member's generation is the epoch that it has come to. It is told to join anew when the group is ahead of it, when it has to give up
//! partitions, and when it may get ones that others have given up. It has as long as it said to do so, and as long again to ask for what it gets.

use super::migration::CONSUMER;
use super::record::{ConsumerRecord, KeptClassic, KeptSubscriber};
use super::{ConsumerGroup, ConsumerMember, Standing};
use crate::boundary::{GroupResponse, JoinGroupRequest, JoinGroupResponse, Joined, Leaver, Membership, SyncGroupRequest, Synced};
use crate::epoch::GroupEpoch;
use crate::error::ErrorCode;
use crate::group::embedded::{Subscription, assignment};
use crate::group::join::{Refusal, member_id};
use crate::group::timers::GroupTimer;
use crate::group::{Client, Decided, Groups, Moment};
use crate::ids::RequestId;

impl Groups {
    /// Somebody joins who knows only the classic protocol.
    pub(in crate::group) fn join_consumer(
        &mut self,
        id: RequestId,
        asked: &JoinGroupRequest,
        client: &Client,
        moment: &mut Moment<'_>,
        decided: &mut Decided,
    ) -> Result<(), Refusal> {
        let name = &asked.group;
        let group = self.consumer(name).filter(|group| !group.members.is_empty());
        let Some(group) = group else { return Err(ErrorCode::UnknownMemberId.into()) };
        group.check_epoch_left().map_err(|refused| refused.code)?;
        let is_unknown = asked.member_id.is_empty();
        let held = asked.instance_id.as_ref().and_then(|instance| group.bearer(instance)).map(|(held, _)| held.clone());
        let is_in = group.members.contains_key(&asked.member_id) || held.is_some();
        if group.members.len() >= moment.bounds.consumer.members_max && !is_in {
            return Err(ErrorCode::GroupMaxSizeReached.into());
        }
        let said = asked.protocols.first().and_then(|(_, said)| Subscription::parse(said).ok());
        let subscription = said.filter(|_| group.takes_classic(asked)).ok_or(ErrorCode::InconsistentGroupProtocol)?;
        match (&asked.instance_id, &held) {
            (Some(_), None) if !is_unknown => return Err(ErrorCode::UnknownMemberId.into()),
            (Some(_), Some(held)) if !is_unknown && *held != asked.member_id => return Err(ErrorCode::FencedInstanceId.into()),
            (Some(_) | None, _) => {}
        }
        let own = match (&asked.instance_id, is_unknown) {
            (_, false) => asked.member_id.clone(),
            (Some(instance), true) => member_id(instance, moment),
            (None, true) => member_id(&client.id, moment),
        };
        if is_unknown && asked.needs_member_id {
            return Err(Refusal { error: ErrorCode::MemberIdRequired, member_id: Some(own) });
        }
        if let Some(former) = held.filter(|held| *held != own) {
            self.succeed_consumer(name, &former, &own, decided);
        }
        self.take_on_classic(asked, client, &own, &subscription, moment, decided);
        self.deadlines.cancel(&GroupTimer::Rejoining { group: name.clone(), member: own.clone() });
        self.heard(name, &own, moment);
        let Some(member) = self.consumer(name).and_then(|group| group.members.get(&own)) else { return Err(ErrorCode::UnknownMemberId.into()) };
        let joined = Joined {
            generation: member.current.epoch.0,
            protocol_type: CONSUMER.to_owned(),
            protocol: member.classic_protocol().to_owned(),
            // Nobody: the coordinator assigns.
            leader: String::new(),
            skip_assignment: false,
            members: Vec::new(),
        };
        let timer = GroupTimer::Resyncing { group: name.clone(), member: own.clone() };
        self.deadlines.set(timer, moment.now.monotonic.after(member.patience()));
        self.downgrade_if_due(name, moment, decided);
        if self.consumer(name).is_none() {
            // It has taken the place of the last member of the other protocol: all join anew.
            return Err(Refusal { error: ErrorCode::RebalanceInProgress, member_id: Some(own) });
        }
        let answer = JoinGroupResponse { result: Ok(joined), member_id: own };
        decided.answers.push((id, GroupResponse::JoinGroup(answer)));
        Ok(())
    }

    fn take_on_classic(
        &mut self,
        asked: &JoinGroupRequest,
        client: &Client,
        id: &str,
        subscription: &Subscription,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) {
        let before = self.consumer(&asked.group).and_then(|group| group.members.get(id)).cloned().unwrap_or_default();
        let classic = KeptClassic { session_timeout_ms: asked.session_timeout_ms, protocols: asked.protocols.clone() };
        let said = KeptSubscriber {
            instance_id: asked.instance_id.clone().or_else(|| before.said.instance_id.clone()),
            rack_id: subscription.rack_id.clone().or_else(|| before.said.rack_id.clone()),
            client_id: client.id.clone(),
            client_host: client.host.clone(),
            topics: subscription.topics.iter().cloned().collect(),
            pattern: None,
            rebalance_timeout_ms: asked.rebalance_timeout_ms,
            assignor: None,
            classic: Some(classic),
        };
        self.take_on(&asked.group, id, &before, said, moment, decided);
        let owned = subscription.owned(moment.image);
        self.reconcile_consumer(&asked.group, id, Some(&owned), moment, decided);
    }

    /// A member subscribes to what it says, and what follows from that for the group.
    pub(super) fn take_on(
        &mut self,
        name: &str,
        id: &str,
        before: &ConsumerMember,
        said: KeptSubscriber,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) {
        // One that has never come to an epoch may have been kept without the group's next one.
        let is_new = before.current.epoch == GroupEpoch::NONE && before.current.previous_epoch != GroupEpoch::NONE;
        let has_changed = is_new || (&said.topics, &said.pattern) != (&before.said.topics, &before.said.pattern);
        // One of the classic protocol would only be told to join again.
        let is_urgent = said.classic.is_some();
        if said != before.said || is_new {
            self.keep_fact(name, ConsumerRecord::Member(id.to_owned(), Some(said)), decided);
        }
        self.follow_subscriptions(name, has_changed, moment, decided);
        self.assign_if_due(name, is_urgent, moment, decided);
    }

    /// What such a member gets.
    pub(in crate::group) fn sync_consumer(&mut self, asked: &SyncGroupRequest, moment: &Moment<'_>) -> Result<Synced, ErrorCode> {
        let Membership { group: name, member_id: id, .. } = &asked.member;
        let group = self.consumer(name).ok_or(ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(&asked.member)?;
        let protocol = member.classic_protocol();
        let differs = |said: &Option<String>, held: &str| said.as_deref().is_some_and(|said| said != held);
        if differs(&asked.protocol_type, CONSUMER) || differs(&asked.protocol, protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if group.epoch > member.current.epoch && member.current.standing != Standing::Unrevoked {
            self.expect_rejoin(name, id, moment);
            return Err(ErrorCode::RebalanceInProgress);
        }
        let version = member.said.classic.as_ref().map_or(0, KeptClassic::version);
        let synced = Synced {
            protocol_type: CONSUMER.to_owned(),
            protocol: protocol.to_owned(),
            assignment: assignment(member.current.assigned.keys(), version, moment.image),
        };
        self.deadlines.cancel(&GroupTimer::Resyncing { group: name.clone(), member: id.clone() });
        self.heard(name, id, moment);
        Ok(synced)
    }

    /// Such a member lives, and is told if it has to join anew.
    pub(in crate::group) fn heartbeat_consumer(&mut self, said: &Membership, moment: &Moment<'_>) -> Result<(), ErrorCode> {
        let group = self.consumer(&said.group).ok_or(ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(said)?;
        let has_to_join = match member.current.standing {
            _ if member.current.epoch < group.epoch => true,
            Standing::Stable => false,
            Standing::Unrevoked | Standing::Unknown => true,
            Standing::Unreleased => !group.waits_for_others(&said.member_id, member),
        };
        self.heard(&said.group, &said.member_id, moment);
        if !has_to_join {
            return Ok(());
        }
        self.expect_rejoin(&said.group, &said.member_id, moment);
        Err(ErrorCode::RebalanceInProgress)
    }

    /// Such a member leaves. An operator who removes a static one knows its name and not its id.
    pub(in crate::group) fn leave_as_classic(
        &mut self,
        name: &str,
        leaver: &Leaver,
        moment: &Moment<'_>,
        decided: &mut Decided,
    ) -> Result<(), ErrorCode> {
        let group = self.consumer(name).ok_or(ErrorCode::UnknownMemberId)?;
        let id = match &leaver.instance_id {
            Some(instance) => group.instances.get(instance).ok_or(ErrorCode::UnknownMemberId)?,
            None => &leaver.member_id,
        };
        if !leaver.member_id.is_empty() && *id != leaver.member_id {
            return Err(ErrorCode::FencedInstanceId);
        }
        let member = group.members.get(id).filter(|member| member.is_classic());
        member.ok_or(ErrorCode::UnknownMemberId)?;
        let id = id.clone();
        self.remove_consumer(name, &id, moment, decided);
        Ok(())
    }

    /// It has its time to join anew from when it is first told to.
    fn expect_rejoin(&mut self, name: &str, id: &str, moment: &Moment<'_>) {
        let Some(member) = self.consumer(name).and_then(|group| group.members.get(id)) else { return };
        let (timer, patience) = (GroupTimer::Rejoining { group: name.to_owned(), member: id.to_owned() }, member.patience());
        if !self.deadlines.is_set(&timer) {
            self.deadlines.set(timer, moment.now.monotonic.after(patience));
        }
    }
}

impl ConsumerGroup {
    /// Whether somebody of the classic protocol may join, who can do something that all others of it can.
    fn takes_classic(&self, asked: &JoinGroupRequest) -> bool {
        let is_common = |(name, _): &(String, _)| {
            let mut classic = self.members.values().filter_map(|member| member.said.classic.as_ref());
            classic.all(|classic| classic.protocols.iter().any(|(other, _)| other == name))
        };
        asked.protocol_type == CONSUMER && asked.protocols.iter().any(is_common)
    }

    /// # Errors
    /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID or ILLEGAL_GENERATION.
    fn classic_member(&self, said: &Membership) -> Result<&ConsumerMember, ErrorCode> {
        if let Some(instance) = &said.instance_id {
            let held = self.instances.get(instance).ok_or(ErrorCode::UnknownMemberId)?;
            if *held != said.member_id {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        let member = self.members.get(&said.member_id).filter(|member| member.is_classic()).ok_or(ErrorCode::UnknownMemberId)?;
        if said.generation == member.current.epoch.0 { Ok(member) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Whether others still have any of what a member waits for: it gets all of that at once.
    fn waits_for_others(&self, id: &str, member: &ConsumerMember) -> bool {
        let mut awaited = member.target.iter().filter(|partition| !member.current.assigned.contains_key(partition));
        awaited.any(|partition| self.owners.get(partition).is_some_and(|owner| owner != id))
    }
}

impl ConsumerMember {
    /// What it is told to be agreed on: the first thing that it can do.
    fn classic_protocol(&self) -> &str {
        let first = self.said.classic.as_ref().and_then(|classic| classic.protocols.first());
        first.map(|(name, _)| name.as_str()).unwrap_or_default()
    }
}
